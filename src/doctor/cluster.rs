//! The chosen cluster: its kubeconfig, its API server, and the tools that speak to it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::finding::State;
use super::{ANSWER, Finding, cluster_here};
use crate::error::{Error, NotStarted, Result};
use crate::http::url::{host_of, is_loopback};
use crate::http::validity::validity;
use crate::model::duration;
use crate::model::version::Version;
use crate::resolved::clusters::known_clusters;
use crate::session::Session;
use crate::tools::kubectl::INSTALL;

/// The minor version of Kubernetes that a helm was made for, less its own: helm 3.8 for 1.23, helm 4.0 for 1.34
/// (<https://helm.sh/docs/topics/version_skew/>).
const HELM: [(u32, u32); 2] = [(3, 15), (4, 34)];

/// A login that ends sooner is worth a word.
const ENDS_SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Which cluster, by which context, and whether what is named there is there.
pub(super) fn kubeconfig(session: &Session) -> Result<Vec<Finding>> {
    let Some(choice) = session.choice()? else {
        if session.env.home().is_none() {
            return Ok(vec![Finding::unseen("HOME is not set, so there is no ~/.kube")]);
        }
        let known = known_clusters(&session.env.cluster_values_dirs());
        let of = if known.is_empty() { String::new() } else { format!(", one of {}", known.join(", ")) };
        return Ok(vec![Finding::unseen(format!("no cluster is chosen; lain use CLUSTER{of}"))]);
    };
    if choice.pod.is_some() {
        return Ok(vec![Finding::good(format!("cluster {}, by this pod's service account", choice.name))]);
    }
    let Some((file, look)) = session.kubeconfig()?.zip(session.look_at_kubeconfig()?) else {
        return Ok(vec![Finding::unseen("HOME is not set")]);
    };
    let shown = shell_words::quote(&file.to_string_lossy()).into_owned();
    let mut found: Vec<Finding> = look.amiss.iter().map(Finding::bad).collect();
    found.extend(look.certificate.as_deref().and_then(validity).and_then(|holds| certificate(&file, holds)));
    found.extend(look.aim.server.as_deref().and_then(plain).map(|what| {
        let error = Error::failed(format!("`server` of {} {what}: a login to it can be read on its way", file.display()));
        let name = look.cluster.as_deref().unwrap_or("NAME");
        Finding::warning(
            &error.hint(format!("kubectl config set-cluster {} --server=https://HOST:PORT --kubeconfig {shown}", shell_words::quote(name))),
        )
    }));
    // What CI brings has the runner's own mode.
    if std::fs::metadata(&file).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0) && !session.env.is_ci() {
        let error = Error::failed(format!("other users of this machine can read {}, which is a login", file.display()));
        found.push(Finding::warning(&error.hint(format!("chmod 600 {shown}"))));
    }
    if found.iter().all(|one| one.state != State::Bad) {
        found.push(Finding::good(format!("cluster {}, context {}", choice.name, look.aim.context)));
    }
    Ok(found)
}

/// What is wrong with an address that is no https; none where it is, and for what this machine alone can hear.
fn plain(server: &str) -> Option<&'static str> {
    let (scheme, rest) = server.split_once("://").unwrap_or(("", server));
    let host = host_of(&format!("http://{rest}"));
    match scheme {
        "https" => None,
        _ if is_loopback(&host) => None,
        "" => Some("begins with no https://"),
        _ => Some("is no https"),
    }
}

/// What is wrong with the time that a client's certificate holds.
fn certificate(file: &Path, (first, last): (Timestamp, Timestamp)) -> Option<Finding> {
    let now = Timestamp::now();
    let day = |time: Timestamp| time.strftime("%Y-%m-%d %H:%M UTC").to_string();
    let error = |what: String| Error::failed(format!("the client certificate of {} {what}", file.display()));
    let fresh = "kubectl config view --raw # ask your administrator for a fresh kubeconfig; kubeadm certs renew all makes one";
    if now >= last {
        return Some(Finding::bad(&error(format!("ended on {}", day(last))).hint(fresh)));
    }
    if now < first {
        return Some(Finding::bad(&error(format!("holds from {} on", day(first))).hint("date -u # is the clock here right?")));
    }
    let left = last.duration_since(now);
    (left < ENDS_SOON).then(|| Finding::warning(&error(format!("ends in {}, on {}", duration::age(left.as_secs()), day(last))).hint(fresh)))
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
    if let Some(error) = kubectl.hurried(ANSWER).lacks_lasting_namespace()? {
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
