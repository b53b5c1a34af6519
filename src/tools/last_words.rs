//! The end of what a program said, as the reason of an error.

/// The last `count` lines, without the debug log of Kubernetes' tools and without colours.
pub(super) fn last_words(output: &str, count: usize) -> String {
    last_lines(&without_debug_log(&console::strip_ansi_codes(output)), count)
}

/// Without the lines of Kubernetes' debug log (`E1123 04:01:33.162316   20158 memcache.go:265] ...`), which repeat each try of a request, where anything
/// else was said.
fn without_debug_log(text: &str) -> String {
    let is_log = |line: &str| {
        if line.starts_with("level=") && line.contains(" msg=") {
            return true; // helm 4 logs what it then says
        }
        let (head, rest) = line.split_at_checked(5).unwrap_or((line, ""));
        head.starts_with(['E', 'W', 'I', 'F']) && head[1..].bytes().all(|byte| byte.is_ascii_digit()) && rest.contains(".go:")
    };
    let mut rest = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if !is_log(line) {
            rest.push(line);
        } else if line.ends_with("err=<") {
            lines.by_ref().take_while(|line| line.trim() != ">").for_each(drop); // its error has several lines
        }
    }
    if rest.iter().all(|line| line.trim().is_empty()) { text.to_owned() } else { rest.join("\n") }
}

fn last_lines(text: &str, count: usize) -> String {
    let mut lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines.dedup(); // kubectl says of each kind that the server is not there
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_once() {
        let said = "level=WARN msg=\"upgrade failed\" name=shop error=\"spec.strategy: Unsupported value\"\nError: UPGRADE FAILED: spec.strategy: Unsupported value\n";
        assert_eq!(last_words(said, 12), "Error: UPGRADE FAILED: spec.strategy: Unsupported value");
        assert_eq!(last_words("refused\nrefused\nno\nrefused\n", 12), "refused\nno\nrefused");
        assert_eq!(last_words("level=WARN msg=\"all there is\"\n", 12), "level=WARN msg=\"all there is\"");
    }
}
