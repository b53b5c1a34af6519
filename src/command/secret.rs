//! `lain secret`: files that do not belong in a repo.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};

use crate::error::{Error, Result};
use crate::kubeconfig;
use crate::release::announce;
use crate::release::secrets::{self, AppSecret, Purpose};
use crate::session::Session;
use crate::tools::editor;
use crate::tools::kubectl::Kubectl;
use crate::values::parse::parse;

/// Show and change the files in Secret APP-secret
#[derive(Args, Debug)]
#[command(after_help = "  lain secret show\n  lain secret edit\n  lain secret add topsecret.txt deploy/config.yaml")]
pub struct Secret {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Print it, decoded
    Show {
        /// Only this file, as it is
        name: Option<String>,
        /// In CI values are masked unless this is given
        #[arg(long)]
        reveal: bool,
    },
    /// Edit it in $VISUAL, $EDITOR or vi
    Edit,
    /// Add files, each under its own name
    Add {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

impl Secret {
    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
        // What was given is read first: a slip there must not make a Secret or ask a cluster.
        let open = || Store::open(session, Purpose::Files);
        match self.verb {
            Verb::Show { name: None, reveal } => open()?.show(reveal),
            Verb::Show { name: Some(name), reveal } => open()?.show_one(&name, reveal),
            Verb::Edit => open()?.edit(),
            Verb::Add { files } => {
                let mut pairs = Vec::new();
                for file in &files {
                    let name = file
                        .file_name()
                        .and_then(|name| name.to_str())
                        .ok_or_else(|| Error::usage(format!("{} has no file name", file.display())))?;
                    pairs.push((name.to_owned(), fs::read(file).map_err(|error| Error::io("read", file, &error))?));
                }
                pairs.iter().for_each(|(_, value)| hide(session, value));
                open()?.add(pairs, true)
            }
        }
    }
}

/// What `env` and `secret` do alike.
pub struct Store<'a> {
    session: &'a Session,
    kubectl: Kubectl<'a>,
    secret: AppSecret,
    cluster: String,
}

impl<'a> Store<'a> {
    /// Fetches the Secret, making it on first use.
    ///
    /// # Errors
    /// No cluster is chosen, or it does not answer.
    pub fn open(session: &'a Session, purpose: Purpose) -> Result<Self> {
        let app = session.app()?;
        let cluster = session.require_cluster()?.name.clone();
        let kubectl = session.kubectl()?;
        let secret = secrets::fetch_or_create(&session.ui, &kubectl, app, purpose, true)?;
        for value in secret.data().into_values() {
            hide(session, &value);
        }
        Ok(Self { session, kubectl, secret, cluster })
    }

    /// Prints it; a CI log shows `***` unless told otherwise.
    ///
    /// # Errors
    /// stdout is closed or full.
    pub fn show(&self, reveal: bool) -> Result<()> {
        let mask = self.session.env.is_ci() && !reveal;
        if mask {
            self.session.ui.say("values are masked in CI; --reveal shows them");
        }
        self.session.ui.result(&self.secret.to_yaml(mask))
    }

    fn show_one(&self, name: &str, reveal: bool) -> Result<()> {
        let data = self.secret.data();
        let Some(value) = data.get(name) else {
            let keys: Vec<&str> = data.keys().map(String::as_str).collect();
            return Err(Error::failed(format!("{} has no `{name}` (it has: {})", self.secret.name, keys.join(", ")))
                .hint(format!("lain secret add {name}")));
        };
        if self.session.env.is_ci() && !reveal {
            return Err(Error::refused("values are masked in CI").hint(format!("lain secret show {name} --reveal")));
        }
        self.session.ui.result_bytes(value)
    }

    /// Adds keys.
    ///
    /// # Errors
    /// A key is there and must not be replaced, or the server refuses.
    pub fn add(&self, pairs: Vec<(String, Vec<u8>)>, overwrite: bool) -> Result<()> {
        let mut data = self.secret.data();
        for (key, value) in pairs {
            if data.get(&key).is_some_and(|old| *old != value) && !overwrite {
                return Err(Error::refused(format!("{} has `{key}` already, with another value; nothing was changed", self.secret.name))
                    .hint("--overwrite"));
            }
            data.insert(key, value);
        }
        self.apply(&data)
    }

    /// Opens an editor on a 0600 file in a 0700 folder that goes away again.
    ///
    /// # Errors
    /// The editor fails; the text is not valid; someone else was faster. Then the text is kept and its path said.
    pub fn edit(&self) -> Result<()> {
        let ui = &self.session.ui;
        let before = self.secret.to_yaml(false);
        let mut draft = editor::Draft::new(&format!("{}.yaml", self.secret.name), &before)?;
        loop {
            draft.edit(ui, &self.session.env)?;
            let text = draft.text()?;
            if text == before {
                ui.say("nothing changed");
                return Ok(());
            }
            let outcome = parse(Path::new(&format!("{}.yaml", self.secret.name)), text)
                .and_then(|node| self.secret.read_edited(&node))
                .and_then(|data| {
                    if self.session.globals.cluster.is_none()
                        && kubeconfig::linked_cluster(&self.session.env).as_deref() != Some(self.cluster.as_str())
                    {
                        return Err(Error::refused(format!("the chosen cluster is not {} any more; nothing was applied", self.cluster))
                            .hint(format!("lain use {}", self.cluster)));
                    }
                    self.apply(&data)
                });
            match outcome {
                Ok(()) => return Ok(()),
                Err(error) if ui.can_ask() && error.location().is_some() => {
                    ui.error(&error);
                    if !ui.ask("edit again?")? {
                        return Err(error.hint(format!("your text is kept in {}", draft.keep()?.display())));
                    }
                }
                Err(error) => return Err(error.hint(format!("your text is kept in {}", draft.keep()?.display()))),
            }
        }
    }

    fn apply(&self, data: &std::collections::BTreeMap<String, Vec<u8>>) -> Result<()> {
        let changes = self.secret.changes(data);
        if changes.is_empty() {
            self.session.ui.say("nothing changed");
            return Ok(());
        }
        self.secret.apply(&self.session.ui, &self.kubectl, data)?;
        self.session.ui.done(&format!("{}: {}", self.secret.name, changes.summary()));
        let text =
            format!("{} on cluster {}: {}\nexecutor: {}", self.secret.name, self.cluster, changes.summary(), self.session.env.executor());
        announce::send(self.session, &text, false)?;
        self.session.ui.hint("running containers keep the old values: lain redeploy (or lain restart)");
        Ok(())
    }
}

/// From now on a value is printed as `***`, plain and in base64, as servers repeat it.
pub fn hide(session: &Session, value: &[u8]) {
    if value.len() < 6 {
        return; // `true` or `80` would be hidden in words that have nothing to do with it
    }
    session.ui.hide(&STANDARD.encode(value));
    // Multi-line values are never echoed whole; single words and lines could be.
    std::str::from_utf8(value).into_iter().filter(|text| !text.contains('\n')).for_each(|text| session.ui.hide(text));
}

/// NAME=VALUE lines; `#` starts a comment line, quotes around a value are taken off.
///
/// # Errors
/// A line without `=`, with its position.
pub fn parse_dotenv(path: &Path, text: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let mut pairs = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once('=').filter(|(name, _)| !name.trim().is_empty()) else {
            // The line may be a secret: its number is enough.
            return Err(Error::failed(format!("{}:{}:1: expected NAME=VALUE", path.display(), index + 1))
                .hint("one NAME=VALUE a line; a comment starts with #"));
        };
        let value = value.trim();
        let unquoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(value);
        pairs.push((name.trim().to_owned(), unquoted.as_bytes().to_vec()));
    }
    Ok(pairs)
}
