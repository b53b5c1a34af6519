//! What to do next: a line that can be pasted as it stands, or advice in words.

/// What a hint that is a command begins with. A program that a new hint names belongs here.
const PROGRAMS: &[&str] = &[
    "age-keygen",
    "apt-get",
    "base64",
    "buildx",
    "cat",
    "cd",
    "chmod",
    "command",
    "cosign",
    "curl",
    "date",
    "df",
    "docker",
    "echo",
    "env",
    "export",
    "find",
    "getent",
    "git",
    "glab",
    "gpg",
    "helm",
    "hostname",
    "iconv",
    "id",
    "kubectl",
    "lain",
    "lain-build",
    "lain-deploy",
    "lain-notify",
    "lain-render",
    "ln",
    "ls",
    "mkdir",
    "mount",
    "mv",
    "openssl",
    "printf",
    "rm",
    "sed",
    "sops",
    "sudo",
    "systemctl",
    "tail",
    "timedatectl",
    "touch",
    "unset",
];

/// The label of a hint: `next:` of what can be pasted, into a shell or into the file that it is about; `tip:` of words.
pub(crate) fn hint_label(hint: &str) -> &'static str {
    let mut words = hint.split_whitespace();
    let first = words.next().unwrap_or_default();
    let is_variable =
        first.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
    // `replicaCount: 1`, `--timeout 1h`, `"yes"`, `.lain/values.yaml`
    let is_for_a_file = first.ends_with(':') || first.starts_with(['-', '"', '\'', '.', '/', '~', '!', '<', '{', '[', '*', '&', '$']);
    // The program, not the deed.
    let installs = hint.starts_with("install -");
    if installs || PROGRAMS.contains(&first) || is_variable || is_for_a_file { "next:" } else { "tip:" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_no_command() {
        for next in [
            "lain deploy # again",
            "replicaCount: 1",
            "--timeout 1h",
            "KUBECONFIG=FILE lain use",
            "sudo usermod -aG docker $USER",
            "<<: *base",
            "install -m 600 -D a b",
        ] {
            assert_eq!(hint_label(next), "next:", "{next}");
        }
        for tip in
            ["install kubectl, within one minor version: https://x", "start docker (systemctl start docker)", "the same with --verbose", ""]
        {
            assert_eq!(hint_label(tip), "tip:", "{tip}");
        }
    }
}
