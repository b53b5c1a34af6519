//! Building: prepare images and the app's own, by docker or by a builder.

use serde_json::Value as Json;

use super::engine::{Destination, Engine};
use super::prepared::{PREPARE_TAG, PREPARED_FROM};
use super::{ImageResult, Options, Plan, ignore, push_image, secrets};
use crate::error::{Error, Kind, Result};
use crate::files::Folder;
use crate::images::publish::{publish, targets};
use crate::model::builds::Start;
use crate::model::tag::{NO_GIT_TAG, is_dirty_tag};
use crate::model::text::csv_field;
use crate::render::dockerfile::{Dockerfile, Stage, mirrored};
use crate::session::Session;
use crate::tools::call::Call;
use crate::tools::docker::{Docker, INSTALL_BUILDX};
use crate::tools::syft;

/// Tag of a builder's cache in the registry; the prepare stage has its own.
const CACHE_TAG: &str = "buildcache";

/// What a builder lists with (<https://docs.docker.com/build/metadata/attestations/sbom/>).
const LISTER: &str = "docker/buildkit-syft-scanner:stable-1";

/// What a build is to do with its image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Keep it on the docker daemon.
    Keep,
    /// Push it to the cluster's registry, also as `latest`.
    Push,
    /// Push it to the registry of every configured cluster.
    Publish,
}

/// What buildx says, before anything is built, of several outputs and a `BuildKit` older than 0.13 (buildx 0.13), or whenever there are several
/// (buildx 0.12 and older).
const ONE_OUTPUT: &str = "multiple outputs currently unsupported";

/// What a build is made of.
struct Given {
    platforms: Vec<String>,
    secrets: Vec<String>,
    /// The variables that secrets are in.
    variables: Vec<String>,
    file: Dockerfile,
    /// What a prepare image is made from, where this is one.
    prepared_from: Option<String>,
    /// The builder lists what it builds.
    sbom: bool,
}

/// One build.
struct Order<'o> {
    stage: Stage,
    /// `REGISTRY/APP:TAG`, the first one is its own.
    images: &'o [String],
    to: Destination,
    /// The tag of the prepare image that it starts from, where it does.
    start: &'o str,
}

impl Order<'_> {
    /// Whether its images are of several repositories.
    fn goes_apart(&self) -> bool {
        let repository = |image: &str| image.rsplit_once(':').map_or(image, |(repository, _)| repository).to_owned();
        self.to == Destination::Registry && self.images.iter().any(|image| repository(image) != repository(&self.images[0]))
    }
}

impl Plan<'_> {
    /// Builds the prepare image under this tag and, unless told otherwise, pushes it.
    ///
    /// # Errors
    /// docker is missing, or the build or push fails.
    pub(super) fn make_prepare(&self, session: &Session, options: &Options, tag: &str, push: bool) -> Result<ImageResult> {
        let docker = session.docker()?;
        let engine = Engine::of(session)?;
        let repository = self.repository(session)?;
        let image = format!("{repository}:{tag}");
        let by_builder = push && engine != Engine::Docker;
        let to = if by_builder { Destination::Registry } else { Destination::Daemon };
        engine.check_platforms(&self.platforms(options), to)?;
        let order = Order { stage: Stage::Prepare, images: std::slice::from_ref(&image), to, start: PREPARE_TAG };
        let mut digest = self.run_build(session, &docker, &engine, options, &order)?;
        if push && !by_builder {
            digest = push_image(session, &docker, &image)?;
        }
        Ok(self.result(image, tag, digest))
    }

    /// Builds the app's image, making sure of its prepare image first, and brings it where it is to go.
    ///
    /// # Errors
    /// docker is missing, or a build, pull or push fails.
    pub(crate) fn make(&self, session: &Session, options: &Options, goal: Goal) -> Result<Vec<ImageResult>> {
        let docker = session.docker()?;
        let engine = Engine::of(session)?;
        std::thread::scope(|scope| {
            if engine == Engine::Docker {
                scope.spawn(|| docker.check()); // it answers while git is asked
            }
            self.make_with(session, &docker, &engine, options, goal)
        })
    }

    fn make_with(
        &self,
        session: &Session,
        docker: &Docker<'_>,
        engine: &Engine,
        options: &Options,
        goal: Goal,
    ) -> Result<Vec<ImageResult>> {
        let by_builder = *engine != Engine::Docker && goal != Goal::Keep;
        let to = if by_builder { Destination::Registry } else { Destination::Daemon };
        engine.check_platforms(&self.platforms(options), to)?;
        let repository = self.repository(session)?;
        let tag = session.image_tag()?.to_owned();
        let image = format!("{repository}:{tag}");
        let mut images = match goal {
            Goal::Publish if by_builder => targets(session, self)?.iter().map(|target| format!("{}:{tag}", target.repository)).collect(),
            _ => vec![image.clone()],
        };
        if options.if_missing
            && let Some(there) = self.there(session, docker, &images, goal)?
        {
            return Ok(there);
        }
        let start = self.ensure_start(session, docker, engine, options, to)?;
        if self.name.is_none() && self.build.release.is_some() {
            session.ui.warn("`build.release` is not read: `release` stands beside `build`, at the left");
        }
        if !is_dirty_tag(&tag) && session.git().is_dirty(session.result_file().as_deref())? {
            session.ui.warn(&format!(
                "the working tree has changes that are not committed: {tag} names a commit that differs from what is built"
            ));
        }
        if by_builder && goal == Goal::Push && options.latest && tag != "latest" && !is_dirty_tag(&tag) {
            images.push(format!("{repository}:latest"));
        }
        let order = Order { stage: self.final_stage(), images: &images, to, start: &start };
        let digest = self.run_build(session, docker, engine, options, &order)?;
        let made = |image: String| self.result(image, &tag, digest.clone());
        match goal {
            Goal::Publish if by_builder => {
                images.sort_by_key(|each| *each != image); // the chosen cluster's own first
                Ok(images.into_iter().map(made).collect())
            }
            Goal::Publish => publish(session, self),
            Goal::Push if !by_builder => self.push_built(session, options.latest).map(|pushed| vec![pushed]),
            Goal::Push | Goal::Keep => Ok(vec![made(image)]),
        }
    }

    fn platforms(&self, options: &Options) -> Vec<String> {
        let own = self.build.platforms.iter().flatten().map(|platform| platform.0.clone());
        if options.platforms.is_empty() { own.collect() } else { options.platforms.clone() }
    }

    /// The images, where all are there already; none where one is to be built, and where it would be of what no commit has.
    fn there(&self, session: &Session, docker: &Docker<'_>, images: &[String], goal: Goal) -> Result<Option<Vec<ImageResult>>> {
        let tag = session.image_tag()?;
        let all = match goal {
            Goal::Publish => targets(session, self)?.iter().map(|target| format!("{}:{tag}", target.repository)).collect(),
            Goal::Keep | Goal::Push => vec![images[0].clone()],
        };
        if tag == NO_GIT_TAG || session.git().is_dirty(session.result_file().as_deref())? {
            return Ok(None);
        }
        let mut found = Vec::new();
        for image in all {
            let repository = image.trim_end_matches(tag).trim_end_matches(':');
            let digest = if goal == Goal::Keep { None } else { session.registry_of(repository)?.digest(tag)? };
            if digest.is_none() && (goal != Goal::Keep || !docker.has_image(&image)?) {
                return Ok(None);
            }
            found.push(self.result(image, tag, digest));
        }
        found.iter().for_each(|result| session.ui.say(&format!("{} is there already: not built again", result.image)));
        Ok(Some(found))
    }

    /// Sees to the image of this app that the build starts from; the tag of its prepare image.
    fn ensure_start(&self, session: &Session, docker: &Docker<'_>, engine: &Engine, options: &Options, to: Destination) -> Result<String> {
        let prepared = match self.start() {
            Start::Made(_) if *engine != Engine::Docker && to == Destination::Daemon => {
                return Err(
                    Error::failed("a builder takes the image that another build starts from out of the registry").hint("lain build --push")
                );
            }
            Start::Base | Start::Made(_) => return Ok(PREPARE_TAG.to_owned()), // not read; the other one was built before
            Start::Prepared => &Plan { ..*self },
            Start::PreparedOf(other) => &Plan::of(self.app, other),
        };
        engine.check(docker, to)?;
        prepared.ensure_prepare(session, docker, engine, options)
    }

    /// Returns the digest where the registry has it by then.
    fn run_build(
        &self,
        session: &Session,
        docker: &Docker<'_>,
        engine: &Engine,
        options: &Options,
        order: &Order<'_>,
    ) -> Result<Option<String>> {
        let platforms = self.platforms(options);
        let way: &[&str] = &self.name.map_or_else(|| vec!["build"], |name| vec!["builds", name]);
        let secrets = secrets::given(session, self.build.secrets.as_ref(), way)?;
        if !secrets.words.is_empty() {
            engine.check_secrets(session, docker)?;
        }
        let file = self.dockerfile(session, order.stage, None, order.start)?;
        engine.check(docker, order.to)?;
        if options.keep_dockerfile {
            ignore::keep(session, &file)?;
        }
        let _ignore = ignore::dockerignore(session, &secrets.inside)?;
        let _section = session.ui.section("docker_build", &format!("build {}", order.images[0]));
        let name = match order.stage {
            Stage::Prepare => "prepare",
            Stage::Build => "build",
            Stage::Release => "release",
        };
        if *engine == Engine::Docker && cache(session)?.is_some() {
            session.ui.warn(
                "`build_cache` is of no use without `buildx_builder` in the cluster values: docker itself keeps no cache in a registry",
            );
        }
        for arg in file.args.iter().filter(|arg| session.env.get(arg).is_none()) {
            session.ui.warn(&format!("`${{{arg}}}` is used in a build env, but {arg} is not set in the environment"));
        }
        let of_build = self.name.map_or_else(String::new, |build| format!(" --name {build}"));
        let from = if order.start == PREPARE_TAG { String::new() } else { format!(" --prepare-tag {}", order.start) };
        let pipe = format!("lain dockerfile --stage {name}{of_build}{from} |");
        // buildx leaves the Dockerfile it read from stdin in its temporary folder.
        let folder = Folder::temporary("build")?;
        let answer = folder.path().join("answer.json");
        let prepared_from = if order.stage == Stage::Prepare { self.prepared_from(session)? } else { None };
        let sbom = options.sbom && order.stage != Stage::Prepare && order.to == Destination::Registry;
        let given = Given { platforms, secrets: secrets.words, variables: secrets.variables, file, prepared_from, sbom };
        let start = |apart: bool| -> Result<(Call<'_>, i32, String)> {
            let mut call = self.build_command(session, docker, engine, &given, order, apart)?.env("TMPDIR", folder.path());
            if *engine != Engine::Docker {
                call = call.unshown_option("--metadata-file", answer.as_os_str());
            }
            if apart {
                call = call.heard();
            }
            // The Dockerfile goes in by stdin: a Dockerfile of the user's own is never touched.
            let call = call.args(["--file", "-", "."]).stdin(given.file.text.clone()).shown_before(&pipe);
            let (code, tail) = call.stream()?;
            Ok((call, code, tail))
        };
        let apart = order.goes_apart() && !attests(session) && !sbom;
        let (mut call, mut code, mut tail) = start(apart)?;
        if apart && code != 0 && tail.contains(ONE_OUTPUT) {
            session.ui.say("this builder's BuildKit is older than 0.13: it pushes to one registry after another");
            (call, code, tail) = start(false)?;
        }
        if code != 0 {
            let is_link = std::fs::symlink_metadata(session.dir.join(".dockerignore")).is_ok_and(|meta| meta.is_symlink());
            if is_link && *engine == Engine::Docker {
                let hint = "cat .dockerignore # docker's older builder cannot send one that is a link: make it a file";
                return Err(call.streamed_failure(code, &tail).hint(hint));
            }
            let error = call.streamed_failure(code, &tail);
            let error = if order.to == Destination::Daemon { docker.explain(error, &tail) } else { error };
            return Err(failure(error, &tail, order, pipe.trim_end_matches(" |")));
        }
        if order.to == Destination::Daemon {
            return Ok(None);
        }
        let told: Option<Json> = std::fs::read(&answer).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(told.and_then(|told| told["containerimage.digest"].as_str().map(str::to_owned)))
    }

    /// The command that builds, but for its Dockerfile. `apart`: a builder's several names are outputs of their own, which it pushes side by side.
    fn build_command<'c>(
        &self,
        session: &Session,
        docker: &'c Docker<'_>,
        engine: &Engine,
        given: &Given,
        order: &Order<'_>,
        apart: bool,
    ) -> Result<Call<'c>> {
        let mut call = match engine {
            Engine::Docker if given.secrets.is_empty() => docker.build(&session.dir),
            Engine::Docker => docker.build(&session.dir).shown_env("DOCKER_BUILDKIT", "1"),
            Engine::Builder(builder) => docker.build_by(builder, &session.dir),
        };
        if !apart {
            call = order.images.iter().fold(call, |call, image| call.option("--tag", image));
        }
        if !given.platforms.is_empty() {
            call = call.option("--platform", given.platforms.join(","));
        }
        if let Some(from) = given.prepared_from.as_ref() {
            call = call.option("--label", format!("{PREPARED_FROM}={from}"));
        }
        for secret in &given.secrets {
            call = call.option("--secret", secret);
        }
        call = given.variables.iter().fold(call, |call, variable| call.needs(variable));
        for arg in &given.file.args {
            call = call.option("--build-arg", arg).needs(arg); // docker takes the value from the environment: it may be a secret
        }
        for (arg, value) in &given.file.values {
            call = call.option("--build-arg", arg).env(arg, value);
        }
        if *engine == Engine::Docker {
            return Ok(call);
        }
        if given.sbom {
            let lister = mirrored(session.cluster()?.image_mirrors.as_ref(), LISTER);
            let by = if lister == LISTER { String::new() } else { format!(",{}", csv_field(&format!("generator={lister}"))) };
            call = call.option("--attest", format!("type=sbom{by}"));
        }
        call = match order.to {
            _ if apart => order
                .images
                .iter()
                .fold(call, |call, image| call.option("--output", format!("type=image,{},push=true", csv_field(&format!("name={image}"))))),
            Destination::Registry => call.arg("--push"),
            Destination::Daemon => call.arg("--load"),
        };
        self.by_builder(session, call, order)
    }

    /// What a builder is told beside: about attestations, and where its cache is.
    fn by_builder<'c>(&self, session: &Session, mut call: Call<'c>, order: &Order<'_>) -> Result<Call<'c>> {
        if session.env.get("BUILDX_NO_DEFAULT_ATTESTATIONS").is_none() {
            // An attestation makes an index of every image, which older registries and clusters do not know.
            call = call.shown_env("BUILDX_NO_DEFAULT_ATTESTATIONS", "1");
        }
        if let Some(cache) = cache(session)? {
            let repository = if cache == "true" { self.repository(session)? } else { self.repository_of(cache, &self.app.appname) };
            let own = if order.stage == Stage::Prepare { format!("{CACHE_TAG}-{PREPARE_TAG}") } else { CACHE_TAG.to_owned() };
            let place = format!("type=registry,{}", csv_field(&format!("ref={repository}:{own}")));
            call = call.option("--cache-from", &place);
            if order.to == Destination::Registry {
                call = call.option("--cache-to", format!("{place},mode=max,ignore-error=true"));
            }
        }
        Ok(call)
    }
}

/// Where the cluster wants a builder's cache: `true` or a registry.
fn cache(session: &Session) -> Result<Option<&str>> {
    Ok(session.cluster()?.build_cache.as_deref().filter(|cache| !cache.is_empty() && *cache != "false"))
}

/// Whether the user wants attestations: they tell the time of a build, so that each output would have a digest of its own, and buildx tells one.
fn attests(session: &Session) -> bool {
    let no = "BUILDX_NO_DEFAULT_ATTESTATIONS";
    session.env.get(no).is_some() && !session.env.flag(no)
}

/// The error of a build that failed, with what to do about it. A builder ends with one line that says why; what a step of the build printed is above it.
fn failure(error: Error, tail: &str, order: &Order<'_>, dockerfile: &str) -> Error {
    if error.kind() != Kind::Failed {
        return error;
    }
    if tail.to_lowercase().contains("buildx component is missing") {
        return error.hint(INSTALL_BUILDX);
    }
    if tail.contains("syft-scanner") {
        return error
            .hint(syft::INSTALL)
            .hint(format!("image_mirrors: {{docker.io: HOST/PATH}} # in the cluster values: where else can {LISTER} be had?"));
    }
    let why = tail.lines().rev().find_map(|line| line.strip_prefix("ERROR: ")).unwrap_or_default();
    let refusals = ["denied", "unauthorized", "forbidden", "authorization failed", "no basic auth credentials"];
    let of_a_step = why.contains("did not complete successfully"); // and it repeats the step's words
    let refused = order.to == Destination::Registry && !of_a_step && refusals.iter().any(|word| why.to_lowercase().contains(word));
    let pushing = why.split_once("failed to push ").and_then(|(_, what)| what.split_once(": "));
    let error = match pushing {
        // The same failure, in the words that say most.
        Some((image, reason)) => {
            let said = Error::failed(format!("{image} could not be pushed: {reason}")).context(error.message());
            error.tool().cloned().into_iter().fold(said, Error::caused_by)
        }
        None => error,
    };
    match pushing {
        _ if refused => {
            let hosts: Vec<&str> = order.images.iter().filter_map(|image| image.split('/').next()).collect();
            error.hint(format!("docker login {}", hosts.iter().find(|host| why.contains(**host)).unwrap_or(&hosts[0])))
        }
        Some((image, _)) => {
            let again = match order.stage {
                Stage::Prepare => "prepare",
                _ if order.goes_apart() => "build --publish",
                _ => "build --push",
            };
            let host = image.split('/').next().unwrap_or(image);
            error.hint(format!("lain {again} # when {host} answers; the builder keeps what it has built"))
        }
        None => error.or_hint(format!("{dockerfile} # its steps; docker names the one that failed above")),
    }
}
