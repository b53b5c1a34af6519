//! What a shell is told while one types: commands and flags, and the names of what there is: clusters, procs, apps in the cluster, tags in the registry, keys of
//! Secrets (never what is in them), jobs of the pipeline.
//!
//! The shell asks lain itself ([`VARIABLE`] names the shell), so that nothing it was once told grows old.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::{Arg, Command, CommandFactory};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};

use crate::cluster::look;
use crate::command::lint;
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
use crate::tools::kubectl::Kubectl;
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

/// zsh has no `compdef` before this was said; frameworks and many a .zshrc say it.
const COMPINIT: &str = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }";

/// Where names of what there is complete: the command, its argument, what there is.
const NAMES: &[(&[&str], &str, Names)] = &[
    (&["use"], "name", clusters),
    (&["push"], "from", clusters),
    (&["save"], "retag", clusters),
    (&["admin", "migrate-registry"], "to", clusters),
    (&["logs"], "proc", procs),
    (&["x"], "words", procs),
    (&["run"], "proc", procs),
    (&["restart"], "procs", procs_or_apps),
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
    (&["lint"], "explain", checks),
    (&["secret", "show"], "name", secret_keys),
    (&["secret", "add"], "from_env", secret_keys_to_set),
    (&["env", "add"], "pairs", variables_to_set),
    (&["env", "add"], "from_env", variables),
    (&["deploy"], "manual", ci_jobs), // of lain-notify
];

type Names = fn(&Session) -> Result<Vec<String>>;

/// What stands in a line already.
#[derive(Clone, Default)]
struct Line {
    /// The flags that say which app and which cluster.
    globals: Globals,
    /// `lain x` was told what to run, or where: what comes next is that command's.
    runs: bool,
    /// An option is being typed.
    is_option: bool,
}

impl Line {
    /// Of the words from the program's name on, and those before `typed`, which is still being typed. What is wrong with them is nobody's matter yet.
    fn of<T: CommandFactory>(env: &Env, words: &[OsString], typed: usize) -> Self {
        let (before, typed) = (&words[..typed.min(words.len())], words.get(typed));
        let command = super::without_empty(T::command(), env).ignore_errors(true);
        let Ok(matches) = command.try_get_matches_from(before) else { return Self::default() };
        let text = |name: &str| matches.try_get_one::<String>(name).ok().flatten().cloned();
        let inside =
            matches.subcommand().filter(|(name, _)| *name == "x").and_then(|(_, x)| x.try_get_many::<String>("words").ok().flatten());
        Self {
            globals: Globals {
                start: matches.try_get_one::<PathBuf>("start").ok().flatten().cloned(),
                cluster: text("use_cluster").or_else(|| text("cluster")),
                values: super::values_of::<T>(env, before, &matches),
                ..Globals::default()
            },
            runs: inside.is_some_and(|words| words.len() > 0) || before.iter().any(|word| word == "--"),
            is_option: typed.is_some_and(|word| word.to_string_lossy().starts_with('-')),
        }
    }
}

/// Answers a shell and ends, when it is a shell that asks.
pub(super) fn answer<T: CommandFactory>(env: &Env) {
    if env.get(VARIABLE).is_none() {
        return;
    }
    let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    let index = env.get("_CLAP_COMPLETE_INDEX").and_then(|index| index.parse().ok());
    let line = Line::of::<T>(env, &words, index.unwrap_or(words.len().saturating_sub(1)));
    if let Some(start) = &line.globals.start {
        let _ = std::env::set_current_dir(start); // nothing is there: nothing is offered
    }
    CompleteEnv::with_factory(|| command_line::<T>(&line)).var(VARIABLE).complete();
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
    if shell == "zsh" {
        text.extend(format!("#compdef {}\n{COMPINIT}\n", PROGRAMS.join(" ")).into_bytes());
    }
    for name in PROGRAMS {
        let written = completer.write_registration(VARIABLE, name, name, name, &mut text);
        written.map_err(|error| Error::failed(format!("cannot write the script: {error}")))?;
        text.push(b'\n');
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn command_line<T: CommandFactory>(line: &Line) -> Command {
    let top = T::command().mut_arg("cluster", with(clusters, line)).mut_arg("use_cluster", with(clusters, line));
    let top = NAMES.iter().fold(top, |top, (path, arg, names)| {
        let names = if *path == ["x"] && line.runs { nothing } else { *names };
        completing(top, path, arg, names, line)
    });
    if line.is_option {
        return top;
    }
    let mut whole = top;
    whole.build(); // with --help, and the flags of every command
    behind_names(whole)
}

/// The same, where options are offered when there is nothing else.
fn behind_names(command: Command) -> Command {
    command.mut_args(|arg| if arg.is_positional() { arg } else { arg.hide(true) }).mut_subcommands(behind_names)
}

/// The same command line, where an argument of one of its commands completes; as it was, where that is another program's.
fn completing(command: Command, path: &[&'static str], arg: &'static str, names: Names, line: &Line) -> Command {
    match path {
        [] if command.get_arguments().any(|known| known.get_id() == arg) => command.mut_arg(arg, with(names, line)),
        [first, rest @ ..] if command.find_subcommand(first).is_some() => {
            command.mut_subcommand(first, |command| completing(command, rest, arg, names, line))
        }
        _ => command,
    }
}

fn with(names: Names, line: &Line) -> impl Fn(Arg) -> Arg {
    let globals = line.globals.clone();
    move |arg| {
        let globals = globals.clone();
        arg.add(ArgValueCompleter::new(move |typed: &OsStr| candidates(names, &globals, typed)))
    }
}

/// Those that begin with what was typed; none when they do not come in time, and nobody is told why: the line that is typed would be torn.
fn candidates(names: Names, globals: &Globals, typed: &OsStr) -> Vec<CompletionCandidate> {
    let (sender, receiver) = mpsc::channel();
    let globals = globals.clone();
    thread::spawn(move || {
        let ui = Ui::new(Color::Never, true, false, None, Verbosity::Nothing, Format::Text);
        let found = Session::new(ui, Env::of_process(), globals).and_then(|session| names(&session));
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

#[allow(clippy::unnecessary_wraps)] // as its neighbours
fn clusters(session: &Session) -> Result<Vec<String>> {
    Ok(known_clusters(&session.env.cluster_values_dirs()))
}

#[allow(clippy::unnecessary_wraps)] // as its neighbours
fn nothing(_: &Session) -> Result<Vec<String>> {
    Ok(vec![])
}

#[allow(clippy::unnecessary_wraps)] // as its neighbours
fn checks(_: &Session) -> Result<Vec<String>> {
    Ok(lint::ids().map(str::to_owned).collect())
}

fn procs_or_apps(session: &Session) -> Result<Vec<String>> {
    if session.has_app() { procs(session) } else { apps(session) }
}

fn procs(session: &Session) -> Result<Vec<String>> {
    Ok(session.app()?.procs().map(|(_, name, _)| name.to_owned()).collect())
}

fn apps(session: &Session) -> Result<Vec<String>> {
    Ok(look::apps(&kubectl(session)?)?.into_iter().collect())
}

/// A `kubectl proxy` would come no sooner than one answer of kubectl's, and this process may end at any moment.
fn kubectl(session: &Session) -> Result<Kubectl<'_>> {
    let kubectl = session.kubectl()?;
    Ok(if kubectl.logs_in() { kubectl } else { kubectl.alone() })
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
    kubectl(session)?.secret_keys(&session.app()?.file_secret())
}

fn variables(session: &Session) -> Result<Vec<String>> {
    kubectl(session)?.secret_keys(&session.app()?.env_secret())
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
    fn a_line_says_which_app_and_which_cluster() {
        let of = |line: &str, env: &[(&str, &str)]| {
            let env: Env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let line = Line::of::<Lain>(&env, &words, words.len() - 1);
            let paths = line.globals.start.iter().chain(&line.globals.values).map(|path| path.display().to_string());
            let told: Vec<String> = line.globals.cluster.iter().cloned().chain(paths).collect();
            (told.join(" "), line.runs, line.is_option)
        };
        let plain = |told: &str| (told.to_owned(), false, false);
        assert_eq!(of("lain deploy --cluster prod --set x", &[]), plain("prod"));
        assert_eq!(of("lain --cluster=prod delete ", &[]), plain("prod"));
        assert_eq!(of("lain delete --cluster pr", &[]), plain(""));
        assert_eq!(of("lain -C sub -f a.yaml logs --use test -f b.yaml w", &[]), plain("test sub a.yaml b.yaml"));
        assert_eq!(of("lain -C sub nonsense --unknown -", &[]), ("sub".to_owned(), false, true));
        assert!(of("lain x web ", &[]).1 && of("lain x -- ", &[]).1);
        assert!(!of("lain x -c mesh w", &[]).1);
        assert_eq!(of("", &[]), plain(""));
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
