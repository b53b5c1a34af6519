//! `lain env`: environment variables that do not belong in a repo.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use zeroize::Zeroizing;

use super::Command;
use crate::command::secret::{self, Apply, BackupList, Store};
use crate::error::{Error, Result};
use crate::model::dotenv::{self, Variable};
use crate::release::secret_text::{VARIABLE_RULE, check_variable};
use crate::release::secrets::Purpose;
use crate::session::Session;
use crate::tools::editor;
use crate::ui::{Answer, Format, TEXT};

/// Show and change the environment variables in Secret APP-env
#[derive(Args, Debug)]
#[command(after_help = "  lain env show\n  lain env edit\n  lain env add --from-env MYSQL_PASSWORD   # the value stands in no argument")]
pub struct EnvCommand {
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
        #[arg(required_unless_present = "from_env", value_name = "NAME=VALUE")]
        pairs: Vec<String>,
        /// A variable of lain's own environment, under its name or another, so that its value stands in no argument; may be repeated
        #[arg(long, num_args = 1.., value_name = "NAME[=VARIABLE]")]
        from_env: Vec<String>,
    },
    /// Set variables from a file of NAME=VALUE lines
    Addfile {
        /// The file
        file: PathBuf,
        /// Replace variables that are there already
        #[arg(long)]
        overwrite: bool,
    },
    /// Make it what a file says: a draft that `edit` kept, or what `show` printed
    Apply(Apply),
    /// List what it was before the last changes
    Backups,
    /// Bring a backup back, the newest that differs without a name
    Rollback {
        /// A backup, as `backups` lists it
        backup: Option<String>,
        /// The same
        #[arg(long, value_name = "BACKUP", conflicts_with = "backup")]
        to: Option<String>,
    },
    // clap would repeat the word, and `lain env PASSWORD=...` is a slip that comes easily.
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

impl Command for EnvCommand {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json, Format::Yaml];

    fn formats(&self) -> &'static [Format] {
        match &self.verb {
            Verb::Show { .. } => &[Format::Text, Format::Yaml],
            Verb::Backups => BackupList::FORMATS,
            _ => TEXT,
        }
    }

    fn run(self, session: &Session) -> Result<()> {
        // What was given is read first: a slip there must not make a Secret or ask a cluster.
        let open = || Store::open(session, Purpose::Env);
        match self.verb {
            Verb::Show { reveal } => open()?.show(reveal),
            Verb::Edit => open()?.edit(),
            Verb::Add { pairs, from_env } => {
                let mut pairs = pairs_of_words(&pairs)?;
                pairs.extend(secret::from_environment(session, &from_env, check_variable, VARIABLE_RULE)?);
                pairs.iter().for_each(|(_, value)| secret::hide(session, value));
                open()?.add(pairs, true)
            }
            Verb::Addfile { file, overwrite } => {
                let text = editor::read_text(&file)?;
                let pairs = pairs_of(&file, &text)?;
                pairs.iter().for_each(|(_, value)| secret::hide(session, value));
                open()?.add(pairs, overwrite)
            }
            Verb::Apply(apply) => apply.run(session, Purpose::Env),
            Verb::Backups => Store::open_bare(session, Purpose::Env)?.list_backups(),
            Verb::Rollback { backup, to } => Store::open_bare(session, Purpose::Env)?.roll_back(backup.or(to).as_deref()),
            Verb::Other(words) => Err(no_verb(&words)),
        }
    }
}

fn no_verb(words: &[OsString]) -> Error {
    const VERBS: [&str; 7] = ["show", "edit", "add", "addfile", "apply", "backups", "rollback"];
    let word = words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
    if word.contains('=') {
        return Error::usage("variables are set with `lain env add`").hint("lain env add NAME=VALUE");
    }
    let near = VERBS.iter().map(|verb| (strsim::jaro_winkler(verb, &word), verb)).max_by(|(a, _), (b, _)| a.total_cmp(b));
    let error = Error::usage(format!("`lain env` goes on with {}, and this is none of them", VERBS.join(", ")));
    match near {
        Some((likeness, verb)) if likeness > 0.8 => error.hint(format!("lain env {verb}")),
        _ => error.hint("lain env --help"),
    }
}

fn split(pair: &str) -> Result<(String, Zeroizing<Vec<u8>>)> {
    // The argument may be a value without its name, or one that holds a `=`: no part of it is repeated.
    let Some((name, value)) = pair.split_once('=') else {
        return Err(Error::usage("expected NAME=VALUE").hint("lain env add NAME=VALUE"));
    };
    if let Err(why) = check_variable(name) {
        return Err(Error::usage(format!("expected NAME=VALUE, and this name {why}: {VARIABLE_RULE}")).hint("lain env add NAME=VALUE"));
    }
    Ok((name.to_owned(), Zeroizing::new(value.as_bytes().to_vec())))
}

/// The variables of the command line.
fn pairs_of_words(words: &[String]) -> Result<Vec<(String, Zeroizing<Vec<u8>>)>> {
    let pairs = words.iter().map(|pair| split(pair)).collect::<Result<Vec<_>>>()?;
    match pairs.iter().enumerate().find(|(at, (name, value))| pairs[..*at].iter().any(|(other, old)| other == name && old != value)) {
        Some((_, (name, _))) => Err(Error::usage(format!("{name} stands there twice, with two values")).hint("lain env add NAME=VALUE")),
        None => Ok(pairs),
    }
}

/// The variables of a file.
fn pairs_of(path: &Path, text: &str) -> Result<Vec<(String, Zeroizing<Vec<u8>>)>> {
    let mut first: HashMap<&str, (usize, Zeroizing<String>)> = HashMap::new();
    let variables = dotenv::read(path, text)?;
    for Variable { line, name, value } in &variables {
        // Nor is the name repeated: it may be a part of a value that went on behind its line.
        let wrong = |why: String| Error::failed(format!("{}:{line}:1: this name {why}", path.display()));
        check_variable(name).map_err(|why| wrong(why.to_owned()).hint(VARIABLE_RULE))?;
        match first.get(name) {
            Some((earlier, old)) if old != value => {
                return Err(wrong(format!("stands in line {earlier} already, with another value")).hint("keep one of the two"));
            }
            Some(_) => {}
            None => drop(first.insert(name, (*line, value.clone()))),
        }
    }
    Ok(variables.into_iter().map(|one| (one.name.to_owned(), Zeroizing::new(one.value.as_bytes().to_vec()))).collect())
}
