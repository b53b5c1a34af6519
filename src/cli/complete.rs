//! What a shell is told while one types: commands and flags, and the names of what there is: clusters, procs, apps in the cluster, tags in the registry.
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
use crate::resolved::clusters::known_clusters;
use crate::session::Session;
use crate::ui::{Color, Format, Ui, Verbosity};

/// Set by the script of `lain completions` when it asks.
pub(super) const VARIABLE: &str = "LAIN_COMPLETE";
/// Who types waits no longer than this for a cluster or a registry.
const PATIENCE: Duration = Duration::from_millis(200);
/// Tags that are offered, the newest.
const TAGS: usize = 20;

/// Where names of what there is complete: the command, its argument, what there is.
const NAMES: &[(&str, &str, Names)] = &[
    ("use", "name", clusters),
    ("logs", "proc", procs),
    ("x", "words", procs),
    ("run", "proc", procs),
    ("restart", "procs", procs),
    ("delete", "release", apps),
    ("get-values", "release", apps),
    ("history", "release", apps),
    ("deploy", "set", image_tags),
    ("diff", "release", apps),
    ("diff", "set", image_tags),
    ("template", "set", image_tags),
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
    let shells = Shells::builtins();
    let unknown = || Error::usage(format!("no completions for `{shell}`"));
    let mut text = Vec::new();
    let written = shells.completer(shell).ok_or_else(unknown)?.write_registration(VARIABLE, "lain", "lain", "lain", &mut text);
    written.map_err(|error| Error::failed(format!("cannot write the script: {error}")))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn command_line<T: CommandFactory>() -> Command {
    let with = |names: Names| move |arg: Arg| arg.add(ArgValueCompleter::new(move |typed: &OsStr| candidates(names, typed)));
    let top = T::command().mut_arg("cluster", with(clusters)).mut_arg("use_cluster", with(clusters));
    NAMES.iter().fold(top, |top, (command, arg, names)| match top.find_subcommand(command) {
        Some(_) => top.mut_subcommand(command, |command| command.mut_arg(arg, with(*names))),
        None => top, // another binary's
    })
}

/// Those that begin with what was typed; none when they do not come in time, and nobody is told why: the line that is typed would be torn.
fn candidates(names: Names, typed: &OsStr) -> Vec<CompletionCandidate> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let ui = Ui::new(Color::Never, true, false, None, Verbosity::Nothing, Format::Text);
        let found = Session::new(ui, Env::of_process(), Globals::default()).and_then(|session| names(&session));
        let _ = sender.send(found.unwrap_or_default()); // too late when nobody listens
    });
    let typed = typed.to_string_lossy();
    let found = receiver.recv_timeout(PATIENCE).unwrap_or_default();
    found.into_iter().filter(|name| name.starts_with(&*typed)).map(CompletionCandidate::new).collect()
}

#[allow(clippy::unnecessary_wraps)] // as its neighbours
fn clusters(session: &Session) -> Result<Vec<String>> {
    Ok(known_clusters(&session.env.cluster_values_dirs()))
}

fn procs(session: &Session) -> Result<Vec<String>> {
    Ok(session.app()?.procs().map(|(_, name, _)| name.to_owned()).collect())
}

fn apps(session: &Session) -> Result<Vec<String>> {
    // One question: a connection would come no sooner, and this process may end at any moment.
    Ok(look::apps(&session.kubectl()?.alone())?.into_iter().collect())
}

fn image_tags(session: &Session) -> Result<Vec<String>> {
    let repository = session.repository()?;
    Ok(tags::newest(session, &repository, TAGS)?.into_iter().map(|tag| format!("imageTag={tag}")).collect())
}
