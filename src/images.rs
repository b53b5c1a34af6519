//! The app's images: which Dockerfile, how they are built and pushed.

pub(crate) mod cleanup;
pub(crate) mod context;
mod engine;
mod ignore;
mod making;
mod prepared;
mod processors;
pub(crate) mod promote;
pub(crate) mod publish;
pub(crate) mod seal;
mod secrets;
pub(crate) mod tags;

pub(crate) use making::Goal;

pub(crate) use prepared::PREPARE_TAG;

use schemars::JsonSchema;
use serde::Serialize;

use self::engine::{Destination, Engine};
use crate::error::{Error, Result};
use crate::model::app::{App, Build, Release};
use crate::model::builds::{self, DEFAULT_BUILD, Named, Start};
use crate::model::dotenv;
use crate::model::image::repository_in;
use crate::model::name::nearest;
use crate::model::tag::is_dirty_tag;
use crate::render::dockerfile::{Dockerfile, Facts, Stage, base_image, path, render};
use crate::session::Session;
use crate::tools::docker::Docker;
use crate::ui::{Answer, Format};

/// One image to build: the app's own, or one of `builds`.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    app: &'a App,
    name: Option<&'a str>,
    build: &'a Build,
    release: Option<&'a Release>,
}

/// How to build.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Ask the registry for the prepare image.
    pub pull: bool,
    /// Leave the Dockerfile in the app's folder.
    pub keep_dockerfile: bool,
    /// What the image is to run on, in place of `build.platforms`.
    pub platforms: Vec<String>,
    /// An image that is there already is not built again.
    pub if_missing: bool,
    /// Push it as `latest` too.
    pub latest: bool,
    /// The builder lists what it builds.
    pub sbom: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { pull: true, keep_dockerfile: false, platforms: vec![], if_missing: false, latest: true, sbom: false }
    }
}

/// What a build or a push made.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct ImageResult {
    /// Shape of this result.
    pub version: u32,
    /// Which of `builds`; none for the app's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// `REGISTRY/APP:TAG`.
    pub image: String,
    /// The tag.
    pub tag: String,
    /// `sha256:...` once a registry has it.
    pub digest: Option<String>,
}

/// The image to build; `name` is one of `builds`.
///
/// # Errors
/// The app has no `build`, or no such name in `builds`.
pub(crate) fn plan<'a>(session: &'a Session, name: Option<&str>) -> Result<Plan<'a>> {
    let app = session.app()?;
    match name {
        None => {
            let build = app.build.as_ref().ok_or_else(|| {
                Error::failed("the values have no `build`, so there is no image to build")
                    .hint("build: {base: IMAGE, script: [COMMAND]} # in chart/values.yaml")
            })?;
            Ok(Plan { app, name: None, build, release: app.release.as_ref() })
        }
        Some(name) => {
            let known = || builds::all(app).into_iter().map(|(name, _)| name.unwrap_or(DEFAULT_BUILD));
            let found = builds::find(app, name).ok_or_else(|| {
                let error = Error::usage(format!("`builds` has no `{name}`"));
                match nearest(name, known()).or(known().next()) {
                    Some(near) => error.hint(format!("--name {near} # there are: {}", known().collect::<Vec<_>>().join(", "))),
                    None => error.hint(format!("builds: {{{name}: {{base: IMAGE, script: [COMMAND]}}}} # in chart/values.yaml")),
                }
            })?;
            Ok(Plan::of(app, found))
        }
    }
}

/// The image of this name behind those that it is made from; of all, without a name.
///
/// # Errors
/// As [`plan`] and [`plans`]; or what one of them says it starts from is wrong.
pub(crate) fn plans_to_build<'a>(session: &'a Session, name: Option<&str>) -> Result<Vec<Plan<'a>>> {
    let app = session.app()?;
    if let Some(wrong) = builds::wrong(app).into_iter().next() {
        let node = session.layers()?.canonical().nearest(wrong.way.iter().map(String::as_str));
        return Err(node.span.error(wrong.message).hint(wrong.hint));
    }
    if name.is_none() {
        return plans(session);
    }
    let last = plan(session, name)?;
    Ok(builds::chain(app, (last.name, last.build)).into_iter().map(|build| Plan::of(app, build)).collect())
}

/// Who builds this run's images; fails with the reason where they could not be built.
///
/// # Errors
/// docker is missing, its daemon or the builder does not answer, or does not do what the app's builds ask for.
pub(crate) fn can_build(session: &Session, docker: &Docker<'_>) -> Result<String> {
    if !session.has_app() {
        docker.check()?;
        return Ok("daemon".to_owned());
    }
    let engine = Engine::of(session)?;
    // A builder puts images into the registry by itself.
    let (to, who) = match &engine {
        Engine::Docker => (Destination::Daemon, "daemon".to_owned()),
        Engine::Builder(name) => (Destination::Registry, format!("builder {name}")),
    };
    engine.check(docker, to)?;
    for (_, build) in builds::all(session.app()?) {
        if build.secrets.is_some() {
            engine.check_secrets(session, docker)?;
        }
        let platforms: Vec<String> = build.platforms.iter().flatten().map(ToString::to_string).collect();
        engine.check_platforms(&platforms, to)?;
    }
    Ok(who)
}

/// True for an app that has neither `build` nor `builds`.
///
/// # Errors
/// The values cannot be read.
pub(crate) fn builds_nothing(session: &Session) -> Result<bool> {
    session.app().map(|app| builds::all(app).is_empty())
}

/// The app's image and every one of `builds`.
///
/// # Errors
/// The app builds nothing.
pub(crate) fn plans(session: &Session) -> Result<Vec<Plan<'_>>> {
    let app = session.app()?;
    let all: Vec<Plan<'_>> = builds::in_order(app).into_iter().map(|build| Plan::of(app, build)).collect();
    if all.is_empty() { plan(session, None).map(|plan| vec![plan]) } else { Ok(all) }
}

impl<'a> Plan<'a> {
    fn of(app: &'a App, (name, build): Named<'a>) -> Self {
        let release = if name.is_some() { build.release.as_ref() } else { app.release.as_ref() };
        Self { app, name, build, release }
    }

    /// What it starts from.
    fn start(&self) -> Start<'a> {
        builds::start(self.app, self.build)
    }

    /// An image of this plan, as a result.
    pub(crate) fn result(&self, image: String, tag: &str, digest: Option<String>) -> ImageResult {
        ImageResult { version: 1, build: self.name.map(str::to_owned), image, tag: tag.to_owned(), digest }
    }

    /// `release` if it is defined, else `build`.
    pub(crate) fn final_stage(&self) -> Stage {
        if self.release.is_some() { Stage::Release } else { Stage::Build }
    }

    /// True when there is a prepare stage of its own.
    pub(crate) fn has_prepare(&self) -> bool {
        self.build.own_prepare().is_some()
    }

    /// `REGISTRY/APP`, or `REGISTRY/APP-NAME` for one of `builds`.
    ///
    /// # Errors
    /// No registry is known.
    pub(crate) fn repository(&self, session: &Session) -> Result<String> {
        Ok(self.repository_in(session.registry()?))
    }

    fn repository_in(&self, registry: &str) -> String {
        self.repository_of(registry, &self.app.appname)
    }

    /// As [`Plan::repository`], in another registry and under another name of the app.
    pub(crate) fn repository_of(&self, registry: &str, appname: &str) -> String {
        match self.name.filter(|name| *name != DEFAULT_BUILD) {
            Some(name) => repository_in(registry, &format!("{appname}-{name}")),
            None => repository_in(registry, appname),
        }
    }

    /// `REGISTRY/APP:TAG` of HEAD.
    ///
    /// # Errors
    /// No registry is known, or git refuses the folder.
    pub(crate) fn image(&self, session: &Session) -> Result<String> {
        Ok(format!("{}:{}", self.repository(session)?, session.image_tag()?))
    }

    /// Renders a stage. `fallback` stands in for an unknown registry where the text is only shown; `prepare` is the tag of the prepare image it may start from.
    ///
    /// # Errors
    /// The stage is not defined, or the registry is needed and not known.
    pub(crate) fn dockerfile(&self, session: &Session, stage: Stage, fallback: Option<&str>, prepare: &str) -> Result<Dockerfile> {
        let starts_here = stage != Stage::Prepare && !matches!(self.start(), Start::Base);
        let registry = match (session.registry(), fallback) {
            (Ok(registry), _) => registry,
            (Err(_), Some(fallback)) => {
                if starts_here {
                    session.ui.warn("no cluster is chosen, so the registry is not known: REGISTRY stands in its place");
                }
                fallback
            }
            (Err(error), None) => return Err(error),
        };
        self.check_places(session, stage)?;
        let tag = session.image_tag()?;
        let start = match self.start() {
            Start::Base => None,
            Start::Prepared => Some(format!("{}:{prepare}", self.repository_in(registry))),
            Start::PreparedOf(other) => Some(format!("{}:{prepare}", Plan::of(self.app, other).repository_in(registry))),
            Start::Made(other) => Some(format!("{}:{tag}", Plan::of(self.app, other).repository_in(registry))),
        };
        let facts = Facts {
            start: start.as_deref(),
            mirrors: session.cluster()?.image_mirrors.as_ref(),
            copies_from_root: session.has_older_chart(),
            meta: tag,
        };
        render(stage, self.build, self.release, facts)
    }

    /// Refuses images and working directories that no Dockerfile can have, at their place in the values.
    fn check_places(&self, session: &Session, stage: Stage) -> Result<()> {
        let build: Vec<&str> = self.name.map_or_else(|| vec!["build"], |name| vec!["builds", name]);
        let release = self.name.map_or_else(|| vec!["release"], |name| vec!["builds", name, "release"]);
        let place = |way: &[&str], key: &str, error: Error| -> Result<Error> {
            let node = session.layers()?.canonical().nearest(way.iter().copied().chain([key]));
            Ok(error.at(node.span.location()))
        };
        let release_of_stage = self.release.filter(|_| stage == Stage::Release);
        let workdirs = [(&build, self.build.workdir.as_ref()), (&release, release_of_stage.and_then(|release| release.workdir.as_ref()))];
        for (way, text) in workdirs {
            if let Some(Err(error)) = text.map(|text| path(text)) {
                return Err(place(way, "workdir", error)?);
            }
        }
        let is_base = stage == Stage::Prepare || matches!(self.start(), Start::Base);
        let base = Some(&self.build.base).filter(|_| is_base);
        let dest = release_of_stage.and_then(|release| release.dest_base.as_ref());
        for (way, key, text) in [(&build, "base", base), (&release, "dest_base", dest)] {
            if let Some(Err(error)) = text.map(|text| base_image(text, &format!("{}.{key}", way.join(".")))) {
                return Err(place(way, key, error)?);
            }
        }
        Ok(())
    }

    /// Pushes the built image, also as `latest` unless it is of changes that no commit has.
    ///
    /// # Errors
    /// docker is missing, the image was not built, or the push fails.
    pub(crate) fn push(&self, session: &Session) -> Result<ImageResult> {
        let docker = session.docker()?;
        docker.check()?;
        let image = self.image(session)?;
        if !docker.has_image(&image)? {
            return Err(Error::failed(format!("{image} is not on this docker daemon")).hint("lain build --push"));
        }
        self.push_built(session, true)
    }

    /// As [`Plan::push`], right after the build; as `latest` where that is wanted.
    ///
    /// # Errors
    /// The push fails.
    pub(crate) fn push_built(&self, session: &Session, latest: bool) -> Result<ImageResult> {
        let docker = session.docker()?;
        let repository = self.repository(session)?;
        let tag = session.image_tag()?.to_owned();
        let image = format!("{repository}:{tag}");
        let digest = push_image(session, &docker, &image)?;
        if latest && tag != "latest" && !is_dirty_tag(&tag) {
            let latest = format!("{repository}:latest");
            docker.tag(&image, &latest)?;
            push_image(session, &docker, &latest)?;
        }
        Ok(self.result(image, &tag, digest))
    }
}

/// `docker push` in a section of its own; the digest.
///
/// # Errors
/// The push fails.
pub(crate) fn push_image(session: &Session, docker: &Docker<'_>, image: &str) -> Result<Option<String>> {
    let _section = session.ui.section("docker_push", &format!("push {image}"));
    docker.push(image)
}

/// Prints what was made, in the shape the user asked for. As variables: `LAIN_IMAGE`, `LAIN_IMAGE_TAG` and `LAIN_IMAGE_DIGEST` of the first
/// alone: a report of GitLab's holds 20 variables, and a deploy finds the others by the tag.
///
/// # Errors
/// stdout is closed or full.
pub(crate) fn print(session: &Session, results: &[ImageResult]) -> Result<()> {
    if results.is_empty() { Ok(()) } else { session.ui.answer(&Images::of(results)) }
}

/// What [`print()`] prints.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Images<'a> {
    /// One image.
    One(&'a ImageResult),
    /// Those of several builds, or of several registries.
    Several {
        /// Shape of this result.
        version: u32,
        /// In the order in which they were made.
        images: &'a [ImageResult],
    },
}

impl Answer for Images<'_> {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json, Format::Dotenv];

    fn text(&self) -> String {
        self.all().iter().map(|result| result.image.as_str()).collect::<Vec<_>>().join("\n")
    }

    fn dotenv(&self) -> Option<String> {
        Some(variables(self.all()))
    }
}

impl<'a> Images<'a> {
    fn of(results: &'a [ImageResult]) -> Self {
        match results {
            [one] => Self::One(one),
            several => Self::Several { version: 1, images: several },
        }
    }
}

impl Images<'_> {
    fn all(&self) -> &[ImageResult] {
        match self {
            Self::One(one) => std::slice::from_ref(*one),
            Self::Several { images, .. } => images,
        }
    }
}

/// The prepare images that were made, or that fit. As variables: `LAIN_PREPARE_IMAGE...`, so that a later job does not take one for the app's.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct Prepared<'a>(Images<'a>);

impl<'a> Prepared<'a> {
    /// Of these results.
    pub(crate) fn of(results: &'a [ImageResult]) -> Self {
        Self(Images::of(results))
    }
}

impl Answer for Prepared<'_> {
    const FORMATS: &'static [Format] = Images::FORMATS;

    fn text(&self) -> String {
        self.0.text()
    }

    fn dotenv(&self) -> Option<String> {
        Some(variables_of("LAIN_PREPARE_IMAGE", self.0.all()))
    }
}

/// `LAIN_IMAGE` and its like, one a line.
pub(crate) fn variables(results: &[ImageResult]) -> String {
    variables_of("LAIN_IMAGE", results)
}

fn variables_of(stem: &str, results: &[ImageResult]) -> String {
    let Some(first) = results.first() else { return String::new() };
    let digest = first.digest.as_deref().unwrap_or_default();
    dotenv::lines([(stem.to_owned(), first.image.as_str()), (format!("{stem}_TAG"), &first.tag), (format!("{stem}_DIGEST"), digest)])
}
