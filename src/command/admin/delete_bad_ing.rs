//! `lain admin delete-bad-ing`: rules of ingresses whose Service is not there go.

use std::collections::BTreeSet;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value as Json, json};

use super::{Change, Changes, Outcome, Question, tell};
use crate::cluster::backends::{Loose, Rule, loose};
use crate::cluster::objects::{List, Named};
use crate::error::{Error, Result};
use crate::model::changes::HELM_RELEASE;
use crate::session::Session;
use crate::tools::kubectl::Kubectl;
use crate::tools::quote::quoted;
use crate::tools::raw::Method;
use crate::ui::{Answer, Format, Table};

/// Objects of one answer.
const PAGE: u32 = 200;

/// Delete rules of the namespace's ingresses whose Service is not there, and ingresses that have no others; shows them first, and asks
#[derive(Args, Debug)]
#[command(
    after_help = "  lain admin delete-bad-ing --dry-run\n  lain admin delete-bad-ing --yes\n\nIngresses of helm's releases are shown and stay: the release makes them."
)]
pub(super) struct DeleteBadIng {
    /// Only show what would go
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Do not ask; needed where there is no terminal
    #[arg(long)]
    yes: bool,
}

impl DeleteBadIng {
    pub(super) fn run(&self, session: &Session) -> Result<()> {
        session.require_cluster()?;
        let kubectl = session.kubectl()?;
        let is_text = session.ui.format() == Format::Text;
        let mut answer = Ingresses { version: 1, namespace: kubectl.namespace().to_owned(), bad: look(&kubectl)? };
        let count = answer.bad.iter().filter(|it| it.outcome == Outcome::WouldGo).count();
        if is_text {
            session.ui.answer(&answer)?;
        }
        let releases: BTreeSet<&String> = answer.bad.iter().filter_map(|it| it.release.as_ref()).collect();
        for release in releases {
            session.ui.say(&format!("what release {release} made stays: the next deploy would make it again"));
            session.ui.hint(&format!("helm uninstall {} # where nobody needs the release any more; else deploy it anew", quoted(release)));
        }
        for it in answer.bad.iter().filter(|it| it.outcome == Outcome::WouldGo && !it.loose.tls.is_empty()) {
            session.ui.say(&format!("ingress/{} keeps TLS for {}, which no rule of it names then", it.name, it.loose.tls.join(", ")));
        }
        if count == 0 {
            super::nothing_in(session, &kubectl, &format!("nothing to delete in namespace {}", kubectl.namespace()))?;
        }
        if self.dry_run || count == 0 {
            return if is_text { Ok(()) } else { session.ui.answer(&answer) };
        }
        let whole = answer.bad.iter().filter(|it| it.outcome == Outcome::WouldGo && it.loose.rest.is_none()).count();
        let parts = count - whole;
        let ingresses = |count: usize| if count == 1 { "1 ingress".to_owned() } else { format!("{count} ingresses") };
        let question = match (whole, parts) {
            (whole, 0) => format!("delete {}?", ingresses(whole)),
            (0, parts) => format!("take these rules out of {}?", ingresses(parts)),
            (whole, parts) => format!("delete {}, and take these rules out of {}?", ingresses(whole), ingresses(parts)),
        };
        Question::of_change(&question, "lain admin delete-bad-ing --yes # does it to what is listed above").agreed(session, self.yes)?;
        let failed = change(session, &kubectl, &mut answer.bad)?;
        if !is_text {
            session.ui.answer(&answer)?;
        }
        let outcomes: Vec<Outcome> = answer.bad.iter().map(|it| it.outcome).collect();
        tell(session, &outcomes, failed)
    }
}

fn services(kubectl: &Kubectl<'_>) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    kubectl.pages("services", Some(kubectl.namespace()), &[], PAGE, |text| {
        found.extend(List::<Named>::read(text)?.items.into_iter().map(|it| it.metadata.name));
        Ok(())
    })?;
    Ok(found)
}

/// Ingresses are read first: one that came with its Service meanwhile is not bad.
fn look(kubectl: &Kubectl<'_>) -> Result<Vec<OfBad>> {
    let mut all: Vec<(Option<String>, Vec<Box<RawValue>>)> = vec![];
    kubectl.pages("ingresses", Some(kubectl.namespace()), &[], PAGE, |text| {
        let page: Page = serde_json::from_str(text).map_err(|error| no_list(&error))?;
        all.push((page.api_version, page.items));
        Ok(())
    })?;
    let services = services(kubectl)?;
    let mut found = vec![];
    for (version, items) in all {
        let version = version.as_deref().unwrap_or("networking.k8s.io/v1");
        for item in items {
            let ingress = serde_json::from_str(item.get()).map_err(|error| no_list(&error))?;
            found.extend(OfBad::of(version, &ingress, &services));
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn no_list(error: &serde_json::Error) -> Error {
    Error::failed(format!("the server's answer is no list: {error}"))
}

/// Ingresses as text, until the Services are known: read, they are five times as large.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    api_version: Option<String>,
    #[serde(default)]
    items: Vec<Box<RawValue>>,
}

/// Each only as it was shown: what was changed meanwhile is left alone.
fn change<'s>(session: &'s Session, kubectl: &'s Kubectl<'s>, all: &mut [OfBad]) -> Result<Option<Error>> {
    let mut changes = Changes::new(session, kubectl);
    let services = services(kubectl)?; // time has passed since
    for it in all.iter_mut().filter(|it| it.outcome == Outcome::WouldGo) {
        if it.loose.rules.iter().any(|rule| services.contains(&rule.service)) {
            session.ui.say(&format!("ingress/{} has its Service by now: left alone", it.name));
            it.outcome = Outcome::Left;
            continue;
        }
        let path = format!("/apis/{}/namespaces/{}/ingresses/{}", it.api_version, kubectl.namespace(), it.name);
        let (method, body, done) = if let Some(mut rest) = it.loose.rest.clone() {
            rest["apiVersion"] = json!(it.api_version);
            rest["kind"] = json!("Ingress");
            (Method::Replace, rest, Outcome::Edited)
        } else {
            let only = json!({"uid": it.uid, "resourceVersion": it.resource_version});
            (Method::Delete, json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": only}), Outcome::Deleted)
        };
        let change = Change { method, path, body, done, moved: "was changed meanwhile" };
        it.outcome = changes.send(&format!("ingress/{}", it.name), &change, || {
            Error::failed(format!("this account may not change ingresses of namespace {} (403)", kubectl.namespace()))
                .hint("kubectl auth can-i delete ingresses # and update: ask your administrator for these rights")
        });
        if changes.is_over {
            break;
        }
    }
    Ok(changes.failed)
}

#[derive(Serialize)]
struct Ingresses {
    version: u32,
    namespace: String,
    bad: Vec<OfBad>,
}

#[derive(Serialize)]
struct OfBad {
    name: String,
    #[serde(skip)]
    api_version: String,
    #[serde(skip)]
    uid: String,
    #[serde(skip)]
    resource_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<String>,
    /// Nothing is left of it without the rules.
    whole: bool,
    rules: Vec<OfRule>,
    #[serde(skip)]
    loose: Loose,
    outcome: Outcome,
}

#[derive(Serialize)]
struct OfRule {
    host: String,
    path: String,
    service: String,
}

impl OfBad {
    fn of(api_version: &str, ingress: &Json, services: &BTreeSet<String>) -> Option<Self> {
        let loose = loose(ingress, services)?;
        let metadata = &ingress["metadata"];
        if metadata.get("deletionTimestamp").is_some() {
            return None;
        }
        let text = |key: &str| metadata[key].as_str().unwrap_or_default().to_owned();
        let release = metadata["annotations"][HELM_RELEASE].as_str().map(str::to_owned);
        let rule = |it: &Rule| OfRule { host: it.host.clone(), path: it.path.clone(), service: it.service.clone() };
        Some(Self {
            name: text("name"),
            api_version: api_version.to_owned(),
            uid: text("uid"),
            resource_version: text("resourceVersion"),
            whole: loose.rest.is_none(),
            rules: loose.rules.iter().map(rule).collect(),
            outcome: if release.is_some() { Outcome::Stays } else { Outcome::WouldGo },
            release,
            loose,
        })
    }
}

impl Answer for Ingresses {
    fn text(&self) -> String {
        if self.bad.is_empty() {
            return String::new();
        }
        let mut table = Table::new(["INGRESS", "HOST", "PATH", "NO SERVICE", ""]);
        for it in &self.bad {
            let outcome = match (&it.release, it.whole) {
                (Some(_), _) => "stays",
                (None, true) => "the ingress goes",
                (None, false) => "the rule goes",
            };
            for rule in &it.rules {
                let host = if rule.host.is_empty() { "*" } else { &rule.host };
                table.row([it.name.clone(), host.to_owned(), rule.path.clone(), rule.service.clone(), outcome.to_owned()]);
            }
        }
        table.narrow(&[0, 1, 2, 3]);
        table.to_string().trim_end().to_owned()
    }
}
