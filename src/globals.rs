//! Flags that every command knows.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::{Arg, Args, Command, ValueEnum};

use crate::error::{Error, Result};
use crate::model::duration;
use crate::ui::{Color, Format, Verbosity};

const HEADING: &str = "Options of every command";

/// Flags that every command knows, before and after its name.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = HEADING)]
pub struct Globals {
    /// As if started in this folder
    #[arg(short = 'C', global = true, value_name = "DIR", env = "LAIN_APP_DIR", hide_env_values = true)]
    pub start: Option<PathBuf>,
    /// Act on this cluster, without touching the ~/.kube/config link
    #[arg(long, global = true, value_name = "NAME", env = "LAIN_CLUSTER", hide_env_values = true)]
    pub cluster: Option<String>,
    /// Run `lain use NAME` first
    #[arg(long = "use", global = true, value_name = "NAME")]
    pub use_cluster: Option<String>,
    /// Extra values, merged last; may be repeated
    #[arg(
        short = 'f',
        long = "values",
        global = true,
        value_name = "FILE",
        env = "LAIN_VALUES",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub values: Vec<PathBuf>,
    /// Skip lint and the image check
    #[arg(long, global = true, env = "LAIN_IGNORE_LINT", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    pub ignore_lint: bool,
    /// Use the docker daemon in the cluster values' `remote_docker`
    #[arg(long, global = true, env = "LAIN_REMOTE_DOCKER", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    pub remote_docker: bool,
    /// Do the right next step without asking
    #[arg(short = 'a', long, global = true, env = "LAIN_AUTO_PILOT", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    pub auto_pilot: bool,
    /// Print warnings and errors only
    #[arg(short = 's', long, global = true)]
    pub silent: bool,
    /// Also print the commands that only look things up
    #[arg(short = 'v', long, global = true)]
    pub verbose: bool,
    /// Colours on stderr and in results
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
    /// The shape of the result on stdout
    #[arg(short = 'o', long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// `-o` of a command whose result comes in these shapes: help and refusal name no others.
pub(crate) fn output(formats: &'static [Format]) -> Arg {
    Arg::new("output")
        .short('o')
        .long("output")
        .global(true)
        .value_name("FORMAT")
        .default_value(Format::Text.name())
        .hide(formats.len() == 1)
        .help("The shape of the result on stdout")
        .help_heading(HEADING)
        .value_parser(Shapes(formats))
}

/// Reads every shape, so that [`Globals::check_output`] can say which of them this command has; help and completion name these alone.
#[derive(Clone)]
struct Shapes(&'static [Format]);

impl TypedValueParser for Shapes {
    type Value = Format;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> std::result::Result<Format, clap::Error> {
        EnumValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().filter_map(ValueEnum::to_possible_value)))
    }
}

/// Reads `--timeout`: `10m` as helm takes it, `600` in seconds as the older tool did.
pub(crate) fn timeout(text: &str) -> std::result::Result<Duration, String> {
    let found = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => duration::parse(text)?,
    };
    if found.is_zero() { Err("nothing is done in no time, write 10m or 600".to_owned()) } else { Ok(found) }
}

impl Globals {
    /// Refuses a shape that the command's result does not have; `command` as it was typed, the binary first.
    ///
    /// # Errors
    /// The shape is not among `formats`.
    pub fn check_output(&self, command: &str, formats: &[Format]) -> Result<()> {
        if formats.contains(&self.output) {
            return Ok(());
        }
        let names: Vec<&str> = formats.iter().map(|format| format.name()).collect();
        let error =
            Error::usage(format!("the result of `{command}` does not come as {}; it comes as: {}", self.output.name(), names.join(", ")));
        let others: Vec<&str> = formats.iter().filter(|format| **format != Format::Text).map(|format| format.name()).collect();
        Err(if others.is_empty() {
            error.hint(format!("{command} # without -o"))
        } else {
            error.hint(format!("{command} -o {}", others.join("|")))
        })
    }

    /// How much to say on stderr.
    pub fn verbosity(&self) -> Verbosity {
        match (self.silent, self.verbose) {
            (true, _) => Verbosity::Silent,
            (false, true) => Verbosity::Verbose,
            (false, false) => Verbosity::Normal,
        }
    }
}
