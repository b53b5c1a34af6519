//! What a shell is told while one types: commands and flags, and the names of what there is: clusters, procs, apps in the cluster, tags in the registry, keys of
//! Secrets (never what is in them), jobs of the pipeline.
//!
//! The shell asks lain itself ([`VARIABLE`] names the shell), so that nothing it was once told grows old.

use std::ffi::OsStr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::{Arg, Command, CommandFactory};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};

use crate::cluster::look;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::globals::Globals;
use crate::images::tags;
use crate::interrupt;
use crate::model::app::ProcKind;
use crate::model::builds::{self, DEFAULT_BUILD};
use crate::pipeline;
use crate::resolved::clusters::known_clusters;
use crate::session::Session;
use crate::ui::{Color, Format, Ui, Verbosity, printable};

/// Set by the script of `lain completions` when it asks.
pub(super) const VARIABLE: &str = "LAIN_COMPLETE";
/// Who types waits no longer than this for a cluster or a registry: with the start of lain itself it is less than 200 ms.
const PATIENCE: Duration = Duration::from_millis(150);
/// Tags that are offered, the newest.
const TAGS: usize = 20;
/// The programs whose lines complete.
const PROGRAMS: [&str; 5] = ["lain", "lain-render", "lain-build", "lain-deploy", "lain-notify"];
/// bash's own way: it takes words apart where clap's script has them whole.
const BASH: &str = include_str!("complete.bash");

/// Where names of what there is complete: the command, its argument, what there is.
const NAMES: &[(&[&str], &str, Names)] = &[
    (&["use"], "name", clusters),
    (&["push"], "from", clusters),
    (&["save"], "retag", clusters),
    (&["admin", "migrate-registry"], "to", clusters),
    (&["logs"], "proc", procs),
    (&["x"], "words", procs),
    (&["run"], "proc", procs),
    (&["restart"], "procs", procs),
    (&["update-image"], "procs", procs),
    (&["create-job"], "cronjob", cron_jobs),
    (&["build"], "name", builds),
    (&["push"], "name", builds),
    (&["dockerfile"], "name", builds),
    (&["set-canary-group"], "group", canary_groups),
    (&["delete"], "release", apps),
    (&["delete"], "app", apps),
    (&["deploy"], "app", apps),
    (&["redeploy"], "app", apps),
    (&["get-values"], "release", apps),
    (&["history"], "release", apps),
    (&["diff"], "release", apps),
    (&["wait"], "app", apps),
    (&["admin", "unlock"], "release", apps),
    (&["admin", "list-images"], "apps", apps),
    (&["admin", "cleanup-registry"], "apps", apps),
    (&["admin", "cleanup-reviews"], "app", apps),
    (&["admin", "migrate-registry"], "apps", apps),
    (&["deploy"], "set", tags_to_set),
    (&["diff"], "set", tags_to_set),
    (&["template"], "set", tags_to_set),
    (&["values"], "set", tags_to_set),
    (&["lint"], "set", tags_to_set),
    (&["job"], "image_tag", image_tags),
    (&["deploy"], "image", images),
    (&["redeploy"], "image", images),
    (&["diff"], "image", images),
    (&["save"], "image", images),
    (&["secret", "show"], "name", secret_keys),
    (&["secret", "add"], "from_env", secret_keys_to_set),
    (&["env", "add"], "pairs", variables_to_set),
    (&["env", "add"], "from_env", variables),
    (&["deploy"], "manual", ci_jobs), // of lain-notify
];

type Names = fn(&Session) -> Result<Vec<String>>;

/// Answers a shell and ends, when it is a shell that asks.
pub(super) fn answer<T: CommandFactory>(env: &Env) {
    if env.get(VARIABLE).is_some() {
        CompleteEnv::with_factory(command_line::<T>).var(VARIABLE).complete();
    }
}

/// The script that makes a shell ask.
///
/// # Errors
/// This shell is unknown.
pub(super) fn script(shell: &str) -> Result<String> {
    if shell == "bash" {
        return Ok(PROGRAMS.map(|name| BASH.replace("ID", &name.replace('-', "_")).replace("NAME", name)).join("\n"));
    }
    let shells = Shells::builtins();
    let completer = shells.completer(shell).ok_or_else(|| Error::usage(format!("no completions for `{shell}`")))?;
    let mut text = Vec::new();
    for name in PROGRAMS {
        let written = completer.write_registration(VARIABLE, name, name, name, &mut text);
        written.map_err(|error| Error::failed(format!("cannot write the script: {error}")))?;
        text.push(b'\n');
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn command_line<T: CommandFactory>() -> Command {
    let top = T::command().mut_arg("cluster", with(clusters)).mut_arg("use_cluster", with(clusters));
    NAMES.iter().fold(top, |top, (path, arg, names)| completing(top, path, arg, *names))
}

/// The same command line, where an argument of one of its commands completes; as it was, where that is another program's.
fn completing(command: Command, path: &[&'static str], arg: &'static str, names: Names) -> Command {
    match path {
        [] if command.get_arguments().any(|known| known.get_id() == arg) => command.mut_arg(arg, with(names)),
        [first, rest @ ..] if command.find_subcommand(first).is_some() => {
            command.mut_subcommand(first, |command| completing(command, rest, arg, names))
        }
        _ => command,
    }
}

fn with(names: Names) -> impl Fn(Arg) -> Arg {
    move |arg| arg.add(ArgValueCompleter::new(move |typed: &OsStr| candidates(names, typed)))
}

/// Those that begin with what was typed; none when they do not come in time, and nobody is told why: the line that is typed would be torn.
fn candidates(names: Names, typed: &OsStr) -> Vec<CompletionCandidate> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let ui = Ui::new(Color::Never, true, false, None, Verbosity::Nothing, Format::Text);
        let env = Env::of_process();
        let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
        let globals = Globals { cluster: cluster_of(&words).or_else(|| env.get("LAIN_CLUSTER").map(str::to_owned)), ..Globals::default() };
        let found = Session::new(ui, env, globals).and_then(|session| names(&session));
        let _ = sender.send(found.unwrap_or_default()); // too late when nobody listens
    });
    let typed = typed.to_string_lossy();
    let found = receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        std::mem::forget(interrupt::abandon()); // what still asks is told to end, as this process does
        vec![]
    });
    // What a cluster or a registry says drives no terminal.
    found.into_iter().filter(|name| name.starts_with(&*typed) && printable(name) == *name).map(CompletionCandidate::new).collect()
}

/// The cluster that a line names; the last word is still being typed.
fn cluster_of(words: &[String]) -> Option<String> {
    let typed = &words[..words.len().saturating_sub(1)];
    let joined = typed.iter().find_map(|word| word.strip_prefix("--cluster=").map(str::to_owned));
    joined.or_else(|| typed.windows(2).find(|pair| pair[0] == "--cluster").map(|pair| pair[1].clone()))
}

#[allow(clippy::unnecessary_wraps)] // as its neighbours
fn clusters(session: &Session) -> Result<Vec<String>> {
    Ok(known_clusters(&session.env.cluster_values_dirs()))
}

fn procs(session: &Session) -> Result<Vec<String>> {
    Ok(session.app()?.procs().map(|(_, name, _)| name.to_owned()).collect())
}

fn apps(session: &Session) -> Result<Vec<String>> {
    let kubectl = session.kubectl()?;
    // A `kubectl proxy` would come no sooner than one answer of kubectl's, and this process may end at any moment.
    let kubectl = if kubectl.logs_in() { kubectl } else { kubectl.alone() };
    Ok(look::apps(&kubectl)?.into_iter().collect())
}

fn cron_jobs(session: &Session) -> Result<Vec<String>> {
    let of = |(kind, name, _): (ProcKind, &str, _)| (kind == ProcKind::CronJob).then(|| name.to_owned());
    Ok(session.app()?.procs().filter_map(of).collect())
}

fn builds(session: &Session) -> Result<Vec<String>> {
    Ok(builds::all(session.app()?).into_iter().map(|(name, _)| name.unwrap_or(DEFAULT_BUILD).to_owned()).collect())
}

fn canary_groups(session: &Session) -> Result<Vec<String>> {
    Ok(session.app()?.canary_groups.iter().flat_map(|groups| groups.keys().cloned()).collect())
}

fn image_tags(session: &Session) -> Result<Vec<String>> {
    tags::newest(session, &session.repository()?, TAGS)
}

fn tags_to_set(session: &Session) -> Result<Vec<String>> {
    Ok(image_tags(session)?.into_iter().map(|tag| format!("imageTag={tag}")).collect())
}

fn images(session: &Session) -> Result<Vec<String>> {
    let repository = session.repository()?;
    Ok(image_tags(session)?.into_iter().map(|tag| format!("{repository}:{tag}")).collect())
}

fn secret_keys(session: &Session) -> Result<Vec<String>> {
    session.kubectl()?.alone().secret_keys(&session.app()?.file_secret())
}

fn variables(session: &Session) -> Result<Vec<String>> {
    session.kubectl()?.alone().secret_keys(&session.app()?.env_secret())
}

fn secret_keys_to_set(session: &Session) -> Result<Vec<String>> {
    Ok(to_set(secret_keys(session)?))
}

fn variables_to_set(session: &Session) -> Result<Vec<String>> {
    Ok(to_set(variables(session)?))
}

fn to_set(keys: Vec<String>) -> Vec<String> {
    keys.into_iter().map(|key| key + "=").collect()
}

fn ci_jobs(session: &Session) -> Result<Vec<String>> {
    pipeline::job_names(&session.cwd)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::cli::{Lain, LainNotify};

    /// What each argument is called in help that is such a name.
    const KINDS: [&str; 8] = ["CLUSTER", "PROC", "RELEASE", "APP", "BUILD", "TAG", "JOB", "REF"];

    fn collect(command: &Command, path: &[String], into: &mut BTreeSet<(Vec<String>, String)>) {
        for arg in command.get_arguments() {
            let names = arg.get_value_names().unwrap_or_default();
            if arg.get_action().takes_values() && names.iter().any(|name| KINDS.contains(&name.as_str())) && !arg.is_global_set() {
                into.insert((path.to_vec(), arg.get_id().to_string()));
            }
        }
        for inner in command.get_subcommands() {
            collect(inner, &[path, &[inner.get_name().to_owned()]].concat(), into);
        }
    }

    #[test]
    fn a_line_names_its_cluster() {
        let of = |line: &str| cluster_of(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(of("lain -- lain deploy --cluster prod --set x").as_deref(), Some("prod"));
        assert_eq!(of("lain -- lain --cluster=prod delete ").as_deref(), Some("prod"));
        assert_eq!([of("lain -- lain delete --cluster pr"), of("lain -- lain delete x"), of("")], [None, None, None]);
    }

    #[test]
    fn every_name_of_what_there_is_completes() {
        let listed: BTreeSet<(Vec<String>, String)> =
            NAMES.iter().map(|(path, arg, _)| (path.iter().map(|name| (*name).to_owned()).collect(), (*arg).to_owned())).collect();
        for (path, arg, _) in NAMES {
            let has = |top: Command| {
                let found = path.iter().try_fold(&top, |command, name| command.find_subcommand(name));
                found.is_some_and(|command| command.get_arguments().any(|known| known.get_id() == arg))
            };
            assert!(has(Lain::command()) || has(LainNotify::command()), "no {arg} of {path:?}");
        }
        let mut wanted = BTreeSet::new();
        collect(&Lain::command(), &[], &mut wanted);
        collect(&LainNotify::command(), &[], &mut wanted);
        wanted.remove(&(vec!["dockerfile".to_owned()], "prepare_tag".to_owned())); // of images that another step made
        let missing: Vec<_> = wanted.difference(&listed).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
