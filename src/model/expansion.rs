//! `$(NAME)` and `$$` in commands and environments, as Kubernetes reads them (`third_party/forked/golang/expansion`).

/// What a container gets: `$(NAME)` is what `value_of` says, and itself where that says nothing; `$$` is one `$`; any other `$` is itself.
pub(crate) fn expand(text: &str, value_of: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out += before;
        rest = if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            after
        } else if let Some((name, behind)) = after.strip_prefix('(').and_then(|after| after.split_once(')')) {
            out += &value_of(name).unwrap_or_else(|| format!("$({name})"));
            behind
        } else {
            out.push('$');
            after
        };
    }
    out + rest
}

/// True when another variable stands in a text.
pub(crate) fn refers(text: &str) -> bool {
    let found = std::cell::Cell::new(false);
    expand(text, |_| {
        found.set(true);
        None
    });
    found.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From Kubernetes' own table (`expand_test.go`).
    #[test]
    fn as_kubernetes_does() {
        let value_of = |name: &str| match name {
            "VAR_A" => Some("A".to_owned()),
            "VAR_EMPTY" => Some(String::new()),
            "VAR_REF" => Some("$(VAR_A)".to_owned()),
            _ => None,
        };
        for (text, expanded) in [
            ("$(VAR_A)", "A"),
            ("___$(VAR_A)__$(VAR_A)", "___A__A"),
            ("$(VAR_EMPTY)x", "x"),
            ("$(VAR_REF)", "$(VAR_A)"),
            ("$$(VAR_A)", "$(VAR_A)"),
            ("$$$(VAR_A)", "$A"),
            ("$$$$(VAR_A)", "$$(VAR_A)"),
            ("$(VAR_DNE)", "$(VAR_DNE)"),
            ("f000-$VAR_A", "f000-$VAR_A"),
            ("$(VAR_A", "$(VAR_A"),
            ("pa$$word$", "pa$word$"),
            ("${VAR_A}", "${VAR_A}"),
        ] {
            assert_eq!(expand(text, value_of), expanded, "{text}");
        }
        assert!(refers("x-$(A)") && !refers("x-$$(A)") && !refers("$A ${A} $(A"));
    }
}
