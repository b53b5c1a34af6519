//! The Dockerfiles of the three stages.
//!
//! What changes least comes first. The seed document shows the prepare and the build stage; instructions and their
//! order are as there.

use std::fmt::Write;

use indexmap::IndexMap;

use crate::error::{Error, Result};
use crate::model::app::{Build, Copy, Prepare, Release, WORKDIR};
use crate::model::text::EnvMap;
use crate::model::text::Text;

/// Owner of everything that comes from the repo, and the user that runs it.
const OWNER: &str = "1001:1001";

/// Which Dockerfile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Stage {
    /// The slow part, built once.
    Prepare,
    /// The app.
    Build,
    /// Copies from the build stage on a smaller base.
    Release,
}

/// A Dockerfile and what `docker build` must be told beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dockerfile {
    /// The text.
    pub text: String,
    /// Names of `ARG`s to be filled from the environment.
    pub args: Vec<String>,
    /// Values that no Dockerfile can spell (they hold line breaks), handed over as build arguments.
    pub values: Vec<(String, String)>,
}

/// What the Dockerfiles need besides `build` and `release`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// The image of this app that the build stage starts from in place of `build.base`: a prepare image, or another build's result.
    pub start: Option<&'a str>,
    /// Where base images come from in place of the registry they name.
    pub mirrors: Option<&'a IndexMap<String, Text>>,
    /// A relative source of `copy` counts from `/`, as docker and the older tool have it; else from the build stage's working directory.
    pub copies_from_root: bool,
    /// `COMMIT_TIME-SHA`, ends in the image as `LAIN_META`.
    pub meta: &'a str,
}

impl Facts<'_> {
    /// An image to start from, as `FROM` takes it, by the mirror of its registry where there is one.
    fn base(&self, text: &str, key: &str) -> Result<String> {
        let base = base_image(text, key)?;
        Ok(match base.rsplit_once(' ') {
            Some((platform, image)) => format!("{platform} {}", self.mirrored(image)),
            None => self.mirrored(&base),
        })
    }

    fn mirrored(&self, image: &str) -> String {
        mirrored(self.mirrors, image)
    }
}

/// An image by the mirror of its registry, where there is one.
pub(crate) fn mirrored(mirrors: Option<&IndexMap<String, Text>>, image: &str) -> String {
    let first = image.split('/').next().unwrap_or_default();
    let names_host = first != image && (first.contains(['.', ':']) || first == "localhost");
    let whole = match (names_host, image.contains('/')) {
        (true, _) => image.to_owned(),
        (false, true) => format!("docker.io/{image}"),
        (false, false) => format!("docker.io/library/{image}"),
    };
    let rest = |name: &str| whole.strip_prefix(name.trim_end_matches('/')).and_then(|rest| rest.strip_prefix('/'));
    let fitting = mirrors.into_iter().flatten().filter_map(|(name, mirror)| Some((name.len(), mirror, rest(name)?)));
    match fitting.max_by_key(|(length, _, _)| *length) {
        Some((_, mirror, rest)) if image != "scratch" && !image.contains('$') => format!("{}/{rest}", mirror.trim_end_matches('/')),
        _ => image.to_owned(),
    }
}

/// Renders the Dockerfile of a stage. `release` includes the build stage it copies from.
///
/// # Errors
/// The stage is not defined, or a name or path in it cannot be written safely.
pub(crate) fn render(stage: Stage, build: &Build, release: Option<&Release>, facts: Facts<'_>) -> Result<Dockerfile> {
    let mut file = Dockerfile::default();
    match stage {
        Stage::Prepare => {
            let prepare =
                build.own_prepare().ok_or_else(|| Error::failed("`build.prepare` is not defined, so there is nothing to prepare"))?;
            prepare_stage(&mut file, build, prepare, facts)?;
        }
        Stage::Build => build_stage(&mut file, build, facts)?,
        Stage::Release => {
            let release = release.ok_or_else(|| Error::failed("`release` is not defined"))?;
            build_stage(&mut file, build, facts)?;
            file.text.push('\n');
            release_stage(&mut file, build, release, facts)?;
        }
    }
    if stage != Stage::Prepare {
        file.line("USER 1001");
    }
    Ok(file)
}

fn prepare_stage(file: &mut Dockerfile, build: &Build, prepare: &Prepare, facts: Facts<'_>) -> Result<()> {
    let workdir = build.workdir.as_deref().unwrap_or(WORKDIR);
    file.line(&format!("FROM {} AS prepare", facts.base(&build.base, "build.base")?));
    file.line(&format!("WORKDIR {}", path(workdir)?));
    file.env(prepare.env.as_ref(), "PREPARE")?;
    file.line(&format!("ADD --chown={OWNER} . {}", path(workdir)?));
    file.run(build, prepare.script.as_deref());
    file.line(&format!("RUN {}", keep_only(prepare.keep.as_deref().unwrap_or_default())?));
    Ok(())
}

fn build_stage(file: &mut Dockerfile, build: &Build, facts: Facts<'_>) -> Result<()> {
    let workdir = build.workdir.as_deref().unwrap_or(WORKDIR);
    match facts.start {
        Some(image) => file.line(&format!("FROM {image} AS build")),
        None => file.line(&format!("FROM {} AS build", facts.base(&build.base, "build.base")?)),
    }
    file.line(&format!("WORKDIR {}", path(workdir)?));
    file.env(build.env.as_ref(), "BUILD")?;
    file.line(&format!("ENV LAIN_META={}", facts.meta));
    file.line(&format!("ADD --chown={OWNER} . {}", path(workdir)?));
    file.run(build, build.script.as_deref());
    Ok(())
}

fn release_stage(file: &mut Dockerfile, build: &Build, release: &Release, facts: Facts<'_>) -> Result<()> {
    let build_dir = build.workdir.as_deref().unwrap_or(WORKDIR);
    let base = match (release.dest_base.as_deref(), facts.start) {
        (None, Some(start)) if build.base.is_empty() => start.to_owned(),
        (base, _) => facts.base(base.unwrap_or(&build.base), "release.dest_base")?,
    };
    file.line(&format!("FROM {base} AS release"));
    file.line(&format!("WORKDIR {}", path(release.workdir.as_deref().unwrap_or(WORKDIR))?));
    file.env(release.env.as_ref(), "RELEASE")?;
    file.line(&format!("ENV LAIN_META={}", facts.meta));
    for copy in release.copy.iter().flatten() {
        let (from, to) = match copy {
            Copy::Path(path) => (path, path),
            Copy::To { src, dest } => (src, dest.as_ref().unwrap_or(src)),
        };
        let folder = if facts.copies_from_root { "" } else { build_dir.trim_end_matches('/') };
        let from = if from.starts_with('/') { from.to_string() } else { format!("{folder}/{from}") };
        if from.contains(' ') || to.contains(' ') {
            file.line(&format!("COPY --chown={OWNER} --from=build {}", serde_json::json!([one_line(&from)?, one_line(to)?])));
        } else {
            file.line(&format!("COPY --chown={OWNER} --from=build {} {}", one_line(&from)?, one_line(to)?));
        }
    }
    file.run(build, release.script.as_deref());
    Ok(())
}

/// Deletes everything in the working directory but what is kept. Names with spaces or a leading dash are safe.
fn keep_only(keep: &[Text]) -> Result<String> {
    const DELETE: &str = "ls -A1 | tr '\\n' '\\0' | xargs -0 rm -rf --";
    if keep.is_empty() {
        return Ok(DELETE.to_owned());
    }
    let mut paths = Vec::new();
    for Text(kept) in keep {
        let kept = one_line(kept.trim_start_matches("./").trim_end_matches('/'))?;
        if kept.is_empty() || kept.starts_with('/') || kept.contains('*') || kept.split('/').any(|part| part == "..") {
            return Err(Error::failed(format!("`build.prepare.keep`: `{kept}` must be a path inside the working directory, without `*`")));
        }
        paths.push(kept);
    }
    let inside = |path: &str, folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let mut away = String::from("rm -rf /tmp/*");
    let mut back = String::new();
    let quoted = |text: &str| shell_words::quote(&if text.starts_with('-') { format!("./{text}") } else { text.to_owned() }).into_owned();
    for (at, kept) in paths.iter().enumerate() {
        if paths[..at].contains(kept) || paths.iter().any(|folder| inside(kept, folder)) {
            continue; // it goes with its folder
        }
        // A nested path keeps its folder. What the script did not make is not kept.
        let (there, here) = match kept.rsplit_once('/') {
            Some((folder, _)) => (quoted(&format!("/tmp/{folder}")), quoted(folder)),
            None => ("/tmp/".to_owned(), ".".to_owned()),
        };
        let make = |folder: &str| if kept.contains('/') { format!("mkdir -p {folder} && ") } else { String::new() };
        let step = |path: &str, folder: &str| format!(" && if ls -d {path} >/dev/null 2>&1; then {}mv {path} {folder}; fi", make(folder));
        away += &step(&quoted(kept), &there);
        back += &step(&quoted(&format!("/tmp/{kept}")), &here);
    }
    Ok(format!("{away} && {DELETE}{back}"))
}

impl Dockerfile {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// `ARG`s for every `${NAME}` that no other key here defines, then one `ENV` a key, what a value refers to before it.
    fn env(&mut self, env: Option<&EnvMap>, stage: &str) -> Result<()> {
        let pairs: Vec<(&String, &str)> =
            env.iter().flat_map(|env| env.iter()).filter_map(|(key, value)| Some((key, value.as_ref()?.0.as_str()))).collect();
        let pairs = in_order(&pairs)?;
        let defined = |name: &str| pairs.iter().any(|(key, _)| *key == name);
        for (own, value) in &pairs {
            // PATH and the like come from the base image; an ARG would hide them.
            let asked = references(value).into_iter().filter_map(|(name, asked)| asked.then_some(name));
            for name in asked.filter(|name| (name == own || !defined(name)) && !FROM_BASE_IMAGE.contains(name)) {
                if !self.text.lines().rev().take_while(|line| !line.starts_with("FROM ")).any(|line| line == format!("ARG {name}")) {
                    self.line(&format!("ARG {name}"));
                }
                if !self.args.iter().any(|known| known == name) {
                    self.args.push(name.to_owned());
                }
            }
        }
        for (key, value) in pairs {
            if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')) {
                return Err(Error::failed(format!("`{key}` is no name for an environment variable")));
            }
            if value.contains(['\n', '\r']) {
                // No Dockerfile can spell a line break inside ENV.
                let arg = format!("LAIN_{stage}_{}", key.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
                self.line(&format!("ARG {arg}"));
                self.line(&format!("ENV {key}=${{{arg}}}"));
                self.values.push((arg, value.to_owned()));
            } else {
                self.line(&format!("ENV {key}={}", env_value(value)));
            }
        }
        Ok(())
    }

    /// One RUN: the lines in subshells joined by `&&`; a line that holds line breaks goes through `printf`, see [`script_line`].
    /// The build's secrets are there for as long as it runs.
    fn run(&mut self, build: &Build, script: Option<&[Text]>) {
        let secrets = build.secrets.iter().flat_map(|secrets| &secrets.0);
        let mounts = secrets.fold(String::new(), |words, secret| words + &secret.mount() + " ");
        let lines: Vec<String> = script.unwrap_or_default().iter().map(|Text(line)| script_line(line)).collect();
        if !lines.is_empty() {
            self.line(&format!("RUN {mounts}({})", lines.join(") && (")));
        }
    }
}

/// As written, but what a value refers to comes before it: docker fills `${NAME}` with what it knows by then.
///
/// # Errors
/// Two values that need each other.
fn in_order<'a>(pairs: &[(&'a String, &'a str)]) -> Result<Vec<(&'a String, &'a str)>> {
    fn take<'a>(at: usize, pairs: &[(&'a String, &'a str)], above: &mut Vec<usize>, taken: &mut Vec<usize>) -> Result<()> {
        if taken.contains(&at) {
            return Ok(());
        }
        if above.contains(&at) {
            let names: Vec<String> = above.iter().map(|&at| format!("`{}`", pairs[at].0)).collect();
            return Err(
                Error::failed(format!("env: {} need each other", names.join(" and "))).hint("write the value of one without `${...}`")
            );
        }
        above.push(at);
        for (name, _) in references(pairs[at].1).into_iter().filter(|(name, _)| name != pairs[at].0) {
            if let Some(needed) = pairs.iter().position(|(key, _)| *key == name) {
                take(needed, pairs, above, taken)?;
            }
        }
        above.pop();
        taken.push(at);
        Ok(())
    }
    let mut taken = Vec::new();
    for at in 0..pairs.len() {
        take(at, pairs, &mut Vec::new(), &mut taken)?;
    }
    Ok(taken.into_iter().map(|at| pairs[at]).collect())
}

/// Variables that every base image brings.
const FROM_BASE_IMAGE: [&str; 3] = ["PATH", "HOME", "LAIN_META"];

/// The shell gets a multi-line script as it is: `\n\` continues the instruction, and a comment or here-document
/// survives because the text reaches the shell as one quoted word.
fn script_line(line: &str) -> String {
    let line = line.trim_end_matches('\n');
    if !line.contains('\n') {
        return line.to_owned();
    }
    let mut quoted = String::new();
    for c in line.chars() {
        match c {
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '%' => quoted.push_str("%%"),
            '\'' => quoted.push_str("'\\''"),
            c => quoted.push(c),
        }
    }
    format!("eval \"$(printf '{quoted}')\"")
}

/// A part of an env value, as docker reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'v> {
    /// Stands for itself.
    Text(&'v str),
    /// `$NAME`, or `${NAME}` with `braces`; `${NAME:-x}` has the sign and the word as well.
    Reference { name: &'v str, braces: bool, otherwise: Option<(char, &'v str)> },
}

/// Takes a value apart. `\$` is a `$` that stands for itself, as is one that no name follows.
fn pieces(value: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let (mut text, mut at) = (0, 0);
    while let Some(dollar) = value[at..].find('$').map(|dollar| at + dollar) {
        if value[text..dollar].ends_with('\\') {
            found.push(Piece::Text(&value[text..dollar - 1]));
            (text, at) = (dollar, dollar + 1);
            continue;
        }
        let Some((reference, length)) = reference(&value[dollar..]) else {
            at = dollar + 1;
            continue;
        };
        found.push(Piece::Text(&value[text..dollar]));
        found.push(reference);
        at = dollar + length;
        text = at;
    }
    found.push(Piece::Text(&value[text..]));
    found
}

/// The reference that a text starts with, and how long it is.
fn reference(text: &str) -> Option<(Piece<'_>, usize)> {
    let name = |text: &str| text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let Some(inner) = text.strip_prefix("${") else {
        let name = &text[1..=name(&text[1..])];
        return is_identifier(name).then_some((Piece::Reference { name, braces: false, otherwise: None }, 1 + name.len()));
    };
    let (name, rest) = inner.split_at(name(inner));
    if !is_identifier(name) {
        return None;
    }
    if rest.starts_with('}') {
        return Some((Piece::Reference { name, braces: true, otherwise: None }, name.len() + 3));
    }
    let sign = rest.strip_prefix(':')?.chars().next().filter(|sign| matches!(sign, '-' | '+'))?;
    let word = &rest[2..];
    let mut depth = 0;
    let end = word.char_indices().find_map(|(at, c)| {
        depth += i32::from(word[at..].starts_with("${")) - i32::from(c == '}');
        (depth < 0).then_some(at)
    })?;
    Some((Piece::Reference { name, braces: true, otherwise: Some((sign, &word[..end])) }, name.len() + end + 5))
}

/// The names that a value refers to, those in `${NAME:-${OTHER}}` too; with each, whether it is `${NAME}`, which the environment may bring.
fn references(value: &str) -> Vec<(&str, bool)> {
    let mut found = Vec::new();
    for piece in pieces(value) {
        if let Piece::Reference { name, braces, otherwise } = piece {
            found.push((name, braces && otherwise.is_none()));
            found.extend(otherwise.into_iter().flat_map(|(_, word)| references(word)));
        }
    }
    found
}

fn is_identifier(name: &str) -> bool {
    name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A double-quoted ENV value: what refers to a variable stays so, every other special character stands for itself.
fn env_value(value: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | ',' | '@' | '+' | '=');
    if !value.is_empty() && value.chars().all(bare) {
        return value.to_owned();
    }
    format!("\"{}\"", env_text(value, &['"', '\\', '$']))
}

/// A value's text with these characters escaped outside of references.
fn env_text(value: &str, special: &[char]) -> String {
    let mut out = String::new();
    for piece in pieces(value) {
        match piece {
            Piece::Text(text) => {
                for c in text.chars() {
                    out.extend(special.contains(&c).then_some('\\'));
                    out.push(c);
                }
            }
            Piece::Reference { name, otherwise: None, .. } => {
                let _ = write!(out, "${{{name}}}");
            }
            Piece::Reference { name, otherwise: Some((sign, word)), .. } => {
                // Quotes are docker's own there.
                let _ = write!(out, "${{{name}:{sign}{}}}", env_text(word, &['"', '\\', '$', '\'']));
            }
        }
    }
    out
}

fn one_line(text: &str) -> Result<&str> {
    if text.contains(['\n', '\r']) { Err(Error::failed(format!("`{}`: a path has no line break", text.escape_debug()))) } else { Ok(text) }
}

/// An image to start from. `--platform=X IMAGE` goes on as docker reads it behind `FROM`.
pub(crate) fn base_image(text: &str, key: &str) -> Result<String> {
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    let is_platform = |word: &str| {
        word.strip_prefix("--platform=").is_some_and(|name| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '$' | '{' | '}'))
        })
    };
    match words[..] {
        [image] | [_, image] if image.starts_with('-') || image.contains(char::is_whitespace) => {}
        [image] => return Ok(image.to_owned()),
        [platform, image] if is_platform(platform) => return Ok(format!("{platform} {image}")),
        _ => {}
    }
    Err(Error::failed(format!("`{key}`: `{}` is no image", text.escape_debug()))
        .hint("base: python:3.13-slim # or: --platform=linux/amd64 IMAGE"))
}

/// A working directory.
pub(crate) fn path(text: &str) -> Result<&str> {
    if text.starts_with('/') && !text.contains(char::is_whitespace) {
        Ok(text)
    } else {
        Err(Error::failed(format!("`workdir`: `{}` must be an absolute path without spaces", text.escape_debug())).hint(format!(
            "workdir: {WORKDIR} # where it is when nothing is said; a relative one would count from wherever the base image is"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: Facts<'_> =
        Facts { start: None, mirrors: None, copies_from_root: false, meta: "1619925143-97f3d5f810a61823de72ea0a6f3fdd06f9f3cce9" };
    const PREPARED: Facts<'_> = Facts { start: Some("ccr.ccs.tencentyun.com/yashi/dummy:prepare"), ..FACTS };

    fn build(json: serde_json::Value) -> Build {
        serde_json::from_value(json).expect("a build")
    }

    #[test]
    fn base_images_come_by_the_mirror_of_their_registry() {
        let mirrors: IndexMap<String, Text> = [
            ("docker.io", "harbor.example.com/proxy/"),
            ("docker.io/library", "harbor.example.com/official"),
            ("ghcr.io/", "harbor.example.com/ghcr"),
        ]
        .map(|(name, mirror)| (name.to_owned(), Text(mirror.to_owned())))
        .into();
        let facts = Facts { mirrors: Some(&mirrors), ..FACTS };
        for (image, expected) in [
            ("python:3.13", "harbor.example.com/official/python:3.13"),
            ("--platform=linux/amd64 python@sha256:00", "--platform=linux/amd64 harbor.example.com/official/python@sha256:00"),
            ("bitnami/redis:7", "harbor.example.com/proxy/bitnami/redis:7"),
            ("docker.io/bitnami/redis", "harbor.example.com/proxy/bitnami/redis"),
            ("ghcr.io/a/b:1", "harbor.example.com/ghcr/a/b:1"),
            ("ghcr.io.example.com/a", "ghcr.io.example.com/a"),
            ("localhost:5000/a", "localhost:5000/a"),
            ("scratch", "scratch"),
            ("${BASE}", "${BASE}"),
        ] {
            assert_eq!(facts.base(image, "build.base").expect("an image"), expected);
        }
        assert_eq!(FACTS.base("python:3.13", "build.base").expect("an image"), "python:3.13");
    }

    fn seed() -> Build {
        build(serde_json::json!({
            "base": "ccr.ccs.tencentyun.com/yashi/ubuntu-python:latest",
            "prepare": {"keep": ["treasure.txt"], "script": ["pip3 install -r requirements.txt", "echo \"treasure\" > treasure.txt"]},
            "script": ["pip3 install -r requirements.txt"]
        }))
    }

    #[test]
    fn the_seeds_build() {
        insta::assert_snapshot!(render(Stage::Build, &seed(), None, PREPARED).expect("renders").text, @r#"
        FROM ccr.ccs.tencentyun.com/yashi/dummy:prepare AS build
        WORKDIR /lain/app
        ENV LAIN_META=1619925143-97f3d5f810a61823de72ea0a6f3fdd06f9f3cce9
        ADD --chown=1001:1001 . /lain/app
        RUN (pip3 install -r requirements.txt)
        USER 1001
        "#);
    }

    #[test]
    fn the_seeds_prepare() {
        insta::assert_snapshot!(render(Stage::Prepare, &seed(), None, FACTS).expect("renders").text, @r#"
        FROM ccr.ccs.tencentyun.com/yashi/ubuntu-python:latest AS prepare
        WORKDIR /lain/app
        ADD --chown=1001:1001 . /lain/app
        RUN (pip3 install -r requirements.txt) && (echo "treasure" > treasure.txt)
        RUN rm -rf /tmp/* && if ls -d treasure.txt >/dev/null 2>&1; then mv treasure.txt /tmp/; fi && ls -A1 | tr '\n' '\0' | xargs -0 rm -rf -- && if ls -d /tmp/treasure.txt >/dev/null 2>&1; then mv /tmp/treasure.txt .; fi
        "#);
    }

    #[test]
    fn a_release_copies_from_the_build() {
        let release: Release = serde_json::from_value(serde_json::json!({
            "dest_base": "nginx:1.29", "copy": ["/etc/nginx", {"src": "dist", "dest": "/usr/share/nginx/html"}, {"src": "a b"}], "script": ["nginx -t"]
        }))
        .expect("a release");
        let build = build(serde_json::json!({"base": "node:22", "script": ["npm ci", "npm run build"]}));
        insta::assert_snapshot!(render(Stage::Release, &build, Some(&release), FACTS).expect("renders").text, @r#"
        FROM node:22 AS build
        WORKDIR /lain/app
        ENV LAIN_META=1619925143-97f3d5f810a61823de72ea0a6f3fdd06f9f3cce9
        ADD --chown=1001:1001 . /lain/app
        RUN (npm ci) && (npm run build)

        FROM nginx:1.29 AS release
        WORKDIR /lain/app
        ENV LAIN_META=1619925143-97f3d5f810a61823de72ea0a6f3fdd06f9f3cce9
        COPY --chown=1001:1001 --from=build /etc/nginx /etc/nginx
        COPY --chown=1001:1001 --from=build /lain/app/dist /usr/share/nginx/html
        COPY --chown=1001:1001 --from=build ["/lain/app/a b","a b"]
        RUN (nginx -t)
        USER 1001
        "#);
    }

    #[test]
    fn env_values_stand_for_themselves() {
        let build = build(serde_json::json!({"base": "b", "env": {
            "PATH": "/x/bin:${PATH}", "TOKEN": "${NPM_TOKEN}", "A": "it's \"x\" $5 \\ y", "B": "中 文", "C": "two\nlines", "D": "${A}-1", "E": 3
        }}));
        let file = render(Stage::Build, &build, None, FACTS).expect("renders");
        insta::assert_snapshot!(file.text, @r#"
        FROM b AS build
        WORKDIR /lain/app
        ARG NPM_TOKEN
        ENV PATH="/x/bin:${PATH}"
        ENV TOKEN="${NPM_TOKEN}"
        ENV A="it's \"x\" \$5 \\ y"
        ENV B="中 文"
        ARG LAIN_BUILD_C
        ENV C=${LAIN_BUILD_C}
        ENV D="${A}-1"
        ENV E=3
        ENV LAIN_META=1619925143-97f3d5f810a61823de72ea0a6f3fdd06f9f3cce9
        ADD --chown=1001:1001 . /lain/app
        USER 1001
        "#);
        assert_eq!(file.args, ["NPM_TOKEN"]);
        assert_eq!(file.values, [("LAIN_BUILD_C".to_owned(), "two\nlines".to_owned())]);
    }

    #[test]
    fn bases_as_docker_takes_them() {
        let first = |base: &str| {
            let file = render(Stage::Build, &build(serde_json::json!({"base": base})), None, FACTS);
            file.map(|file| file.text.lines().next().unwrap_or_default().to_owned()).map_err(|error| error.hints().join(" "))
        };
        assert_eq!(first("--platform=linux/amd64 python:3.11").as_deref(), Ok("FROM --platform=linux/amd64 python:3.11 AS build"));
        assert_eq!(first("--platform=$BUILDPLATFORM python:3.11").as_deref(), Ok("FROM --platform=$BUILDPLATFORM python:3.11 AS build"));
        for bad in ["", "a b", "--platform=x", "--platform= a", "--other=x a", "a AS b", "a\nRUN x", "--platform=x a\nRUN y", "-x"] {
            assert!(first(bad).is_err_and(|hint| hint.contains("base: ")), "{bad}");
        }
    }

    #[test]
    fn what_refers_to_a_variable() {
        for (value, written) in [
            ("/app/bin:$PATH", r#""/app/bin:${PATH}""#),
            ("${A:-x}", r#""${A:-x}""#),
            ("${A:+it's ${B:-\"y\"}}z", r#""${A:+it\'s ${B:-\"y\"}}z""#),
            (r"\$A and \${B}", r#""\$A and \${B}""#),
            (r"a\b$5 $ ${ ${1} ${A-x} $", r#""a\\b\$5 \$ \${ \${1} \${A-x} \$""#),
            ("$A$B", r#""${A}${B}""#),
            ("中$A中", r#""中${A}中""#),
        ] {
            assert_eq!(env_value(value), written, "{value}");
        }
        assert_eq!(references("$A ${B} ${C:-${D}} \\$E"), [("A", false), ("B", true), ("C", false), ("D", true)]);
    }

    #[test]
    fn what_a_value_needs_comes_first() {
        let env = |env: serde_json::Value| render(Stage::Build, &build(serde_json::json!({"base": "b", "env": env})), None, FACTS);
        let file =
            env(serde_json::json!({"URL": "${HOST}:${PORT}", "TOKEN": "${TOKEN}", "PORT": "${BASE}1", "BASE": "1"})).expect("renders");
        insta::assert_snapshot!(file.text, @r#"
        FROM b AS build
        WORKDIR /lain/app
        ARG HOST
        ARG TOKEN
        ENV BASE=1
        ENV PORT="${BASE}1"
        ENV URL="${HOST}:${PORT}"
        ENV TOKEN="${TOKEN}"
        ENV LAIN_META=1619925143-97f3d5f810a61823de72ea0a6f3fdd06f9f3cce9
        ADD --chown=1001:1001 . /lain/app
        USER 1001
        "#);
        assert_eq!(file.args, ["HOST", "TOKEN"]);
        let error = env(serde_json::json!({"A": "${B}", "B": "${A}"})).expect_err("no order does");
        assert_eq!(error.to_string(), "env: `A` and `B` need each other");
    }

    #[test]
    fn secrets_are_mounted_where_scripts_run() {
        let mut build = seed();
        build.secrets =
            serde_json::from_value(serde_json::json!({"NPM_TOKEN": null, "npmrc": {"file": ".npmrc", "target": "/root/.npmrc"}})).ok();
        for stage in [Stage::Prepare, Stage::Build] {
            let text = render(stage, &build, None, FACTS).expect("renders").text;
            let runs: Vec<&str> = text.lines().filter(|line| line.starts_with("RUN ") && !line.contains("xargs")).collect();
            let mounts = "RUN --mount=type=secret,id=NPM_TOKEN,required=true,mode=0444 \
                          --mount=type=secret,id=npmrc,required=true,mode=0444,target=/root/.npmrc (pip3 install";
            assert!(runs.len() == 1 && runs[0].starts_with(mounts), "{text}");
        }
    }

    #[test]
    fn kept_paths_stay_inside() {
        for bad in ["/etc", "../x", "*.txt", "a/../../b"] {
            assert!(keep_only(&[Text(bad.to_owned())]).is_err(), "{bad}");
        }
        let keep = |paths: &[&str]| keep_only(&paths.iter().map(|path| Text((*path).to_owned())).collect::<Vec<_>>()).expect("fine");
        assert_eq!(
            keep(&["a/b c"]),
            "rm -rf /tmp/* && if ls -d 'a/b c' >/dev/null 2>&1; then mkdir -p /tmp/a && mv 'a/b c' /tmp/a; fi && ls -A1 | tr '\\n' '\\0' | xargs -0 rm -rf -- \
             && if ls -d '/tmp/a/b c' >/dev/null 2>&1; then mkdir -p a && mv '/tmp/a/b c' a; fi"
        );
        assert_eq!(keep(&["a/b", "./a", "a/c/", "a"]), keep(&["a"]), "what is in a kept folder goes with it");
        assert!(keep(&["-x"]).contains("mv ./-x /tmp/"));
    }
}
