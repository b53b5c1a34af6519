//! Which images are of use: all that clusters run or are to run, and all that helm can go back to, wherever it is.

use super::record::{self, Packed};
use crate::cluster::objects::List;
use crate::error::{Error, Kind, Result};
use crate::images::cleanup::InUse;
use crate::resolved::clusters::known_clusters;
use crate::session::Session;
use crate::tools::kubectl::Kubectl;
use crate::tools::server::is_forbidden;

/// What runs pods, and the pods.
const KINDS: [&str; 7] = ["pods", "deployments", "statefulsets", "daemonsets", "replicasets", "jobs", "cronjobs"];
/// Objects of one answer.
const PAGE: u32 = 200;

/// All that is of use in the chosen cluster, and in each other one whose values name the same registry. What could not be looked at is in it too.
///
/// # Errors
/// No cluster is chosen, or Ctrl-C.
pub(crate) fn in_use(session: &Session, registry: &str) -> Result<InUse> {
    let mut found = InUse::default();
    let chosen = session.require_cluster()?.name.clone();
    let elsewhere = session.env.get("HELM_DRIVER").filter(|driver| !matches!(*driver, "secret" | "secrets"));
    if let Some(driver) = elsewhere {
        found.unseen.push(format!("what helm can go back to: it keeps its records elsewhere (HELM_DRIVER={driver})"));
    }
    look(&mut found, &chosen, session.kubectl())?;
    for other in known_clusters(&session.env.cluster_values_dirs()).into_iter().filter(|name| *name != chosen) {
        match session.cluster_of(&other) {
            Ok(cluster) => {
                let names = [&cluster.registry, &cluster.internal_registry];
                if names.into_iter().flatten().any(|name| name.trim_end_matches('/') == registry.trim_end_matches('/')) {
                    look(&mut found, &other, session.kubectl_of(&other))?;
                }
            }
            Err(error) => found.unseen.push(format!("cluster {other}: {error}")),
        }
    }
    Ok(found)
}

/// All of one cluster; of one namespace where that is all that may be seen.
fn look(found: &mut InUse, cluster: &str, kubectl: Result<Kubectl<'_>>) -> Result<()> {
    let kubectl = match kubectl {
        Ok(kubectl) => kubectl,
        Err(error) => return unseen(found, format!("cluster {cluster}"), error),
    };
    let mut lacking = vec![];
    for kind in KINDS.into_iter().chain(["secrets"]) {
        match read(found, &kubectl, kind, None) {
            Ok(()) => {}
            Err(error) if is_forbidden(&error) => lacking.push(kind),
            // A server that does not answer is not asked for the other kinds.
            Err(error) => return unseen(found, format!("cluster {cluster}"), error),
        }
    }
    if lacking.is_empty() {
        return Ok(());
    }
    let namespace = kubectl.namespace();
    let mut lacking_here = vec![];
    for kind in &lacking {
        match read(found, &kubectl, kind, Some(namespace)) {
            Ok(()) => {}
            Err(error) if is_forbidden(&error) => lacking_here.push(*kind),
            Err(error) => return unseen(found, format!("cluster {cluster}"), error),
        }
    }
    let here = if lacking_here.is_empty() { String::new() } else { format!(", and there no {}", in_words(&lacking_here)) };
    let words = in_words(&lacking);
    found.unseen.push(format!("cluster {cluster}: this account may read {words} in namespace {namespace} alone{here}"));
    Ok(())
}

/// Kinds as those call them who do not look after the cluster.
fn in_words(kinds: &[&str]) -> String {
    let has = |some: &[&str]| kinds.iter().any(|kind| some.contains(kind));
    let words = [(has(&["pods"]), "pods"), (has(&KINDS[1..]), "workloads"), (has(&["secrets"]), "helm's records")];
    words.into_iter().filter(|(has, _)| *has).map(|(_, word)| word).collect::<Vec<_>>().join(", ")
}

fn read(found: &mut InUse, kubectl: &Kubectl<'_>, kind: &str, namespace: Option<&str>) -> Result<()> {
    if kind != "secrets" {
        return kubectl.pages(kind, namespace, &[], PAGE, |text| {
            found.read(text);
            Ok(())
        });
    }
    let mut unreadable = 0;
    kubectl.pages(kind, namespace, &[("labelSelector", record::OF_ALL)], record::PAGE, |text| {
        for secret in List::<Packed>::read(text)?.items {
            match secret.text() {
                Ok(text) => found.read(&text),
                Err(_) => unreadable += 1,
            }
        }
        Ok(())
    })?;
    if unreadable > 0 {
        found.unseen.push(format!("{unreadable} of helm's records cannot be read"));
    }
    Ok(())
}

#[allow(clippy::needless_pass_by_value)] // as errors are handed on
fn unseen(found: &mut InUse, what: String, error: Error) -> Result<()> {
    if error.kind() == Kind::Interrupted {
        return Err(error);
    }
    found.unseen.push(format!("{what}: {}", error.message()));
    Ok(())
}
