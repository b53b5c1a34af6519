//! A message for a chat room, in its parts: shown as text, or by each room in its own way.

/// How it went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Well.
    #[default]
    Good,
    /// It failed.
    Bad,
}

/// A message. Its texts may be anybody's: whoever shows them sees to it that they are nothing but text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Card {
    /// What happened, on one line.
    pub title: String,
    /// How it went.
    pub tone: Tone,
    /// A label (or none), and what stands behind it; both on one line.
    pub facts: Vec<(String, String)>,
    /// A label, and lines below it.
    pub lists: Vec<(String, Vec<String>)>,
    /// A label, and an address.
    pub links: Vec<(String, String)>,
}

impl Card {
    /// Adds a fact, where there is one.
    pub(crate) fn fact(&mut self, label: &str, value: &str) {
        if !value.is_empty() {
            self.facts.push((label.to_owned(), value.to_owned()));
        }
    }

    /// Adds lines, where there are any.
    pub(crate) fn list(&mut self, label: &str, lines: Vec<String>) {
        if !lines.is_empty() {
            self.lists.push((label.to_owned(), lines));
        }
    }

    /// Adds a link, where it is one of the web and not there yet.
    pub(crate) fn link(&mut self, label: &str, url: &str) {
        let is_web = url.starts_with("https://") || url.starts_with("http://");
        let is_plain =
            !url.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '|' | '"' | '(' | ')' | '\\'));
        if is_web && is_plain && !self.links.iter().any(|(_, known)| known == url) {
            self.links.push((label.to_owned(), url.to_owned()));
        }
    }

    /// Its words, without a last line end.
    pub(crate) fn text(&self) -> String {
        let mut out = self.title.clone();
        for fact in &self.facts {
            out += &format!("\n{}", labelled(fact, ": "));
        }
        for (label, lines) in &self.lists {
            match &lines[..] {
                [line] if !line.contains('\n') => out += &format!("\n{label}: {line}"),
                lines => {
                    out += &format!("\n{label}:");
                    lines.iter().for_each(|line| out += &format!("\n  {line}"));
                }
            }
        }
        for (label, url) in &self.links {
            out += &format!("\n{label}: {url}");
        }
        out
    }

    /// The same with every text as `words` makes it; addresses stay.
    #[must_use]
    pub(crate) fn reworded(mut self, words: impl Fn(&str) -> String) -> Self {
        self.title = words(&self.title);
        self.facts.iter_mut().for_each(|(_, value)| *value = words(value));
        self.lists.iter_mut().flat_map(|(_, lines)| lines).for_each(|line| *line = words(line));
        self
    }
}

/// A fact behind its label.
pub(crate) fn labelled((label, value): &(String, String), between: &str) -> String {
    if label.is_empty() { value.clone() } else { format!("{label}{between}{value}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_addresses_and_nothing_else() {
        let mut card = Card::default();
        for url in ["https://a.example.com/x?y=1#z", "javascript:alert(1)", "https://a>b", "https://a.example.com/x|all", "", "https://a b"]
        {
            card.link("link", url);
        }
        card.link("again", "https://a.example.com/x?y=1#z");
        assert_eq!(card.links, [("link".to_owned(), "https://a.example.com/x?y=1#z".to_owned())]);
    }
}
