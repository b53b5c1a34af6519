//! What must not be lost: volumes with data, a chart that is being replaced.

use std::fs;
use std::process::{Command, Stdio};

use crate::place::{HELM, Place};
use crate::support::App;

const CLAIM: &str = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: {{ .Release.Name }}-data\nspec:\n  accessModes: [ReadWriteOnce]\n  resources: {requests: {storage: 1Mi}}\n";

/// A release of one template, made by helm alone.
fn install(place: &Place, release: &str, template: &str) {
    let chart = place.root.path().join("mini");
    fs::create_dir_all(chart.join("templates")).expect("a folder");
    fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: mini\nversion: 1.0.0\n").expect("Chart.yaml");
    fs::write(chart.join("templates/all.yaml"), template).expect("a template");
    place.helm(&["install", release, &chart.display().to_string()]).ok();
}

/// an accident: `lain delete` of a release whose claims are written otherwise than lain's chart does (quotes, comments, spaces, flow, JSON, a list) => refused, the data stays
#[test]
fn claims_are_found_however_they_are_written() {
    let place = Place::new(HELM).with_values("");
    let kind = "kind: PersistentVolumeClaim";
    let ways = [
        CLAIM.to_owned(),
        CLAIM.replace(kind, "kind: \"PersistentVolumeClaim\""),
        CLAIM.replace(kind, "kind: PersistentVolumeClaim # holds data"),
        CLAIM.replace(kind, "kind:  PersistentVolumeClaim"),
        CLAIM.replace(kind, "\"kind\": 'PersistentVolumeClaim'"),
        CLAIM.replace(kind, "kind:\n  PersistentVolumeClaim"),
        "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: \"{{ .Release.Name }}-data\"}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}}\n".to_owned(),
        "{\"apiVersion\": \"v1\", \"kind\": \"PersistentVolumeClaim\", \"metadata\": {\"name\": \"{{ .Release.Name }}-data\"}, \"spec\": {\"accessModes\": [\"ReadWriteOnce\"], \"resources\": {\"requests\": {\"storage\": \"1Mi\"}}}}\n".to_owned(),
        format!("apiVersion: v1\nkind: List\nitems:\n- {}", CLAIM.trim_end().replace('\n', "\n  ")),
    ];
    for (number, way) in ways.iter().enumerate() {
        let release = format!("way-{number}");
        install(&place, &release, way);
        place
            .lain(&["delete", &release, "--yes"])
            .exits(3)
            .says(&format!("PersistentVolumeClaims ({release}-data)"))
            .says("lain delete --force");
        place.kubectl(&["get", "pvc", &format!("{release}-data"), "-o", "name"]).ok();
    }
    place.lain(&["delete", "way-1", "--force"]).ok();
}

/// an accident: `lain delete` of a release with a `StatefulSet` => the claims that stay are named, with what to type; where they would go it is refused
#[test]
fn claims_of_stateful_sets_are_told() {
    let place = Place::new(HELM).with_values("");
    let set = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: store}\nspec:\n  serviceName: store\n  selector: {matchLabels: {a: b}}\n  template:\n    metadata: {labels: {a: b}}\n    spec:\n      terminationGracePeriodSeconds: 0\n      containers: [{name: c, image: \"python:3.13-slim\", command: [sleep, \"100\"]}]\n  volumeClaimTemplates:\n  - metadata: {name: data}\n    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}\n";
    install(&place, "kept", set);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while place.kubectl(&["get", "pvc", "data-store-0"]).code != 0 {
        assert!(std::time::Instant::now() < end, "no claim");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    place.lain(&["delete", "kept", "--yes"]).ok().says("stay with their data").says("next: kubectl delete pvc data-store-0");
    place.kubectl(&["get", "pvc", "data-store-0", "-o", "name"]).ok();
    // Kubernetes 1.20 does not know the field and drops it; what helm keeps has it.
    let going = set.replace("  serviceName", "  persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete}\n  serviceName");
    let chart = place.root.path().join("mini/templates/all.yaml");
    fs::write(&chart, going).expect("a template");
    let folder = place.root.path().join("mini").display().to_string();
    place.helm(&["install", "gone", &folder, "--disable-openapi-validation"]).ok();
    place.lain(&["delete", "gone", "--yes"]).exits(3).says("PersistentVolumeClaims (store)");
}

/// an accident: `lain delete` typed without a terminal, or Enter hit at its question => nothing is deleted; in CI it goes on, with a warning that `--yes` will be needed
#[test]
fn a_deletion_needs_a_yes() {
    let place = Place::new(HELM).with_values("");
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"{{ .Release.Name }}\"}\n";
    for release in ["one", "two", "three"] {
        install(&place, release, object);
    }
    place.lain(&["delete", "one"]).exits(3).says("nothing was deleted").says("next: lain delete --yes");
    let at_terminal = |answer: &str| {
        let lain = place.lain_command(&[]);
        let mut command = Command::new("script");
        let line = format!("{} delete one", lain.get_program().to_string_lossy());
        command.args(["-qec", &line, "/dev/null"]).current_dir(&place.app).env_clear();
        command.envs(lain.get_envs().filter_map(|(name, value)| Some((name, value?)))).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("script runs");
        std::io::Write::write_all(&mut child.stdin.take().expect("stdin"), answer.as_bytes()).expect("typed");
        let out = child.wait_with_output().expect("an end");
        (out.status.code(), String::from_utf8_lossy(&out.stdout).into_owned())
    };
    for answer in ["\n", "n\n", "delete\n"] {
        let (code, said) = at_terminal(answer);
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("[y/N]") && said.contains("nothing was deleted"), "{said}");
    }
    place.helm(&["status", "one"]).ok();
    let (code, said) = at_terminal("y\n");
    assert_eq!(code, Some(0), "{said}");
    place.lain(&["delete", "two", "--yes"]).ok().never_says("warning");
    let ci = place.with_env("CI", "true");
    ci.lain(&["delete", "three"]).ok().says("warning: ").says("--yes");
}

/// an accident: `lain init` killed at any moment => there is always a whole chart, nothing of the user's is lost, and the next run clears away what was left
#[test]
fn a_killed_init_leaves_a_chart() {
    let app = App::new().chart().tools(&["helm"]).committed();
    let values = app.dir().join("chart/values.yaml");
    let mine = fs::read_to_string(&values).expect("values") + "# mine\n";
    fs::write(&values, &mine).expect("values");
    for pause in 0..40 {
        let mut child = app.command(std::path::Path::new(env!("CARGO_BIN_EXE_lain")));
        child.args(["init", "--template-only"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = child.spawn().expect("lain runs");
        std::thread::sleep(std::time::Duration::from_millis(pause));
        let _ = child.kill(); // it may have ended
        let _ = child.wait();
        assert_eq!(fs::read_to_string(&values).expect("the values are there"), mine, "after {pause} ms");
        assert!(app.dir().join("chart/Chart.yaml").is_file(), "after {pause} ms");
    }
    std::thread::sleep(std::time::Duration::from_secs(6)); // what is younger may be a run's that lives
    app.run(&["init", "--template-only"]).exits(0);
    let left: Vec<String> = crate::support::listing(&app.dir()).into_keys().filter(|name| name.starts_with('.')).collect();
    assert_eq!(left, Vec::<String>::new());
}
