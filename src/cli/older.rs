//! Words of the older tool that nothing here answers yet: said to be known, with what to type instead. docs/from-the-older-tool.md lists them all.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::error::Error;

/// A word of the older tool: behind which command (`""` for commands), the word, why it is not here, what to type instead.
type Older = (&'static str, &'static str, &'static str, &'static str);

/// None of them is a word of lain; a test holds that.
const OLDER: &[Older] = &[
    ("deploy", "--canary", "there are no canary deploys here yet", "lain deploy --wait --rollback-on-failure # goes back by itself"),
    ("deploy", "--delete-after", NOTHING_WAITS, "lain deploy --wait && sleep 5h && lain delete --yes"),
    ("delete", "--after", NOTHING_WAITS, "sleep 5h && lain delete --yes"),
    ("", "set-canary-group", "there are no canary deploys here yet", "lain deploy --wait --rollback-on-failure # goes back by itself"),
    ("", "assign-mr", "reviewers are GitLab's own matter", "glab mr update ID --reviewer NAME --assignee NAME"),
    ("", "wait-mr-approval", "approvals are GitLab's own matter", "glab mr view ID"),
];

const NOTHING_WAITS: &str = "nothing in the cluster deletes an app later on yet";

/// Those behind `admin`, and what to type instead.
const ADMIN: &[(&str, &str)] = &[
    ("", "kubectl get pods --all-namespaces"),
    ("delete-bad-ing", "kubectl get ingress && kubectl delete ingress NAME"),
    ("delete-bad-pod", "kubectl get pods && kubectl delete pod NAME"),
    ("cleanup-registry", "lain tags # the registry's own rules delete old ones"),
    ("list-images", "lain tags # of one app, in its folder"),
    ("list-singletons", "kubectl get deployments"),
    ("status", "kubectl get pods,ingress --all-namespaces"),
    ("x", "kubectl exec POD -- COMMAND"),
    ("stop-cvm", MACHINES),
    ("start-cvm", MACHINES),
    ("turn", MACHINES),
    ("list-waste", "lain lint # in the folder of an app"),
    ("migrate-registry", "lain push IMAGE --pull --registry REGISTRY"),
    ("list-unused-ingress", "kubectl get ingress"),
    ("get", "kubectl get KIND --all-namespaces -o json | jq '.items[] | select(.metadata.annotations.KEY == \"VALUE\").metadata.name'"),
    ("post-alerts", "amtool alert add NAME KEY=VALUE"),
];

const MACHINES: &str = "kubectl get nodes # machines are started and stopped where they are rented";

/// What is said of a command that only the older tool has.
pub(super) fn command<'w>(words: impl IntoIterator<Item = &'w str>) -> Option<Error> {
    let mut words = words.into_iter();
    let first = words.next()?;
    if first == "admin" {
        let verb = words.next().unwrap_or_default();
        let (_, instead) = ADMIN.iter().find(|(known, _)| *known == verb)?;
        return Some(known(format!("admin {verb}").trim_end(), "what concerns a whole cluster is not here yet").hint(*instead));
    }
    OLDER
        .iter()
        .find(|(behind, word, ..)| behind.is_empty() && *word == first)
        .map(|(_, word, why, instead)| known(word, why).hint(*instead))
}

/// What is said of an option that only the older tool has.
pub(super) fn option(misread: &clap::Error) -> Option<Error> {
    let (Some(ContextValue::String(option)), Some(ContextValue::StyledStr(usage)), ErrorKind::UnknownArgument) =
        (misread.get(ContextKind::InvalidArg), misread.get(ContextKind::Usage), misread.kind())
    else {
        return None;
    };
    let usage = usage.to_string();
    let is_behind = |command: &str| usage.split_whitespace().any(|word| word == command);
    let found = OLDER.iter().find(|(command, word, ..)| option == word && is_behind(command));
    found.map(|(command, word, why, instead)| known(&format!("{command} {word}"), why).hint(*instead))
}

fn known(word: &str, why: &str) -> Error {
    Error::usage(format!("`{word}` is a word of the older tool: {why}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Lain;

    /// A row goes when its word comes.
    #[test]
    fn what_is_here_is_not_said_to_be_missing() {
        let top = Lain::command();
        assert!(top.find_subcommand("admin").is_none());
        for (command, word, ..) in OLDER {
            if command.is_empty() {
                assert!(top.find_subcommand(word).is_none(), "{word}");
                continue;
            }
            let command = top.find_subcommand(command).expect("a command");
            assert!(!command.get_arguments().any(|arg| arg.get_long() == word.strip_prefix("--")), "{word}");
        }
    }
}
