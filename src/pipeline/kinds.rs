//! The kinds of pipeline that GitLab makes, each with the variables that it sets (`Gitlab::Ci::Variables::Builder::Pipeline`, `MergeRequest#predefined_variables`).

use super::expression::Variables;

/// One kind of pipeline.
#[derive(Clone, Debug)]
pub struct Kind {
    /// `branch`, `merge-request`; what tables and `--kind` call it.
    pub id: &'static str,
    /// A few words.
    pub title: &'static str,
    /// `CI_PIPELINE_SOURCE`.
    pub source: &'static str,
    /// What the pipeline is of.
    pub of: Ref,
    /// The branch's or tag's name; of a merge request, its own `refs/merge-requests/...`.
    pub name: String,
    default_branch: String,
    /// GitLab knows what changed: where it does not, `changes` is always true.
    pub knows_changes: bool,
    variables: Vec<(&'static str, &'static str)>,
}

/// What a pipeline is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ref {
    /// A branch.
    Branch,
    /// A tag.
    Tag,
    /// A merge request.
    MergeRequest,
}

impl Kind {
    /// Its predefined variables, with those of every pipeline.
    pub(crate) fn variables(&self) -> Variables {
        let name = self.name.as_str();
        let mut all = ALWAYS.to_vec();
        all.extend([("CI_PIPELINE_SOURCE", self.source), ("CI_DEFAULT_BRANCH", &self.default_branch)]);
        match self.of {
            Ref::Branch => all.extend([("CI_COMMIT_BRANCH", name), ("CI_COMMIT_REF_NAME", name), ("CI_COMMIT_REF_SLUG", name)]),
            Ref::Tag => all.extend([("CI_COMMIT_TAG", name), ("CI_COMMIT_REF_NAME", name), ("CI_COMMIT_REF_SLUG", "v1-2-3")]),
            Ref::MergeRequest => {
                all.extend_from_slice(OF_MERGE_REQUEST);
                all.push(("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", &self.default_branch));
            }
        }
        all.extend_from_slice(&self.variables);
        all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// It comes of a merge request.
    pub fn is_merge_request(&self) -> bool {
        self.of == Ref::MergeRequest
    }
}

const ALWAYS: &[(&str, &str)] = &[
    ("CI", "true"),
    ("GITLAB_CI", "true"),
    ("CI_PROJECT_ID", "1"),
    ("CI_PROJECT_NAME", "shop"),
    ("CI_PROJECT_PATH", "team/shop"),
    ("CI_PROJECT_PATH_SLUG", "team-shop"),
    ("CI_PROJECT_NAMESPACE", "team"),
    ("CI_PROJECT_ROOT_NAMESPACE", "team"),
    ("CI_PROJECT_URL", "https://gitlab.example.com/team/shop"),
    ("CI_PROJECT_VISIBILITY", "private"),
    ("CI_SERVER_HOST", "gitlab.example.com"),
    ("CI_SERVER_FQDN", "gitlab.example.com"),
    ("CI_SERVER_URL", "https://gitlab.example.com"),
    ("CI_API_V4_URL", "https://gitlab.example.com/api/v4"),
    ("CI_REGISTRY", "registry.example.com"),
    ("CI_REGISTRY_IMAGE", "registry.example.com/team/shop"),
    ("CI_COMMIT_SHA", "1f3a5c7e9b2d4f6a8c0e1b3d5f7a9c2e4b6d8f01"),
    ("CI_COMMIT_SHORT_SHA", "1f3a5c7e"),
    ("CI_COMMIT_TITLE", "Change something"),
    ("CI_COMMIT_MESSAGE", "Change something\n"),
    ("CI_COMMIT_BEFORE_SHA", "0000000000000000000000000000000000000000"),
    ("CI_PIPELINE_ID", "1000"),
    ("CI_PIPELINE_IID", "10"),
];

const OF_MERGE_REQUEST: &[(&str, &str)] = &[
    ("CI_COMMIT_REF_NAME", "feature"),
    ("CI_COMMIT_REF_SLUG", "feature"),
    ("CI_MERGE_REQUEST_ID", "70"),
    ("CI_MERGE_REQUEST_IID", "7"),
    ("CI_MERGE_REQUEST_REF_PATH", "refs/merge-requests/7/head"),
    ("CI_MERGE_REQUEST_PROJECT_ID", "1"),
    ("CI_MERGE_REQUEST_PROJECT_PATH", "team/shop"),
    ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "feature"),
    ("CI_MERGE_REQUEST_TITLE", "Change something"),
    ("CI_OPEN_MERGE_REQUESTS", "team/shop!7"),
];

const OF_OWN: &[(&str, &str)] = &[
    ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "1"),
    ("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", "team/shop"),
    ("CI_COMMIT_REF_PROTECTED", "false"),
];

/// A branch that was there before the push.
const SEEN: (&str, &str) = ("CI_COMMIT_BEFORE_SHA", "9e8d7c6b5a4f3e2d1c0b9a8f7e6d5c4b3a2f1e0d");

/// All kinds, in the order in which tables show them; the default branch is `main`.
pub fn kinds() -> Vec<Kind> {
    kinds_of("main")
}

/// As [`kinds`], with a default branch of another name.
pub fn kinds_of(default: &str) -> Vec<Kind> {
    let default_branch = default.to_owned();
    let branch = |id, title, source, name: &str, knows_changes, more: &[(&'static str, &'static str)]| {
        let protected = if name == default { "true" } else { "false" };
        let variables = [more, &[("CI_COMMIT_REF_PROTECTED", protected)]].concat();
        Kind { id, title, source, of: Ref::Branch, name: name.to_owned(), default_branch: default_branch.clone(), knows_changes, variables }
    };
    let merge_request = |id, title, event, more: &[(&'static str, &'static str)]| {
        let variables = [&[("CI_MERGE_REQUEST_EVENT_TYPE", event)], more].concat();
        Kind {
            id,
            title,
            source: "merge_request_event",
            of: Ref::MergeRequest,
            name: "refs/merge-requests/7/head".to_owned(),
            default_branch: default_branch.clone(),
            knows_changes: true,
            variables,
        }
    };
    let tag = |id, title, protected| {
        let variables = vec![("CI_COMMIT_REF_PROTECTED", protected)];
        Kind {
            id,
            title,
            source: "push",
            of: Ref::Tag,
            name: "v1.2.3".to_owned(),
            default_branch: default_branch.clone(),
            knows_changes: false,
            variables,
        }
    };
    let fork = [
        ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "2"),
        ("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", "stranger/shop"),
        ("CI_COMMIT_REF_PROTECTED", "false"),
    ];
    vec![
        branch("default", "push to the default branch", "push", default, true, &[SEEN]),
        branch("branch", "push to another branch", "push", "feature", true, &[SEEN]),
        branch("first", "first push of a branch", "push", "feature", false, &[]),
        branch(
            "branch-mr",
            "push to a branch with an open merge request",
            "push",
            "feature",
            true,
            &[SEEN, ("CI_OPEN_MERGE_REQUESTS", "team/shop!7")],
        ),
        merge_request("mr", "merge request", "detached", OF_OWN),
        merge_request("fork", "merge request of a fork", "detached", &fork),
        merge_request("train", "merge train", "merge_train", OF_OWN),
        tag("tag", "tag", "false"),
        tag("tag-protected", "protected tag", "true"),
        branch("schedule", "schedule", "schedule", default, false, &[]),
        branch("web", "by hand, in GitLab", "web", default, false, &[]),
        branch("api", "API", "api", default, false, &[]),
        branch("trigger", "trigger token", "trigger", default, false, &[]),
        branch("child", "child pipeline", "parent_pipeline", default, false, &[]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_what_gitlab_sets_and_no_more() {
        for kind in kinds() {
            let variables = kind.variables();
            assert_eq!(variables.contains_key("CI_COMMIT_BRANCH"), kind.of == Ref::Branch, "{}", kind.id);
            assert_eq!(variables.contains_key("CI_COMMIT_TAG"), kind.of == Ref::Tag, "{}", kind.id);
            assert_eq!(variables.contains_key("CI_MERGE_REQUEST_IID"), kind.is_merge_request(), "{}", kind.id);
            assert_eq!(variables["CI_PIPELINE_SOURCE"], kind.source);
            assert!(variables.contains_key("CI_COMMIT_REF_PROTECTED"), "{}", kind.id);
        }
    }
}
