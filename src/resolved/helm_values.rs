//! What helm is told of values: files, the user's `--set`, and what lain itself adds.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::model::text::csv_field;
use crate::values::set::escape_value;

/// Values for helm, in the order of its flags. Later ones win.
#[derive(Clone, Debug)]
pub struct HelmValues {
    pub(super) files: Vec<PathBuf>,
    pub(super) canary: Option<String>,
    pub(super) set: Vec<String>,
    pub(super) own: Vec<(&'static str, String)>,
    pub(super) stand_ins: Vec<(&'static str, &'static str)>,
    pub(super) withheld: Vec<String>,
}

impl HelmValues {
    /// One more value of lain's own.
    pub fn add(&mut self, key: &'static str, value: String) {
        self.own.push((key, value));
    }

    /// A value for what only a cluster can say, where none is chosen.
    pub fn stand_in(&mut self, key: &'static str, value: &'static str) {
        self.stand_ins.push((key, value));
    }

    /// What helm is to read on its stdin, as the file `-`: what makes a canary.
    pub fn stdin(&self) -> Option<&str> {
        self.canary.as_deref()
    }

    /// All of helm's flags.
    pub fn flags(&self) -> Vec<(&'static str, OsString)> {
        let files = self.files.iter().map(|path| ("-f", file_of(path)));
        let canary = self.canary.iter().map(|_| ("-f", OsString::from("-")));
        let set = self.set.iter().map(|argument| ("--set", OsString::from(argument)));
        // As text, with every special character escaped, so that no user name, URL or tag can set another value, and a tag such as `1e3` or `y` stays text.
        let own = self.own.iter().map(|(key, value)| ("--set-string", OsString::from(format!("{key}={}", escape_value(value)))));
        // A null wins over the files: helm keeps what it is given in each release, and a credential is of no use there.
        let withheld = self.withheld.iter().map(|key| ("--set", OsString::from(format!("{key}=null"))));
        let stand_ins = self.stand_ins.iter().map(|(key, value)| ("--set", OsString::from(format!("{key}={value}"))));
        files.chain(canary).chain(set).chain(own).chain(stand_ins).chain(withheld).collect()
    }
}

/// A path as helm's `-f` takes it: a list of files between commas. A plain one stays as it is, whatever its bytes.
fn file_of(path: &Path) -> OsString {
    path.to_str().map_or_else(|| path.as_os_str().to_owned(), |text| csv_field(text).into())
}
