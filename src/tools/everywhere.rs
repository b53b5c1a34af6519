//! Questions about a whole cluster, page by page: what is read is as large as one page.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::kinds::{self, Kind};
use super::kubectl::Kubectl;
use super::line::Method;
use super::server::explain;
use crate::error::{Error, Result};

/// How often a list is begun anew whose next page the server has forgotten.
const BEGINNINGS: usize = 3;

/// What `kubectl get` is to print of each object.
const HEADS: &str =
    r#"jsonpath={range .items[*]}{.kind}{"\t"}{.metadata.namespace}{"\t"}{.metadata.name}{"\t"}{.metadata.annotations}{"\n"}{end}"#;

/// What an object is called, and what is written on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// `ConfigMap`
    pub kind: String,
    /// Empty for what is in none.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

impl Head {
    /// A line of [`HEADS`].
    fn read(line: &str) -> Option<Self> {
        let mut words = line.splitn(4, '\t');
        let (kind, namespace, name) = (words.next()?.to_owned(), words.next()?.to_owned(), words.next()?.to_owned());
        let annotations = serde_json::from_str(words.next()?).unwrap_or_default(); // nothing is written where there are none
        Some(Self { kind, namespace, name, annotations })
    }
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: End,
}

/// How a page ends.
#[derive(Default, Deserialize)]
struct End {
    #[serde(default, rename = "continue")]
    next: Option<String>,
}

/// The one kind that a word stands for, as far as it is known here.
fn one(word: &str) -> Option<Kind> {
    let known = if matches!(word, "ingress" | "ingresses") { Some(vec![kinds::INGRESS]) } else { kinds::kinds(word) };
    known.filter(|known| known.len() == 1)?.pop()
}

/// What objects of this kind say that they are (`Pod`), where [`Kubectl::pages`] knows it.
pub(crate) fn paged(kind: &str) -> Option<&'static str> {
    one(kind).map(|kind| kind.name)
}

impl Kubectl<'_> {
    /// The heads of all objects of whatever kinds kubectl knows, of all namespaces or of one: `kubectl get KIND`, of which it prints no more than that.
    ///
    /// # Errors
    /// As [`Kubectl::get`], and when the cluster has no such kind.
    pub(crate) fn heads(&self, kind: &str, all: bool) -> Result<Vec<Head>> {
        let words: &[&'static str] = if all { &["get", "--all-namespaces"] } else { &["get"] };
        let out = self.ask_for(&self.question(words.iter().copied()).option("--output", HEADS).operand(kind))?;
        Ok(out.text().lines().filter_map(Head::read).collect())
    }

    /// All objects of one kind that these selectors (`labelSelector`, `fieldSelector`) select, of one namespace or of all, so many at a time: `each` gets the
    /// server's answers as they are. Some may come twice.
    ///
    /// # Errors
    /// The server does not allow it or does not answer, or `each` fails.
    pub(crate) fn pages(
        &self,
        kind: &str,
        namespace: Option<&str>,
        selectors: &[(&str, &str)],
        most: u32,
        mut each: impl FnMut(&str) -> Result<()>,
    ) -> Result<()> {
        let known = one(kind).filter(|_| namespace.is_none_or(kinds::is_part));
        let Some(kind) = known else { return Err(Error::failed(format!("no list of {kind} is known"))) };
        let (last, newer) = kind.versions.split_last().unwrap_or((&"", &[]));
        for version in newer {
            match self.pages_at(&kind.path(version, namespace), selectors, most, &mut each) {
                Err(error) if error.tool().is_some_and(|tool| tool.says("(NotFound)")) => {} // the server is too old for it
                other => return other,
            }
        }
        self.pages_at(&kind.path(last, namespace), selectors, most, &mut each)
    }

    fn pages_at(&self, path: &str, selectors: &[(&str, &str)], most: u32, each: &mut impl FnMut(&str) -> Result<()>) -> Result<()> {
        let limit = most.to_string();
        let mut next = String::new();
        let mut beginnings = 1;
        loop {
            let all = [("limit", limit.as_str()), ("continue", &next)];
            let query: Vec<_> = all.into_iter().chain(selectors.iter().copied()).filter(|(_, value)| !value.is_empty()).collect();
            let path = format!("{path}{}", kinds::query(&query));
            let out = self.raw(Method::Get, &path, None)?;
            if !out.ok() {
                if out.stderr.contains("(Expired)") && !next.is_empty() && beginnings < BEGINNINGS {
                    beginnings += 1;
                    next.clear();
                    continue;
                }
                return Err(explain(&self.question(["get"]).option("--raw", path), &out));
            }
            let page: Page = out.json()?;
            let text = String::from_utf8_lossy(&out.stdout);
            each(&text)?;
            match page.metadata.next.filter(|token| !token.is_empty()) {
                Some(token) => next = token,
                None => return Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_what_kubectl_prints() {
        let head = |line: &str| Head::read(line).map(|it| (it.kind, it.namespace, it.name, it.annotations.into_iter().collect::<Vec<_>>()));
        let is = |kind: &str, namespace: &str, name: &str, annotations: &[(&str, &str)]| {
            let annotations = annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            Some((kind.to_owned(), namespace.to_owned(), name.to_owned(), annotations))
        };
        assert_eq!(head("ConfigMap\tshops\ta\t{\"x/y\":\"1\\n\\t2\"}"), is("ConfigMap", "shops", "a", &[("x/y", "1\n\t2")]));
        assert_eq!(head("Node\t\tn\t"), is("Node", "", "n", &[]));
        assert_eq!(head("no such line"), None);
    }
}
