//! Why there is no pod to look into: for those who were asked for one.

use super::judge::judge;
use super::look;
use super::objects::Object;
use crate::error::{Error, Result};
use crate::tools::kubectl::Kubectl;

/// The reason, and what to type next, why a release (one of its processes, where one is named) has no pod that serves. What the server does not tell of
/// is no reason: then the reason is not known.
///
/// # Errors
/// The server does not answer.
pub(crate) fn why(kubectl: &Kubectl<'_>, selector: &str, release: &str, proc: Option<&str>) -> Result<Error> {
    let look::Once { objects, refused } = look::once(kubectl, selector)?;
    let objects: Vec<Object> = objects.into_iter().filter(|object| proc.is_none_or(|proc| is_of(object, release, proc))).collect();
    let events = look::warnings(kubectl).unwrap_or_default(); // for words alone
    let view = judge(&objects, &events);
    let shown = proc.map_or_else(|| release.to_owned(), |proc| format!("{release}-{proc}"));
    if let Some(trouble) = view.worst() {
        let words = format!("{}/{}: {}: {}", trouble.kind, trouble.name, trouble.reason, trouble.message.trim_end());
        return Ok(Error::failed(words.trim_end_matches([':', ' '])).hint("lain status -s # with the end of its log"));
    }
    if let Some(idle) = view.workloads.iter().find(|it| it.wanted == 0) {
        let words = format!("{} is scaled to 0 pods", idle.name);
        return Ok(Error::failed(words)
            .hint(format!("kubectl scale {} --replicas 1", idle.name))
            .hint("lain deploy # as the values have it"));
    }
    if let Some(pod) = view.pods.iter().find(|pod| !pod.is_over) {
        let doing = pod.doing.map_or_else(String::new, |doing| format!(", {doing}"));
        return Ok(Error::failed(format!("pod/{}: {}{doing}", pod.name, pod.state)).hint("lain status # as it goes on"));
    }
    if let Some(workload) = view.workloads.iter().find(|it| !it.is_done) {
        return Ok(
            Error::failed(format!("{}: {} of {} pods", workload.name, workload.ready, workload.wanted)).hint("lain status # as it goes on")
        );
    }
    if !view.workloads.is_empty() || !view.jobs.is_empty() || !view.pods.is_empty() {
        return Ok(Error::failed(format!("{shown}: what ran has ended")).hint("lain status -s"));
    }
    if !refused.is_empty() {
        let words = format!("this account may not list {} (403), so no more is known", refused.join(", "));
        return Ok(Error::failed(words).hint("lain history"));
    }
    let place = kubectl.namespace();
    Ok(Error::failed(format!("there is no {shown} in namespace {place} of this cluster"))
        .hint("lain deploy")
        .hint("helm list --all # what there is"))
}

/// True for an object of one process, and for what its Deployment made.
fn is_of(object: &Object, release: &str, proc: &str) -> bool {
    let name = format!("{release}-{proc}");
    match object {
        Object::Deployment(it) | Object::StatefulSet(it) => it.metadata.name == name,
        Object::ReplicaSet(it) => it.metadata.owner().is_some_and(|owner| owner.name == name),
        Object::Job(it) => it.metadata.name == name || it.metadata.owner().is_some_and(|owner| owner.name == name),
        Object::CronJob(it) => it.metadata.name == name,
        Object::Pod(pod) => pod.belongs_to(release, proc),
        Object::Other => false,
    }
}
