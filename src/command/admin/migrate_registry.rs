//! `lain admin migrate-registry`: images that another cluster's registry lacks are copied to it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{ArgGroup, Args};
use serde::Serialize;

use super::Question;
use crate::error::{Error, Kind, Result};
use crate::http::registry::Registry;
use crate::model::cluster::Cluster;
use crate::model::image::repository_in;
use crate::resolved::clusters::{ClusterFile, known_clusters};
use crate::session::Session;
use crate::tools::quote::quoted;
use crate::ui::{Answer, Format, Table};

/// Copies that fail are told one by one up to so many.
const TOLD: usize = 5;

/// Copy images of the cluster's registry that another cluster's registry lacks, digest for digest; shows them first, and asks
#[derive(Args, Debug)]
#[command(
    after_help = "  lain admin migrate-registry --to live --dry-run\n  lain admin migrate-registry --to live --app shop --app cart --yes\n  lain admin migrate-registry --cluster-config new/values-live.yaml\n\nA tag that is there already is skipped, so the same command goes on where one stopped. No docker takes part."
)]
#[command(group(ArgGroup::new("target").required(true)))]
pub(super) struct MigrateRegistry {
    /// The cluster whose registry gets them
    #[arg(long, value_name = "CLUSTER", group = "target")]
    to: Option<String>,
    /// The same by a file of cluster values, which may be in no folder of such
    #[arg(long, value_name = "FILE", group = "target")]
    cluster_config: Option<PathBuf>,
    /// An app, by its name in the registry; may be repeated. All that the registry lists without one
    #[arg(long = "app", value_name = "NAME")]
    apps: Vec<String>,
    /// Only show what would be copied
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Do not ask; needed where there is no terminal
    #[arg(long)]
    yes: bool,
}

impl MigrateRegistry {
    pub(super) fn run(&self, session: &Session) -> Result<()> {
        let from = session.registry_anywhere()?;
        let target = self.target(session)?;
        let to = target.registry.as_deref().ok_or_else(|| {
            let file = self.file_name();
            Error::usage(format!("{file} names no registry")).hint(format!("registry: HOST/PATH # in {file}"))
        })?;
        if from.trim_end_matches('/') == to.trim_end_matches('/') {
            return Err(Error::usage(format!("both are {from}: there is nothing to copy")).hint("lain use # lists the clusters"));
        }
        let mut answer = Migration { version: 1, from: from.to_owned(), to: to.to_owned(), repositories: vec![] };
        let mut lacking = vec![];
        {
            let progress = session.ui.progress();
            let _line = progress.add("reading both registries");
            for source in super::repositories(session, from, &self.apps)? {
                let name = source.rsplit('/').next().unwrap_or_default().to_owned();
                let mut tags = session.registry_of(&source)?.tags()?;
                tags.sort_unstable();
                if tags.is_empty() && !self.apps.is_empty() {
                    lacking.push(name.clone());
                }
                let there: BTreeSet<String> = registry(session, &target, &repository_in(to, &name))?.tags()?.into_iter().collect();
                let skipped = tags.iter().filter(|tag| there.contains(*tag)).count();
                let missing = tags.into_iter().filter(|tag| !there.contains(tag));
                let images = missing.map(|tag| OfImage { tag, outcome: State::WouldCopy, reason: None }).collect();
                answer.repositories.push(OfRepository { name, skipped, images });
            }
        }
        if let Some(error) = super::without_images(from, &lacking) {
            return Err(error);
        }
        let is_text = session.ui.format() == Format::Text;
        if is_text {
            session.ui.answer(&answer)?;
        }
        let count = answer.count(State::WouldCopy);
        if count == 0 && !answer.repositories.is_empty() {
            session.ui.say(&format!("{to} has every tag of {from}"));
        }
        if self.dry_run || count == 0 {
            return if is_text { Ok(()) } else { session.ui.answer(&answer) };
        }
        let question = format!("copy {} from {from} to {to}?", images(count));
        Question::of_change(&question, &format!("{} --yes # does it to what is listed above", self.again())).agreed(session, self.yes)?;
        let failed = copy(session, &target, &mut answer)?;
        if !is_text {
            session.ui.answer(&answer)?;
        }
        let (copied, left) = (answer.count(State::Copied), answer.count(State::WouldCopy) + answer.count(State::Failed));
        let failed_count = answer.count(State::Failed);
        if is_text && failed_count > TOLD {
            session.ui.warn(&format!("{} more are not copied (-o json names them)", failed_count - TOLD));
        }
        if copied > 0 {
            session.ui.done(&format!("copied {} to {to}", images(copied)));
        }
        let Some(error) = failed else { return Ok(()) };
        let again = format!("{} --yes # goes on with what is not there yet", self.again());
        let error = if error.kind() == Kind::Interrupted { error } else { error.context(format!("{} could not be copied", images(left))) };
        Err(error.hint(again))
    }

    fn target(&self, session: &Session) -> Result<Cluster> {
        if let Some(file) = &self.cluster_config {
            let path = session.cwd.join(file);
            if !path.is_file() {
                let what = if path.exists() { "is no ordinary file" } else { "is not there" };
                return Err(Error::usage(format!("--cluster-config: {} {what}", file.display()))
                    .hint("lain admin migrate-registry --cluster-config FILE # a file of cluster values"));
            }
            return ClusterFile::at(path)?.cluster().cloned();
        }
        let (name, known) = (self.to.as_deref().unwrap_or_default(), known_clusters(&session.env.cluster_values_dirs()));
        if !known.iter().any(|cluster| cluster == name) {
            return Err(Error::usage(format!("cluster {name} has no values: there are {}", known.join(", "))).hint("lain use # lists them"));
        }
        session.cluster_of(name)
    }

    fn file_name(&self) -> String {
        match (&self.cluster_config, &self.to) {
            (Some(file), _) => file.display().to_string(),
            (None, to) => format!("values-{}.yaml", to.as_deref().unwrap_or_default()),
        }
    }

    /// The same command, as it is typed.
    fn again(&self) -> String {
        let mut words = "lain admin migrate-registry".to_owned();
        self.to.iter().for_each(|to| words += &format!(" --to {}", quoted(to)));
        self.cluster_config.iter().for_each(|file| words += &format!(" --cluster-config {}", quoted(&file.display().to_string())));
        self.apps.iter().for_each(|app| words += &format!(" --app {app}"));
        words
    }
}

fn registry<'s>(session: &'s Session, cluster: &'s Cluster, repository: &str) -> Result<Registry<'s>> {
    Registry::new(&session.ui, &session.env, cluster, repository)
}

/// One that fails does not stop the rest; the first failure, or what ended it.
fn copy(session: &Session, target: &Cluster, answer: &mut Migration) -> Result<Option<Error>> {
    let still = session.env.patience()?.registry;
    let progress = session.ui.progress();
    let (mut first, mut failed) = (None, 0);
    for repository in answer.repositories.iter_mut().filter(|it| !it.images.is_empty()) {
        let source = session.registry_of(&repository_in(&answer.from, &repository.name))?;
        let to = registry(session, target, &repository_in(&answer.to, &repository.name))?;
        let line = progress.add(&format!("copy {} of {}", images(repository.images.len()), repository.name));
        let mut copied = 0;
        for image in &mut repository.images {
            let digest = source.digest(&image.tag);
            let done = digest.and_then(|digest| match digest {
                Some(digest) => source.copy(&digest, &to, &image.tag, still).map(|()| true),
                None => Ok(false), // it went meanwhile
            });
            match done {
                Ok(there) => {
                    copied += usize::from(there);
                    image.outcome = if there { State::Copied } else { State::WasGone };
                }
                Err(error) => {
                    let is_end = error.kind() == Kind::Interrupted;
                    if !is_end {
                        failed += 1;
                        (image.outcome, image.reason) = (State::Failed, Some(error.to_string()));
                        if failed <= TOLD {
                            session.ui.warn(&format!("{}:{} is not copied: {error}", repository.name, image.tag));
                        }
                    }
                    first.get_or_insert(error);
                    if is_end {
                        return Ok(first);
                    }
                }
            }
        }
        line.done(&format!("copied {} of {}", images(copied), repository.name));
    }
    Ok(first)
}

fn images(count: usize) -> String {
    if count == 1 { "1 image".to_owned() } else { format!("{count} images") }
}

#[derive(Serialize)]
struct Migration {
    version: u32,
    from: String,
    to: String,
    repositories: Vec<OfRepository>,
}

#[derive(Serialize)]
struct OfRepository {
    name: String,
    /// Tags that the other registry has.
    skipped: usize,
    /// Those that it lacks.
    images: Vec<OfImage>,
}

#[derive(Serialize)]
struct OfImage {
    tag: String,
    outcome: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    WouldCopy,
    Copied,
    WasGone,
    Failed,
}

impl Migration {
    fn count(&self, wanted: State) -> usize {
        self.repositories.iter().flat_map(|it| &it.images).filter(|image| image.outcome == wanted).count()
    }
}

impl Answer for Migration {
    fn text(&self) -> String {
        if self.count(State::WouldCopy) == 0 {
            return String::new();
        }
        let mut table = Table::new(["APP", "THERE", "LACKING", ""]);
        for it in self.repositories.iter().filter(|it| !it.images.is_empty()) {
            let last = it.images.last().map_or("", |image| &*image.tag);
            let more = if it.images.len() > 1 { format!("{last} and {} more", it.images.len() - 1) } else { last.to_owned() };
            table.row([it.name.clone(), it.skipped.to_string(), it.images.len().to_string(), more]);
        }
        table.narrow(&[0, 3]);
        table.to_string().trim_end().to_owned()
    }
}
