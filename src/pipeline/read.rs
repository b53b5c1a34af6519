//! A project's `.gitlab-ci.yml` with all that it includes, merged as GitLab merges (`External::Processor`: what is included first, the file itself over it).

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use super::expression::Variables;
use super::extends::{extend, refer};
use super::finding::{Finding, Weight};
use super::inputs::{self, Fault, expand};
use super::job::TOP;
use super::kinds::Kind;
use super::merged::{Merged, Own, Unread};
use super::rules::{Changed, Rule, World};
use super::templates;
use super::yaml::{self, Documents, Map, Node, Value, deep_merge};
use crate::error::{Error, Result};
use crate::model::name::nearest;
use crate::values::node::Span;

/// GitLab's default for how many files one pipeline may include.
const MAX_INCLUDES: usize = 150;
/// Largest file, in bytes.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// A folder with a `.gitlab-ci.yml`.
#[derive(Debug)]
pub struct Project {
    dir: PathBuf,
    file: PathBuf,
    /// Files that were read, by the path that messages give them.
    read: RefCell<HashMap<PathBuf, Documents>>,
}

impl Project {
    /// Reads a file of a folder, the top of a repository.
    ///
    /// # Errors
    /// There is no such file, or it is no YAML.
    pub fn read(dir: &Path, file: &Path) -> Result<Self> {
        let text = text_of(dir, file)?;
        Self::of(dir, file, &text)
    }

    /// As [`Project::read`], of a text that stands nowhere.
    ///
    /// # Errors
    /// It is no YAML.
    pub fn of(dir: &Path, file: &Path, text: &str) -> Result<Self> {
        let documents = yaml::read(file, text)?;
        let read = RefCell::new(HashMap::from([(file.to_owned(), documents)]));
        Ok(Self { dir: dir.to_owned(), file: file.to_owned(), read })
    }

    /// What a pipeline of this kind is made of: includes can have rules. `given` are variables of the project or of who starts it.
    pub fn merged(&self, kind: &Kind, given: &[(&str, &str)]) -> Merged {
        let mut variables = kind.variables();
        variables.extend(given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut reader = Reader {
            project: self,
            kind,
            variables,
            unread: Vec::new(),
            own: Vec::new(),
            own_files: BTreeSet::new(),
            findings: Vec::new(),
            count: 0,
        };
        let documents = self.read.borrow().get(&self.file).cloned().unwrap_or_else(|| Documents { all: vec![], twice: vec![] });
        let mut root = reader.documents(&self.file, &documents, None, &At::Top);
        let Reader { unread, own, own_files, mut findings, .. } = reader;
        let is_whole = unread.is_empty();
        let mut uncertain = extend(&mut root, is_whole, &mut findings);
        refer(&mut root, is_whole, &mut uncertain, &mut findings);
        flatten(&mut root);
        Merged { root, unread, uncertain, own, own_files, findings, dir: self.dir.clone(), file: self.file.clone() }
    }
}

/// Scripts and rules in one list each, those of `default`, `workflow` and the top too.
fn flatten(root: &mut Map) {
    const LISTS: [&str; 4] = ["script", "before_script", "after_script", "rules"];
    for (name, entry) in root.iter_mut() {
        if LISTS.contains(&name.as_str()) {
            entry.node.flatten();
        }
        if let Value::Map(map) = &mut entry.node.value {
            let lists = map.iter_mut().filter(|(key, _)| LISTS.contains(&key.as_str()));
            lists.for_each(|(_, entry)| entry.node.flatten());
        }
    }
}

/// The text of a file, by the path that messages give it.
fn text_of(dir: &Path, file: &Path) -> Result<String> {
    let full = dir.join(file);
    let size = fs::metadata(&full).map_err(|error| Error::io("read", file, &error))?.len();
    if size > MAX_BYTES {
        return Err(Error::failed(format!("{}: {size} bytes; GitLab reads {MAX_BYTES} at most", file.display())));
    }
    let bytes = fs::read(&full).map_err(|error| Error::io("read", file, &error))?;
    String::from_utf8(bytes).map_err(|_| Error::failed(format!("{}: not UTF-8 text", file.display())))
}

/// Where an include stands.
enum At<'a> {
    Top,
    Include { at: &'a Span, inputs: Option<&'a Map> },
}

struct Reader<'p> {
    project: &'p Project,
    kind: &'p Kind,
    variables: Variables,
    unread: Vec<Unread>,
    own: Vec<Own>,
    own_files: BTreeSet<PathBuf>,
    findings: Vec<Finding>,
    count: usize,
}

/// What an include names.
enum Target {
    Local(String),
    /// Somewhere else: what to call it, and the words in which a copy of lain's templates would be known.
    Elsewhere(String, String),
}

impl Reader<'_> {
    /// The content of one file: its inputs filled in, its includes below it.
    fn documents(&mut self, path: &Path, documents: &Documents, own: Option<&str>, at: &At<'_>) -> Map {
        for twice in &documents.twice {
            // A whole job that is gone is worse than a key of one.
            let is_job = twice.second.column == 1 && !TOP.contains(&twice.key.as_str());
            let weight = if is_job { Weight::Error } else { Weight::Warning };
            let message = format!(
                "`{}` stands here a second time; GitLab drops the first one, in line {}, without a word",
                twice.key, twice.first.line
            );
            let hint = "give one of them another name, or make one of both";
            let finding = Finding::new("C003", weight, &twice.second, message, hint);
            self.findings.push(finding);
        }
        let (header, body) = match documents.all.as_slice() {
            [] => return Map::new(),
            [body] => (None, body),
            [header, body, ..] => (Some(header), body),
        };
        if documents.all.len() > 2 {
            let third = &documents.all[2];
            self.findings.push(Finding::error(
                "C001",
                &third.span,
                "GitLab reads two documents at most: `spec` and the pipeline",
                "take the `---` out",
            ));
        }
        let body = self.filled(header, body, at);
        let Some(map) = body.map() else {
            if !body.is_null() {
                let message = format!("{}: a pipeline is a map, this is {}", path.display(), body.kind());
                self.findings.push(Finding::error("C001", &body.span, message, "JOB: {script: [...]}"));
            }
            return Map::new();
        };
        let mut merged = Map::new();
        if let Some(include) = map.get("include") {
            self.includes(&include.node, own, map, &mut merged);
        }
        let mut over = map.clone();
        over.shift_remove("include");
        if let (Some(name), At::Include { at, .. }) = (own, at) {
            let jobs = over.iter().filter(|(_, entry)| entry.node.get("script").is_some());
            let jobs = jobs.map(|(name, entry)| (name.clone(), entry.node.clone())).collect();
            self.own.push(Own { name: name.to_owned(), at: (*at).clone(), jobs });
        }
        deep_merge(&mut merged, &over);
        merged
    }

    fn filled(&mut self, header: Option<&Node>, body: &Node, at: &At<'_>) -> Node {
        let declared = inputs::declared(header);
        let (given, place) = match at {
            At::Top => (None, body.span.clone()),
            At::Include { at, inputs } => (*inputs, (*at).clone()),
        };
        let (values, mut faults) = inputs::values(&declared, given, &place);
        let body = match header {
            Some(_) => inputs::interpolated(body, &values, &self.variables, &mut faults),
            None => body.clone(),
        };
        self.findings.extend(faults.into_iter().map(|Fault { message, hint, at }| Finding::error("C004", &at, message, hint)));
        body
    }

    fn includes(&mut self, include: &Node, own: Option<&str>, file: &Map, merged: &mut Map) {
        let items: Vec<&Node> = include.list().map_or_else(|| vec![include], |items| items.iter().collect());
        // GitLab knows the variables that the file itself sets when it judges an include.
        let mut variables = self.variables.clone();
        for (name, entry) in file.get("variables").and_then(|entry| entry.node.map()).into_iter().flatten() {
            let value = entry.node.get("value").unwrap_or(&entry.node).scalar().unwrap_or_default();
            variables.entry(name.clone()).or_insert(value);
        }
        for item in items {
            self.count += 1;
            if self.count > MAX_INCLUDES {
                let message = format!("maximum of {MAX_INCLUDES} nested includes are allowed");
                self.findings.push(Finding::error("C001", &item.span, message, "include less, and no file by itself"));
                return;
            }
            if !self.applies(item, &variables) {
                continue;
            }
            for target in targets(item) {
                self.one(&target, item, own, &variables, merged);
            }
        }
    }

    /// `include: rules`.
    fn applies(&mut self, item: &Node, variables: &Variables) -> bool {
        let Some(rules) = item.get("rules") else { return true };
        let world = World { kind: self.kind, dir: &self.project.dir, changed: &Changed::All };
        match Rule::all(rules).into_iter().find(|rule| rule.matches(&world, variables)) {
            Some(rule) => rule.node.get("when").and_then(Node::text) != Some("never"),
            None => false,
        }
    }

    fn one(&mut self, target: &Target, item: &Node, own: Option<&str>, variables: &Variables, merged: &mut Map) {
        let inputs = item.get("inputs").and_then(Node::map);
        match target {
            Target::Elsewhere(what, known_by) => match templates::named(known_by) {
                Some(name) => self.template(name, item, inputs, merged),
                None => self.unread.push(Unread { what: what.clone() }),
            },
            Target::Local(path) => {
                let path = expand(path, variables, false);
                if path.contains('$') {
                    self.unread.push(Unread { what: format!("local: {path}") });
                    return;
                }
                let path = path.trim_start_matches('/');
                // A template that includes its neighbour does so in a project that is not here.
                if let Some(name) = own.and(templates::named(path)) {
                    return self.template(name, item, inputs, merged);
                }
                self.local(path, item, inputs, merged);
            }
        }
    }

    fn template(&mut self, name: &str, item: &Node, inputs: Option<&Map>, merged: &mut Map) {
        let path = PathBuf::from(templates::path_of(name));
        let text = templates::text(name).unwrap_or_default();
        self.own_files.insert(path.clone());
        self.file(&path, item, inputs, Some(name), merged, |_| Ok(text.to_owned()));
    }

    fn local(&mut self, path: &str, item: &Node, inputs: Option<&Map>, merged: &mut Map) {
        let dir = self.project.dir.clone();
        for path in local_files(&dir, path) {
            let own = path.to_str().and_then(templates::named).map(str::to_owned);
            if own.is_some() {
                self.own_files.insert(path.clone());
            }
            self.file(&path, item, inputs, own.as_deref(), merged, |path| text_of(&dir, path));
        }
    }

    fn file(
        &mut self,
        path: &Path,
        item: &Node,
        inputs: Option<&Map>,
        own: Option<&str>,
        merged: &mut Map,
        text: impl Fn(&Path) -> Result<String>,
    ) {
        let known = self.project.read.borrow().get(path).cloned();
        let documents = match known.map_or_else(|| text(path).and_then(|text| yaml::read(path, &text)), Ok) {
            Ok(documents) => documents,
            Err(error) => return self.unreadable(path, item, &error),
        };
        self.project.read.borrow_mut().insert(path.to_owned(), documents.clone());
        let content = self.documents(path, &documents, own, &At::Include { at: &item.span, inputs });
        deep_merge(merged, &content);
    }

    fn unreadable(&mut self, path: &Path, item: &Node, error: &Error) {
        if let Some(at) = error.location() {
            let hint = error.hints().first().cloned().unwrap_or_default();
            self.findings.push(Finding { id: "C001", weight: Weight::Error, message: error.message().to_owned(), hint, at: at.clone() });
            return;
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let names: Vec<String> = fs::read_dir(self.project.dir.join(folder))
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(folder.join(entry.ok()?.file_name()).display().to_string()))
            .collect();
        let near = nearest(&path.display().to_string(), names.iter().map(String::as_str)).map(|near| format!("include: /{near}"));
        let message = format!("`{}` is included, and there is no such file from the top of the repository", path.display());
        let hint = near.unwrap_or_else(|| format!("write {}, or take the include out", path.display()));
        self.findings.push(Finding::error("C001", &item.span, message, hint));
    }
}

/// What one item of `include` names; `project` may name several files.
fn targets(item: &Node) -> Vec<Target> {
    if let Some(text) = item.text() {
        let is_remote = text.starts_with("http://") || text.starts_with("https://");
        return vec![if is_remote {
            Target::Elsewhere(format!("remote: {text}"), text.to_owned())
        } else {
            Target::Local(text.to_owned())
        }];
    }
    let of = |key: &str| item.get(key).and_then(Node::text);
    if let Some(project) = of("project") {
        let files = item.get("file").map(Node::texts).unwrap_or_default();
        let files = files.iter().filter_map(|file| file.text());
        return files
            .map(|file| Target::Elsewhere(format!("project: {project}, {file}"), format!("{project}/{}", file.trim_start_matches('/'))))
            .collect();
    }
    if let Some(path) = of("local") {
        return vec![Target::Local(path.to_owned())];
    }
    let elsewhere = ["remote", "component", "template", "artifact"].into_iter().find_map(|key| Some((key, of(key)?)));
    match elsewhere {
        Some(("template", name)) => vec![Target::Elsewhere(format!("template: {name}"), String::new())],
        Some((key, name)) => vec![Target::Elsewhere(format!("{key}: {name}"), name.to_owned())],
        None => Vec::new(),
    }
}

/// The files that a local include names, as paths from the top; `*` stands for files of one folder, `**` for folders too.
fn local_files(dir: &Path, path: &str) -> Vec<PathBuf> {
    if !path.contains('*') {
        return vec![crate::files::plain(Path::new(path))];
    }
    let pattern = format!("{}/{path}", glob::Pattern::escape(&dir.display().to_string()));
    let options = glob::MatchOptions { require_literal_separator: true, require_literal_leading_dot: false, case_sensitive: true };
    let found = glob::glob_with(&pattern, options).into_iter().flatten().filter_map(std::result::Result::ok);
    found.filter_map(|path| Some(path.strip_prefix(dir).ok()?.to_owned())).collect()
}
