//! Why something does not become ready, and what counts as ready: real objects, side by side, each with a short time.

use std::time::{Duration, Instant};

use crate::support::{HELM, Place, Ran};

/// A workload that sleeps, called `name`: `spec` is its own, `more` its container's, `rest` its pod's; each ends with a comma.
fn workload(kind: &str, name: &str, spec: &str, more: &str, rest: &str) -> String {
    let labels = format!(r#"{{"app.kubernetes.io/name": "{name}"}}"#);
    let command = if more.starts_with("\"command\"") { "" } else { r#""command": ["sleep", "1000"],"# };
    format!(
        r#"{{"apiVersion": "apps/v1", "kind": "{kind}", "metadata": {{"name": "{name}", "labels": {labels}}},
            "spec": {{{spec} "selector": {{"matchLabels": {labels}}}, "template": {{"metadata": {{"labels": {labels}}},
            "spec": {{{rest} "terminationGracePeriodSeconds": 0, "containers": [
                {{{command} {more} "name": "web", "image": "python:3.13-slim", "imagePullPolicy": "IfNotPresent"}}]}}}}}}}}"#
    )
}

fn apply(place: &Place, objects: &[String]) {
    let file = place.root.path().join("objects.json");
    let list = format!(r#"{{"apiVersion": "v1", "kind": "List", "items": [{}]}}"#, objects.join(","));
    std::fs::write(&file, list).expect("objects");
    place.kubectl(&["apply", "-f", &file.to_string_lossy()]).ok();
}

/// `lain wait` of each at once; what it said, and how long it took.
fn wait(place: &Place, names: &[&str], seconds: &str) -> Vec<(Ran, Duration)> {
    let one = |name: &str| {
        let started = Instant::now();
        (place.lain(&["--cluster", "test", "wait", name, "--timeout", seconds]), started.elapsed())
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = names.iter().map(|name| scope.spawn(move || one(name))).collect();
        all.into_iter().map(|one| one.join().expect("lain ran")).collect()
    })
}

#[test]
fn done_is_what_the_strategy_lets_happen() {
    let place = Place::new(HELM);
    let rolling = r#""replicas": 2, "serviceName": "x", "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}},"#;
    let on_delete = r#""serviceName": "x", "updateStrategy": {"type": "OnDelete"},"#;
    apply(
        &place,
        &[
            workload("StatefulSet", "on-delete", on_delete, "", ""),
            workload("StatefulSet", "partition", rolling, "", ""),
            workload("Deployment", "paused", "", "", ""),
            workload("Deployment", "none", r#""replicas": 0,"#, "", ""),
            workload("Deployment", "young", r#""minReadySeconds": 4,"#, "", ""),
            workload("Deployment", "halted", r#""paused": true,"#, "", ""),
        ],
    );
    let names = ["on-delete", "partition", "paused", "none", "young", "halted"];
    for (name, (ran, took)) in names.iter().zip(wait(&place, &names, "60")) {
        let ran = ran.ok();
        assert!(*name != "young" || took > Duration::from_secs(4), "{took:?}: {}", ran.stderr);
    }
    place.kubectl(&["rollout", "pause", "deployment/paused"]).ok();
    let patch = r#"{"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}}"#;
    for workload in ["statefulset/on-delete", "statefulset/partition", "deployment/paused", "deployment/none"] {
        place.kubectl(&["patch", workload, "-p", patch]).ok();
    }
    let notes = ["(OnDelete: its pods take the new template once they are deleted)", "(partition: ", "(paused: ", "0/0 ready"];
    for (note, (ran, took)) in notes.iter().zip(wait(&place, &names[..4], "60")) {
        ran.ok().says(note);
        assert!(took < Duration::from_secs(40), "{note}: {took:?}"); // the pod above the partition is replaced
    }
    assert_eq!(place.field("pods/partition-1", "{.metadata.annotations.a}"), "b");
    assert_eq!(place.field("pods/partition-0", "{.metadata.annotations.a}"), "");
}

#[test]
fn causes_are_told_in_the_servers_words() {
    let place = Place::new(HELM);
    place.kubectl(&["create", "configmap", "there", "--from-literal=a=b"]).ok();
    place.kubectl(&["create", "secret", "generic", "there", "--from-literal=a=b"]).ok();
    let volume =
        |source: &str| (r#""volumeMounts": [{"name": "v", "mountPath": "/v"}],"#, format!(r#""volumes": [{{"name": "v", {source}}}],"#));
    let with_volume = |name: &str, source: &str| {
        let (more, rest) = volume(source);
        workload("Deployment", name, "", more, &rest)
    };
    let with_env =
        |name: &str, from: &str| workload("Deployment", name, "", &format!(r#""env": [{{"name": "A", "valueFrom": {{{from}}}}}],"#), "");
    let unready = r#""readinessProbe": {"exec": {"command": ["sh", "-c", "echo the queue is not there; exit 1"]}, "periodSeconds": 1, "timeoutSeconds": 10},"#;
    let hungry = r#""command": ["python3", "-c", "x = bytearray(400 << 20)"], "resources": {"limits": {"memory": "24Mi"}},"#;
    let nobody = r#""serviceAccountName": "nobody","#;
    let table: Vec<(&str, String, &[&str])> = vec![
        // The first: what was given up on before a wait began is not given up in it. Its deadline leaves a busy node time to begin it.
        (
            "deadline",
            workload("Deployment", "deadline", r#""progressDeadlineSeconds": 60,"#, unready, ""),
            &["ProgressDeadlineExceeded", "has timed out progressing", "Unhealthy: Readiness probe failed: the queue is not there"],
        ),
        (
            "account",
            workload("Deployment", "account", "", "", nobody),
            &["FailedCreate", "serviceaccount \"nobody\" not found", "serviceAccountName"],
        ),
        (
            "account-of-a-set",
            workload("StatefulSet", "account-of-a-set", r#""serviceName": "x","#, "", nobody),
            &["statefulset account-of-a-set cannot become ready: FailedCreate", "serviceaccount \"nobody\" not found"],
        ),
        ("secret", with_volume("secret", r#""secret": {"secretName": "none"}"#), &["FailedMount", "secret \"none\" not found"]),
        (
            "secret-key",
            with_volume("secret-key", r#""secret": {"secretName": "there", "items": [{"key": "z", "path": "z"}]}"#),
            &["FailedMount", "references non-existent secret key: z"],
        ),
        ("configmap", with_volume("configmap", r#""configMap": {"name": "none"}"#), &["FailedMount", "configmap \"none\" not found"]),
        (
            "env-key",
            with_env("env-key", r#""configMapKeyRef": {"name": "there", "key": "z"}"#),
            &["CreateContainerConfigError", "couldn't find key z in ConfigMap"],
        ),
        (
            "env-secret",
            with_env("env-secret", r#""secretKeyRef": {"name": "none", "key": "z"}"#),
            &["secret \"none\" not found", "kubectl get secrets"],
        ),
        (
            "memory",
            workload("Deployment", "memory", "", hungry, ""),
            &["CrashLoopBackOff", "used more memory than", "resources.limits.memory"],
        ),
    ];
    apply(&place, &table.iter().map(|(_, object, _)| object.clone()).collect::<Vec<_>>());
    let names: Vec<&str> = table.iter().map(|(name, _, _)| *name).collect();
    // A few at a time: each look is a process, and the node is this machine.
    let waits = names.chunks(3).flat_map(|names| wait(&place, names, "150"));
    for ((name, _, says), (ran, took)) in table.iter().zip(waits) {
        let ran = says.iter().fold(ran.exits(1), |ran, words| ran.says(words));
        assert!(!ran.stderr.contains("not ready after"), "{name}, {took:?}: {}", ran.stderr);
    }
}

#[test]
fn a_quota_is_told_and_time_that_runs_out_shows_the_warnings() {
    let place = Place::new(HELM);
    apply(
        &place,
        &[workload(
            "Deployment",
            "unready",
            "",
            r#""readinessProbe": {"exec": {"command": ["sh", "-c", "echo not yet; exit 1"]}, "periodSeconds": 1, "timeoutSeconds": 10},"#,
            "",
        )],
    );
    place.kubectl(&["rollout", "status", "deployment/unready", "--timeout=1s"]);
    place.kubectl(&["create", "quota", "small", "--hard=pods=1"]).ok();
    apply(&place, &[workload("Deployment", "many", "", "", "")]);
    let ran = wait(&place, &["many", "unready"], "40");
    let (many, took) = &ran[0];
    assert!(
        many.code == 1 && many.stderr.contains("exceeded quota: small") && *took < Duration::from_secs(38),
        "{took:?}: {}",
        many.stderr
    );
    let (unready, _) = &ran[1];
    for words in ["not ready after 40 s: deployment/unready 0/1", "Unhealthy: Readiness probe failed: not yet"] {
        assert!(unready.stderr.contains(words), "{words}: {}", unready.stderr);
    }
}

/// One process that sleeps, and what stands beside it.
fn values(more: &str) -> String {
    let image = "image: python:3.13-slim, imagePullPolicy: IfNotPresent, resources: {requests: {cpu: 1m, memory: 16Mi}, limits: {cpu: 1000m, memory: 64Mi}}";
    let more = more.replace("IMAGE", image);
    format!(
        "deployments:\n  web: {{{image}, command: [sleep, \"1000\"], replicaCount: 1, minReadySeconds: 2, terminationGracePeriodSeconds: 1}}\n{more}"
    )
}

fn deployed(place: &Place) -> String {
    place.helm(&["status", &place.appname]).stdout.lines().find_map(|line| line.strip_prefix("STATUS: ")).unwrap_or_default().to_owned()
}

#[test]
fn a_plain_job_that_fails_fails_the_deploy_and_shows_its_log() {
    let job = "jobs:\n  migrate: {IMAGE, command: [sh, -c, \"sleep 3; echo table is locked; exit 4\"]}\n";
    let place = Place::new(HELM).with_values(&values(job));
    let name = format!("{}-migrate", place.appname);
    place
        .lain(&["--cluster", "test", "deploy", "--ignore-lint", "--wait"])
        .exits(1)
        .says("table is locked")
        .says(&format!("job {name} failed: BackoffLimitExceeded: container migrate ended with exit code 4"))
        .says(&format!("next: kubectl logs job/{name}"));
    // It is mended: one that ends well is waited for.
    place.edit("chart/values.yaml", |text| text.replace("table is locked; exit 4", "well"));
    place.lain(&["--cluster", "test", "deploy", "--ignore-lint", "--wait"]).ok().says(&format!("job/{name}: done"));
}

#[test]
fn a_hook_that_cannot_start_stops_helm() {
    let hook = "jobs:\n  migrate: {image: \"REGISTRY/nothing:here\", resources: {requests: {cpu: 1m}}, command: [\"true\"], annotations: {\"helm.sh/hook\": \"pre-install,pre-upgrade\"}}\n";
    let place = Place::new(HELM).with_values(&values(&hook.replace("REGISTRY", &Place::registry())));
    let started = Instant::now();
    let ran = place.lain(&["--cluster", "test", "deploy", "--ignore-lint"]).exits(1);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(60) && !ran.stderr.contains("Back-off pulling"), "{took:?}: {}", ran.stderr);
    let ran = ran.says(&format!("job/{}-migrate: running", place.appname)).says("cannot become ready: ").says("not found");
    assert_eq!(ran.stderr.matches("not found").count(), 1, "once: {}", ran.stderr);
    assert_eq!(deployed(&place), "failed");
}

#[test]
fn going_back_from_a_crash_loop_does_not_take_helms_whole_time() {
    std::thread::scope(|scope| {
        for helm in ["3.17.3", "4.3.1"] {
            scope.spawn(move || goes_back(helm));
        }
    });
}

fn goes_back(helm: &str) {
    let place = Place::new(helm).with_values(&values(""));
    place.lain(&["--cluster", "test", "deploy", "--ignore-lint", "--wait"]).ok();
    place.edit("chart/values.yaml", |text| text.replace("[sleep, \"1000\"]", "[sh, -c, \"echo no database here; exit 3\"]"));
    let started = Instant::now();
    let ran = place.lain(&["--cluster", "test", "deploy", "--ignore-lint", "--rollback-on-failure"]).exits(1);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(150), "helm {helm}, {took:?}: {}", ran.stderr);
    let ran = ran.says("no database here").says("CrashLoopBackOff: container web ended with exit code 3").says("went back to revision 1");
    assert!(!ran.stderr.contains("next: lain rollback") && !ran.stderr.contains("next: kubectl logs"), "{}", ran.stderr);
    assert_eq!(deployed(&place), "deployed");
    place.lain(&["--cluster", "test", "wait"]).ok();
}

/// The real API server does not change its leader when it is asked to.
#[test]
fn a_server_that_fails_for_a_moment_ends_no_wait() {
    let place = Place::new(HELM);
    place.with_a_program_that_logs_in();
    let tools = place.root.path().join("tools");
    std::fs::create_dir_all(&tools).expect("tools");
    let calls = place.root.path().join("calls");
    let real = String::from_utf8(std::process::Command::new("which").arg("kubectl").output().expect("which runs").stdout).expect("a path");
    // The second to the tenth question fail, each of them three times over: three looks see nothing. There is no connection that would hold.
    let script = format!(
        "#!/bin/sh\nif [ $1 = proxy ]; then exit 1; fi\necho x >> {calls}\ncount=$(wc -l < {calls})\nif [ $count -gt 1 ] && [ $count -le 10 ]; then echo 'Error from server: etcdserver: leader changed' >&2; exit 1; fi\nexec {} \"$@\"",
        real.trim(),
        calls = calls.display()
    );
    std::fs::write(tools.join("kubectl"), script).expect("a kubectl");
    assert!(std::process::Command::new("chmod").arg("+x").arg(tools.join("kubectl")).status().expect("chmod runs").success());
    apply(&place, &[workload("Deployment", "young", r#""minReadySeconds": 3,"#, "", "")]);
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").expect("PATH"));
    let place = place.with_env("PATH", &path);
    let (ran, _) = wait(&place, &["young"], "60").remove(0);
    let ran = ran.ok().says("cannot see how it stands, looking on: ").says("leader changed").says("the API server answers again");
    assert_eq!(ran.stderr.matches("cannot see").count(), 1, "{}", ran.stderr);
}
