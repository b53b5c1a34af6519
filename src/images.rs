//! The app's images: which Dockerfile, how they are built and pushed.

use std::fs;

use indexmap::IndexMap;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::{Error, Kind, Result};
use crate::files::{Generated, write_fresh};
use crate::model::app::{App, Build, Release};
use crate::model::image::repository_in;
use crate::render::dockerfile::{Dockerfile, Facts, Stage, render};
use crate::render::dockerignore::line_for;
use crate::session::Session;
use crate::tools::docker::Docker;
use crate::ui::Format;

/// The one of `builds` whose image is called after the app alone, as in the chart.
const DEFAULT_BUILD: &str = "default";
/// Tag of the prepare image.
const PREPARE_TAG: &str = "prepare";
/// How a `.dockerignore` of ours begins; a killed run may leave one, the next one takes it away. A checksum of the rest
/// follows: with a line of the user's in it, it is the user's.
const DERIVED: &str = "# derived from .gitignore by lain for one build; may be deleted: ";

/// One image to build: the app's own, or one of `builds`.
#[derive(Debug)]
pub struct Plan<'a> {
    app: &'a App,
    name: Option<&'a str>,
    build: &'a Build,
    release: Option<&'a Release>,
}

/// What a build or a push made.
#[derive(Clone, Debug, Serialize)]
pub struct ImageResult {
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
pub fn plan<'a>(session: &'a Session, name: Option<&str>) -> Result<Plan<'a>> {
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
            let found = app.builds.iter().flatten().find(|(known, _)| known.as_str() == name);
            let (known, build) = found.ok_or_else(|| Error::usage(format!("`builds` has no `{name}`")))?;
            Ok(Plan { app, name: Some(known), build, release: build.release.as_ref() })
        }
    }
}

/// The app's image and every one of `builds`.
///
/// # Errors
/// The app builds nothing.
pub fn plans(session: &Session) -> Result<Vec<Plan<'_>>> {
    let app = session.app()?;
    let named =
        app.builds.iter().flatten().map(|(name, build)| Plan { app, name: Some(name.as_str()), build, release: build.release.as_ref() });
    let own = app.build.as_ref().map(|build| Plan { app, name: None, build, release: app.release.as_ref() });
    let all: Vec<Plan<'_>> = own.into_iter().chain(named).collect();
    if all.is_empty() { plan(session, None).map(|plan| vec![plan]) } else { Ok(all) }
}

impl Plan<'_> {
    /// An image of this plan, as a result.
    pub fn result(&self, image: String, tag: &str, digest: Option<String>) -> ImageResult {
        ImageResult { version: 1, build: self.name.map(str::to_owned), image, tag: tag.to_owned(), digest }
    }

    /// `release` if it is defined, else `build`.
    pub fn final_stage(&self) -> Stage {
        if self.release.is_some() { Stage::Release } else { Stage::Build }
    }

    /// True when there is a prepare stage.
    pub fn has_prepare(&self) -> bool {
        self.build.prepare.is_some()
    }

    /// `REGISTRY/APP`, or `REGISTRY/APP-NAME` for one of `builds`.
    ///
    /// # Errors
    /// No registry is known.
    pub fn repository(&self, session: &Session) -> Result<String> {
        Ok(self.repository_in(session.registry()?))
    }

    fn repository_in(&self, registry: &str) -> String {
        self.repository_of(registry, &self.app.appname)
    }

    /// As [`Plan::repository`], in another registry and under another name of the app.
    pub fn repository_of(&self, registry: &str, appname: &str) -> String {
        match self.name.filter(|name| *name != DEFAULT_BUILD) {
            Some(name) => repository_in(registry, &format!("{appname}-{name}")),
            None => repository_in(registry, appname),
        }
    }

    /// `REGISTRY/APP:TAG` of HEAD.
    ///
    /// # Errors
    /// No registry is known, or git refuses the folder.
    pub fn image(&self, session: &Session) -> Result<String> {
        Ok(format!("{}:{}", self.repository(session)?, session.image_tag()?))
    }

    /// Renders a stage. `fallback` stands in for an unknown registry where the text is only shown.
    ///
    /// # Errors
    /// The stage is not defined, or the registry is needed and not known.
    pub fn dockerfile(&self, session: &Session, stage: Stage, fallback: Option<&str>) -> Result<Dockerfile> {
        let repository = match (session.registry(), fallback) {
            (Ok(registry), _) => self.repository_in(registry),
            (Err(_), Some(fallback)) => {
                if self.has_prepare() && stage != Stage::Prepare {
                    session.ui.warn("no cluster is chosen, so the registry is not known: REGISTRY stands in its place");
                }
                format!("{fallback}/{}", self.app.appname)
            }
            (Err(error), None) => return Err(error),
        };
        render(stage, self.build, self.release, Facts { repository: &repository, meta: session.image_tag()? })
    }

    /// Builds the prepare image and, unless told otherwise, pushes it.
    ///
    /// # Errors
    /// docker is missing, or the build or push fails.
    pub fn prepare(&self, session: &Session, push: bool, keep_dockerfile: bool) -> Result<ImageResult> {
        let docker = session.docker()?;
        let repository = self.repository(session)?;
        let image = format!("{repository}:{PREPARE_TAG}");
        self.run_build(session, &docker, Stage::Prepare, &image, keep_dockerfile)?;
        let mut result = self.result(image.clone(), PREPARE_TAG, None);
        if push {
            result.digest = push_image(session, &docker, &image)?;
        }
        Ok(result)
    }

    /// Builds the app's image, making sure of its prepare image first.
    ///
    /// # Errors
    /// docker is missing, or a build, pull or push fails.
    pub fn build(&self, session: &Session, pull: bool, keep_dockerfile: bool) -> Result<ImageResult> {
        let docker = session.docker()?;
        std::thread::scope(|scope| {
            scope.spawn(|| docker.check()); // it answers while git is asked
            self.build_with(session, &docker, pull, keep_dockerfile)
        })
    }

    fn build_with(&self, session: &Session, docker: &Docker<'_>, pull: bool, keep_dockerfile: bool) -> Result<ImageResult> {
        let repository = self.repository(session)?;
        if self.has_prepare() {
            docker.check()?;
            self.ensure_prepare(session, docker, &repository, pull)?;
        }
        let tag = session.image_tag()?.to_owned();
        if session.git().is_dirty(session.result_file().as_deref())? {
            session.ui.warn(&format!(
                "the working tree has changes that are not committed: {tag} names a commit that differs from what is built"
            ));
        }
        let image = format!("{repository}:{tag}");
        self.run_build(session, docker, self.final_stage(), &image, keep_dockerfile)?;
        Ok(self.result(image, &tag, None))
    }

    /// Pushes the built image, also as `latest`.
    ///
    /// # Errors
    /// docker is missing, the image was not built, or the push fails.
    pub fn push(&self, session: &Session) -> Result<ImageResult> {
        let docker = session.docker()?;
        docker.check()?;
        let image = self.image(session)?;
        if !docker.has_image(&image)? {
            return Err(Error::failed(format!("{image} is not on this docker daemon")).hint("lain build --push"));
        }
        self.push_built(session)
    }

    /// As [`Plan::push`], right after the build.
    ///
    /// # Errors
    /// The push fails.
    pub fn push_built(&self, session: &Session) -> Result<ImageResult> {
        let docker = session.docker()?;
        let repository = self.repository(session)?;
        let tag = session.image_tag()?.to_owned();
        let image = format!("{repository}:{tag}");
        let digest = push_image(session, &docker, &image)?;
        if tag != "latest" {
            let latest = format!("{repository}:latest");
            docker.tag(&image, &latest)?;
            push_image(session, &docker, &latest)?;
        }
        Ok(self.result(image, &tag, digest))
    }

    fn ensure_prepare(&self, session: &Session, docker: &Docker<'_>, repository: &str, pull: bool) -> Result<()> {
        let image = format!("{repository}:{PREPARE_TAG}");
        if !pull && docker.has_image(&image)? {
            return Ok(());
        }
        if pull {
            let section = session.ui.section("pull_prepare", &format!("pull {image}"));
            let call = docker.call().args(["pull", &image]);
            let (code, _) = call.stream()?;
            drop(section);
            if code == 0 {
                return Ok(());
            }
        }
        if docker.has_image(&image)? {
            session.ui.say("the registry has no prepare image, but this docker daemon has: pushing it");
            return push_image(session, docker, &image).map(|_| ());
        }
        session.ui.say("there is no prepare image yet: building it");
        self.prepare(session, true, false).map(|_| ())
    }

    fn run_build(&self, session: &Session, docker: &Docker<'_>, stage: Stage, image: &str, keep_dockerfile: bool) -> Result<()> {
        let file = self.dockerfile(session, stage, None)?;
        docker.check()?;
        if keep_dockerfile {
            keep(session, &file)?;
        }
        let _ignore = derived_dockerignore(session)?;
        let _section = session.ui.section("docker_build", &format!("build {image}"));
        // The Dockerfile goes in by stdin: a Dockerfile of the user's own is never touched.
        let name = match stage {
            Stage::Prepare => "prepare",
            Stage::Build => "build",
            Stage::Release => "release",
        };
        let mut call = docker.build(&session.dir).args(["--tag", image]);
        for arg in &file.args {
            if session.env.get(arg).is_none() {
                session.ui.warn(&format!("`${{{arg}}}` is used in a build env, but {arg} is not set in the environment"));
            }
            call = call.args(["--build-arg", arg]); // docker takes the value from the environment: it may be a secret
        }
        for (arg, value) in &file.values {
            call = call.args(["--build-arg", arg]).env(arg, value);
        }
        let pipe = match self.name {
            Some(build) => format!("lain dockerfile --stage {name} --name {build} |"),
            None => format!("lain dockerfile --stage {name} |"),
        };
        let built = call.args(["--file", "-", "."]).stdin(file.text).shown_before(&pipe).run();
        let is_link = fs::symlink_metadata(session.dir.join(".dockerignore")).is_ok_and(|meta| meta.is_symlink());
        built.map_err(|error| match error.kind() {
            Kind::Failed if is_link => {
                error.hint("cat .dockerignore # docker's older builder cannot send one that is a link: make it a file")
            }
            Kind::Failed if error.hints().is_empty() => {
                error.hint(format!("{} # its steps; docker names the one that failed above", pipe.trim_end_matches(" |")))
            }
            _ => error,
        })
    }
}

fn keep(session: &Session, file: &Dockerfile) -> Result<()> {
    let path = session.dir.join("Dockerfile");
    if fs::symlink_metadata(&path).is_err() {
        return write_fresh(&path, file.text.as_bytes());
    }
    if fs::read(&path).ok().as_deref() != Some(file.text.as_bytes()) {
        session.ui.warn("--keep-dockerfile: there is a Dockerfile of your own, it is left as it is");
    }
    Ok(())
}

/// A `.dockerignore` for the time of the build, where the user has none.
fn derived_dockerignore(session: &Session) -> Result<Option<Generated>> {
    let path = session.dir.join(".dockerignore");
    if let Ok(meta) = fs::symlink_metadata(&path) {
        if !meta.is_file() || !fs::read(&path).is_ok_and(|bytes| is_derived(&bytes)) {
            return Ok(None);
        }
        fs::remove_file(&path).map_err(|error| Error::io("remove", &path, &error))?;
    }
    let result = session.result_file().map_or_else(String::new, |path| format!("{}\n", line_for(&path)));
    let rest = format!("{}.dockerignore\n{result}", crate::context::ignore(session)?);
    Generated::write(&path, format!("{DERIVED}{}\n{rest}", checksum(&rest)).as_bytes()).map(Some)
}

/// True for a file that [`derived_dockerignore`] wrote and nobody touched.
fn is_derived(bytes: &[u8]) -> bool {
    let parts = std::str::from_utf8(bytes).ok().and_then(|text| text.strip_prefix(DERIVED)?.split_once('\n'));
    parts.is_some_and(|(sum, rest)| sum == checksum(rest))
}

fn checksum(text: &str) -> String {
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// `docker push` in a section of its own; the digest.
///
/// # Errors
/// The push fails.
pub fn push_image(session: &Session, docker: &Docker<'_>, image: &str) -> Result<Option<String>> {
    let _section = session.ui.section("docker_push", &format!("push {image}"));
    docker.push(image)
}

/// Prints what was made, in the shape the user asked for. As variables: `LAIN_IMAGE`, `LAIN_IMAGE_TAG` and `LAIN_IMAGE_DIGEST` of the first,
/// and `LAIN_IMAGE_NAME...` of each of `builds`.
///
/// # Errors
/// stdout is closed or full.
pub fn print(session: &Session, results: &[ImageResult]) -> Result<()> {
    let Some(first) = results.first() else { return Ok(()) };
    match session.ui.format() {
        Format::Json if results.len() == 1 => session.ui.result_json(first),
        Format::Json => session.ui.result_json(&serde_json::json!({"version": 1, "images": results})),
        Format::Dotenv => session.ui.result(&dotenv(results)),
        _ => session.ui.result(&results.iter().map(|result| result.image.as_str()).collect::<Vec<_>>().join("\n")),
    }
}

fn dotenv(results: &[ImageResult]) -> String {
    let mut lines = IndexMap::new();
    let names = results.iter().map(|result| (result.build.as_deref().map(variable_part), result));
    for (name, result) in results.first().map(|first| (None, first)).into_iter().chain(names) {
        let start = name.map_or_else(|| "LAIN_IMAGE".to_owned(), |name| format!("LAIN_IMAGE_{name}"));
        let digest = result.digest.as_deref().unwrap_or_default();
        // The same image in other registries comes later, and does not count.
        for (key, value) in
            [(start.clone(), result.image.as_str()), (format!("{start}_TAG"), &result.tag), (format!("{start}_DIGEST"), digest)]
        {
            lines.entry(key).or_insert_with(|| value.to_owned());
        }
    }
    lines.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("\n")
}

/// The name of one of `builds` as a part of a variable's name.
fn variable_part(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}
