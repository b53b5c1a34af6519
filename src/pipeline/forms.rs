//! The templates of `ci-templates/` in the forms that GitLab's `include` takes: flat files, each of which stands alone, and a component project.
//!
//! The files of single jobs are written by hand. The whole pipeline, `lain.gitlab-ci.yml`, is made of them: their common inputs once, an own input
//! `X` of `NAME` as `NAME-X`, and a boolean `NAME` that its jobs ask first. No input may be called `on`, `off`, `yes` or `no`: GitLab reads YAML 1.1,
//! where such a key is a boolean.

use std::fmt::Write;
use std::path::PathBuf;

use super::templates::{self, ENDING};

/// The template that holds all others.
pub const WHOLE: &str = "lain";
/// The image that jobs run in where nobody says another: lain's own, of this version.
pub const IMAGE: &str = concat!("lain:", env!("CARGO_PKG_VERSION"));

/// The parts of the whole, in the order of a pipeline, and whether they are on where nobody says so.
const PARTS: [(&str, bool); 13] = [
    ("lint", true),
    ("prepare", true),
    ("test", false),
    ("build", true),
    ("deploy", true),
    ("canary", false),
    ("rollback", true),
    ("release", false),
    ("review", false),
    ("diff", false),
    ("changelog", false),
    ("notify", false),
    ("cleanup", false),
];
/// Inputs that mean the same in each part: one of the whole serves all.
const COMMON: [&str; 10] =
    ["cluster", "prefix", "app-dir", "environment-suffix", "image", "timeout", "before-script", "merge-requests", "freeze", "deploy-on"];
/// What the whole says by itself: its build job is known.
const KNOWN: &str = "build-jobs";

/// A file of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateFile {
    /// Where, below the folder.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// The names of the templates, the whole first.
#[must_use]
pub fn names() -> Vec<&'static str> {
    [WHOLE, "workflow"].into_iter().chain(PARTS.iter().map(|(name, _)| *name)).collect()
}

/// The flat files, for `include:remote`, `include:project` and `include:local`; jobs run in `image`.
#[must_use]
pub fn flat(image: &str) -> Vec<TemplateFile> {
    all(image, |name| format!("{name}{ENDING}"))
}

/// A component project: `templates/NAME.yml`, a README, and a pipeline that makes a release of each tag.
#[must_use]
pub fn component(image: &str) -> Vec<TemplateFile> {
    let mut files = all(image, |name| format!("templates/{name}.yml"));
    files.push(TemplateFile { path: "README.md".into(), text: readme() });
    files.push(TemplateFile { path: ".gitlab-ci.yml".into(), text: RELEASES.to_owned() });
    files
}

fn all(image: &str, path: impl Fn(&str) -> String) -> Vec<TemplateFile> {
    let file = |name: &str| {
        let text = templates::text(name).unwrap_or_default().replace(&format!("default: {IMAGE}\n"), &format!("default: \"{image}\"\n"));
        TemplateFile { path: path(name).into(), text }
    };
    names().into_iter().map(file).collect()
}

/// What makes a version of a component: GitLab's catalogue lists projects by their releases.
const RELEASES: &str = "\
# A tag `1.2.3` becomes a version of these components in the catalogue of GitLab.
release:
  image: registry.gitlab.com/gitlab-org/cli:latest
  script:
    - echo \"$CI_COMMIT_TAG\"
  release:
    tag_name: $CI_COMMIT_TAG
    description: $CI_COMMIT_TAG
  rules:
    - if: $CI_COMMIT_TAG =~ /^[0-9]+[.][0-9]+[.][0-9]+$/
";

fn readme() -> String {
    let mut text = "\
# lain

From a repo to a running release: one `chart/values.yaml`, these jobs.

```yaml
include:
  - component: $CI_SERVER_FQDN/GROUP/PROJECT/lain@VERSION
    inputs:
      cluster: test
```

| component | does |
| --- | --- |
"
    .to_owned();
    for name in names() {
        let about = Template::read(name).about;
        let _ = writeln!(text, "| `{name}` | {} |", about.split(" Made of").next().unwrap_or(&about)); // how it is made is no matter here
    }
    text + "\nEvery input is described in the component itself, and in docs/templates.md of lain.\n"
}

/// An input of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// What stands below the name: description, type, default..., six blanks deep.
    pub text: String,
}

impl Input {
    /// A line of it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.text.lines().find_map(|line| line.trim_start().strip_prefix(key)?.strip_prefix(": "))
    }
}

/// A template, taken apart.
#[derive(Clone, Debug, Default)]
pub struct Template {
    /// What its first lines say.
    pub about: String,
    /// Its inputs, in their order.
    pub inputs: Vec<Input>,
    /// What all jobs of lain share.
    pub shared: String,
    /// Its jobs.
    pub jobs: String,
}

impl Template {
    /// One of [`names`]; empty for any other.
    #[must_use]
    pub fn read(name: &str) -> Self {
        Self::of(templates::text(name).unwrap_or_default())
    }

    /// The texts of `ci-templates/` alone: comment, `spec`, `---`, `.lain`, jobs whose names begin with the prefix.
    fn of(text: &str) -> Self {
        let comment: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("# ")).collect();
        let (header, body) = text.split_once("\n---\n").unwrap_or(("", text));
        let mut inputs: Vec<Input> = vec![];
        for line in header.lines().skip_while(|line| *line != "  inputs:").skip(1) {
            match line.strip_prefix("    ").and_then(|line| line.strip_suffix(':')).filter(|name| !name.starts_with(' ')) {
                Some(name) => inputs.push(Input { name: name.to_owned(), text: String::new() }),
                None => {
                    if let Some(input) = inputs.last_mut() {
                        input.text += &format!("{line}\n");
                    }
                }
            }
        }
        let start = body.find("\"$[[").unwrap_or(body.len());
        Self { about: comment.join(" "), inputs, shared: body[..start].to_owned(), jobs: body[start..].to_owned() }
    }
}

/// The whole pipeline, made of the single ones.
#[must_use]
pub fn whole() -> String {
    let parts: Vec<(&str, bool, Template)> = PARTS.iter().map(|(name, on)| (*name, *on, Template::read(name))).collect();
    let mut common: Vec<Input> = vec![];
    for input in parts.iter().flat_map(|(_, _, part)| &part.inputs) {
        if COMMON.contains(&input.name.as_str()) && !common.iter().any(|known| known.name == input.name) {
            common.push(input.clone());
        }
    }
    let (mut switches, mut own, mut jobs) = (vec![], vec![], String::new());
    for (name, on, part) in &parts {
        let about = part.about.replace(": see there", "");
        switches.push(Input {
            name: (*name).to_owned(),
            text: format!("      description: {}\n      type: boolean\n      default: {on}\n", quoted(&about)),
        });
        let mut text = part.jobs.clone();
        for input in part.inputs.iter().filter(|input| !COMMON.contains(&input.name.as_str())) {
            let here = format!("$[[ inputs.{} ]]", input.name);
            if input.name == KNOWN {
                text = text.replace(&here, "[\"$[[ inputs.prefix ]]build\"]");
                continue;
            }
            let start = format!("{name}-");
            let called = if input.name.starts_with(&start) { input.name.clone() } else { format!("{start}{}", input.name) };
            text = text.replace(&here, &format!("$[[ inputs.{called} ]]"));
            own.push(Input { name: called, text: optional(&input.text) });
        }
        let asked = format!("  rules:\n    - if: '\"$[[ inputs.{name} ]]\" == \"false\"'\n      when: never\n");
        jobs += &format!("{}\n", text.trim_end().replace("  rules:\n", &asked) + "\n");
    }
    let inputs =
        common.iter().chain(&switches).chain(&own).fold(String::new(), |all, input| format!("{all}    {}:\n{}", input.name, input.text));
    let shared = &parts[0].2.shared;
    format!("{ABOUT}spec:\n  inputs:\n{inputs}---\n{shared}{}\n", jobs.trim_end())
}

const ABOUT: &str = "\
# A whole pipeline from one include: each job of lain, to be turned on or off. May be included once for each cluster; give each its own `prefix`.
# Made of the other templates by `UPDATE_DOCS=1 cargo test --test templates`; change those.
";

/// A text as YAML takes it whatever is in it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The same input where its part may be off: what must be given to the part has a default that says nothing.
fn optional(text: &str) -> String {
    if text.contains("      default:") {
        return text.to_owned();
    }
    if text.contains("type: array") {
        return format!("{text}      default: []\n");
    }
    let text = text.replace("regex: ^", "regex: ^(").replace("$\n", ")?$\n");
    format!("{text}      default: \"\"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_template_and_every_template_a_file() {
        let (mut files, mut known) = (templates::all(), names());
        files.sort_unstable();
        known.sort_unstable();
        assert_eq!(files, known);
    }

    #[test]
    fn inputs_of_one_name_say_the_same_in_each_part() {
        let lint = Template::read("lint");
        for (name, _) in PARTS {
            let part = Template::read(name);
            assert_eq!(part.shared, lint.shared, "{name}");
            for input in part.inputs.iter().filter(|input| COMMON.contains(&input.name.as_str())) {
                let first = PARTS.iter().flat_map(|(name, _)| Template::read(name).inputs).find(|other| other.name == input.name);
                assert_eq!(Some(&input.text), first.as_ref().map(|first| &first.text), "{name}: {}", input.name);
            }
            for name in &COMMON[..7] {
                assert!(part.inputs.iter().any(|input| input.name == *name), "{name}");
            }
            assert_eq!(
                part.inputs.iter().filter(|input| input.name == "image").map(|input| input.get("default")).next_back(),
                Some(Some(IMAGE))
            );
        }
    }

    #[test]
    fn no_name_is_a_boolean_to_yaml() {
        for input in names().into_iter().flat_map(|name| Template::read(name).inputs) {
            assert!(!["on", "off", "yes", "no", "y", "n", "true", "false", "null"].contains(&input.name.as_str()), "{}", input.name);
        }
    }

    #[test]
    fn each_job_of_the_whole_asks_whether_it_is_wanted() {
        let whole = Template::of(&whole());
        let jobs = whole.jobs.lines().filter(|line| line.starts_with("\"$[[")).count();
        assert_eq!(whole.jobs.matches("\" == \"false\"'\n      when: never\n").count(), jobs);
        for (name, _) in PARTS {
            assert!(whole.inputs.iter().any(|input| input.name == name), "{name}");
            assert!(whole.jobs.contains(&format!("  rules:\n    - if: '\"$[[ inputs.{name} ]]\" == \"false\"'")), "{name}");
        }
    }

    #[test]
    fn an_image_is_written_into_each() {
        for file in flat("registry.example.com/lain:1").into_iter().chain(component("registry.example.com/lain:1")) {
            assert!(!file.text.contains(IMAGE), "{}", file.path.display());
        }
        let images = flat("registry.example.com/lain:1")
            .iter()
            .filter(|file| file.text.contains("default: \"registry.example.com/lain:1\""))
            .count();
        assert_eq!(images, names().len() - 1); // workflow has no job
    }
}
