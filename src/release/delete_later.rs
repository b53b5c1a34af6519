//! A deletion that the cluster does by itself later: a Job that waits, then takes the release away, whoever's machine is gone by then.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::handle::Handle;
use super::review;
use crate::error::{Error, Result, ResultExt};
use crate::model::name::canary_of;

/// What it does. All that is not lain's own comes by the environment.
const SCRIPT: &str = r#"set -u
while [ "$(date +%s)" -lt "$AT" ]; do sleep 10; done
for release in "$RELEASE" "$CANARY"; do
  if helm status "$release" --namespace "$NAMESPACE" > /dev/null 2>&1; then
    helm uninstall "$release" --namespace "$NAMESPACE" || exit 1
  fi
done
kubectl delete secrets --namespace "$NAMESPACE" --selector "$SECRETS" --ignore-not-found
kubectl delete job --namespace "$NAMESPACE" --wait=false "$JOB""#;

/// What there is of it in the cluster, all by one name.
const OBJECTS: &str = "jobs,rolebindings,serviceaccounts";

/// Leaves the Job; one that was left before makes way. Returns its name and when it deletes.
///
/// # Errors
/// There is no such release, the registry of lain's own image is not known, or the server refuses.
pub(crate) fn leave(handle: &Handle<'_>, after: Duration) -> Result<(String, Timestamp)> {
    let Handle { session, name: release, kubectl, .. } = handle;
    if handle.helm.release(release)?.is_none() {
        return Err(Error::failed(format!("there is no release {release} in cluster {}: nothing to delete later", handle.cluster))
            .hint("lain deploy"));
    }
    let authority = session.authority()?;
    let image = authority
        .own_image()
        .ok_or_else(|| Error::failed("the cluster's values name no registry, so there is no lain image for the Job").hint("lain delete"))?;
    let seconds = i64::try_from(after.as_secs()).unwrap_or(i64::MAX);
    let at = Timestamp::from_second(Timestamp::now().as_second().saturating_add(seconds))
        .map_err(|_| Error::usage("that is later than clocks go").hint("lain delete --after 2h"))?;
    let job = format!("{release}-delete-job"); // as the older tool called it
    // All three, and waited for: an account left to the cluster to collect with its Job would go while the new one is written over it.
    kubectl.delete(OBJECTS, &job)?;
    let made = kubectl.send(&["create", "--output", "json"], &object(handle, &job, &image, at))?;
    let made: Json = made.json()?;
    // They go with the Job.
    let owner = json!([{"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": made["metadata"]["uid"]}]);
    let rights = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": job, "ownerReferences": owner}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": job, "ownerReferences": owner},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
            "subjects": [{"kind": "ServiceAccount", "name": job, "namespace": kubectl.namespace()}],
        },
    ]});
    let given = kubectl.send(&["apply"], &rights);
    if given.is_err() {
        kubectl.delete(OBJECTS, &job)?; // it could do nothing
    }
    given
        .map(drop)
        .context("the Job that deletes needs an account of its own, and this one may not give it the role `edit`")
        .map(|()| (job, at))
}

fn object(handle: &Handle<'_>, job: &str, image: &str, at: Timestamp) -> Json {
    let namespace = handle.kubectl.namespace();
    let env = [
        ("RELEASE", handle.name.clone()),
        ("CANARY", canary_of(&handle.name)),
        ("SECRETS", review::secrets_of(&handle.name)),
        ("NAMESPACE", namespace.to_owned()),
        ("JOB", job.to_owned()),
        ("AT", at.as_second().to_string()),
    ];
    let env: Vec<Json> = env.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": job, "labels": {"app.kubernetes.io/managed-by": "lain"}, "annotations": {"lain.dev/delete-at": at.to_string()}},
        "spec": {"backoffLimit": 6, "ttlSecondsAfterFinished": 3600, "template": {"spec": {
            "serviceAccountName": job, "restartPolicy": "OnFailure",
            "containers": [{
                "name": "delete", "image": image, "command": ["sh", "-c", SCRIPT], "env": env,
                "resources": {"requests": {"cpu": "1m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}},
            }],
        }}},
    })
}
