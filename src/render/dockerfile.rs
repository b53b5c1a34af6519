//! The Dockerfiles of the three stages.
//!
//! What changes least comes first. The seed document shows the prepare and the build stage; instructions and their
//! order are as there.

use std::fmt::Write;

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
    /// `REGISTRY/APP`, for `FROM REGISTRY/APP:prepare`.
    pub repository: &'a str,
    /// `COMMIT_TIME-SHA`, ends in the image as `LAIN_META`.
    pub meta: &'a str,
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
                build.prepare.as_ref().ok_or_else(|| Error::failed("`build.prepare` is not defined, so there is nothing to prepare"))?;
            prepare_stage(&mut file, build, prepare)?;
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

fn prepare_stage(file: &mut Dockerfile, build: &Build, prepare: &Prepare) -> Result<()> {
    let workdir = build.workdir.as_deref().unwrap_or(WORKDIR);
    file.line(&format!("FROM {} AS prepare", word(&build.base, "build.base")?));
    file.line(&format!("WORKDIR {}", path(workdir)?));
    file.env(prepare.env.as_ref(), "PREPARE")?;
    file.line(&format!("ADD --chown={OWNER} . {}", path(workdir)?));
    file.run(build, prepare.script.as_deref());
    file.line(&format!("RUN {}", keep_only(prepare.keep.as_deref().unwrap_or_default())?));
    Ok(())
}

fn build_stage(file: &mut Dockerfile, build: &Build, facts: Facts<'_>) -> Result<()> {
    let workdir = build.workdir.as_deref().unwrap_or(WORKDIR);
    match build.prepare {
        Some(_) => file.line(&format!("FROM {}:prepare AS build", facts.repository)),
        None => file.line(&format!("FROM {} AS build", word(&build.base, "build.base")?)),
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
    let base = release.dest_base.as_deref().unwrap_or(&build.base);
    file.line(&format!("FROM {} AS release", word(base, "release.dest_base")?));
    file.line(&format!("WORKDIR {}", path(release.workdir.as_deref().unwrap_or(WORKDIR))?));
    file.env(release.env.as_ref(), "RELEASE")?;
    file.line(&format!("ENV LAIN_META={}", facts.meta));
    for copy in release.copy.iter().flatten() {
        let (from, to) = match copy {
            Copy::Path(path) => (path, path),
            Copy::To { src, dest } => (src, dest.as_ref().unwrap_or(src)),
        };
        // A relative source of `COPY --from` counts from `/`; users mean the build stage's working directory.
        let from = if from.starts_with('/') { from.to_string() } else { format!("{}/{from}", build_dir.trim_end_matches('/')) };
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
    let mut away = String::from("rm -rf /tmp/*");
    let mut back = String::new();
    for Text(kept) in keep {
        let kept = one_line(kept.trim_start_matches("./").trim_end_matches('/'))?;
        if kept.is_empty() || kept.starts_with('/') || kept.contains('*') || kept.split('/').any(|part| part == "..") {
            return Err(Error::failed(format!("`build.prepare.keep`: `{kept}` must be a path inside the working directory, without `*`")));
        }
        let quoted = |text: &str| shell_words::quote(text).into_owned();
        if let Some((folder, _)) = kept.rsplit_once('/') {
            // A nested path keeps its folder.
            let _ = write!(away, " && mkdir -p {0} && mv {1} {0}", quoted(&format!("/tmp/{folder}")), quoted(kept));
            let _ = write!(back, " && mkdir -p {0} && mv {1} {0}", quoted(folder), quoted(&format!("/tmp/{kept}")));
        } else {
            let _ = write!(away, " && mv {} /tmp/", quoted(kept));
            let _ = write!(back, " && mv {} .", quoted(&format!("/tmp/{kept}")));
        }
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
            for name in references(value).filter(|name| (name == own || !defined(name)) && !FROM_BASE_IMAGE.contains(name)) {
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
        for name in references(pairs[at].1).filter(|name| name != pairs[at].0) {
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

/// The `${NAME}`s in an env value.
fn references(value: &str) -> impl Iterator<Item = &str> {
    value.split("${").skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name)).filter(|name| is_identifier(name))
}

fn is_identifier(name: &str) -> bool {
    name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A double-quoted ENV value: `${NAME}` stays a reference, every other special character stands for itself.
fn env_value(value: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | ',' | '@' | '+' | '=');
    if !value.is_empty() && value.chars().all(bare) {
        return value.to_owned();
    }
    let mut out = String::from("\"");
    let mut rest = value;
    while let Some(c) = rest.chars().next() {
        if let Some((name, after)) = rest.strip_prefix("${").and_then(|inner| inner.split_once('}')).filter(|(name, _)| is_identifier(name))
        {
            out.push_str(&format!("${{{name}}}"));
            rest = after;
            continue;
        }
        if matches!(c, '"' | '\\' | '$') {
            out.push('\\');
        }
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    out.push('"');
    out
}

fn one_line(text: &str) -> Result<&str> {
    if text.contains(['\n', '\r']) { Err(Error::failed(format!("`{}`: a path has no line break", text.escape_debug()))) } else { Ok(text) }
}

fn word<'a>(text: &'a str, key: &str) -> Result<&'a str> {
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(Error::failed(format!("`{key}`: `{}` is no image", text.escape_debug())));
    }
    Ok(text)
}

fn path(text: &str) -> Result<&str> {
    if text.starts_with('/') && !text.contains(char::is_whitespace) {
        Ok(text)
    } else {
        Err(Error::failed(format!("`workdir`: `{}` must be an absolute path without spaces", text.escape_debug())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: Facts<'_> =
        Facts { repository: "ccr.ccs.tencentyun.com/yashi/dummy", meta: "1619925143-97f3d5f810a61823de72ea0a6f3fdd06f9f3cce9" };

    fn build(json: serde_json::Value) -> Build {
        serde_json::from_value(json).expect("a build")
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
        insta::assert_snapshot!(render(Stage::Build, &seed(), None, FACTS).expect("renders").text, @r#"
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
        RUN rm -rf /tmp/* && mv treasure.txt /tmp/ && ls -A1 | tr '\n' '\0' | xargs -0 rm -rf -- && mv /tmp/treasure.txt .
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
        assert_eq!(
            keep_only(&[Text("a/b c".to_owned())]).expect("fine"),
            "rm -rf /tmp/* && mkdir -p /tmp/a && mv 'a/b c' /tmp/a && ls -A1 | tr '\\n' '\\0' | xargs -0 rm -rf -- && mkdir -p a && mv '/tmp/a/b c' a"
        );
    }
}
