//! A deploy on one page: HTML that needs no network and no script, readable on a phone.

use serde::Serialize;

use super::fill::fill;
use crate::error::Result;

const TEMPLATE: &str = include_str!("report.jinja");

/// The page of a deploy's answer; whatever is in its texts stays text. Who writes it down makes it printable.
///
/// # Errors
/// The template is broken, which tests rule out.
pub(crate) fn page(answer: &impl Serialize) -> Result<String> {
    fill("report.html", TEMPLATE, answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whatever_is_in_it_stays_text() {
        let evil = "<script>alert(1)</script>\"'&";
        let answer = json!({
            "version": 1, "outcome": "failed", "reason": evil, "next": [evil], "release": evil, "namespace": null, "cluster": evil, "imageTag": evil,
            "previousImageTag": evil, "revision": 3, "urls": ["http://a/", format!("javascript:{evil}")], "executor": evil, "started": "2026-11-26T17:00:00Z",
            "seconds": 12.5,
            "phases": [{"name": evil, "at": 0.0, "seconds": 2.5}, {"name": "rollout", "at": 2.5, "seconds": 10.0}],
            "timeline": [{"at": 3.0, "kind": evil, "object": evil, "text": evil, "ready": 0, "wanted": 1}],
            "logs": [{"object": evil, "text": evil}],
        });
        let page = page(&answer).expect("a page");
        assert!(page.starts_with("<!doctype html>") && !page.contains("<script") && page.contains("&lt;script&gt;"), "{page}");
        assert!(page.contains(r#"<a href="http:&#x2f;&#x2f;a&#x2f;""#) && !page.contains("href=\"javascript"), "{page}");
        assert!(page.contains("left:20.000%;width:80.000%"), "{page}");
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let answer = json!({
            "version": 1, "outcome": "deployed", "release": "shop", "namespace": null, "cluster": null, "imageTag": "", "previousImageTag": null,
            "revision": null, "urls": [], "executor": "", "started": null, "seconds": 0.0, "phases": [], "timeline": [], "logs": [],
        });
        let page = page(&answer).expect("a page");
        assert!(!page.contains("<dd>none") && !page.contains("<dt>cluster") && !page.contains("<h2>"), "{page}");
    }
}
