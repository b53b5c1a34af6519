//! `lain secret`: files that do not belong in a repo.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use serde::Serialize;
use zeroize::Zeroizing;

use super::Command;
use crate::error::{Error, Kind, Result};
use crate::interrupt;
use crate::kubeconfig;
use crate::release::announce;
use crate::release::backups;
use crate::release::encrypted;
use crate::release::secret_data::Data;
use crate::release::secret_text::{KEY_RULE, SecretText, VARIABLE_RULE, check_key, fingerprints, merged, no_variables};
use crate::release::secrets::{self, AppSecret, Changes, Purpose};
use crate::session::Session;
use crate::tools::editor;
use crate::tools::kubectl::Kubectl;
use crate::ui::{Answer, Format, TEXT, Table, printable};

/// Largest text that `apply` reads, in bytes: a Secret of 1 MiB with every byte escaped.
const MAX_TEXT: u64 = 8 * 1024 * 1024;

/// Show and change the files in Secret APP-secret
#[derive(Args, Debug)]
#[command(
    after_help = "  lain secret show\n  lain secret edit\n  lain secret add topsecret.txt deploy/config.yaml\n  lain secret rollback   # to what it was before the last change\n  lain secret push       # what chart/secrets.enc.yaml holds"
)]
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
        #[arg(required_unless_present = "from_env", value_name = "FILE")]
        files: Vec<PathBuf>,
        /// A file whose text is a variable of lain's environment, so that it stands in no argument; may be repeated
        #[arg(long, num_args = 1.., value_name = "FILE=VARIABLE")]
        from_env: Vec<String>,
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
    /// Bring what chart/secrets.enc.yaml holds, encrypted by sops or age, into the cluster: APP-env and APP-secret
    #[command(after_help = "  lain secret push --dry-run\n  SOPS_AGE_KEY_FILE=key.txt lain secret push")]
    Push {
        /// Say which keys would change, and change nothing
        #[arg(long)]
        dry_run: bool,
        // clippy would have backticks in the names.
        #[arg(
            short = 'i',
            long,
            value_name = "FILE",
            help = "The age identities, in place of SOPS_AGE_KEY and SOPS_AGE_KEY_FILE; for a file that age itself encrypted"
        )]
        identity: Option<PathBuf>,
    },
}

/// The flags of `apply`.
#[derive(Args, Debug)]
pub(crate) struct Apply {
    /// The file; - reads stdin
    #[arg(short = 'f', long = "file", visible_alias = "filename", value_name = "FILE", required = true)]
    file: PathBuf,
    // `-f` is what kubectl calls it; the global flag keeps its long name.
    /// Extra values, merged last; may be repeated
    #[arg(id = "values", long = "values", value_name = "FILE")]
    _values: Vec<PathBuf>,
}

impl Command for Secret {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json, Format::Yaml];

    fn formats(&self) -> &'static [Format] {
        match &self.verb {
            Verb::Show { name: None, .. } => &[Format::Text, Format::Yaml],
            Verb::Backups => BackupList::FORMATS,
            _ => TEXT,
        }
    }

    fn run(self, session: &Session) -> Result<()> {
        // What was given is read first: a slip there must not make a Secret or ask a cluster.
        let open = || Store::open(session, Purpose::Files);
        match self.verb {
            Verb::Show { name: None, reveal } => open()?.show(reveal),
            Verb::Show { name: Some(name), reveal } => open()?.show_one(&name, reveal),
            Verb::Edit => open()?.edit(),
            Verb::Add { files, from_env } => {
                let mut pairs = from_environment(session, &from_env, check_key, KEY_RULE)?;
                for file in &files {
                    let name = file.file_name().unwrap_or_default().to_string_lossy();
                    check_key(&name).map_err(|why| {
                        Error::usage(format!("{} cannot go into a Secret: its name {why}", printable(&file.to_string_lossy())))
                            .hint(KEY_RULE)
                    })?;
                    let bytes = fs::read(file).map_err(|error| Error::io("read", file, &error))?;
                    pairs.push((name.into_owned(), Zeroizing::new(bytes)));
                }
                pairs.iter().for_each(|(_, value)| hide(session, value));
                open()?.add(pairs, true)
            }
            Verb::Apply(apply) => apply.run(session, Purpose::Files),
            Verb::Backups => Store::open_bare(session, Purpose::Files)?.list_backups(),
            Verb::Rollback { backup, to } => Store::open_bare(session, Purpose::Files)?.roll_back(backup.or(to).as_deref()),
            Verb::Push { dry_run, identity } => push(session, dry_run, identity.as_deref()),
        }
    }
}

impl Apply {
    /// Makes one of the app's Secrets what the file says.
    ///
    /// # Errors
    /// The file cannot be read, is another's or wrong, or the server refuses.
    pub(crate) fn run(self, session: &Session, purpose: Purpose) -> Result<()> {
        let (shown, text) = if self.file == Path::new("-") {
            let bytes = bounded(std::io::stdin().lock(), MAX_TEXT);
            (PathBuf::from("stdin"), bytes.map_err(|error| Error::io("read", Path::new("stdin"), &error))?)
        } else {
            let bytes = fs::File::open(&self.file).and_then(|file| bounded(file, MAX_TEXT));
            (self.file.clone(), bytes.map_err(|error| Error::io("read", &self.file, &error))?)
        };
        if text.len() as u64 > MAX_TEXT {
            return Err(Error::usage(format!("{} is larger than any Secret", shown.display())).hint("lain secret show # the shape"));
        }
        let text = editor::text_of(&shown, &text)?;
        let text = SecretText::parse(&shown, &text)?;
        let store = Store::open_bare(session, purpose)?;
        let mut data = text.data(&store.secret)?;
        if let Some(card) = editor::card_of(&self.file) {
            data = store.merge(data, &card, &self.file)?;
        }
        let changes = store.secret.changes(&data);
        if !changes.is_empty() {
            session.ui.say(&format!("{} on cluster {}, by {}: {}", store.secret.name, store.cluster, shown.display(), changes.summary()));
        }
        store.apply(&data)?;
        editor::forget(&self.file);
        Ok(())
    }
}

/// Values of lain's own environment, by `NAME` or `NAME=VARIABLE`; programs that lain starts do not get these variables.
///
/// # Errors
/// A name is none, or a variable is not set. What stands in place of one is repeated only where it looks like a name: it may be the value itself.
pub(crate) fn from_environment(
    session: &Session,
    words: &[String],
    check: fn(&str) -> std::result::Result<(), &'static str>,
    rule: &str,
) -> Result<Vec<(String, Zeroizing<Vec<u8>>)>> {
    let read = |word: &String| {
        let (name, variable) = word.split_once('=').unwrap_or((word, word));
        check(name).map_err(|why| Error::usage(format!("--from-env takes NAME or NAME=VARIABLE, and this name {why}")).hint(rule))?;
        let is_name = !variable.is_empty() && variable.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        let value = session.env.get(variable).ok_or_else(|| {
            let which = if is_name { format!("variable {variable}") } else { "a variable that --from-env names".to_owned() };
            Error::usage(format!("{which} is not set, or empty"))
                .hint("export NAME # or make it a variable of the CI job, protected branches included")
        })?;
        hide(session, value.as_bytes());
        session.ui.withhold(variable);
        Ok((name.to_owned(), Zeroizing::new(value.as_bytes().to_vec())))
    };
    words.iter().map(read).collect()
}

/// Brings what the repository's encrypted file holds into the cluster. Keys that it does not hold stay.
fn push(session: &Session, dry_run: bool, identity: Option<&Path>) -> Result<()> {
    let (ui, app, cluster) = (&session.ui, session.app()?, &session.require_cluster()?.name);
    let kubectl = session.kubectl()?; // from here on children do not get what is secret
    let file = encrypted::find(session)?;
    let plain = encrypted::decrypt(session, &file, identity)?;
    let mut to_apply = vec![];
    for purpose in [Purpose::Env, Purpose::Files] {
        let (name, wanted) = (purpose.name(app), plain.of(purpose));
        wanted.values().for_each(|value| hide(session, value));
        if wanted.is_empty() {
            continue;
        }
        let now = secrets::fetch(&kubectl, &name)?;
        let mut data = now.as_ref().map(AppSecret::data).unwrap_or_default();
        data.values().for_each(|value| hide(session, value));
        let others = data.keys().filter(|key| !wanted.contains_key(*key)).count();
        data.extend(wanted.iter().map(|(key, value)| (key.clone(), value.clone())));
        let changes = match &now {
            Some(now) => now.changes(&data),
            None => Changes { added: data.into_keys().collect(), ..Changes::default() },
        };
        let stay = if others == 0 { String::new() } else { format!("; other keys that stay: {others}") };
        let summary = if changes.is_empty() { "nothing changes".to_owned() } else { changes.summary() };
        ui.say(&format!("{name} on cluster {cluster}, by {}: {summary}{stay}", file.display()));
        if !changes.is_empty() {
            to_apply.push(purpose);
        }
    }
    if dry_run {
        ui.say("nothing was changed: --dry-run");
        return Ok(());
    }
    if !to_apply.is_empty() && ui.can_ask() && !ui.ask("apply?")? {
        return Err(Error::refused("nothing was changed").hint("lain secret push --dry-run"));
    }
    for purpose in &to_apply {
        let pairs = plain.of(*purpose).iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        Store::open_bare(session, *purpose)?.add(pairs, true)?;
    }
    if to_apply.is_empty() {
        ui.done("the cluster has what the file holds");
    }
    Ok(())
}

/// What `env` and `secret` do alike.
pub(crate) struct Store<'a> {
    session: &'a Session,
    kubectl: Kubectl<'a>,
    secret: AppSecret,
    purpose: Purpose,
    cluster: String,
}

impl<'a> Store<'a> {
    /// Fetches the Secret, making it with an example on first use.
    ///
    /// # Errors
    /// No cluster is chosen, or it does not answer.
    pub(crate) fn open(session: &'a Session, purpose: Purpose) -> Result<Self> {
        Self::fetch(session, purpose, true)
    }

    /// Fetches the Secret, making it empty on first use.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub(crate) fn open_bare(session: &'a Session, purpose: Purpose) -> Result<Self> {
        Self::fetch(session, purpose, false)
    }

    fn fetch(session: &'a Session, purpose: Purpose, example: bool) -> Result<Self> {
        let app = session.app()?;
        let cluster = session.require_cluster()?.name.clone();
        let kubectl = session.kubectl()?;
        let secret = secrets::fetch_or_create(&session.ui, &kubectl, app, purpose, example)?;
        for value in secret.data().into_values() {
            hide(session, &value);
        }
        Ok(Self { session, kubectl, secret, purpose, cluster })
    }

    /// `secret` or `env`, as it is typed.
    fn word(&self) -> &'static str {
        match self.purpose {
            Purpose::Env => "env",
            Purpose::Files => "secret",
        }
    }

    /// Prints it; a CI log shows `***` unless told otherwise.
    ///
    /// # Errors
    /// stdout is closed or full.
    pub(crate) fn show(&self, reveal: bool) -> Result<()> {
        let mask = self.session.env.is_ci() && !reveal;
        if mask {
            self.session.ui.say("values are masked in CI; --reveal shows them");
        }
        self.session.ui.result(&self.secret.to_yaml(mask))
    }

    fn show_one(&self, name: &str, reveal: bool) -> Result<()> {
        let data = self.secret.data();
        let Some(value) = data.get(name) else {
            let keys = if data.is_empty() { "nothing".to_owned() } else { data.keys().cloned().collect::<Vec<_>>().join(", ") };
            let error = Error::failed(printable(&format!("{} has no `{name}` (it has: {keys})", self.secret.name)));
            return Err(error.hint(format!("lain secret add {}", shell_words::quote(&printable(name)))));
        };
        if self.session.env.is_ci() && !reveal {
            return Err(Error::refused("values are masked in CI").hint(format!("lain secret show {} --reveal", shell_words::quote(name))));
        }
        self.session.ui.result_bytes(value)
    }

    /// Adds keys.
    ///
    /// # Errors
    /// A key is there and must not be replaced, or the server refuses.
    pub(crate) fn add(&self, pairs: Vec<(String, Zeroizing<Vec<u8>>)>, overwrite: bool) -> Result<()> {
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
    pub(crate) fn edit(&self) -> Result<()> {
        self.tell_of_left_drafts();
        let before = self.secret.to_yaml(false);
        let card = editor::Card {
            secret: self.secret.name.clone(),
            cluster: self.cluster.clone(),
            command: self.word().to_owned(),
            keys: fingerprints(&self.secret.data()),
            opened: String::new(),
        };
        let mut draft = editor::Draft::new(card, &before)?;
        let outcome = self.edit_draft(&mut draft, &before);
        let Err(error) = outcome else { return Ok(()) };
        // Ctrl-C and SIGTERM end the editor too, and it is the one that says so first.
        let error = if interrupt::received() { error.with_kind(Kind::Interrupted) } else { error };
        if !draft.is_touched() {
            return Err(error);
        }
        let path = draft.keep();
        self.session.ui.warn(&format!("your text is kept in {}", path.display()));
        Err(error.hint(take_back(self.word(), &path)))
    }

    fn edit_draft(&self, draft: &mut editor::Draft, before: &str) -> Result<()> {
        let ui = &self.session.ui;
        loop {
            draft.edit(ui, &self.session.env)?;
            interrupt::check()?;
            let outcome = draft.text().and_then(|text| {
                if *text == *before {
                    ui.say("nothing changed");
                    return Ok(());
                }
                let data = SecretText::parse(Path::new(&format!("{}.yaml", self.secret.name)), &text)?.data(&self.secret)?;
                if self.session.globals.cluster.is_none()
                    && kubeconfig::linked_cluster(&self.session.env).as_deref() != Some(self.cluster.as_str())
                {
                    return Err(Error::refused(format!("the chosen cluster is not {} any more; nothing was applied", self.cluster))
                        .hint(format!("lain use {}", self.cluster)));
                }
                self.apply(&data)
            });
            match outcome {
                Err(error) if ui.can_ask() && error.location().is_some() => {
                    ui.error(&error);
                    if !ui.ask("edit again?")? {
                        return Err(error);
                    }
                }
                other => return other,
            }
        }
    }

    /// Drafts that a killed lain left, or one that kept what it could not apply.
    fn tell_of_left_drafts(&self) {
        const TOLD: usize = 3;
        let (ui, all) = (&self.session.ui, editor::left());
        for left in all.iter().take(TOLD) {
            let card = &left.card;
            let minutes = left.age.as_secs() / 60;
            ui.warn(&printable(&format!("a draft of Secret {} of cluster {} was left {minutes} min ago", card.secret, card.cluster)));
            let dir = left.path.parent().unwrap_or(&left.path).to_string_lossy();
            let line = take_back(&card.command, &left.path);
            ui.hint(&printable(&format!("{line} # takes it back; rm -r {} drops it", shell_words::quote(&dir))));
        }
        if all.len() > TOLD {
            ui.warn(&format!("{} older drafts are left too", all.len() - TOLD));
            ui.hint(&format!("ls -dt {}*", editor::place()));
        }
    }

    /// What a draft changed, on top of what the Secret is now: somebody may have changed other keys since it was opened.
    fn merge(&self, draft: Data, card: &editor::Card, path: &Path) -> Result<Data> {
        if card.cluster != self.cluster {
            let why =
                format!("this is a draft for cluster {}, and {} is chosen; nothing was applied", printable(&card.cluster), self.cluster);
            let line = format!("{} --cluster {}", take_back(self.word(), path), shell_words::quote(&card.cluster));
            return Err(Error::refused(why).hint(printable(&line)));
        }
        merged(&card.keys, draft, &self.secret.data()).map_err(|keys| {
            let why =
                format!("someone else changed {} of {} since the draft was opened; nothing was applied", keys.join(", "), self.secret.name);
            let copy = format!("cp {} mine.yaml && lain {} apply -f mine.yaml", shell_words::quote(&path.to_string_lossy()), self.word());
            Error::refused(why).hint(format!("lain {} show # what it is now", self.word())).hint(format!("{copy} # yours, and not theirs"))
        })
    }

    fn apply(&self, data: &Data) -> Result<()> {
        let (ui, name) = (&self.session.ui, &self.secret.name);
        data.values().for_each(|value| hide(self.session, value));
        let changes = self.secret.changes(data);
        if changes.is_empty() {
            ui.say("nothing changed");
            return Ok(());
        }
        let no_names: Vec<&str> =
            no_variables(data, self.purpose).into_iter().filter(|key| changes.added.iter().any(|new| new == key)).collect();
        if !no_names.is_empty() {
            return Err(Error::refused(format!("{} cannot be a variable; nothing was changed", no_names.join(", "))).hint(VARIABLE_RULE));
        }
        self.secret.apply(ui, &self.kubectl, data, &self.session.env.executor())?;
        ui.done(&format!("{name}: {}", changes.summary()));
        announce::send_changes(self.session, name, &changes, false)?;
        ui.hint("running containers keep the old values: lain redeploy (or lain restart)");
        Ok(())
    }

    /// Prints the backups, newest first: keys only.
    ///
    /// # Errors
    /// The server does not answer, or stdout is closed or full.
    pub(crate) fn list_backups(&self) -> Result<()> {
        let (ui, name) = (&self.session.ui, &self.secret.name);
        let backups = backups::list(&self.kubectl, name)?;
        let now = self.secret.data();
        let listed = backups.iter().map(|backup| {
            let (data, changes) = (backup.data(), self.secret.changes(&backup.data()));
            Listed {
                backup: backup.short(),
                secret: &backup.name,
                taken: &backup.taken,
                by: backup.by.as_deref(),
                different: changes.added.len() + changes.removed.len() + changes.changed.len(),
                of: now.keys().chain(data.keys()).collect::<BTreeSet<_>>().len(),
                keys: data.into_keys().collect(),
            }
        });
        let list = BackupList { version: 1, secret: name, backups: listed.collect() };
        if list.backups.is_empty() && ui.format() == Format::Text {
            ui.say(&format!("Secret {name} has no backups: there is one from the next change on"));
            return Ok(());
        }
        ui.answer(&list)?;
        if ui.format() == Format::Json {
            return Ok(());
        }
        ui.hint(&format!("lain {} rollback BACKUP", self.word()));
        Ok(())
    }

    /// Brings a backup back; what is there now is backed up first.
    ///
    /// # Errors
    /// There is no such backup, or the server refuses.
    pub(crate) fn roll_back(&self, wanted: Option<&str>) -> Result<()> {
        let (ui, name) = (&self.session.ui, &self.secret.name);
        let backups = backups::list(&self.kubectl, name)?;
        let backup = backups::choose(&backups, wanted, self.word(), name, &self.secret.data())?;
        let data = backup.data();
        let by = backup.by.as_deref().map_or_else(String::new, |by| format!(", before a change by {by}"));
        let changes = self.secret.changes(&data);
        let summary = if changes.is_empty() { "nothing changes".to_owned() } else { changes.summary() };
        ui.say(&printable(&format!("{name} on cluster {} as it was at {}{by}: {summary}", self.cluster, backup.taken)));
        if !changes.is_empty() && ui.can_ask() && !ui.ask("apply?")? {
            return Err(Error::refused("nothing was changed").hint(format!("lain {} backups", self.word())));
        }
        self.apply(&data)
    }
}

/// What `backups` lists.
#[derive(Serialize)]
pub(crate) struct BackupList<'a> {
    version: u32,
    secret: &'a str,
    backups: Vec<Listed<'a>>,
}

/// A backup, without its values.
#[derive(Serialize)]
struct Listed<'a> {
    backup: &'a str,
    secret: &'a str,
    taken: &'a str,
    by: Option<&'a str>,
    keys: Vec<String>,
    /// How many keys have another value now, or are in one of the two alone.
    different: usize,
    /// How many keys there are in both together.
    #[serde(skip)]
    of: usize,
}

impl Answer for BackupList<'_> {
    fn text(&self) -> String {
        let mut table = Table::new(["BACKUP", "TAKEN", "BY", "DIFFERENT NOW", "KEYS"]);
        for one in &self.backups {
            let different = if one.different == 0 { "no".to_owned() } else { format!("{} of {}", one.different, one.of) };
            table.row([one.backup.to_owned(), one.taken.to_owned(), one.by.unwrap_or("-").to_owned(), different, one.keys.join(", ")]);
        }
        table.to_string()
    }
}

/// The line that takes a draft back, ready to be typed.
fn take_back(word: &str, path: &Path) -> String {
    format!("lain {word} apply -f {}", shell_words::quote(&path.to_string_lossy()))
}

fn bounded(from: impl std::io::Read, most: u64) -> std::io::Result<Zeroizing<Vec<u8>>> {
    use std::io::Read;
    let mut bytes = Zeroizing::new(Vec::new());
    from.take(most + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// From now on a value is printed as `***`, in each form that servers repeat it in.
pub(crate) fn hide(session: &Session, value: &[u8]) {
    if value.len() < 6 {
        return; // `true` or `80` would be hidden in words that have nothing to do with it
    }
    match std::str::from_utf8(value) {
        Ok(text) => session.ui.hide(text),
        Err(_) => session.ui.hide(&STANDARD.encode(value)),
    }
}
