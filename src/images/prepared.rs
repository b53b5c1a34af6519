//! The prepare image: whether the one that is there was made from what the app's folder has now, under which tag a build takes it, and who may move it.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use super::engine::Engine;
use super::{ImageResult, Options, Plan, push_image};
use crate::error::{Error, Result};
use crate::model::hex::hex;
use crate::model::text::{EnvMap, Text};
use crate::session::Session;
use crate::tools::docker::Docker;

/// Tag of the prepare image.
pub(crate) const PREPARE_TAG: &str = "prepare";
/// The label of a prepare image: what it was made from ([`Plan::prepared_from`]).
pub(super) const PREPARED_FROM: &str = "io.lain.prepare";
/// What a stale one was made from.
const OTHER_THAN_HERE: &str = "another `base`, `workdir`, `prepare`, or other files of dependencies than there are now";
/// Digits in a tag of its own.
const OWN: usize = 12;
/// Files that say what is to be installed, where the values name none.
const USUAL_FILES: [&str; 24] = [
    "requirements*.txt",
    "requirements/*.txt",
    "pyproject.toml",
    "poetry.lock",
    "uv.lock",
    "pdm.lock",
    "Pipfile.lock",
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock*",
    "go.mod",
    "go.sum",
    "Cargo.toml",
    "Cargo.lock",
    "Gemfile",
    "Gemfile.lock",
    "composer.json",
    "composer.lock",
    "pom.xml",
    "build.gradle*",
    "gradle.lockfile",
];

/// Who may move `:prepare`, which everybody's builds start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moves {
    /// A merge request's pipeline: its dependencies are a proposal.
    Never,
    /// Whoever types `lain prepare`; a job of another branch or of a tag that does.
    WhenAsked,
    /// A job of the default branch: it is the one that others follow.
    ByItself,
}

impl Moves {
    /// By the variables of GitLab's job.
    fn of<'e>(get: impl Fn(&str) -> Option<&'e str>) -> Self {
        let branch = get("CI_DEFAULT_BRANCH");
        if get("CI_MERGE_REQUEST_IID").is_some() || get("CI_PIPELINE_SOURCE") == Some("merge_request_event") {
            Self::Never
        } else if branch.is_none() || get("CI_COMMIT_BRANCH") == branch {
            Self::ByItself
        } else {
            Self::WhenAsked
        }
    }
}

/// How the registry's prepare image is to what is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    Fits,
    /// An older tool's, without the label.
    Unknown,
    Stale,
    Missing,
}

impl Plan<'_> {
    /// Builds the prepare image and, unless told otherwise, pushes it. In a merge request under a tag of its own, and only where none fits.
    ///
    /// # Errors
    /// docker is missing, the registry does not answer where it is asked, or the build or push fails.
    pub(crate) fn prepare(&self, session: &Session, options: &Options, push: bool) -> Result<ImageResult> {
        let moves = Moves::of(|name| session.env.get(name));
        if moves != Moves::Never && !options.if_missing {
            return self.make_prepare(session, options, PREPARE_TAG, push);
        }
        let (tag, fit) = self.fitting(session, if moves == Moves::Never { moves } else { Moves::ByItself })?;
        let repository = self.repository(session)?;
        let image = format!("{repository}:{tag}");
        if fit == Fit::Fits || (fit == Fit::Unknown && moves == Moves::Never) {
            session.ui.say(&format!("{image} was made from what is here: nothing to prepare"));
            let digest = session.registry_of(&repository)?.digest(&tag)?;
            return Ok(self.result(image, &tag, digest));
        }
        self.make_prepare(session, options, &tag, push)
    }

    /// Sees to it that the prepare image is there; the tag of the one to start from.
    ///
    /// # Errors
    /// docker is missing, the registry does not answer, or the build or push fails.
    pub(super) fn ensure_prepare(&self, session: &Session, docker: &Docker<'_>, engine: &Engine, options: &Options) -> Result<String> {
        let options = &Options { keep_dockerfile: false, ..options.clone() };
        let repository = self.repository(session)?;
        if !session.env.is_ci() || !options.pull {
            self.ensure_any(session, docker, engine, &repository, options)?;
            self.tell_if_stale(session, docker, engine, &repository)?;
            return Ok(PREPARE_TAG.to_owned());
        }
        let (tag, fit) =
            self.fitting(session, Moves::of(|name| session.env.get(name))).map_err(|error| or_without(docker, &repository, error))?;
        let image = format!("{repository}:{tag}");
        match fit {
            Fit::Fits | Fit::Unknown if *engine != Engine::Docker => {}
            Fit::Fits | Fit::Unknown => {
                let _section = session.ui.section("pull_prepare", &format!("pull {image}"));
                docker.pull(&image)?;
            }
            Fit::Missing if tag == PREPARE_TAG && *engine == Engine::Docker && self.is_on_daemon(session, docker, &image)? => {
                session.ui.say("the registry has no prepare image, but this docker daemon has: pushing it");
                push_image(session, docker, &image)?;
            }
            Fit::Stale | Fit::Missing => {
                if fit == Fit::Missing {
                    session.ui.say(&format!("there is no prepare image {tag} yet: building it"));
                }
                self.make_prepare(session, options, &tag, true)?;
            }
        }
        Ok(tag)
    }

    /// By the registry: the tag to start from, and how it is to what is here. Where `:prepare` is of something else and may not be moved, a tag of its own.
    fn fitting(&self, session: &Session, moves: Moves) -> Result<(String, Fit)> {
        let repository = self.repository(session)?;
        let registry = session.registry_of(&repository)?;
        let wanted = self.prepared_from(session)?.unwrap_or_default();
        let fit = |tag: &str| -> Result<Fit> {
            let Some(labels) = registry.labels(tag)? else { return Ok(Fit::Missing) };
            Ok(match labels[PREPARED_FROM].as_str() {
                None => Fit::Unknown,
                Some(label) if label == wanted => Fit::Fits,
                Some(_) => Fit::Stale,
            })
        };
        let common = fit(PREPARE_TAG)?;
        if common == Fit::Stale {
            session.ui.say(&format!("{repository}:{PREPARE_TAG} was made from {OTHER_THAN_HERE}"));
        }
        let is_own = match common {
            Fit::Fits | Fit::Unknown => false,
            Fit::Stale => moves != Moves::ByItself,
            Fit::Missing => moves == Moves::Never,
        };
        if !is_own {
            if common == Fit::Stale {
                session.ui.say("it is made anew");
            }
            return Ok((PREPARE_TAG.to_owned(), common));
        }
        let tag = own_tag(&wanted);
        let who = if moves == Moves::Never { "a merge request" } else { "a job of another branch than the default one" };
        session.ui.say(&format!("{who} leaves {PREPARE_TAG} as it is: {tag} takes its place"));
        let fit = fit(&tag)?;
        Ok((tag, fit))
    }

    /// The daemon's own, of what is here as far as it tells.
    fn is_on_daemon(&self, session: &Session, docker: &Docker<'_>, image: &str) -> Result<bool> {
        Ok(docker.has_image(image)?
            && docker.label(image, PREPARED_FROM)?.is_none_or(|label| self.prepared_from(session).is_ok_and(|it| it == Some(label))))
    }

    /// Any prepare image: a person decides when it is made anew.
    fn ensure_any(&self, session: &Session, docker: &Docker<'_>, engine: &Engine, repository: &str, options: &Options) -> Result<()> {
        let image = format!("{repository}:{PREPARE_TAG}");
        if *engine != Engine::Docker {
            // A builder takes it from the registry, whatever this daemon has.
            if options.pull && session.registry_of(repository)?.digest(PREPARE_TAG)?.is_none() {
                session.ui.say("there is no prepare image yet: building it");
                self.make_prepare(session, options, PREPARE_TAG, true)?;
            }
            return Ok(());
        }
        if !options.pull && docker.has_image(&image)? {
            return Ok(());
        }
        if options.pull {
            let section = session.ui.section("pull_prepare", &format!("pull {image}"));
            let found = docker.pull_if_there(&image).map_err(|error| or_without(docker, repository, error))?;
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
        self.make_prepare(session, options, PREPARE_TAG, true).map(|_| ())
    }

    /// A prepare image stays as it is until it is made anew, and nothing else would say that it is not what the values describe. Images without the label
    /// (an older tool's) are not judged.
    fn tell_if_stale(&self, session: &Session, docker: &Docker<'_>, engine: &Engine, repository: &str) -> Result<()> {
        let image = format!("{repository}:{PREPARE_TAG}");
        let label = match engine {
            Engine::Docker => docker.label(&image, PREPARED_FROM)?,
            Engine::Builder(builder) => docker.label_in_registry(builder, &image, PREPARED_FROM)?,
        };
        if label.is_some() && label != self.prepared_from(session)? {
            session.ui.warn(&format!("{image} was made from {OTHER_THAN_HERE}, and this build starts from it as it is"));
            session.ui.hint("lain prepare # makes it anew");
        }
        Ok(())
    }

    /// What a prepare image is made from, as one word: another one where the values, or the files that they name, now say something else.
    ///
    /// # Errors
    /// A file cannot be read, or is named from outside the folder.
    pub(super) fn prepared_from(&self, session: &Session) -> Result<Option<String>> {
        let Some(prepare) = self.build.own_prepare() else { return Ok(None) };
        let env = |env: &Option<EnvMap>| env.iter().flatten().map(|(name, value)| format!("{name}={value:?}")).collect::<Vec<_>>();
        let list = |list: &Option<Vec<Text>>| list.iter().flatten().map(ToString::to_string).collect::<Vec<_>>();
        let workdir = self.build.workdir.as_deref().unwrap_or_default();
        let files = match &prepare.files {
            Some(named) => named_files(&session.dir, named)?,
            None => usual_files(&session.dir, prepare.script.as_deref().unwrap_or_default())?,
        };
        let parts = (&*self.build.base, workdir, env(&prepare.env), list(&prepare.script), list(&prepare.keep), files);
        Ok(Some(hex(&Sha256::digest(format!("{parts:?}"))[..16])))
    }
}

/// The registry does not answer, but this daemon has one.
fn or_without(docker: &Docker<'_>, repository: &str, error: Error) -> Error {
    match docker.has_image(&format!("{repository}:{PREPARE_TAG}")) {
        Ok(true) => error.hint("lain build --no-pull # with the prepare image of this docker daemon"),
        _ => error,
    }
}

/// The tag of a prepare image that is no other pipeline's.
fn own_tag(made_from: &str) -> String {
    format!("{PREPARE_TAG}-{}", &made_from[..made_from.len().min(OWN)])
}

/// True for one of those.
pub(super) fn is_own_tag(tag: &str) -> bool {
    let hash = tag.strip_prefix(PREPARE_TAG).and_then(|rest| rest.strip_prefix('-'));
    hash.is_some_and(|hash| hash.len() == OWN && hash.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Files, by their paths below the folder, with what is in them.
type Files = BTreeMap<PathBuf, String>;

/// Those that the values name; a folder stands for all that is in it.
fn named_files(dir: &Path, patterns: &[Text]) -> Result<Files> {
    let mut files = Files::new();
    for pattern in patterns {
        let wrong = |what: &str| {
            Error::failed(format!("`build.prepare.files`: `{pattern}` {what}"))
                .hint("files: [\"requirements/*.txt\"] # paths below the app's folder")
        };
        if !is_below(Path::new(&**pattern)) {
            return Err(wrong("is not below the app's folder"));
        }
        let before = files.len();
        add(dir, pattern, &mut files).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
        add(dir, &format!("{pattern}/**/*"), &mut files).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
        if files.len() == before {
            return Err(wrong("names no file"));
        }
    }
    Ok(files)
}

/// Those that the commands name, and the usual ones of dependencies.
fn usual_files(dir: &Path, script: &[Text]) -> Result<Files> {
    let mut files = Files::new();
    let unreadable = |error: String| Error::failed(format!("what the prepare image is made from cannot be read: {error}"));
    for pattern in USUAL_FILES {
        add(dir, pattern, &mut files).map_err(unreadable)?;
    }
    let words = script.iter().flat_map(|line| line.split(|c: char| c.is_whitespace() || "\"'`;&|<>()=,".contains(c)));
    for word in words.filter(|word| !word.is_empty() && is_below(Path::new(word)) && dir.join(word).is_file()) {
        add(dir, &glob::Pattern::escape(word), &mut files).map_err(unreadable)?;
    }
    Ok(files)
}

fn is_below(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// Adds the files of a pattern.
fn add(dir: &Path, pattern: &str, files: &mut Files) -> std::result::Result<(), String> {
    let whole = format!("{}/{pattern}", glob::Pattern::escape(&dir.to_string_lossy()));
    let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::default() };
    for path in glob::glob_with(&whole, options).map_err(|error| error.to_string())? {
        let path = path.map_err(|error| error.to_string())?;
        if path.is_file() {
            let bytes = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            files.insert(path.strip_prefix(dir).unwrap_or(&path).to_owned(), hex(&Sha256::digest(bytes)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(words: &[&str]) -> Vec<Text> {
        words.iter().map(|word| Text((*word).to_owned())).collect()
    }

    #[test]
    fn what_it_is_made_from() {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        for name in ["requirements.txt", "requirements/dev.txt", "main.py", "tools/install.sh", "deps/a/b.txt"] {
            write(name, name);
        }
        let names = |files: Result<Files>| -> Vec<String> { files.expect("read").keys().map(|path| path.display().to_string()).collect() };
        let usual = |script: &[&str]| names(usual_files(dir.path(), &texts(script)));
        assert_eq!(usual(&[]), ["requirements/dev.txt", "requirements.txt"]);
        assert_eq!(usual(&["sh ./tools/install.sh && cat ../x /etc/passwd"]).last().map(String::as_str), Some("tools/install.sh"));
        assert_eq!(names(named_files(dir.path(), &texts(&["deps", "*.py"]))), ["deps/a/b.txt", "main.py"]);
        for wrong in ["/etc/passwd", "../x", "none.txt", "[", "a***"] {
            let error = named_files(dir.path(), &texts(&[wrong])).expect_err(wrong);
            assert!(error.to_string().contains(wrong), "{error}");
        }
        let before = usual_files(dir.path(), &[]).expect("read");
        write("requirements.txt", "another");
        assert_ne!(before, usual_files(dir.path(), &[]).expect("read"));
    }

    #[test]
    fn who_moves_it() {
        let moves =
            |pairs: &[(&str, &'static str)]| Moves::of(|name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| *value));
        assert_eq!(moves(&[]), Moves::ByItself);
        assert_eq!(moves(&[("CI_DEFAULT_BRANCH", "main"), ("CI_COMMIT_BRANCH", "main")]), Moves::ByItself);
        assert_eq!(moves(&[("CI_DEFAULT_BRANCH", "main"), ("CI_COMMIT_BRANCH", "feature")]), Moves::WhenAsked);
        assert_eq!(moves(&[("CI_DEFAULT_BRANCH", "main"), ("CI_COMMIT_TAG", "v1")]), Moves::WhenAsked);
        assert_eq!(moves(&[("CI_DEFAULT_BRANCH", "main"), ("CI_PIPELINE_SOURCE", "merge_request_event")]), Moves::Never);
        assert_eq!(moves(&[("CI_MERGE_REQUEST_IID", "7")]), Moves::Never);
    }
}
