//! A `.dockerignore` from a `.gitignore`.
//!
//! git matches a pattern without a slash at any depth, docker from the root only; git's patterns with a slash are
//! anchored, as docker's all are. Negation, comments and `\#` mean the same to both.

/// Translates; `.git` itself never belongs in an image.
pub fn from_gitignore(gitignore: &str) -> String {
    let mut out = String::from(".git\n");
    for line in gitignore.lines() {
        let line = line.trim_end_matches('\r');
        let line = if line.ends_with("\\ ") { line } else { line.trim_end() };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (negation, pattern) = line.strip_prefix('!').map_or(("", line), |pattern| ("!", pattern));
        let pattern = pattern.strip_prefix("\\#").map_or_else(|| pattern.to_owned(), |rest| format!("#{rest}"));
        let pattern = pattern.strip_prefix("\\!").map_or_else(|| pattern.clone(), |rest| format!("\\!{rest}"));
        let pattern = pattern.trim_end_matches('/');
        let anchored = pattern.contains('/');
        let pattern = pattern.trim_start_matches('/');
        if pattern.is_empty() {
            continue;
        }
        let depth = if anchored || pattern.starts_with("**") { "" } else { "**/" };
        out.push_str(&format!("{negation}{depth}{pattern}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translates_anchors_and_depth() {
        insta::assert_snapshot!(from_gitignore("# c\n*.pyc\n/dist/\nnode_modules/\n!keep.pyc\na/b\n**/x\n\n\\#odd\n"), @r"
        .git
        **/*.pyc
        dist
        **/node_modules
        !**/keep.pyc
        a/b
        **/x
        **/#odd
        ");
    }
}
