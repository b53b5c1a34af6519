//! The Job that a user starts by hand: made of what a workload of the app runs. Pure.

use std::time::Duration;

use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use crate::model::hex::hex;
use crate::model::name::MAX_LABEL;
use crate::model::quantity::Quantity;

/// Label of such a Job and its pods, other for each run: what follows one looks at nothing else.
pub(crate) const RUN: &str = "lain.dev/run";
/// Annotation: who started it.
pub(crate) const BY: &str = "lain.dev/by";
/// The most CPU that it may use, in cores.
const CPU: &str = "4";
/// Hexadecimal digits of a command's hash in a name.
const HASH: usize = 10;
/// What of a pod goes over to the Job's: where it may run, as whom, what it can reach. Not what keeps a service up.
const OF_POD: [&str; 12] = [
    "volumes",
    "hostAliases",
    "imagePullSecrets",
    "serviceAccountName",
    "automountServiceAccountToken",
    "securityContext",
    "nodeSelector",
    "tolerations",
    "dnsPolicy",
    "dnsConfig",
    "hostNetwork",
    "enableServiceLinks",
];
/// The same of its container.
const OF_CONTAINER: [&str; 7] = ["image", "imagePullPolicy", "env", "envFrom", "volumeMounts", "workingDir", "securityContext"];

/// What is to run.
#[derive(Clone, Debug)]
pub(crate) struct Spec<'a> {
    /// The Job's name.
    pub name: &'a str,
    /// The app's name.
    pub app: &'a str,
    /// What tells this run from others.
    pub run: &'a str,
    /// Who starts it.
    pub by: &'a str,
    /// The words of the command.
    pub command: Vec<String>,
    /// The longest it may take: Kubernetes ends it then.
    pub timeout: Duration,
    /// How long it stays once it has ended.
    pub stays: Duration,
    /// The memory that it may use.
    pub memory: &'a str,
    /// As which user, in place of the image's.
    pub user: Option<i64>,
    /// It only sleeps until somebody comes: it is gone in a second.
    pub sleeps: bool,
}

/// The app's name, and a hash of the command's words: the same command has the same name. A DNS-1123 label.
pub(crate) fn name_of(app: &str, command: &[String]) -> String {
    let mut hash = Sha256::new();
    for word in command {
        hash.update((word.len() as u64).to_le_bytes()); // `a b` is not `ab`
        hash.update(word);
    }
    with_end(app, &hex(&hash.finalize())[..HASH])
}

/// A name with an end, cut before the end where it is too long for a label.
pub(crate) fn with_end(name: &str, end: &str) -> String {
    let room = MAX_LABEL - end.len() - 1;
    let kept: String = name.chars().take(room).collect();
    format!("{}-{end}", kept.trim_end_matches(['-', '.', '_']))
}

/// The Job. `pod` is what a workload's pods are to be (their `spec`), `container` the name of the one that is meant, its first otherwise.
pub(crate) fn job(spec: &Spec<'_>, pod: &Json, container: &str) -> Json {
    let containers = pod["containers"].as_array();
    let given = containers.and_then(|all| all.iter().find(|one| one["name"] == container).or(all.first())).unwrap_or(&Json::Null);
    let mut made = picked(given, &OF_CONTAINER);
    made.insert("name".into(), json!("job"));
    made.insert("command".into(), json!(spec.command));
    made.insert("resources".into(), json!({"limits": {"cpu": CPU, "memory": spec.memory}, "requests": requests(given, spec.memory)}));
    if let Some(user) = spec.user {
        let context = made.entry("securityContext").or_insert_with(|| json!({}));
        context["runAsUser"] = json!(user);
        if user == 0 {
            context["runAsNonRoot"] = json!(false); // who asks for root means it
        }
    }
    let mut pod = picked(pod, &OF_POD);
    drop_mounts_without_volume(&mut made, pod.get("volumes").unwrap_or(&Json::Null));
    pod.insert("restartPolicy".into(), json!("Never"));
    pod.insert("containers".into(), json!([made]));
    if spec.sleeps {
        pod.insert("terminationGracePeriodSeconds".into(), json!(1));
    }
    let labels = json!({
        "app.kubernetes.io/name": spec.app, "app.kubernetes.io/instance": spec.name, "app.kubernetes.io/managed-by": "lain", RUN: spec.run
    });
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": spec.name, "labels": labels, "annotations": {BY: spec.by}},
        "spec": {
            "backoffLimit": 0, "activeDeadlineSeconds": spec.timeout.as_secs(), "ttlSecondsAfterFinished": spec.stays.as_secs(),
            "template": {"metadata": {"labels": labels, "annotations": {BY: spec.by}}, "spec": pod}
        }
    })
}

/// The image of the container that is meant.
pub(crate) fn image_of<'j>(pod: &'j Json, container: &str) -> Option<&'j str> {
    let containers = pod["containers"].as_array()?;
    containers.iter().find(|one| one["name"] == container).or(containers.first())?["image"].as_str()
}

/// Has the Job run another image; what tells the app of its tag says the new one.
pub(crate) fn set_image(job: &mut Json, image: &str, tag: &str) {
    let container = &mut job["spec"]["template"]["spec"]["containers"][0];
    container["image"] = json!(image);
    for variable in container["env"].as_array_mut().into_iter().flatten().filter(|variable| variable["name"] == "IMAGE_TAG") {
        variable["value"] = json!(tag);
    }
}

/// Marks a Job and its pods as those of one run.
pub(crate) fn mark(job: &mut Json, run: &str, by: &str) {
    for metadata in ["/metadata", "/spec/template/metadata"] {
        let Some(object) = job.pointer_mut(metadata) else { continue };
        object["labels"][RUN] = json!(run);
        object["annotations"][BY] = json!(by);
    }
}

/// What a pod of the workload asks for is what a node has room for; more than the Job may use is refused by the server.
fn requests(given: &Json, memory: &str) -> Json {
    let asked = |key: &str, usual: &str, most: &str| {
        let own = Some(given["resources"]["requests"][key].clone()).filter(|own| !own.is_null()).unwrap_or_else(|| json!(usual));
        let fits = Quantity::parse(most).ok().zip(Quantity::of_json(&own).ok()).is_none_or(|(most, own)| own <= most);
        if fits { own } else { json!(most) }
    };
    json!({"cpu": asked("cpu", "100m", CPU), "memory": asked("memory", "128Mi", memory)})
}

fn picked(from: &Json, keys: &[&str]) -> Map<String, Json> {
    let value = |key: &&str| Some(((*key).to_owned(), from.get(*key)?.clone()));
    keys.iter().filter_map(value).collect()
}

/// A claim that a `StatefulSet` makes for each of its pods is no volume of its template.
fn drop_mounts_without_volume(container: &mut Map<String, Json>, volumes: &Json) {
    let names: Vec<&Json> = volumes.as_array().into_iter().flatten().map(|volume| &volume["name"]).collect();
    if let Some(mounts) = container.get_mut("volumeMounts").and_then(Json::as_array_mut) {
        mounts.retain(|mount| names.contains(&&mount["name"]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::is_label;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn the_same_command_has_the_same_name() {
        let name = |list: &[&str]| name_of("dummy", &words(list));
        assert_eq!(name(&["./manage.py", "migrate"]), name(&["./manage.py", "migrate"]));
        assert_ne!(name(&["a", "b"]), name(&["ab"]));
        assert_ne!(name(&["a b"]), name(&["a", "b"]));
        assert!(name(&[]).starts_with("dummy-"));
        for app in ["a", &"x".repeat(63), &format!("{}-y", "x".repeat(51))] {
            let name = name_of(app, &words(&["echo", "中文", "$(reboot)"]));
            assert!(is_label(&name) && !name.contains("--"), "{name}");
        }
    }

    fn spec(memory: &str) -> Spec<'_> {
        Spec {
            name: "dummy-1",
            app: "dummy",
            run: "r",
            by: "me",
            command: words(&["env"]),
            timeout: Duration::from_secs(60),
            stays: Duration::from_secs(5),
            memory,
            user: None,
            sleeps: false,
        }
    }

    #[test]
    fn env_secrets_and_mounts_go_over_and_what_keeps_a_service_up_does_not() {
        let pod = json!({
            "volumes": [{"name": "secret", "secret": {"secretName": "dummy-secret"}}], "hostAliases": [{"ip": "10.0.0.1"}],
            "initContainers": [{"name": "i"}], "affinity": {"x": 1}, "terminationGracePeriodSeconds": 100,
            "containers": [{"name": "sidecar", "image": "s"}, {
                "name": "web", "image": "r/dummy:1", "env": [{"name": "A", "value": "b"}, {"name": "IMAGE_TAG", "value": "1"}],
                "envFrom": [{"secretRef": {"name": "dummy-env"}}], "livenessProbe": {"x": 1}, "ports": [1], "args": ["x"],
                "volumeMounts": [{"name": "secret", "mountPath": "/a"}, {"name": "claim", "mountPath": "/b"}],
                "resources": {"requests": {"cpu": "5m", "memory": "2Gi"}, "limits": {"memory": "3Gi"}}
            }]
        });
        let mut made = job(&Spec { user: Some(0), ..spec("1Gi") }, &pod, "web");
        set_image(&mut made, "r/dummy:2", "2");
        let spec = &made["spec"]["template"]["spec"];
        assert_eq!(
            spec["containers"],
            json!([{
                "name": "job", "image": "r/dummy:2", "command": ["env"], "env": [{"name": "A", "value": "b"}, {"name": "IMAGE_TAG", "value": "2"}],
                "envFrom": [{"secretRef": {"name": "dummy-env"}}], "volumeMounts": [{"name": "secret", "mountPath": "/a"}],
                "securityContext": {"runAsUser": 0, "runAsNonRoot": false},
                "resources": {"limits": {"cpu": "4", "memory": "1Gi"}, "requests": {"cpu": "5m", "memory": "1Gi"}}
            }])
        );
        assert_eq!(spec["hostAliases"], pod["hostAliases"]);
        assert_eq!(spec["restartPolicy"], "Never");
        assert!(["initContainers", "affinity", "terminationGracePeriodSeconds"].iter().all(|key| spec[*key].is_null()));
        assert_eq!(made["spec"]["activeDeadlineSeconds"], 60);
        assert_eq!(made["spec"]["ttlSecondsAfterFinished"], 5);
        assert_eq!(image_of(&pod, "web"), Some("r/dummy:1"));
    }

    #[test]
    fn a_pod_that_asks_for_nothing_gets_a_little() {
        let made = job(&spec("8Gi"), &json!({"containers": [{"name": "a", "image": "i"}]}), "none");
        let resources = &made["spec"]["template"]["spec"]["containers"][0]["resources"];
        assert_eq!(resources["requests"], json!({"cpu": "100m", "memory": "128Mi"}));
    }
}
