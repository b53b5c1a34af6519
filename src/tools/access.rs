//! What this account may do: `SelfSubjectAccessReview`, as `kubectl auth can-i` asks.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::kubectl::Kubectl;
use super::line::Method;
use super::server::explain;
use crate::error::Result;

/// Where it is asked.
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
/// Questions at a time.
const AT_ONCE: usize = 8;

/// A verb on a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Right {
    /// As `kubectl auth can-i` names it: `pods`, `pods/exec`, `deployments.apps`.
    pub resource: &'static str,
    /// `get`, `list`, ...
    pub verb: &'static str,
    /// In all namespaces; else in the target's own.
    pub everywhere: bool,
}

impl Right {
    fn review(&self, namespace: &str) -> Json {
        let (whole, part) = self.resource.split_once('/').unwrap_or((self.resource, ""));
        let (resource, group) = whole.split_once('.').unwrap_or((whole, ""));
        let mut asked = json!({"verb": self.verb, "group": group, "resource": resource});
        if !part.is_empty() {
            asked["subresource"] = part.into();
        }
        if !self.everywhere {
            asked["namespace"] = namespace.into();
        }
        json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": asked}})
    }
}

impl Kubectl<'_> {
    /// Which of these rights this account has.
    ///
    /// # Errors
    /// kubectl is missing, the server does not answer, or answers no such question.
    pub(crate) fn may(&self, rights: impl IntoIterator<Item = Right>) -> Result<BTreeMap<Right, bool>> {
        let rights: Vec<Right> = rights.into_iter().collect();
        let mut known = BTreeMap::new();
        for some in rights.chunks(AT_ONCE) {
            let answers: Vec<_> = std::thread::scope(|scope| {
                let asked: Vec<_> = some.iter().map(|right| scope.spawn(|| self.may_it(right))).collect();
                asked.into_iter().map(|answer| answer.join().unwrap_or(Ok(false))).collect()
            });
            for (right, answer) in some.iter().zip(answers) {
                known.insert(*right, answer?);
            }
        }
        Ok(known)
    }

    fn may_it(&self, right: &Right) -> Result<bool> {
        let body = right.review(self.namespace()).to_string();
        let out = self.raw(Method::Create, REVIEWS, Some(&body))?;
        if !out.ok() {
            return Err(explain(&self.question(["create"]).option("--raw", REVIEWS), &out));
        }
        Ok(out.json::<Json>()?["status"]["allowed"] == true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_as_the_server_is_asked_for_them() {
        let asked = |resource, everywhere| {
            let review = Right { resource, verb: "get", everywhere }.review("team");
            review["spec"]["resourceAttributes"].clone()
        };
        assert_eq!(
            asked("pods/exec", false),
            json!({"verb": "get", "group": "", "resource": "pods", "subresource": "exec", "namespace": "team"})
        );
        assert_eq!(asked("pods.metrics.k8s.io", true), json!({"verb": "get", "group": "metrics.k8s.io", "resource": "pods"}));
    }
}
