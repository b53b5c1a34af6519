//! What a deploy tells helm: files, the user's `--set`, and what lain itself adds.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::model::image::is_tag;
use crate::model::text::bounded;
use crate::session::Session;
use crate::tools::call::csv_field;
use crate::values::node::Node;
use crate::values::set::{escape_key, escape_value, parse_set};

/// Values for helm, in the order of its flags.
#[derive(Clone, Debug)]
pub struct HelmValues {
    files: Vec<PathBuf>,
    set: Vec<String>,
    own: Vec<(&'static str, String)>,
    withheld: Vec<String>,
}

impl HelmValues {
    /// Gathers what `template`, `diff` and `deploy` all must use. `tag` overrides HEAD's.
    ///
    /// # Errors
    /// Values cannot be loaded, or a `--set` cannot be read.
    pub fn gather(session: &Session, set: &[String], tag: Option<&str>) -> Result<Self> {
        let given = match tag {
            Some(tag) => Some(tag.to_owned()),
            None => given_tag(set)?,
        };
        let git = session.git();
        // git costs more than everything else here: it is asked both questions while values are read.
        let (tag, url) = std::thread::scope(|scope| {
            let url = scope.spawn(|| git.remote_url());
            let head = given.is_none().then(|| scope.spawn(|| git.image_tag()));
            let _ = session.layers().and_then(|_| session.app()); // kept by the session; an error is met again below
            (head.map(std::thread::ScopedJoinHandle::join), url.join())
        });
        let tag = match (given, tag) {
            (Some(tag), _) => tag,
            (None, Some(Ok(tag))) => session.keep_image_tag(tag?),
            (None, _) => session.image_tag()?.to_owned(),
        };
        let url = url.unwrap_or_else(|_| Ok(String::new()))?;
        let files: Vec<PathBuf> = session.layers()?.files_for_helm().map(PathBuf::from).collect();
        // `helm get values` answers the audit questions: where, who, from which repo, which image.
        let mut own = vec![("user", session.env.executor()), ("imageTag", tag)];
        if let Some(cluster) = session.cluster_name() {
            own.insert(0, ("cluster", cluster));
        }
        if !url.is_empty() {
            own.push(("repo_url", url));
        }
        let layers = session.layers()?;
        let ways = layers.credentials(&session.dir);
        let step = |way: &[String]| way.iter().map(|step| escape_key(step)).collect::<Vec<_>>().join(".");
        let withheld = layers.given(&ways, set)?.into_iter().map(step).collect();
        Ok(Self { files, set: set.to_vec(), own, withheld })
    }

    /// One more value of lain's own.
    pub fn add(&mut self, key: &'static str, value: String) {
        self.own.push((key, value));
    }

    /// All of helm's flags.
    pub fn flags(&self) -> Vec<(&'static str, OsString)> {
        [self.files(), self.set_flags()].concat()
    }

    /// The files.
    pub fn files(&self) -> Vec<(&'static str, OsString)> {
        self.files.iter().map(|path| ("-f", file_of(path))).collect()
    }

    /// What is set one by one. What lain adds goes as `--set-string` with every special character escaped, so that no
    /// user name, URL or tag can set another value, and a tag such as `1e3` or `y` stays text.
    pub fn set_flags(&self) -> Vec<(&'static str, OsString)> {
        let set = self.set.iter().map(|argument| ("--set", OsString::from(argument)));
        let own = self.own.iter().map(|(key, value)| ("--set-string", OsString::from(format!("{key}={}", escape_value(value)))));
        // A null wins over the files: helm keeps what it is given in each release, and a credential is of no use there.
        let withheld = self.withheld.iter().map(|key| ("--set", OsString::from(format!("{key}=null"))));
        set.chain(own).chain(withheld).collect()
    }
}

/// A path as helm's `-f` takes it: a list of files between commas. A plain one stays as it is, whatever its bytes.
fn file_of(path: &Path) -> OsString {
    path.to_str().map_or_else(|| path.as_os_str().to_owned(), |text| csv_field(text).into())
}

/// The `imageTag` that the user gave with `--set`, read as text whatever it looks like.
///
/// # Errors
/// A `--set` cannot be read, or no image can have such a tag.
pub fn given_tag(set: &[String]) -> Result<Option<String>> {
    let mut tag = None;
    for argument in set {
        if let Some(text) = parse_set(argument, true)?.get("imageTag").and_then(Node::as_str) {
            if !is_tag(text) {
                let shown = bounded(text, 128);
                return Err(Error::usage(format!("`{shown}` cannot be an image tag: letters, digits, `_`, `.` and `-`, 128 at most"))
                    .hint("lain tags"));
            }
            tag = Some(text.to_owned());
        }
    }
    Ok(tag)
}
