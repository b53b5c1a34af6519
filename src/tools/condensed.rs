//! What a server refuses, without the object that it quotes. Pure.

/// Longer values are left out of what a server refuses.
const LONG: usize = 160;

/// What a server says of an object that it refuses, without kilobytes of that object: `spec.template: Invalid value: core.PodTemplateSpec{…}: field is immutable`.
pub(super) fn condensed(text: &str) -> String {
    const VALUE: &str = "Invalid value: ";
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(VALUE) {
        let (before, value) = rest.split_at(at + VALUE.len());
        let end = end_of_value(value);
        out += before;
        if end > LONG {
            let kind = value[..end].find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '*')).unwrap_or(0);
            out += &value[..kind];
            out += if value[kind..].starts_with('"') { "\"…\"" } else { "{…}" };
        } else {
            out += &value[..end];
        }
        rest = &value[end..];
    }
    out + rest
}

/// Where a value ends that is written as Go or JSON writes it: before the first `: ` that is neither in brackets nor quoted.
fn end_of_value(text: &str) -> usize {
    let (mut depth, mut is_quoted, mut is_escaped) = (0_usize, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth = depth.saturating_sub(1),
            ':' if depth == 0 && text[at..].starts_with(": ") => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kilobytes_of_an_object_are_left_out() {
        let fields = "Name:\"a: {\\\"b\", Env:[]core.EnvVar{core.EnvVar{Name:\"A\", Value:\"b: c\"}}, ".repeat(20);
        let long =
            format!("Job.batch \"j\" is invalid: spec.template: Invalid value: core.PodTemplateSpec{{{fields}}}: field is immutable");
        assert_eq!(
            condensed(&long),
            "Job.batch \"j\" is invalid: spec.template: Invalid value: core.PodTemplateSpec{…}: field is immutable"
        );
        let json =
            format!("[a: Invalid value: {{\"x\":[{}1]}}: no, b: Invalid value: \"{}\": too long]", "1,".repeat(100), "y".repeat(300));
        assert_eq!(condensed(&json), "[a: Invalid value: {…}: no, b: Invalid value: \"…\": too long]");
        for short in ["spec.cpu: Invalid value: \"2\": must be less", "Invalid value: 3", "nothing of it", ""] {
            assert_eq!(condensed(short), short);
        }
        let cut = format!("x: Invalid value: core.A{{{fields}");
        assert_eq!(condensed(&cut), "x: Invalid value: core.A{…}");
    }
}
