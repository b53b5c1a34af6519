//! The chosen cluster: its kubeconfig, its API server, and the tools that speak to it.

use std::os::unix::fs::PermissionsExt;

use super::{ANSWER, Finding, cluster_here};
use crate::error::{Error, NotStarted, Result};
use crate::model::version::Version;
use crate::resolved::clusters::known_clusters;
use crate::session::Session;
use crate::tools::kubectl::INSTALL;

/// The minor version of Kubernetes that a helm was made for, less its own: helm 3.8 for 1.23, helm 4.0 for 1.34
/// (<https://helm.sh/docs/topics/version_skew/>).
const HELM: [(u32, u32); 2] = [(3, 15), (4, 34)];

/// Which cluster, by which context.
pub(super) fn kubeconfig(session: &Session) -> Result<Vec<Finding>> {
    let Some(choice) = session.choice()? else {
        let known = known_clusters(&session.env.cluster_values_dirs());
        let of = if known.is_empty() { String::new() } else { format!(" of {}", known.join(", ")) };
        return Ok(vec![Finding::unseen(format!("no cluster is chosen{of}: lain use CLUSTER"))]);
    };
    if choice.pod.is_some() {
        return Ok(vec![Finding::good(format!("cluster {}, by this pod's service account", choice.name))]);
    }
    let Some(file) = session.kubeconfig()? else { return Ok(vec![Finding::unseen("HOME is not set")]) };
    let meta = std::fs::metadata(&file).map_err(|error| Error::io("read", &file, &error))?;
    let shown = shell_words::quote(&file.to_string_lossy()).into_owned();
    let Some(aim) = session.aim()? else {
        let error = Error::failed(format!("{} does not hold the context that is meant, or names none as its current one", file.display()));
        let error = error.hint(format!("kubectl config get-contexts --kubeconfig {shown}"));
        return Err(
            error.hint(format!("kubectl config use-context NAME --kubeconfig {shown} # or `kube_context: NAME` in the cluster values"))
        );
    };
    if aim.server.is_none() {
        let error = Error::failed(format!("context {} of {} leads to no server", aim.context, file.display()));
        return Err(error.hint(format!("kubectl config view --kubeconfig {shown} # its `contexts` and `clusters` belong together")));
    }
    let mut found = vec![Finding::good(format!("cluster {}, context {}", choice.name, aim.context))];
    // What CI brings has the runner's own mode.
    if meta.permissions().mode() & 0o077 != 0 && !session.env.is_ci() {
        let error = Error::failed(format!("other users of this machine can read {}, which is a login", file.display()));
        found.push(Finding::warning(&error.hint(format!("chmod 600 {shown}"))));
    }
    Ok(found)
}

/// The API server answers, and the namespace is there.
pub(super) fn server(session: &Session) -> Result<Vec<Finding>> {
    if let Err(unseen) = cluster_here(session) {
        return Ok(vec![unseen]);
    }
    let kubectl = session.kubectl()?;
    let version = match kubectl.hail(ANSWER) {
        Err(error) if error.source::<NotStarted>().is_some() => return Ok(vec![Finding::unseen("kubectl is not installed")]),
        other => other?,
    };
    let namespace = kubectl.namespace().to_owned();
    if let Some(error) = kubectl.hurried(ANSWER).lacks_namespace()? {
        return Err(error);
    }
    Ok(vec![Finding::good(format!("{version}, namespace {namespace}"))])
}

/// helm's version, and whether the server is newer than it knows.
pub(super) fn helm(session: &Session) -> Result<Vec<Finding>> {
    let helm = session.local_helm().version()?;
    let newest = HELM.iter().find(|(major, _)| *major == helm.major).map(|(_, first)| first + helm.minor);
    if let (Some(newest), Some(server)) = (newest, server_version(session))
        && server.minor > newest
    {
        let error = Error::failed(format!("helm {helm} was made for Kubernetes 1.{newest} and older, and the API server is {server}"));
        return Ok(vec![Finding::warning(&error.hint("install a newer helm: https://helm.sh/docs/intro/install/"))]);
    }
    Ok(vec![Finding::good(helm.to_string())])
}

/// kubectl's version, and how far it is from the server's.
pub(super) fn kubectl(session: &Session) -> Result<Vec<Finding>> {
    if cluster_here(session).is_err() {
        return Ok(vec![Finding::good(session.any_kubectl().client()?.to_string())]);
    }
    let client = session.kubectl()?.client()?;
    if let Some(server) = server_version(session).filter(|server| server.minor.abs_diff(client.minor) > 1) {
        let (apart, side) = (server.minor.abs_diff(client.minor), if server.minor > client.minor { "older" } else { "newer" });
        let error = Error::failed(format!(
            "kubectl {client} is {apart} minor versions {side} than the API server ({server}); Kubernetes vouches for one"
        ));
        return Ok(vec![Finding::warning(&error.hint(INSTALL))]);
    }
    Ok(vec![Finding::good(client.to_string())])
}

fn server_version(session: &Session) -> Option<Version> {
    cluster_here(session).ok()?;
    session.server_within(ANSWER)
}
