//! A `.dockerignore` from `.gitignore` files.
//!
//! The two languages differ. git matches a pattern without a slash at any depth, docker from the root only. git decides level by level
//! (nothing below an ignored folder comes back), docker by the last line that matches the path or a folder above it. `x/` is a folder
//! to git and anything to docker; `**` is special between slashes only to git and everywhere to docker. What cannot be said in docker's
//! language is left out: a file too many in the build is better than one that is missing. Where git is there to be asked,
//! [`Ignore::settle`] then corrects the lines by its word.
//!
//! Sources: gitignore(5), git's wildmatch.c; moby/patternmatcher and its ignorefile reader, tried against docker in tests/dockerignore.rs.

use std::fmt::{self, Display, Formatter};

use super::glob::{Glob, Token};

/// One part of a pattern, between slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// `**`: any number of folders; at the end at least one name.
    Deep,
    Name(Glob),
}

/// One line of a `.dockerignore`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    /// `!`: what matches is sent.
    sent: bool,
    parts: Vec<Part>,
}

/// A `.dockerignore`.
#[derive(Clone, Debug, Default)]
pub struct Ignore {
    lines: Vec<Line>,
}

impl Ignore {
    /// Adds the lines of a `.gitignore`. `place` is where it is, seen from the build's folder: names down to it, or up to the top.
    pub fn add_gitignore(&mut self, text: &str, place: Place<'_>) {
        for line in text.strip_prefix('\u{feff}').unwrap_or(text).split('\n') {
            let Some(line) = translated(line.strip_suffix('\r').unwrap_or(line)) else { continue };
            match place {
                Place::Below(folder) => self.lines.push(Line { parts: literal(folder).into_iter().chain(line.parts).collect(), ..line }),
                Place::Above(way) => {
                    let way: Vec<&str> = names(way).collect();
                    let rest = rests(&line.parts, &way).into_iter().filter(|parts| !parts.is_empty());
                    self.lines.extend(rest.map(|parts| Line { sent: line.sent, parts: parts.to_vec() }));
                }
            }
        }
    }

    /// Where git is not there to be asked: adds `!x/**` to `!x` where a line before may have left out what is in x and not x itself.
    pub fn settle_alone(&mut self) {
        let mut below = false;
        for line in std::mem::take(&mut self.lines) {
            let deep = line.parts.last() == Some(&Part::Deep);
            below |= deep && !line.sent;
            let more = (below && line.sent && !deep).then(|| line.parts.iter().cloned().chain([Part::Deep]).collect());
            self.lines.push(line);
            self.lines.extend(more.map(|parts| Line { sent: true, parts }));
        }
    }

    /// All that is below a folder is sent, whatever the lines before say.
    pub fn send_all_below(&mut self, folder: &str) {
        self.lines.push(Line { sent: true, parts: literal(folder).into_iter().chain([Part::Deep]).collect() });
    }

    /// True when docker leaves the path out.
    pub fn leaves_out(&self, path: &str) -> Verdict {
        let path: Vec<&str> = names(path).collect();
        Verdict {
            of_now: self.decides_now(&path).is_some_and(|at| !self.lines[at].sent),
            of_old: self.decides(&path).is_some_and(|at| !self.lines[at].sent),
        }
    }

    /// True when docker leaves out all that may be below a folder.
    pub fn leaves_out_folder(&self, path: &str) -> Verdict {
        let folder: Vec<&str> = names(path).collect();
        let within: Vec<&str> = folder.iter().copied().chain(["\u{1}"]).collect();
        let all =
            |at: usize| !self.lines[at].sent && !self.lines[at..].iter().any(|line| line.sent && !rests(&line.parts, &folder).is_empty());
        Verdict { of_now: self.decides_now(&within).is_some_and(all), of_old: self.decides(&within).is_some_and(all) }
    }

    /// Adds lines until docker leaves out what git ignores and sends what git keeps.
    ///
    /// `kept` are files, `ignored` files or, with a slash at the end, whole folders, as git lists them; `files` lists a folder's.
    pub fn settle(&mut self, kept: &[String], ignored: &[String], files: impl Fn(&str) -> Vec<String>) {
        let said = self.lines.len();
        for path in ignored {
            let folder = path.strip_suffix('/');
            if folder.map_or_else(|| self.leaves_out(path), |folder| self.leaves_out_folder(folder)).surely() {
                continue;
            }
            let names: Vec<&str> = names(path).chain(folder.map(|_| "\u{1}")).collect();
            let again = self.lines[..said].iter().find(|line| {
                !line.sent
                    && matches(&line.parts, &names)
                    && !kept.iter().any(|path| matches(&line.parts, &self::names(path).collect::<Vec<_>>()))
            });
            // git calls a folder ignored too where only each file in it is.
            if again.is_none() && folder.is_some_and(|folder| files(folder).iter().all(|file| self.leaves_out(file).surely())) {
                continue;
            }
            let mut parts = again.map_or_else(|| literal(path), |line| line.parts.clone());
            // What is below is named too: docker forgets that a folder matches a second line.
            if folder.is_some() && parts.last() != Some(&Part::Deep) {
                parts.push(Part::Deep);
            }
            self.lines.push(Line { sent: false, parts });
        }
        for path in kept {
            if self.leaves_out(path).perhaps() {
                let path = self.widest_kept(path, ignored);
                self.lines.push(Line { sent: true, parts: literal(path) });
            }
        }
    }

    /// The widest folder around a kept file that is left out and in which git ignores nothing, else the file.
    fn widest_kept<'a>(&self, path: &'a str, ignored: &[String]) -> &'a str {
        let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
        let clean = |folder: &str| !ignored.iter().any(|path| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')));
        folders.into_iter().find(|folder| self.leaves_out(folder).surely() && clean(folder)).unwrap_or(path)
    }

    /// The line that decides in docker's documentation and its older versions: the last one that matches the path or a folder above it.
    fn decides(&self, path: &[&str]) -> Option<usize> {
        self.lines.iter().rposition(|line| matches(&line.parts, path))
    }

    /// The line that decides in today's docker (patternmatcher's `MatchesUsingParentResults`). It goes down folder by folder, and at each
    /// asks a line only where that would change the answer so far: below, the folder then does not count as matched by that line.
    fn decides_now(&self, path: &[&str]) -> Option<usize> {
        let mut above = vec![false; self.lines.len()];
        let mut decides = None;
        for depth in 1..=path.len() {
            let mut out = false;
            decides = None;
            for (at, line) in self.lines.iter().enumerate() {
                above[at] = above[at] || (line.sent == out && matches_whole(&line.parts, &path[..depth]));
                if above[at] {
                    out = !line.sent;
                    decides = Some(at);
                }
            }
        }
        decides
    }
}

/// What two generations of docker do.
#[derive(Clone, Copy, Debug)]
pub struct Verdict {
    of_now: bool,
    of_old: bool,
}

impl Verdict {
    /// Both agree.
    pub fn surely(self) -> bool {
        self.of_now && self.of_old
    }

    /// At least one does so.
    pub fn perhaps(self) -> bool {
        self.of_now || self.of_old
    }
}

/// Where a `.gitignore` is.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// In this folder of the build's; empty for the build's folder itself.
    Below(&'a str),
    /// Above it, where this is the way from there to the build's folder.
    Above(&'a str),
}

impl Display for Ignore {
    /// The text of the file. `.git` comes last: no line before may bring it back.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        f.write_str("**/.git\n")
    }
}

impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let parts = self.parts.iter().map(|part| match part {
            Part::Deep => "**".to_owned(),
            Part::Name(glob) => glob.to_string(),
        });
        let pattern = parts.collect::<Vec<_>>().join("/");
        let sign = if self.sent { "!" } else { "" };
        match pattern.chars().next() {
            Some(first @ ('#' | '!')) => write!(f, "{sign}\\{first}{}", &pattern[1..]),
            _ => write!(f, "{sign}{}", shielded(&pattern)),
        }
    }
}

/// A path as a line of a `.dockerignore` that matches it and nothing else.
pub fn line_for(path: &str) -> String {
    Line { sent: false, parts: literal(path) }.to_string()
}

/// docker trims white space at both ends of a line.
fn shielded(pattern: &str) -> String {
    let mut pattern = pattern.to_owned();
    if let Some(last) = pattern.chars().next_back().filter(|c| c.is_whitespace()) {
        pattern.truncate(pattern.len() - last.len_utf8());
        let bare = pattern.strip_suffix('\\').unwrap_or(&pattern);
        pattern = format!("{bare}[{last}]");
    }
    match pattern.chars().next().filter(|c| c.is_whitespace()) {
        Some(first) => format!("[{first}]{}", &pattern[first.len_utf8()..]),
        None => pattern,
    }
}

/// One line of a `.gitignore`; none for comments, empty lines, and what never matches or cannot be said.
fn translated(line: &str) -> Option<Line> {
    if line.starts_with('#') {
        return None;
    }
    let line = without_trailing_spaces(line);
    let (sent, pattern) = line.strip_prefix('!').map_or((false, line), |pattern| (true, pattern));
    let (pattern, folder) = pattern.strip_suffix('/').map_or((pattern, false), |pattern| (pattern, true));
    let anchored = pattern.contains('/');
    let pattern = pattern.strip_prefix('/').unwrap_or(pattern);
    let mut parts = Vec::new();
    for name in pattern.split('/') {
        if matches!(name, "" | "." | "..") {
            return None; // git compares these with names and never finds one; docker would resolve them
        }
        if name == "**" && anchored {
            if parts.last() != Some(&Part::Deep) {
                parts.push(Part::Deep);
            }
        } else {
            parts.push(Part::Name(Glob::parse(name)?));
        }
    }
    if !anchored {
        parts.insert(0, Part::Deep);
    }
    // `a/**/` are the folders below a: docker needs a name to stand for one.
    if folder && !sent && parts.last() == Some(&Part::Deep) {
        parts.push(Part::Name(Glob::of(vec![Token::Star])));
    }
    // docker cannot tell folders, but a folder is what has something in it. `!x/` stays without: docker would not enter x.
    if folder && !sent {
        parts.push(Part::Deep);
    }
    Some(Line { sent, parts })
}

/// git drops spaces at the end, but not `\ `.
fn without_trailing_spaces(line: &str) -> &str {
    let bare = line.trim_end_matches(' ');
    let backslashes = bare.len() - bare.trim_end_matches('\\').len();
    if backslashes % 2 == 1 && bare.len() < line.len() { &line[..=bare.len()] } else { bare }
}

fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty())
}

fn literal(path: &str) -> Vec<Part> {
    names(path).map(|name| Part::Name(Glob::literal(name))).collect()
}

/// True when docker's pattern matches the path or a folder above it.
fn matches(parts: &[Part], path: &[&str]) -> bool {
    match parts {
        [] => true,
        [Part::Deep] => !path.is_empty(),
        [Part::Deep, rest @ ..] => (0..path.len()).any(|at| matches(rest, &path[at..])),
        [Part::Name(glob), rest @ ..] => path.split_first().is_some_and(|(name, path)| glob.matches(name) && matches(rest, path)),
    }
}

/// True when docker's pattern matches the path itself.
fn matches_whole(parts: &[Part], path: &[&str]) -> bool {
    match parts {
        [] => path.is_empty(),
        [Part::Deep] => !path.is_empty(),
        [Part::Deep, rest @ ..] => (0..path.len()).any(|at| matches_whole(rest, &path[at..])),
        [Part::Name(glob), rest @ ..] => path.split_first().is_some_and(|(name, path)| glob.matches(name) && matches_whole(rest, path)),
    }
}

/// What may be left of a pattern below a folder; empty where it cannot match there.
fn rests<'a>(parts: &'a [Part], folder: &[&str]) -> Vec<&'a [Part]> {
    let Some((name, folder)) = folder.split_first() else { return vec![parts] };
    match parts {
        [] => vec![parts],
        [Part::Deep, rest @ ..] => {
            // `**` takes all names, or stops before one of them.
            let stops = (0..=folder.len()).filter(|_| !rest.is_empty()).flat_map(|at| {
                let way: Vec<&str> = std::iter::once(*name).chain(folder.iter().copied()).skip(at).collect();
                rests(rest, &way)
            });
            std::iter::once(parts).chain(stops).collect()
        }
        [Part::Name(glob), rest @ ..] if glob.matches(name) => rests(rest, folder),
        [Part::Name(_), ..] => vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(gitignore: &str, place: Place<'_>) -> String {
        let mut ignore = Ignore::default();
        ignore.add_gitignore(gitignore, place);
        ignore.to_string()
    }

    #[test]
    fn translates_anchors_and_depth() {
        let text = "\u{feff}# c\n*.pyc\r\n/dist/\nnode_modules/\n!keep.pyc\na/b\n**/x\n\n\\#odd\n\\!odd\nend\\ \nend  \na/**\nx**y\n";
        insta::assert_snapshot!(said(text, Place::Below("")), @r"
        **/*.pyc
        dist/**
        **/node_modules/**
        !**/keep.pyc
        a/b
        **/x
        **/#odd
        **/!odd
        **/end[ ]
        **/end
        a/**
        **/x*y
        **/.git
        ");
    }

    #[test]
    fn a_gitignore_below_and_above() {
        insta::assert_snapshot!(said("/a\nb\nc/d/\n", Place::Below("sub")), @r"
        sub/a
        sub/**/b
        sub/c/d/**
        **/.git
        ");
        insta::assert_snapshot!(said("/apps/*/dist\n/other/x\n*.log\n**/shop/tmp\n", Place::Above("apps/shop")), @r"
        dist
        **/*.log
        **/shop/tmp
        tmp
        **/.git
        ");
    }

    #[test]
    fn what_cannot_be_said_is_sent() {
        assert_eq!(said("[a\na\\\n//x\n./x\n../x\n/\n!\n", Place::Below("")), "**/.git\n");
    }

    #[test]
    fn without_git_a_folder_comes_back_with_what_is_in_it() {
        let mut ignore = Ignore::default();
        ignore.add_gitignore("!a\n*/\n!b\n", Place::Below(""));
        ignore.settle_alone();
        assert_eq!(ignore.to_string(), "!**/a\n**/*/**\n!**/b\n!**/b/**\n**/.git\n");
    }

    #[test]
    fn git_has_the_last_word() {
        let mut ignore = Ignore::default();
        ignore.add_gitignore("__pycache__/\ndist/\n*.log\n!keep\n", Place::Below(""));
        let strings = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        ignore.settle(
            &strings(&["keep/a", "dist/one/x", "dist/one/y"]),
            &strings(&["keep/__pycache__/", "keep/b.log", "dist/two/"]),
            |folder| vec![format!("{folder}/x")],
        );
        insta::assert_snapshot!(ignore.to_string(), @r"
        **/__pycache__/**
        **/dist/**
        **/*.log
        !**/keep
        **/__pycache__/**
        **/*.log
        !dist/one
        **/.git
        ");
    }
}
