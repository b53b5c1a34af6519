//! Building: prepare images and the app's own, by docker or by a builder.

use std::ffi::OsStr;

use serde_json::Value as Json;

use super::engine::{Destination, Engine};
use super::{ImageResult, Plan, ignore, push_image, secrets};
use crate::error::{Error, Kind, Result, describe_io};
use crate::http::registry::Registry;
use crate::publish::{publish, targets};
use crate::render::dockerfile::Stage;
use crate::session::Session;
use crate::tools::call::Call;
use crate::tools::docker::{Docker, INSTALL_BUILDX};

/// Tag of the prepare image.
const PREPARE_TAG: &str = "prepare";
/// Tag of a builder's cache in the registry; the prepare stage has its own.
const CACHE_TAG: &str = "buildcache";

/// What a build is to do with its image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Keep it on the docker daemon.
    Keep,
    /// Push it to the cluster's registry, also as `latest`.
    Push,
    /// Push it to the registry of every configured cluster.
    Publish,
}

/// How to build.
#[derive(Clone, Debug)]
pub struct Options {
    /// Ask the registry for the prepare image.
    pub pull: bool,
    /// Leave the Dockerfile in the app's folder.
    pub keep_dockerfile: bool,
    /// What the image is to run on, in place of `build.platforms`.
    pub platforms: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { pull: true, keep_dockerfile: false, platforms: vec![] }
    }
}

/// One build.
struct Order<'o> {
    stage: Stage,
    /// `REGISTRY/APP:TAG`, the first one is its own.
    images: &'o [String],
    to: Destination,
}

impl Plan<'_> {
    /// Builds the prepare image and, unless told otherwise, pushes it.
    ///
    /// # Errors
    /// docker is missing, or the build or push fails.
    pub fn prepare(&self, session: &Session, options: &Options, push: bool) -> Result<ImageResult> {
        let docker = session.docker()?;
        let engine = Engine::of(session)?;
        let repository = self.repository(session)?;
        let image = format!("{repository}:{PREPARE_TAG}");
        let by_builder = push && engine != Engine::Docker;
        let to = if by_builder { Destination::Registry } else { Destination::Daemon };
        engine.check_platforms(&self.platforms(options), to)?;
        let mut digest =
            self.run_build(session, &docker, &engine, options, &Order { stage: Stage::Prepare, images: std::slice::from_ref(&image), to })?;
        if push && !by_builder {
            digest = push_image(session, &docker, &image)?;
        }
        Ok(self.result(image, PREPARE_TAG, digest))
    }

    /// Builds the app's image, making sure of its prepare image first, and brings it where it is to go.
    ///
    /// # Errors
    /// docker is missing, or a build, pull or push fails.
    pub fn make(&self, session: &Session, options: &Options, goal: Goal) -> Result<Vec<ImageResult>> {
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
        if self.has_prepare() {
            engine.check(docker, to)?;
            self.ensure_prepare(session, docker, engine, &repository, options)?;
        }
        if session.git().is_dirty(session.result_file().as_deref())? {
            session.ui.warn(&format!(
                "the working tree has changes that are not committed: {tag} names a commit that differs from what is built"
            ));
        }
        if by_builder && goal == Goal::Push && tag != "latest" {
            images.push(format!("{repository}:latest"));
        }
        let digest = self.run_build(session, docker, engine, options, &Order { stage: self.final_stage(), images: &images, to })?;
        let made = |image: String| self.result(image, &tag, digest.clone());
        match goal {
            Goal::Publish if by_builder => {
                images.sort_by_key(|each| *each != image); // the chosen cluster's own first
                Ok(images.into_iter().map(made).collect())
            }
            Goal::Publish => publish(session, self),
            Goal::Push if !by_builder => self.push_built(session).map(|pushed| vec![pushed]),
            Goal::Push | Goal::Keep => Ok(vec![made(image)]),
        }
    }

    fn platforms(&self, options: &Options) -> Vec<String> {
        let own = self.build.platforms.iter().flatten().map(|platform| platform.0.clone());
        if options.platforms.is_empty() { own.collect() } else { options.platforms.clone() }
    }

    fn ensure_prepare(&self, session: &Session, docker: &Docker<'_>, engine: &Engine, repository: &str, options: &Options) -> Result<()> {
        let image = format!("{repository}:{PREPARE_TAG}");
        let options = Options { keep_dockerfile: false, ..options.clone() };
        if *engine != Engine::Docker {
            // A builder takes it from the registry, whatever this daemon has.
            if options.pull && Registry::of(session, repository)?.digest(PREPARE_TAG)?.is_none() {
                session.ui.say("there is no prepare image yet: building it");
                self.prepare(session, &options, true)?;
            }
            return Ok(());
        }
        if !options.pull && docker.has_image(&image)? {
            return Ok(());
        }
        if options.pull {
            let section = session.ui.section("pull_prepare", &format!("pull {image}"));
            let found = docker.pull_if_there(&image).map_err(|error| match docker.has_image(&image) {
                Ok(true) => error.hint("lain build --no-pull # with the prepare image of this docker daemon"),
                _ => error,
            })?;
            drop(section);
            if found {
                return Ok(());
            }
        }
        if docker.has_image(&image)? {
            session.ui.say("the registry has no prepare image, but this docker daemon has: pushing it");
            return push_image(session, docker, &image).map(|_| ());
        }
        session.ui.say("there is no prepare image yet: building it");
        self.prepare(session, &options, true).map(|_| ())
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
        let file = self.dockerfile(session, order.stage, None)?;
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
        let mut call = match engine {
            Engine::Docker if secrets.words.is_empty() => docker.build(&session.dir),
            Engine::Docker => docker.build(&session.dir).shown_env("DOCKER_BUILDKIT", "1"),
            Engine::Builder(builder) => docker.build_by(builder, &session.dir),
        };
        for image in order.images {
            call = call.args(["--tag", image]);
        }
        if !platforms.is_empty() {
            call = call.arg("--platform").arg(platforms.join(","));
        }
        for secret in &secrets.words {
            call = call.args(["--secret", secret]);
        }
        for arg in &file.args {
            if session.env.get(arg).is_none() {
                session.ui.warn(&format!("`${{{arg}}}` is used in a build env, but {arg} is not set in the environment"));
            }
            call = call.args(["--build-arg", arg]); // docker takes the value from the environment: it may be a secret
        }
        for (arg, value) in &file.values {
            call = call.args(["--build-arg", arg]).env(arg, value);
        }
        // buildx leaves the Dockerfile it read from stdin in its temporary folder.
        let folder =
            tempfile::tempdir().map_err(|error| Error::failed(format!("cannot make a temporary folder: {}", describe_io(&error))))?;
        let answer = folder.path().join("answer.json");
        call = call.env("TMPDIR", folder.path());
        if *engine != Engine::Docker {
            call = self.by_builder(session, call, order)?.unshown_args([OsStr::new("--metadata-file"), answer.as_os_str()]);
        }
        let pipe = match self.name {
            Some(build) => format!("lain dockerfile --stage {name} --name {build} |"),
            None => format!("lain dockerfile --stage {name} |"),
        };
        // The Dockerfile goes in by stdin: a Dockerfile of the user's own is never touched.
        let call = call.args(["--file", "-", "."]).stdin(file.text).shown_before(&pipe);
        let (code, tail) = call.stream()?;
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

    /// What a builder is told beside: where its image goes, and where its cache is.
    fn by_builder<'c>(&self, session: &Session, call: Call<'c>, order: &Order<'_>) -> Result<Call<'c>> {
        let mut call = call.arg(if order.to == Destination::Registry { "--push" } else { "--load" });
        if session.env.get("BUILDX_NO_DEFAULT_ATTESTATIONS").is_none() {
            // An attestation makes an index of every image, which older registries and clusters do not know.
            call = call.shown_env("BUILDX_NO_DEFAULT_ATTESTATIONS", "1");
        }
        if let Some(cache) = cache(session)? {
            let repository = if cache == "true" { self.repository(session)? } else { self.repository_of(cache, &self.app.appname) };
            let own = if order.stage == Stage::Prepare { format!("{CACHE_TAG}-{PREPARE_TAG}") } else { CACHE_TAG.to_owned() };
            let place = format!("type=registry,ref={repository}:{own}");
            call = call.args(["--cache-from", &place]);
            if order.to == Destination::Registry {
                call = call.arg("--cache-to").arg(format!("{place},mode=max,ignore-error=true"));
            }
        }
        Ok(call)
    }
}

/// Where the cluster wants a builder's cache: `true` or a registry.
fn cache(session: &Session) -> Result<Option<&str>> {
    Ok(session.cluster()?.build_cache.as_deref().filter(|cache| !cache.is_empty() && *cache != "false"))
}

fn failure(error: Error, tail: &str, order: &Order<'_>, dockerfile: &str) -> Error {
    let said = tail.to_lowercase();
    let refused = order.to == Destination::Registry
        && ["denied", "unauthorized", "forbidden", "authorization failed", "no basic auth credentials"]
            .iter()
            .any(|word| said.contains(word));
    match error.kind() {
        Kind::Failed if said.contains("buildx component is missing") => error.hint(INSTALL_BUILDX),
        Kind::Failed if refused => {
            let hosts: Vec<&str> = order.images.iter().filter_map(|image| image.split('/').next()).collect();
            let named = |host: &&&str| tail.lines().any(|line| line.contains("ERROR") && line.contains(**host));
            error.hint(format!("docker login {}", hosts.iter().find(named).unwrap_or(&hosts[0])))
        }
        Kind::Failed if error.hints().is_empty() => error.hint(format!("{dockerfile} # its steps; docker names the one that failed above")),
        _ => error,
    }
}
