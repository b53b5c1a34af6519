//! Help as people read it: commands by what they are for, examples before options, the options of every command last.

use clap::Command;
use console::measure_text_width;

use crate::ui::columns;

/// The commands of `lain`, in the order of a working day.
const GROUPS: [(&str, &[&str]); 8] = [
    ("Write", &["init", "lint", "values", "template", "dockerfile", "dockerignore", "compose", "schema", "meta", "ci"]),
    ("Build", &["build", "prepare", "push", "run", "save", "image", "tags"]),
    ("Deploy", &["use", "diff", "deploy", "set-canary-group", "env", "secret", "wait"]),
    ("Look", &["doctor", "status", "logs", "x", "version", "history", "cherry", "get-values"]),
    ("Run", &["job", "create-job"]),
    ("Repair", &["rollback", "redeploy", "update-image", "restart", "delete", "admin"]),
    ("Tell", &["send-msg", "mr-note", "assign-mr", "wait-mr-approval"]),
    ("More", &["completions", "man"]),
];
/// Cells of a command's name and the space behind it.
const NAMES: usize = 20;
/// The widest help, as the pages of single commands have it.
const WIDEST: usize = 120;

/// The same command line, whose help is arranged.
pub(super) fn arrange(top: Command) -> Command {
    let top = top.mut_subcommands(examples_first);
    if top.get_name() != "lain" {
        return top;
    }
    let groups = groups(&top, columns().unwrap_or(100).min(WIDEST));
    // What is listed by groups is not listed once more.
    top.mut_subcommands(|command| command.hide(true))
        .help_template(format!("{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{groups}\n{{all-args}}"))
}

fn examples_first(command: Command) -> Command {
    let command = command.mut_subcommands(examples_first);
    let Some(examples) = command.get_after_help().map(ToString::to_string) else { return command };
    // clap begins what it puts in place of `{after-help}` with an empty line.
    command
        .after_help(format!("Examples:\n{examples}"))
        .help_template("{about-with-newline}\n{usage-heading} {usage}{after-help}\n\n{all-args}")
}

fn groups(top: &Command, columns: usize) -> String {
    let mut out = String::new();
    for (title, names) in GROUPS {
        out += &format!("{title}:\n");
        for name in names {
            let about = top.find_subcommand(name).and_then(Command::get_about).map(ToString::to_string).unwrap_or_default();
            let lines = wrapped(&about, columns.saturating_sub(NAMES).max(20));
            out += &format!("  {name:<width$}{}\n", lines.join(&format!("\n{}", " ".repeat(NAMES))), width = NAMES - 2);
        }
    }
    out + "\nlain help COMMAND explains each.\n"
}

/// Words in lines of at most so many cells, where no word alone is wider.
fn wrapped(text: &str, cells: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is always a line");
        if last.is_empty() || measure_text_width(last) + 1 + measure_text_width(word) <= cells {
            *last += if last.is_empty() { "" } else { " " };
            *last += word;
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;
    use crate::cli::Lain;

    #[test]
    fn each_command_is_in_one_group() {
        let listed: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let unique: BTreeSet<&str> = listed.iter().copied().collect();
        assert_eq!(listed.len(), unique.len());
        let top = Lain::command();
        assert_eq!(top.get_subcommands().map(Command::get_name).collect::<BTreeSet<_>>(), unique);
    }

    /// An argument of a command that is called as a flag of every command takes its value: `-C` and `--dir` once did.
    #[test]
    fn no_argument_takes_the_name_of_a_flag_of_every_command() {
        // These stand in for it, on purpose: `-o` with its shapes, `-f` and `-s` in the older tool's sense.
        let known = ["output", "values", "silent"];
        let top = Lain::command();
        let global: BTreeSet<_> = top.get_arguments().filter(|arg| arg.is_global_set()).map(|arg| arg.get_id().clone()).collect();
        let mut commands: Vec<&Command> = top.get_subcommands().collect();
        while let Some(command) = commands.pop() {
            commands.extend(command.get_subcommands());
            let taken: Vec<_> =
                command.get_arguments().map(clap::Arg::get_id).filter(|id| global.contains(*id) && !known.contains(&id.as_str())).collect();
            assert!(taken.is_empty(), "{}: {taken:?}", command.get_name());
        }
    }

    #[test]
    fn fits_a_narrow_terminal() {
        for columns in [60, 80, 120] {
            let text = groups(&Lain::command(), columns);
            assert!(text.lines().all(|line| measure_text_width(line) <= columns), "{text}");
        }
    }
}
