//! The command lines of the five binaries.
//!
//! A command is one file in `command/` and one line in a table below; nothing else knows of it.

mod complete;
pub(crate) mod completions;
pub(crate) mod external;
mod help;
pub(crate) mod man;

use std::env::set_current_dir;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::command::{self, Command as _};
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::globals::{self, Globals};
use crate::interrupt;
use crate::session::Session;
use crate::tools::{private, tied};
use crate::ui::{Color, Format, TEXT, Ui, Verbosity};

/// Makes the subcommands of one step binary from a table of `Name(type)` lines.
macro_rules! commands {
    ($(#[$doc:meta])* $enum:ident { $($(#[$attr:meta])* $name:ident($args:ty),)+ }) => {
        $(#[$doc])*
        #[derive(Subcommand, Debug)]
        #[allow(clippy::large_enum_variant)] // parsed once a run
        pub enum $enum {
            $($(#[$attr])* #[allow(missing_docs)] #[command(arg = globals::output(<$args>::FORMATS))] $name($args),)+
        }

        impl $enum {
            fn run(self, session: &Session) -> Result<()> {
                match self { $(Self::$name(args) => args.run(session),)+ }
            }

            fn formats(&self) -> &'static [Format] {
                match self { $(Self::$name(args) => args.formats(),)+ }
            }

            fn is_here(&self) -> bool {
                match self { $(Self::$name(_) => <$args>::IS_HERE,)+ }
            }
        }
    };
}

commands! {
    /// What `lain-render` owns: the working tree.
    RenderCommand {
        Init(command::init::Init),
        Values(command::values::Values),
        Dockerfile(command::dockerfile::Dockerfile),
        Dockerignore(command::dockerignore::Dockerignore),
        Compose(command::compose::Compose),
        Template(command::template::Template),
        Lint(command::lint::Lint),
        Schema(command::schema::Schema),
        Meta(command::meta::Meta),
        Ci(command::ci::Ci),
    }
}

commands! {
    /// What `lain-build` owns: docker and the registry.
    BuildCommand {
        Prepare(command::prepare::Prepare),
        Build(command::build::Build),
        Push(command::push::Push),
        Run(command::run::Run),
        Save(command::save::Save),
        Image(command::image::Image),
        Tags(command::tags::Tags),
    }
}

commands! {
    /// What `lain-deploy` owns: the cluster.
    DeployCommand {
        Doctor(command::doctor::Doctor),
        Use(command::use_cluster::Use),
        Diff(command::diff::Diff),
        Deploy(command::deploy::Deploy),
        Redeploy(command::redeploy::Redeploy),
        Rollback(command::rollback::Rollback),
        SetCanaryGroup(command::set_canary_group::SetCanaryGroup),
        UpdateImage(command::update_image::UpdateImage),
        Restart(command::restart::Restart),
        Wait(command::wait::Wait),
        Delete(command::delete::Delete),
        Status(command::status::Status),
        Logs(command::logs::Logs),
        X(command::x::X),
        Job(command::job::Job),
        CreateJob(command::create_job::CreateJob),
        Env(command::env::EnvCommand),
        Secret(command::secret::Secret),
        Version(command::version::Version),
        History(command::history::History),
        Cherry(command::cherry::Cherry),
        GetValues(command::get_values::GetValues),
        Admin(command::admin::Admin),
    }
}

commands! {
    /// What `lain-notify` owns: webhooks, GitLab's merge requests. `lain deploy` and `lain secret` are other commands, so their messages are not under `lain`.
    NotifyCommand {
        SendMsg(command::send_msg::SendMsg),
        Deploy(command::notify_deploy::NotifyDeploy),
        Secret(command::notify_secret::NotifySecret),
        MrNote(command::mr_note::MrNote),
        AssignMr(command::assign_mr::AssignMr),
        WaitMrApproval(command::wait_mr_approval::WaitMrApproval),
    }
}

commands! {
    /// What `lain` takes over of `lain-notify`.
    SharedNotifyCommand {
        SendMsg(command::send_msg::SendMsg),
        MrNote(command::mr_note::MrNote),
        AssignMr(command::assign_mr::AssignMr),
        WaitMrApproval(command::wait_mr_approval::WaitMrApproval),
    }
}

commands! {
    /// What only `lain` has.
    OwnCommand {
        Completions(completions::Completions),
        Man(man::Man),
    }
}

/// Everything `lain` finds.
#[derive(Subcommand, Debug)]
#[allow(missing_docs, clippy::large_enum_variant)]
pub enum AnyCommand {
    #[command(flatten)]
    Render(RenderCommand),
    #[command(flatten)]
    Build(BuildCommand),
    #[command(flatten)]
    Deploy(DeployCommand),
    #[command(flatten)]
    Notify(SharedNotifyCommand),
    #[command(flatten)]
    Own(OwnCommand),
    /// Any `lain-NAME` on PATH
    #[command(external_subcommand)]
    External(Vec<OsString>),
}

impl AnyCommand {
    fn formats(&self) -> &'static [Format] {
        match self {
            Self::Render(command) => command.formats(),
            Self::Build(command) => command.formats(),
            Self::Deploy(command) => command.formats(),
            Self::Notify(command) => command.formats(),
            Self::Own(command) => command.formats(),
            Self::External(_) => TEXT, // what stands behind its name is its own
        }
    }

    fn is_here(&self) -> bool {
        match self {
            Self::Render(command) => command.is_here(),
            Self::Build(command) => command.is_here(),
            Self::Deploy(command) => command.is_here(),
            Self::Notify(command) => command.is_here(),
            Self::Own(command) => command.is_here(),
            Self::External(_) => true,
        }
    }

    fn run(self, session: &Session) -> Result<()> {
        match self {
            Self::Render(command) => command.run(session),
            Self::Build(command) => command.run(session),
            Self::Deploy(command) => command.run(session),
            Self::Notify(command) => command.run(session),
            Self::Own(command) => command.run(session),
            Self::External(words) => external::run(session, &words),
        }
    }
}

/// Makes the top of one binary.
macro_rules! binary {
    ($top:ident, $command:ty, $name:literal, $about:literal, $main:ident) => {
        #[doc = $about]
        #[derive(Parser, Debug)]
        #[command(name = $name, version, about = $about, arg_required_else_help = true, max_term_width = 120)]
        pub struct $top {
            /// Flags of every command.
            #[command(flatten)]
            pub globals: Globals,
            /// The command.
            #[command(subcommand)]
            pub command: $command,
        }

        /// The binary's main.
        pub fn $main() -> ExitCode {
            main::<$top>(|top| Typed {
                globals: top.globals,
                formats: top.command.formats(),
                is_here: top.command.is_here(),
                run: Box::new(|session| top.command.run(session)),
            })
        }
    };
}

binary!(Lain, AnyCommand, "lain", "From a git repo to a running Kubernetes release", lain);
binary!(LainRender, RenderCommand, "lain-render", "Chart, Dockerfile, compose file and checks from chart/values.yaml", lain_render);
binary!(LainBuild, BuildCommand, "lain-build", "Images: prepare, build, push, run", lain_build);
binary!(LainDeploy, DeployCommand, "lain-deploy", "Releases: deploy, look after, roll back", lain_deploy);
binary!(
    LainNotify,
    NotifyCommand,
    "lain-notify",
    "Messages about deploys to webhooks, notes and approvals of GitLab's merge requests",
    lain_notify
);

/// The main of `lain`, which is any of the others where a link calls it by their name: the image holds it once.
pub fn lain_as_called() -> ExitCode {
    let called = std::env::args_os().next().map(PathBuf::from);
    match called.as_deref().and_then(Path::file_name).and_then(OsStr::to_str) {
        Some("lain-render") => lain_render(),
        Some("lain-build") => lain_build(),
        Some("lain-deploy") => lain_deploy(),
        Some("lain-notify") => lain_notify(),
        _ => lain(),
    }
}

type Run = Box<dyn FnOnce(&Session) -> Result<()>>;

/// What was typed.
struct Typed {
    globals: Globals,
    formats: &'static [Format],
    is_here: bool,
    run: Run,
}

/// What `-f` names before the verb and behind it, in this order: where it stands behind it, clap forgets what stood before.
fn values_of<T: CommandFactory>(env: &Env, words: &[OsString], matches: &ArgMatches) -> Vec<PathBuf> {
    let of = |matches: &ArgMatches| -> Vec<PathBuf> {
        let found = matches.try_get_many::<PathBuf>("values").ok().flatten();
        found.map(|paths| paths.cloned().collect()).unwrap_or_default()
    };
    // Not what an environment variable says.
    let is_typed = |matches: &ArgMatches| !of(matches).is_empty() && matches.value_source("values") == Some(ValueSource::CommandLine);
    let values = of(matches);
    let Some(verb) = matches.subcommand_name().filter(|_| is_typed(matches)) else { return values };
    let alone = || without_empty(T::command(), env).subcommand_required(false).arg_required_else_help(false);
    let verbs = words.iter().enumerate().filter(|(_, word)| *word == verb).map(|(at, _)| at);
    let before = verbs.filter_map(|at| alone().try_get_matches_from(&words[..at]).ok()).find(|matches| matches.subcommand_name().is_none());
    match before.filter(is_typed).map(|matches| of(&matches)) {
        Some(before) if before != values => [before, values].concat(),
        _ => values,
    }
}

fn main<T: CommandFactory + FromArgMatches>(split: impl FnOnce(T) -> Typed) -> ExitCode {
    if let Some(code) = tied::become_child() {
        return code;
    }
    private::forbid_cores();
    let env = Env::of_process();
    complete::answer::<T>(&env);
    let command = without_empty(help::arrange(T::command()), &env);
    let name = command.get_name().to_owned();
    let (matches, top) = match command.try_get_matches().and_then(|matches| T::from_arg_matches(&matches).map(|top| (matches, top))) {
        Ok(parsed) => parsed,
        Err(error) => return misread(&error, &env),
    };
    let Typed { mut globals, formats, is_here, run } = split(top);
    globals.values = values_of::<T>(&env, &std::env::args_os().collect::<Vec<_>>(), &matches);
    let ui = ui_of(&env, globals.color, globals.verbosity(), globals.output).stopped_by(interrupt::check);
    let output = globals.check_output(&typed(name, &matches), formats);
    let dir = globals.start.as_ref().map_or(Ok(()), |dir| set_current_dir(dir).map_err(|error| Error::io("use", dir, &error)));
    let start = if is_here { Session::here } else { Session::new };
    let outcome = dir.and_then(|()| interrupt::install()).and_then(|()| start(ui, env, globals));
    let (session, outcome) = match outcome {
        Ok(session) => {
            let outcome = output.and_then(|()| session.begin()).and_then(|()| run(&session));
            (session, outcome)
        }
        Err(error) => {
            Ui::default().error(&error);
            return ExitCode::from(error.kind().exit_code());
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            session.ui.error(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// CI sets variables to nothing where they are not meant to be set; clap would take that for a value.
fn without_empty(command: clap::Command, env: &Env) -> clap::Command {
    command.mut_args(|arg| match arg.get_env().and_then(OsStr::to_str) {
        Some(name) if env.is_empty(name) => arg.env(Resettable::Reset),
        _ => arg,
    })
}

fn ui_of(env: &Env, color: Color, verbosity: Verbosity, format: Format) -> Ui {
    let no_color = env.get("NO_COLOR").is_some();
    let force_color = env.get("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    Ui::new(color, no_color, force_color, env.ci_name(), verbosity, format).dumb(env.get("TERM") == Some("dumb"))
}

/// Help and version go to stdout; what cannot be read is told, with exit code 2. Its words may be anybody's: a branch, a tag, a variable of a pipeline.
fn misread(error: &clap::Error, env: &Env) -> ExitCode {
    if !error.use_stderr() {
        error.exit();
    }
    let ui = ui_of(env, Color::Auto, Verbosity::Normal, Format::Text);
    let text = error.render();
    let text = if ui.shows_colors() { text.ansi().to_string() } else { text.to_string() };
    ui.raw(text.as_bytes());
    ExitCode::from(Kind::Usage.exit_code())
}

/// The command as it was typed, without its flags.
fn typed(binary: String, matches: &ArgMatches) -> String {
    let mut words = vec![binary];
    let mut inner = matches.subcommand();
    while let Some((name, matches)) = inner {
        words.push(name.to_owned());
        inner = matches.subcommand();
    }
    words.join(" ")
}
