//! Which jobs a pipeline of one kind has, and how they start: `workflow:rules`, `rules`, `only`/`except`, `when` (GitLab's `Ci::Build::Rules`, `Ci::Build::Policy`,
//! `Pipeline::Seed::Build`).

use std::path::Path;

use super::expression::{Expression, Variables, pattern};
use super::inputs::expand;
use super::job::Job;
use super::kinds::{Kind, Ref};
use super::merged::Merged;
use super::yaml::Node;

/// Which of the files that `changes` names are taken to have changed, where GitLab knows of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    All,
    /// Some other file.
    Other,
    /// Those of one list.
    These(Vec<String>),
}

impl Changed {
    /// One of these patterns has a file that changed.
    fn is_in(&self, globs: &[String]) -> bool {
        let takes_all = globs.iter().any(|glob| matches!(glob.as_str(), "*" | "**" | "**/*"));
        match self {
            Self::All => true,
            Self::Other => takes_all,
            // A file of one pattern may well be a file of the other: only what plainly is none of it counts as none.
            Self::These(these) => takes_all || globs.iter().any(|glob| these.iter().any(|one| meets(glob, one))),
        }
    }
}

/// Two patterns may name the same file.
fn meets(one: &str, other: &str) -> bool {
    let literal = |glob: &str| glob.split(['*', '?', '[', '{']).next().unwrap_or_default().trim_start_matches("./").to_owned();
    let (left, right) = (literal(one), literal(other));
    left.starts_with(&right) || right.starts_with(&left)
}

/// What rules are judged by, beside variables.
#[derive(Clone, Copy)]
pub(crate) struct World<'w> {
    pub kind: &'w Kind,
    pub dir: &'w Path,
    pub changed: &'w Changed,
}

/// One rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule<'n> {
    pub node: &'n Node,
}

impl<'n> Rule<'n> {
    /// All rules of a list, those of lists in it (`!reference`) too.
    pub(crate) fn all(node: &'n Node) -> Vec<Self> {
        match node.list() {
            Some(items) => items.iter().flat_map(Self::all).collect(),
            None if node.map().is_some() => vec![Self { node }],
            None => Vec::new(),
        }
    }

    /// Its patterns of files, of `changes` or `exists`.
    pub(crate) fn globs(self, key: &str) -> Option<Vec<String>> {
        let node = self.node.get(key)?;
        let list = node.get("paths").unwrap_or(node);
        Some(list.texts().iter().filter_map(|glob| glob.text().map(str::to_owned)).collect())
    }

    pub(crate) fn when(self) -> Option<&'n str> {
        self.node.get("when").and_then(Node::text)
    }

    /// Its condition; none when there is none or it cannot be read.
    pub(crate) fn condition(self) -> Option<Expression> {
        Expression::read(&self.node.get("if")?.scalar()?).ok()
    }

    /// Whether it holds, where that hangs on nothing: an input can turn a job off by `"false" == "false"`.
    fn always(self) -> Option<bool> {
        let condition = match self.node.get("if") {
            None => true,
            Some(_) => self.condition().filter(|condition| condition.variables().is_empty())?.holds(&Variables::new()),
        };
        let hangs = condition && (self.node.get("changes").is_some() || self.node.get("exists").is_some());
        (!hangs).then_some(condition)
    }

    /// True for rules by which a job is in no pipeline at all.
    pub(crate) fn are_off(rules: &[Self]) -> bool {
        for rule in rules {
            match rule.always() {
                Some(false) => {}
                Some(true) => return rule.when() == Some("never"),
                None => return false,
            }
        }
        true
    }

    pub(crate) fn matches(self, world: &World<'_>, variables: &Variables) -> bool {
        let holds = self.node.get("if").is_none_or(|_| self.condition().is_some_and(|condition| condition.holds(variables)));
        holds
            && self.globs("changes").is_none_or(|globs| is_changed(world, &globs))
            && self.globs("exists").is_none_or(|globs| globs.iter().any(|glob| exists(world.dir, &expand(glob, variables, false))))
    }
}

/// `changes` of both tongues: true where GitLab does not know what changed.
fn is_changed(world: &World<'_>, globs: &[String]) -> bool {
    !world.kind.knows_changes || world.changed.is_in(globs)
}

/// A file of the folder matches.
fn exists(dir: &Path, glob: &str) -> bool {
    let options = glob::MatchOptions { require_literal_separator: true, require_literal_leading_dot: false, case_sensitive: true };
    braces(glob).iter().any(|glob| {
        let pattern = format!("{}/{}", glob::Pattern::escape(&dir.display().to_string()), glob.trim_start_matches('/'));
        let mut found = glob::glob_with(&pattern, options).into_iter().flatten().flatten();
        found.any(|path| path.is_file())
    })
}

/// `{a,b}` written out, one pair after the other.
fn braces(glob: &str) -> Vec<String> {
    let Some((before, rest)) = glob.split_once('{') else { return vec![glob.to_owned()] };
    let Some((inside, after)) = rest.split_once('}') else { return vec![glob.to_owned()] };
    inside.split(',').take(100).flat_map(|word| braces(&format!("{before}{word}{after}"))).collect()
}

/// How a job starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum When {
    /// After what it needs went well.
    OnSuccess,
    /// After a failure.
    OnFailure,
    /// In any case.
    Always,
    /// By hand.
    Manual,
    /// After a while.
    Delayed,
}

impl When {
    /// GitLab's word; none for `never` and for what is no word of GitLab's.
    pub(crate) fn of(word: &str) -> Option<Self> {
        match word {
            "on_success" => Some(Self::OnSuccess),
            "on_failure" => Some(Self::OnFailure),
            "always" => Some(Self::Always),
            "manual" => Some(Self::Manual),
            "delayed" => Some(Self::Delayed),
            _ => None,
        }
    }

    /// GitLab's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::OnSuccess => "on_success",
            Self::OnFailure => "on_failure",
            Self::Always => "always",
            Self::Manual => "manual",
            Self::Delayed => "delayed",
        }
    }
}

/// A job that is in a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobIn {
    /// Its name.
    pub name: String,
    /// Its stage.
    pub stage: String,
    /// How it starts.
    pub when: When,
    /// Its failure is no failure of the pipeline; a manual one that may fail blocks nothing.
    pub may_fail: bool,
    /// It is there only when files changed that its rules name.
    pub only_on_changes: bool,
}

/// The jobs of a pipeline of this kind, in the order of the file; none when GitLab makes no pipeline. What `changes` names is taken to have changed;
/// [`JobIn::only_on_changes`] says for whom that matters.
pub fn jobs(merged: &Merged, kind: &Kind, given: &[(&str, &str)]) -> Vec<JobIn> {
    let changed = jobs_if(merged, kind, given, &Changed::All);
    let otherwise = jobs_if(merged, kind, given, &Changed::Other);
    let alone = |job: &JobIn| !otherwise.iter().any(|other| other.name == job.name);
    changed.into_iter().map(|job| JobIn { only_on_changes: alone(&job), ..job }).collect()
}

/// As [`jobs`], where these files changed.
pub(crate) fn jobs_if(merged: &Merged, kind: &Kind, given: &[(&str, &str)], changed: &Changed) -> Vec<JobIn> {
    let world = World { kind, dir: &merged.dir, changed };
    let mut variables = kind.variables();
    variables.extend(super::job::values(merged.root.get("variables").map(|entry| &entry.node)));
    let given: Variables = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let workflow = merged.root.get("workflow").and_then(|entry| entry.node.get("rules"));
    let mut of_workflow = Variables::new();
    if let Some(rules) = workflow {
        variables.extend(given.clone());
        match Rule::all(rules).into_iter().find(|rule| rule.matches(&world, &variables)) {
            Some(rule) if rule.when() != Some("never") => of_workflow = super::job::values(rule.node.get("variables")),
            _ => return Vec::new(),
        }
    }
    let found: Vec<JobIn> = Job::all(merged)
        .iter()
        .filter_map(|job| {
            let mut variables = kind.variables();
            variables.extend(job.inherited_variables(merged));
            variables.extend(of_workflow.clone());
            variables.extend(super::job::values(job.node.get("variables")));
            variables.extend(given.clone());
            start(job, &world, &variables, workflow.is_some())
        })
        .collect();
    // GitLab makes no pipeline of edges alone.
    if found.iter().all(|job| matches!(job.stage.as_str(), ".pre" | ".post")) { Vec::new() } else { found }
}

fn start(job: &Job<'_>, world: &World<'_>, variables: &Variables, has_workflow: bool) -> Option<JobIn> {
    let own_when = job.node.get("when").and_then(Node::text).unwrap_or("on_success");
    let own_failure = job.node.get("allow_failure").map(may_fail);
    let in_pipeline = |when: &str, failure: Option<bool>| {
        let may_fail = failure.unwrap_or(own_failure.unwrap_or(own_when == "manual"));
        Some(JobIn { name: job.name.to_owned(), stage: job.stage().to_owned(), when: When::of(when)?, may_fail, only_on_changes: false })
    };
    if let Some(rules) = job.node.get("rules").filter(|rules| !rules.is_null()) {
        let rule = Rule::all(rules).into_iter().find(|rule| rule.matches(world, variables))?;
        return in_pipeline(rule.when().unwrap_or(own_when), rule.node.get("allow_failure").map(may_fail));
    }
    let only = match job.node.get("only") {
        Some(only) => Policy::of(only).with_default_refs(),
        None if has_workflow => Policy::default(),
        None => Policy::default().with_default_refs(),
    };
    let is_in = only.parts(world, variables).into_iter().flatten().all(|part| part);
    let is_out =
        job.node.get("except").is_some_and(|except| Policy::of(except).parts(world, variables).into_iter().flatten().any(|part| part));
    if is_in && !is_out { in_pipeline(own_when, None) } else { None }
}

/// `allow_failure: {exit_codes: ..}` may fail, but a pipeline waits for it.
fn may_fail(node: &Node) -> bool {
    node.bool().unwrap_or(false)
}

/// `only` or `except`.
#[derive(Default)]
struct Policy {
    refs: Option<Vec<String>>,
    variables: Option<Vec<String>>,
    changes: Option<Vec<String>>,
    kubernetes: bool,
}

impl Policy {
    fn of(node: &Node) -> Self {
        let texts = |node: &Node| node.texts().iter().filter_map(|text| text.scalar()).collect::<Vec<_>>();
        if node.map().is_none() {
            return Self { refs: (!node.is_null()).then(|| texts(node)), ..Self::default() };
        }
        let of = |key: &str| node.get(key).map(texts);
        Self { refs: of("refs"), variables: of("variables"), changes: of("changes"), kubernetes: node.get("kubernetes").is_some() }
    }

    fn with_default_refs(mut self) -> Self {
        self.refs.get_or_insert_with(|| vec!["branches".to_owned(), "tags".to_owned()]);
        self
    }

    /// What each of its parts says.
    fn parts(&self, world: &World<'_>, variables: &Variables) -> [Option<bool>; 4] {
        let holds = |text: &String| Expression::read(text).is_ok_and(|condition| condition.holds(variables));
        [
            self.refs.as_ref().map(|refs| refs.iter().any(|name| is_of(name, world.kind))),
            self.variables.as_ref().map(|list| list.iter().any(holds)),
            self.changes.as_ref().map(|globs| is_changed(world, globs)),
            self.kubernetes.then_some(true),
        ]
    }
}

/// GitLab's `Policy::Refs#matches_pattern?`.
fn is_of(written: &str, kind: &Kind) -> bool {
    // `NAME@PATH`: PATH is taken to be this project.
    let name = written.split('@').next().unwrap_or(written);
    let source = kind.source.trim_end_matches("_event");
    let plural = if source.ends_with("sh") { format!("{source}es") } else { format!("{source}s") };
    match name {
        "tags" if kind.of == Ref::Tag => return true,
        "branches" if kind.of == Ref::Branch => return true,
        _ if name == source || name == plural => return true,
        _ => {}
    }
    if kind.of == Ref::MergeRequest {
        return false;
    }
    pattern(name).map_or_else(|| name == kind.name, |pattern| pattern.is_match(&kind.name))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::pipeline::{Project, kinds};

    /// Each job with the kinds that have it; a star where changes matter.
    fn table(text: &str) -> String {
        let project = Project::of(Path::new("/nowhere"), Path::new(".gitlab-ci.yml"), text).expect("YAML");
        let mut rows: Vec<(String, Vec<String>)> = Vec::new();
        for kind in kinds() {
            let merged = project.merged(&kind, &[]);
            assert!(merged.findings().is_empty(), "{:?}", merged.findings());
            for job in jobs(&merged, &kind, &[]) {
                let how = match (job.when, job.may_fail) {
                    (When::OnSuccess, false) => String::new(),
                    (when, may_fail) => format!(":{}{}", when.word(), if may_fail { "?" } else { "" }),
                };
                let cell = format!("{}{how}{}", kind.id, if job.only_on_changes { "*" } else { "" });
                match rows.iter_mut().find(|(name, _)| *name == job.name) {
                    Some((_, cells)) => cells.push(cell),
                    None => rows.push((job.name, vec![cell])),
                }
            }
        }
        rows.into_iter().map(|(name, cells)| format!("{name}: {}", cells.join(" "))).collect::<Vec<_>>().join("\n")
    }

    const BRANCHES_AND_TAGS: &str = "default branch first branch-mr tag tag-protected schedule web api trigger child";

    #[test]
    fn without_rules_a_job_is_in_branches_and_tags() {
        assert_eq!(table("a: {script: x}\n.b: {script: x}\n"), format!("a: {BRANCHES_AND_TAGS}"));
        // `workflow:rules` takes that default away.
        let all = "a: default branch first branch-mr mr fork train tag tag-protected schedule web api trigger child";
        assert_eq!(table("workflow: {rules: [{when: always}]}\na: {script: x}\n"), all);
    }

    #[test]
    fn only_and_except() {
        assert_eq!(table("a: {script: x, only: [main]}"), "a: default schedule web api trigger child");
        assert_eq!(table("a: {script: x, only: [merge_requests]}"), "a: mr fork train");
        assert_eq!(table("a: {script: x, only: [tags], except: [/^v/]}"), "");
        assert_eq!(table("a: {script: x, only: [/^v.*$/]}"), "a: tag tag-protected");
        assert_eq!(table("a: {script: x, except: [schedules, tags]}"), "a: default branch first branch-mr web api trigger child");
        assert_eq!(table("a: {script: x, only: {refs: [pushes]}}"), "a: default branch first branch-mr tag tag-protected");
        assert_eq!(table("a: {script: x, only: {variables: [$CI_COMMIT_TAG]}}"), "a: tag tag-protected");
        let changes = "a: default* branch* first branch-mr* tag tag-protected schedule web api trigger child";
        assert_eq!(table("a: {script: x, only: {changes: [requirements*]}}"), changes);
    }

    #[test]
    fn rules_take_the_first_that_matches() {
        let text = "a:\n  script: x\n  rules:\n  - {if: $CI_COMMIT_TAG, when: never}\n  - {if: $CI_PIPELINE_SOURCE == \"schedule\", when: manual, allow_failure: true}\n  \
                    - {if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH}\n";
        assert_eq!(table(text), "a: default schedule:manual? web api trigger child");
        assert_eq!(table("a: {script: x, when: manual}"), format!("a: {}", BRANCHES_AND_TAGS.replace(' ', ":manual? ") + ":manual?"));
        assert_eq!(table("a: {script: x, rules: [{if: $CI_COMMIT_TAG, when: manual}]}"), "a: tag:manual tag-protected:manual");
        assert_eq!(table("a: {script: x, when: manual, rules: [{if: $CI_COMMIT_TAG}]}"), "a: tag:manual? tag-protected:manual?");
        assert_eq!(table("a: {script: x, rules: [{changes: [go.mod]}]}").matches('*').count(), 6);
        assert_eq!(table("a: {script: x, rules: [{changes: ['**/*']}]}").matches('*').count(), 0);
        assert_eq!(table("a: {script: x, rules: [{exists: [Cargo.toml]}]}"), "", "the folder is empty");
    }

    #[test]
    fn a_workflow_switches_between_branch_and_merge_request() {
        let text = "workflow:\n  rules:\n  - {if: $CI_PIPELINE_SOURCE == 'merge_request_event'}\n  - {if: $CI_COMMIT_BRANCH && $CI_OPEN_MERGE_REQUESTS, when: never}\n  \
                    - {if: $CI_COMMIT_BRANCH, variables: {X: '1'}}\na: {script: x}\nb: {script: x, rules: [{if: $X}]}\n";
        assert_eq!(
            table(text),
            "a: default branch first mr fork train schedule web api trigger child\nb: default branch first schedule web api trigger child"
        );
    }

    #[test]
    fn edges_alone_make_no_pipeline() {
        assert_eq!(
            table("a: {script: x, stage: .pre}\nb: {script: x, rules: [{if: $CI_COMMIT_TAG}]}"),
            "a: tag tag-protected\nb: tag tag-protected"
        );
    }

    #[test]
    fn an_include_has_rules_of_its_own_and_the_file_wins() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(dir.path().join("ci")).expect("a folder");
        std::fs::write(dir.path().join("ci/a.yml"), "a: {script: x, variables: {A: '1', B: '1'}, tags: [one, two]}\n").expect("a file");
        std::fs::write(dir.path().join("ci/b.yml"), "spec: {inputs: {name: {}}}\n---\n$[[ inputs.name ]]: {script: y}\n").expect("a file");
        let text = "include:\n- {local: /ci/a.yml, rules: [{if: $CI_COMMIT_TAG}]}\n- {local: 'ci/b*.yml', inputs: {name: made}}\na: {variables: {B: '2'}, tags: [three]}\n";
        let project = Project::of(dir.path(), &PathBuf::from(".gitlab-ci.yml"), text).expect("YAML");
        let of = |id: &str| project.merged(&kinds().into_iter().find(|kind| kind.id == id).expect("a kind"), &[]).to_json();
        assert_eq!(of("tag")["a"], serde_json::json!({"script": "x", "variables": {"A": "1", "B": "2"}, "tags": ["three"]}));
        assert_eq!(of("tag")["made"]["script"], "y");
        assert!(of("branch")["a"].get("script").is_none());
    }

    /// What gitlab-ci-local 4.73 shows for the same file with `--preview`.
    #[test]
    fn everything_comes_together() {
        let text = ".base: {script: [one, [two]], variables: {A: '1', B: '1'}, tags: [x]}\n.mid: {extends: .base, variables: {B: '2'}, tags: [z]}\n\
                    job: {extends: [.mid], variables: {C: '3'}, script: [!reference [.base, script], three]}\n";
        let project = Project::of(Path::new("/nowhere"), Path::new("x.yml"), text).expect("YAML");
        let job = &project.merged(&kinds()[0], &[]).to_json()["job"];
        assert_eq!(job["script"], serde_json::json!(["one", "two", "three"]));
        assert_eq!(job["variables"], serde_json::json!({"A": "1", "B": "2", "C": "3"}));
        assert_eq!(job["tags"], serde_json::json!(["z"]));
    }

    #[test]
    fn variables_of_the_job_count_and_those_from_outside_win() {
        let project = Project::of(
            Path::new("/nowhere"),
            Path::new("x.yml"),
            "variables: {A: global}\na: {script: x, variables: {A: job}, rules: [{if: $A == 'job'}]}",
        )
        .expect("YAML");
        let kind = &kinds()[0];
        assert_eq!(jobs(&project.merged(kind, &[]), kind, &[]).len(), 1);
        assert_eq!(jobs(&project.merged(kind, &[("A", "project")]), kind, &[("A", "project")]).len(), 0);
    }
}
