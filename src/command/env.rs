//! `lain env`: environment variables that do not belong in a repo.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::command::secret::{self, Store};
use crate::error::{Error, Result};
use crate::release::secrets::Purpose;
use crate::session::Session;

/// Show and change the environment variables in Secret APP-env
#[derive(Args, Debug)]
#[command(after_help = "  lain env show\n  lain env edit\n  lain env add MYSQL_PASSWORD=xxx")]
pub struct Env {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Print it, decoded
    Show {
        /// In CI values are masked unless this is given
        #[arg(long)]
        reveal: bool,
    },
    /// Edit it in $VISUAL, $EDITOR or vi
    Edit,
    /// Set variables
    Add {
        /// NAME=VALUE
        #[arg(required = true, value_name = "NAME=VALUE")]
        pairs: Vec<String>,
    },
    /// Set variables from a file of NAME=VALUE lines
    Addfile {
        /// The file
        file: PathBuf,
        /// Replace variables that are there already
        #[arg(long)]
        overwrite: bool,
    },
}

impl Env {
    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
        // What was given is read first: a slip there must not make a Secret or ask a cluster.
        let open = || Store::open(session, Purpose::Env);
        match self.verb {
            Verb::Show { reveal } => open()?.show(reveal),
            Verb::Edit => open()?.edit(),
            Verb::Add { pairs } => {
                let pairs = pairs.iter().map(|pair| split(pair)).collect::<Result<Vec<_>>>()?;
                pairs.iter().for_each(|(_, value)| secret::hide(session, value));
                open()?.add(pairs, true)
            }
            Verb::Addfile { file, overwrite } => {
                let text = std::fs::read_to_string(&file).map_err(|error| Error::io("read", &file, &error))?;
                let pairs = secret::parse_dotenv(&file, &text)?;
                pairs.iter().for_each(|(_, value)| secret::hide(session, value));
                open()?.add(pairs, overwrite)
            }
        }
    }
}

fn split(pair: &str) -> Result<(String, Vec<u8>)> {
    match pair.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.as_bytes().to_vec())),
        // The argument may be a value without its name: it is not repeated.
        _ => Err(Error::usage("expected NAME=VALUE").hint("lain env add NAME=VALUE")),
    }
}
