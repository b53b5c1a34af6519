//! The user's editor on a private file.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};
use rustix::io::{FdFlags, fcntl_setfd};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::call::Call;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::ui::Ui;

/// What the folders of drafts start with.
const PREFIX: &str = "lain-draft-";
/// What lain keeps beside a draft: a [`Card`]; locked for as long as somebody works on the draft.
const CARD: &str = ".lain";

/// What a draft is of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Card {
    /// The Secret.
    pub secret: String,
    /// The cluster it was shown by.
    pub cluster: String,
    /// `secret` or `env`: the command that takes it.
    pub command: String,
    /// The Secret's keys when it was opened, each with a fingerprint of its value.
    pub keys: BTreeMap<String, String>,
    /// Checksum of the text that was opened; [`Draft::new`] fills it in.
    pub opened: String,
}

/// A text being edited: 0600 in a 0700 folder that is removed when this is dropped, signals included.
#[derive(Debug)]
pub(crate) struct Draft {
    dir: Option<TempDir>,
    path: PathBuf,
    card: Card,
    lock: fs::File,
}

/// A draft that nobody works on any more: its lain was killed, or kept it.
#[derive(Debug)]
pub(crate) struct Left {
    /// The text.
    pub path: PathBuf,
    /// What it is of.
    pub card: Card,
    /// How long ago it was last written.
    pub age: Duration,
}

impl Card {
    fn file(&self) -> String {
        format!("{}.yaml", self.secret)
    }
}

impl Draft {
    /// Writes the text to a private file.
    ///
    /// # Errors
    /// The temporary folder cannot be written.
    pub(crate) fn new(card: Card, text: &str) -> Result<Self> {
        let private = fs::Permissions::from_mode(0o700);
        let dir = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(private)
            .tempdir()
            .map_err(|error| Error::io("create", Path::new("a temporary folder"), &error))?;
        let card = Card { opened: checksum(text.as_bytes()), ..card };
        let path = dir.path().join(CARD);
        // Locked before it says anything: one that says something and is free belongs to nobody.
        let mut lock = create_private(&path).map_err(|error| Error::io("write", &path, &error))?;
        let _ = flock(&lock, FlockOperation::LockExclusive); // a file system without locks: drafts left there are not told of
        let written = serde_json::to_vec(&card).unwrap_or_default();
        lock.write_all(&written).map_err(|error| Error::io("write", &path, &error))?;
        let path = dir.path().join(card.file());
        let write = create_private(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        write.map_err(|error| Error::io("write", &path, &error))?;
        Ok(Self { dir: Some(dir), path, card, lock })
    }

    /// Opens `$VISUAL`, `$EDITOR` or vi and waits for it.
    ///
    /// # Errors
    /// There is no editor, or it fails.
    pub(crate) fn edit(&self, ui: &Ui, env: &Env) -> Result<()> {
        let editor = env.get("VISUAL").or_else(|| env.get("EDITOR")).unwrap_or("vi");
        let words = shell_words::split(editor).map_err(|_| Error::usage(format!("EDITOR: `{editor}` has an open quote")))?;
        let (program, args) = words.split_first().ok_or_else(|| Error::usage("EDITOR is empty"))?;
        let call = Call::new(ui, program)
            .command(args)
            .command([&self.path])
            .install_hint("export EDITOR=nano # or another editor that is installed")
            .lookup();
        // An editor that outlives a killed lain still holds the lock.
        let _ = fcntl_setfd(&self.lock, FdFlags::empty());
        let ended = call.interact();
        let _ = fcntl_setfd(&self.lock, FdFlags::CLOEXEC);
        match ended? {
            0 => Ok(()),
            code @ 129.. => Err(Error::failed(format!("the editor {program} was ended by signal {}; nothing was applied", code - 128))),
            code => Err(Error::failed(format!("the editor {program} ended with exit code {code}; nothing was applied"))),
        }
    }

    /// The text as it is now.
    ///
    /// # Errors
    /// The file is gone or is not UTF-8.
    pub(crate) fn text(&self) -> Result<Zeroizing<String>> {
        read_text(&self.path)
    }

    /// True when the folder holds anything that was not opened: another text, or what the editor saved beside it.
    pub(crate) fn is_touched(&self) -> bool {
        self.dir.as_ref().is_some_and(|dir| is_touched(dir.path(), &self.card))
    }

    /// Keeps the folder, so that nothing the user wrote is lost, and says where the text is.
    pub(crate) fn keep(&mut self) -> PathBuf {
        if let Some(dir) = self.dir.take() {
            let _ = dir.keep();
        }
        let _ = flock(&self.lock, FlockOperation::Unlock); // also where an editor still has it
        self.path.clone()
    }
}

/// Drafts of this user that nobody works on. Those that hold no more than what was opened are removed.
pub(crate) fn left() -> Vec<Left> {
    let entries = fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    let mut found: Vec<Left> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX))
        .map(|entry| entry.path())
        .filter(|dir| is_own(dir))
        .filter_map(|dir| left_in(&dir))
        .collect();
    found.sort_by_key(|left| left.age);
    found
}

fn left_in(dir: &Path) -> Option<Left> {
    let lock = fs::File::open(dir.join(CARD)).ok()?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive).ok()?; // somebody works on it
    let card: Card = serde_json::from_slice(&fs::read(dir.join(CARD)).ok()?).ok()?;
    let path = dir.join(card.file());
    if !is_touched(dir, &card) {
        let _ = fs::remove_dir_all(dir);
        return None;
    }
    let age = |meta: fs::Metadata| SystemTime::now().duration_since(meta.modified().ok()?).ok();
    let age = fs::metadata(&path).ok().and_then(age).unwrap_or_default();
    Some(Left { path, card, age })
}

/// Where drafts live, and how their folders' names start; as a shell takes it.
pub(crate) fn place() -> String {
    shell_words::quote(&std::env::temp_dir().join(PREFIX).to_string_lossy()).into_owned()
}

/// What a file is a draft of, when it is one of this user's.
pub(crate) fn card_of(path: &Path) -> Option<Card> {
    let card: Card = serde_json::from_slice(&fs::read(own_folder(path)?.join(CARD)).ok()?).ok()?;
    path.file_name().is_some_and(|name| *name == *card.file()).then_some(card)
}

/// Removes the folder of a draft whose text was applied. A file elsewhere stays.
pub(crate) fn forget(path: &Path) {
    let Some(dir) = own_folder(path).filter(|_| card_of(path).is_some()) else { return };
    let lock = fs::File::open(dir.join(CARD)).ok().filter(|lock| flock(lock, FlockOperation::NonBlockingLockExclusive).is_ok());
    if lock.is_some() {
        let _ = fs::remove_dir_all(&dir); // what an editor saved beside it is older than the text
    }
}

/// The folder of a draft of this user, that nobody else may write into.
fn own_folder(path: &Path) -> Option<PathBuf> {
    let dir = fs::canonicalize(path).ok()?.parent()?.to_path_buf();
    (dir.file_name()?.to_string_lossy().starts_with(PREFIX) && is_own(&dir)).then_some(dir)
}

/// Whoever may write into a folder could make up a draft to be applied: it is this user's, and no bit of group and others is set.
fn is_own(dir: &Path) -> bool {
    let own = rustix::process::getuid().as_raw();
    fs::symlink_metadata(dir).is_ok_and(|meta| meta.is_dir() && meta.uid() == own && meta.mode().trailing_zeros() >= 6)
}

/// The text of a file.
///
/// # Errors
/// It cannot be read, or is not UTF-8.
pub(crate) fn read_text(path: &Path) -> Result<Zeroizing<String>> {
    let bytes = Zeroizing::new(fs::read(path).map_err(|error| Error::io("read", path, &error))?);
    text_of(path, &bytes)
}

/// The text that these bytes of a file are.
///
/// # Errors
/// They are not UTF-8.
pub(crate) fn text_of(path: &Path, bytes: &[u8]) -> Result<Zeroizing<String>> {
    std::str::from_utf8(bytes).map(|text| Zeroizing::new(text.to_owned())).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        Error::failed(format!("{}:{line}: not UTF-8 text", path.display()))
            .hint("save it as UTF-8; a file of bytes goes in with `lain secret add FILE`")
    })
}

fn is_touched(dir: &Path, card: &Card) -> bool {
    let others = fs::read_dir(dir).into_iter().flatten().flatten();
    let others = others.filter(|entry| entry.file_name() != CARD && entry.file_name() != *card.file()).count();
    let text = fs::read(dir.join(card.file())).map(Zeroizing::new);
    others > 0 || text.is_ok_and(|text| checksum(&text) != card.opened)
}

fn checksum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn create_private(path: &Path) -> std::io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}
