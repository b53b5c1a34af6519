//! Words of the older tool that nothing here answers yet: said to be known, with what to type instead. docs/from-the-older-tool.md lists them all.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::error::Error;

/// A word of the older tool: behind which command (`""` for commands), the word, why it is not here, what to type instead.
type Older = (&'static str, &'static str, &'static str, &'static str);

/// None of them is a word of lain; a test holds that.
const OLDER: &[Older] = &[
    ("", "assign-mr", "reviewers are GitLab's own matter", "glab mr update ID --reviewer NAME --assignee NAME"),
    ("", "wait-mr-approval", "approvals are GitLab's own matter", "glab mr view ID"),
];

/// What is said of a command that only the older tool has.
pub(super) fn command<'w>(words: impl IntoIterator<Item = &'w str>) -> Option<Error> {
    let first = words.into_iter().next()?;
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
        let admin = top.find_subcommand("admin").expect("a command");
        for (word, _) in crate::command::admin::OLDER {
            assert!(admin.find_subcommand(word).is_none(), "{word}");
        }
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
