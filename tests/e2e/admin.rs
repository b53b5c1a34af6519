//! `lain admin` on a real cluster: what is bad there goes, and a command runs in what is well.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::support::{HELM, Place};

/// A pod that never starts: its image has no name that there can be.
fn spec(image: &str) -> Json {
    let container = json!({"name": "own", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["sleep", "1000"],
        "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}, "limits": {"cpu": "500m", "memory": "64Mi"}}});
    json!({"terminationGracePeriodSeconds": 1, "containers": [container]})
}

fn deployment(name: &str, image: &str) -> Json {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "annotations": {"lain.test/of": "e2e"}},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": {"metadata": {"labels": {"app": name}}, "spec": spec(image)}}})
}

fn ingress(name: &str, services: &[&str]) -> Json {
    let path =
        |it: &&str| json!({"path": format!("/{it}"), "pathType": "Prefix", "backend": {"service": {"name": it, "port": {"number": 80}}}});
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name},
        "spec": {"rules": [{"host": "x.rig.example.com", "http": {"paths": services.iter().map(path).collect::<Vec<_>>()}}]}})
}

#[test]
fn what_is_bad_goes_and_what_is_well_runs_a_command() {
    let place = Place::new(HELM);
    place.lain(&["use", "test"]).ok();
    let mut job_spec = spec("No:Name:AtAll");
    job_spec["restartPolicy"] = json!("Never");
    let mark = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "annotations": {"lain.test/of": place.namespace}}});
    let all = json!({"apiVersion": "v1", "kind": "List", "items": [
        deployment("good", "python:3.13-slim"),
        deployment("bad", "No:Name:AtAll"),
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "alone"}, "spec": spec("No:Name:AtAll")},
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"}, "spec": {"template": {"spec": job_spec}}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "here"}, "spec": {"ports": [{"port": 80}]}},
        ingress("old", &["gone"]),
        ingress("part", &["here", "gone"]),
        mark("marked"),
    ]});
    let file = place.root.path().join("all.json");
    std::fs::write(&file, all.to_string()).expect("written");
    place.kubectl(&["apply", "-f", file.to_str().expect("text")]).ok();

    // A kind that lain has no table of, by a short name; and one that it has.
    let found = place.lain(&["admin", "get", "cm", "--annotations", &format!("lain.test/of={}", place.namespace)]).ok().says("1 object");
    assert!(found.stdout.contains("marked") && found.stdout.contains("ConfigMap"), "{}", found.stdout);
    let found = place.lain(&["admin", "get", "deployments", "--annotations", "lain.test/of=e2e", "-o", "json"]).ok().stdout;
    assert!(found.contains(&place.namespace), "{found}");
    place
        .lain(&["admin", "get", "nothings", "--annotations", "a=b"])
        .exits(2)
        .says("the cluster has no kind `nothings`")
        .says("kubectl api-resources");

    // The whole cluster, of which others use a part.
    let here = |status: &Json, what: &str, key: &str| -> Vec<String> {
        let all = status[what].as_array().expect("a list").iter().filter(|it| it["namespace"] == *place.namespace);
        all.map(|it| it[key].as_str().expect("text").to_owned()).collect()
    };
    let status = || -> Json { serde_json::from_str(&place.lain(&["admin", "status", "-o", "json"]).ok().stdout).expect("JSON") };
    let seen = status();
    assert_eq!(here(&seen, "ingresses", "ingress"), ["old", "part"], "{seen:#}");
    assert!(seen["nodes"][0]["good"] == true && seen["nodes"][0]["cpu"].as_u64().is_some_and(|cpu| cpu >= 1000), "{seen:#}");
    assert!(seen["unseen"][0].as_str().is_some_and(|line| line.contains("no metrics server")), "{seen:#}");

    let shown = place.lain(&["admin", "delete-bad-ing", "--yes"]).ok().says("1 deleted, 1 edited");
    assert!(shown.stdout.contains("the ingress goes") && shown.stdout.contains("the rule goes"), "{}", shown.stdout);
    let paths = place.field("ingress", "{.items[*].metadata.name} {.items[*].spec.rules[*].http.paths[*].path}");
    assert_eq!(paths.trim(), "part /here");
    place.lain(&["admin", "delete-bad-ing", "--yes"]).ok().says("nothing to delete");

    // They count once they have been so for a while.
    let begun = Instant::now();
    let seen = loop {
        let seen = place.lain(&["admin", "delete-bad-pod", "--dry-run"]).ok();
        if ["job/migrate", "pod/bad-", "pod/alone"].iter().all(|name| seen.stdout.contains(name)) {
            break seen;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{}{}", seen.stdout, seen.stderr);
        std::thread::sleep(Duration::from_secs(1));
    };
    assert!(seen.stdout.contains("InvalidImageName") && !seen.stdout.contains("good"), "{}", seen.stdout);
    let bad = here(&status(), "bad", "name");
    assert!(bad.iter().any(|name| name == "migrate") && bad.iter().any(|name| name.starts_with("bad-")) && bad.len() == 3, "{bad:?}");
    place.lain(&["admin", "status", "--exit-code"]).exits(3);
    let uid = |name: &str| place.field(&format!("pod/{name}"), "{.metadata.uid}");
    let alone = uid("alone");
    // What lain sends names the pod that it showed: the server takes no other of that name.
    let other = place.root.path().join("other.json");
    std::fs::write(&other, r#"{"kind":"DeleteOptions","apiVersion":"v1","preconditions":{"uid":"another"}}"#).expect("written");
    let path = format!("/api/v1/namespaces/{}/pods/alone", place.namespace);
    place.kubectl(&["delete", "--raw", &path, "-f", other.to_str().expect("text")]).exits(1).says("(Conflict)");
    place.lain(&["admin", "delete-bad-pod", "--yes"]).ok().says("2 deleted").says("1 bad pod is left alone");
    assert_eq!(uid("alone"), alone);
    place.kubectl(&["wait", "--for=delete", "job/migrate", "--timeout=60s"]);
    assert_eq!(place.field("jobs", "{.items[*].metadata.name}").trim(), "");

    place.kubectl(&["rollout", "status", "deployment/good", "--timeout=120s"]).ok();
    let ran = place.lain(&["admin", "x", "--", "sh", "-c", "echo it is $((40 + 2)); echo twice"]).ok();
    assert_eq!(ran.stdout, "good: it is 42\ngood: twice\n", "{}", ran.stderr);
    ran.says("bad cannot be reached: no pod of it runs").says("1 succeeded, 0 failed, 1 not reached");
    place.lain(&["admin", "x", "nosuchprogram"]).ok().says("0 succeeded, 1 failed, 1 not reached");
}
