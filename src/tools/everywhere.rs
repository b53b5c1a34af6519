//! Questions about a whole cluster, page by page: what is read is as large as one page.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::kinds::{self, Kind};
use super::kubectl::Kubectl;
use super::line::Method;
use super::server::explain;
use crate::error::{Error, Result};

/// How often a list is begun anew whose next page the server has forgotten.
const BEGINNINGS: usize = 3;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: Head,
}

#[derive(Default, Deserialize)]
struct Head {
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
    /// `kubectl get KIND -o json`, of whatever kinds kubectl knows: of all namespaces, or of one.
    ///
    /// # Errors
    /// As [`Kubectl::get`], and when the cluster has no such kind.
    pub(crate) fn everywhere<T: DeserializeOwned>(&self, kind: &str, all: bool) -> Result<T> {
        let words: &[&'static str] = if all { &["get", "--all-namespaces"] } else { &["get"] };
        self.answer(&self.question(words.iter().copied()).arg("--output=json").operand(kind))
    }

    /// All objects of one kind that a selector selects, of one namespace or of all, so many at a time: `each` gets the server's answers as they are. Some
    /// may come twice.
    ///
    /// # Errors
    /// The server does not allow it or does not answer, or `each` fails.
    pub(crate) fn pages(
        &self,
        kind: &str,
        namespace: Option<&str>,
        selector: &str,
        most: u32,
        mut each: impl FnMut(&str) -> Result<()>,
    ) -> Result<()> {
        let known = one(kind).filter(|_| namespace.is_none_or(kinds::is_part));
        let Some(kind) = known else { return Err(Error::failed(format!("no list of {kind} is known"))) };
        let (last, newer) = kind.versions.split_last().unwrap_or((&"", &[]));
        for version in newer {
            match self.pages_at(&kind.path(version, namespace), selector, most, &mut each) {
                Err(error) if error.tool().is_some_and(|tool| tool.says("(NotFound)")) => {} // the server is too old for it
                other => return other,
            }
        }
        self.pages_at(&kind.path(last, namespace), selector, most, &mut each)
    }

    fn pages_at(&self, path: &str, selector: &str, most: u32, each: &mut impl FnMut(&str) -> Result<()>) -> Result<()> {
        let limit = most.to_string();
        let mut next = String::new();
        let mut beginnings = 1;
        loop {
            let all = [("limit", limit.as_str()), ("labelSelector", selector), ("continue", &next)];
            let query: Vec<_> = all.into_iter().filter(|(_, value)| !value.is_empty()).collect();
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
