//! `lain diff`: what a deploy would change, told apart from what somebody changed in the cluster.

use jsonschema::draft202012;
use serde_json::Value as Json;

use crate::support::Place;

const SLEEPER: &str = "image: \"python:3.13-slim\", imagePullPolicy: IfNotPresent, command: [sleep, \"1000\"], terminationGracePeriodSeconds: 1, \
                       resources: {limits: {cpu: 1000m, memory: 80Mi}, requests: {cpu: 1m, memory: 8Mi}}";

fn values(more: &str) -> String {
    format!(
        "pin: \"4815\"\nfixed: one\nconf: |\n  first\n  second\n  third\nenv: {{A: one}}\ndeployments:\n  web: {{{SLEEPER}, replicaCount: 1, containerPort: 80}}\n  \
         gone: {{{SLEEPER}, replicaCount: 0}}\n  scaled: {{{SLEEPER}, replicaCount: 1, hpa: {{maxReplicas: 3}}}}\n  \
         byhand: {{{SLEEPER}, replicaCount: 1}}\ningresses:\n  - {{host: one, deployName: web, paths: [/]}}\n  - {{host: two, deployName: web, paths: [/a, /b]}}\n{more}"
    )
}

/// What a chart of one's own may hold beside lain's.
const EXTRA: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}-pin}
stringData: {PIN: {{ .Values.pin | quote }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-conf, annotations: {made: {{ now | date "20060102150405" | quote }}, id: {{ .Values.deploy_id | default "" | quote }}, by: {{ .Values.user | quote }}}}
data:
  conf: {{ .Values.conf | quote }}
{{- if not .Values.released }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-kept, annotations: {helm.sh/resource-policy: keep}}
{{- end }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}-fixed}
spec:
  replicas: 0
  selector: {matchLabels: {app: {{ .Release.Name }}-fixed, v: {{ .Values.fixed }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}-fixed, v: {{ .Values.fixed }}}}
    spec: {containers: [{name: a, image: "python:3.13-slim"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: {{ .Release.Name }}-hook, annotations: {helm.sh/hook: test}}
spec: {restartPolicy: Never, containers: [{name: a, image: "python:3.13-slim", env: [{name: ID, value: {{ .Values.deploy_id | default "" | quote }}}, {name: A, value: {{ .Values.env.A }}}]}]}
{{- if .Values.released }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-theirs}
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: {{ .Release.Name }}-widget}
{{- end }}
"#;

/// A custom resource of the user's, whose definition writes defaults into it.
const CUSTOM: &str = r"{{- if .Values.group }}
apiVersion: {{ .Values.group }}/v1
kind: Gadget
metadata: {name: {{ .Release.Name }}-gadget}
spec: {size: {{ .Values.size }}, parts: [{name: a}, {name: b}]}
{{- end }}
";

/// A definition in the cluster, as long as the test goes on: it is in no namespace.
struct Definition<'a> {
    place: &'a Place,
    name: String,
}

impl<'a> Definition<'a> {
    fn create(place: &'a Place, group: &str) -> Self {
        let parts = r#"{"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}, "mode": {"type": "string", "default": "slow"}}}}"#;
        let spec = format!(
            r#"{{"type": "object", "properties": {{"size": {{"type": "integer"}}, "color": {{"type": "string", "default": "red"}}, "parts": {parts}}}}}"#
        );
        let name = format!("gadgets.{group}");
        let text = format!(
            r#"{{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {{"name": "{name}"}}, "spec": {{
              "group": "{group}", "scope": "Namespaced", "names": {{"kind": "Gadget", "plural": "gadgets", "singular": "gadget"}},
              "versions": [{{"name": "v1", "served": true, "storage": true, "schema": {{"openAPIV3Schema": {{"type": "object", "properties": {{"spec": {spec}}}}}}}}}]}}}}"#
        );
        let path = place.root.path().join("definition.json");
        std::fs::write(&path, text).expect("a definition");
        place.kubectl(&["create", "-f", &path.display().to_string()]).ok();
        place.kubectl(&["wait", "--for=condition=established", &format!("crd/{name}"), "--timeout=60s"]).ok();
        Self { place, name }
    }
}

impl Drop for Definition<'_> {
    fn drop(&mut self) {
        let _ = self.place.kubectl(&["delete", "crd", &self.name, "--wait=false"]);
    }
}

#[test]
fn change_and_drift() {
    for helm in ["3.17.3", "4.3.1"] {
        let place = Place::new(helm).with_values(&values(""));
        let app = place.appname.clone();
        place.edit("chart/templates/extra.yaml", |_| EXTRA.to_owned());
        place.edit("chart/templates/custom.yaml", |_| CUSTOM.to_owned());
        let definition = Definition::create(&place, &format!("{app}.example.com"));
        place.edit("chart/values.yaml", |text| format!("{text}group: {app}.example.com\nsize: 1\n"));
        place.commit("more objects");
        let schema: Json = serde_json::from_str(&place.lain(&["schema", "diff"]).ok().stdout).expect("a schema");
        let schema = draft202012::new(&schema).expect("a schema");
        let diff = |args: &[&str]| place.lain(&[&["diff"], args].concat());
        let json = |args: &[&str]| -> Json {
            let found: Json = serde_json::from_str(&diff(&[args, &["-o", "json"]].concat()).ok().stdout).expect("JSON");
            let wrong: Vec<String> = schema.iter_errors(&found).map(|error| format!("{}: {error}", error.instance_path())).collect();
            assert!(wrong.is_empty(), "helm {helm}: {wrong:?} in {found:#}");
            found
        };
        let lines = |args: &[&str]| diff(args).ok().stdout.replace(&app, "APP");
        let holds = |text: &str, wanted: &[&str]| {
            for words in wanted {
                assert!(text.contains(words), "helm {helm}: `{words}` in\n{text}");
            }
        };

        diff(&["--live"]).exits(1).says("there is no release").says("next: lain deploy");
        let first = diff(&["--exit-code"]).exits(3).says("nothing yet, to image tag").says(" to create");
        assert!(first.stdout.contains(&format!("+ gadget/{app}-gadget\n")), "helm {helm}: {}", first.stdout);
        assert!(json(&[])["create"].as_u64().is_some_and(|count| count > 5));
        place.lain(&["deploy", "--ignore-lint"]).ok();
        place.lain(&["wait"]).ok();
        let same = diff(&["--exit-code"]).exits(0).says("nothing to change");
        assert!(!same.stdout.contains("~ ") && !same.stdout.contains("+ "), "{}", same.stdout);
        assert_eq!(diff(&["-o", "terraform"]).ok().stdout.trim(), r#"{"create":0,"update":0,"delete":0}"#);

        // Somebody was there.
        place.kubectl(&["scale", &format!("deployment/{app}-web"), "--replicas=2"]).ok();
        place.kubectl(&["set", "env", &format!("deployment/{app}-web"), "EVIL=1", "A=drift"]).ok();
        place.kubectl(&["delete", "service", &format!("{app}-web")]).ok();
        place.kubectl(&["patch", "secret", &format!("{app}-pin"), "--patch", "{\"stringData\":{\"PIN\":\"9999\"}}"]).ok();
        place.kubectl(&["patch", "gadget", &format!("{app}-gadget"), "--type=merge", "--patch", "{\"spec\":{\"size\":5}}"]).ok();
        // What an autoscaler of the chart's or somebody's has decided is no drift.
        place.kubectl(&["scale", &format!("deployment/{app}-scaled"), "--replicas=2"]).ok();
        place.kubectl(&["autoscale", &format!("deployment/{app}-byhand"), "--min=2", "--max=3"]).ok();
        place.kubectl(&["scale", &format!("deployment/{app}-byhand"), "--replicas=2"]).ok();
        let text = lines(&[]);
        holds(
            &text,
            &[
                "+ service/APP-web\n    # it was deleted in the cluster\n",
                "~ deployment/APP-web\n!   spec.replicas: 2 runs, 1 was deployed; a deploy sets it back\n",
                "!   spec.template.spec.containers[web].env[A].value: drift runs, one was deployed; a deploy sets it back\n",
                "env[EVIL]: was added in the cluster, and stays: {\"name\":\"EVIL\",\"value\":\"1\"}",
                "!   data.PIN: was changed in the cluster (secret); a deploy sets it back\n",
                "gadget/APP-gadget",
                "!   spec.size: ",
            ],
        );
        for words in ["-scaled", "-byhand", "4815", "9999", "NDgxNQ", "OTk5OQ"] {
            assert!(!text.contains(words), "helm {helm}: no `{words}` in\n{text}");
        }
        let live = json(&["--live"]);
        assert_eq!((&live["drift"], live["changes"].as_array().map(Vec::len)), (&4.into(), Some(4)), "{live:#}");
        diff(&["--live", "--exit-code"]).exits(3).says("4 changed in the cluster");
        place.lain(&["-C", "/", "diff", "--live", &app, "--use", "test"]).ok().says("4 changed in the cluster");
        diff(&[&app]).exits(2);

        // helm 3 knows custom resources by two states alone.
        holds(
            &text,
            if helm == "4.3.1" {
                &[]
            } else {
                &["  gadget/APP-gadget stays as it is\n!   spec.size: was changed in the cluster, and stays: 5\n"]
            },
        );
        place.kubectl(&["patch", "gadget", &format!("{app}-gadget"), "--type=merge", "--patch", "{\"spec\":{\"size\":1}}"]).ok();

        // And the values change.
        place.kubectl(&["create", "configmap", &format!("{app}-theirs")]).ok();
        let new = values("released: true\n")
            .replace("fixed: one", "fixed: two")
            .replace("4815", "1623")
            .replace("  second\n", "  2nd `<b>`\n")
            .replace("env: {A: one}", "env: {A: two}")
            .replace("  gone: {", "  new: {");
        place.edit("chart/values.yaml", |_| format!("appname: {app}\n{new}group: {app}.example.com\nsize: 2\n"));
        let text = lines(&[]);
        holds(
            &text,
            &[
                "+ deployment/APP-new\n+   apiVersion: apps/v1\n",
                "- deployment/APP-gone\n",
                "  configmap/APP-kept leaves the release and stays in the cluster\n",
                "~   data.PIN: is changed (secret)\n",
                "~ gadget/APP-gadget\n~   spec.size: 1 -> 2\n",
                "~   data.conf:\n      first\n-     second\n+     2nd `<b>`\n      third\n",
                "env[A].value: one -> two\n!     drift runs: it was changed in the cluster\n",
                "~ deployment/APP-fixed\n!   refused: spec.selector: field is immutable",
                "~ configmap/APP-theirs\n!   refused: it is in the cluster already and not of this release, so helm refuses\n",
                "+ widget/APP-widget\n!   refused: this server does not serve example.com/v1 Widget\n",
                "~ pod/APP-hook (hook)\n~   spec.containers[a].env[A].value: one -> two\n",
                "helm would refuse this deploy: ",
            ],
        );
        holds(&text, &["! made anew each time, and no change: configmap/APP-conf metadata.annotations.made\n"]);
        let changes: String = text.lines().filter(|line| !line.contains("made anew each time")).collect();
        for words in ["env[ID]", "annotations.made", "annotations.id", "annotations.by", "4815", "9999", "1623", "MTYyMw"] {
            assert!(!changes.contains(words), "helm {helm}: no `{words}` in\n{text}");
        }
        let counts: Json = serde_json::from_str(&diff(&["-o", "terraform"]).ok().stdout).expect("JSON");
        let whole = json(&[]);
        assert_eq!(counts, serde_json::json!({"create": whole["create"], "update": whole["update"], "delete": 1}));
        let page = diff(&["-o", "html"]).ok().stdout;
        holds(&page, &["<!doctype html>", "default-src 'none'", "2nd &#96;&lt;b&gt;&#96;", "</html>"]);
        assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("1623"), "{page}");
        let note = diff(&["-o", "markdown"]).ok().stdout;
        holds(&note, &["<details><summary><code>~ deployment/", "```diff\n", "helm would refuse this deploy"]);
        assert!(!note.contains("1623"), "{note}");

        // What can be deployed is, and drift is gone with it; what was added stays.
        place.edit("chart/values.yaml", |text| text.replace("released: true\n", "").replace("fixed: two", "fixed: one"));
        place.lain(&["deploy", "--ignore-lint"]).ok();
        place.lain(&["wait"]).ok();
        assert_eq!(place.field(&format!("deployment/{app}-web"), "{.spec.replicas}"), "1", "helm {helm}");
        let text = diff(&["--exit-code"]).exits(0).stdout.replace(&app, "APP");
        holds(&text, &["  deployment/APP-web stays as it is\n!   spec.template.spec.containers[web].env[EVIL]: was added"]);
        assert!(!text.contains("gadget"), "helm {helm}: what its definition fills in is no change:\n{text}");
        drop(definition);
    }
}

/// A plan is done as it was seen, from any checkout of the commit, or not at all.
#[test]
fn plans() {
    let place = Place::new("3.17.3").with_values(&values(""));
    let app = place.appname.clone();
    let file = |name: &str| place.root.path().join(name).display().to_string();
    let plan = |name: &str, args: &[&str]| {
        let ran = place.lain(&[&["deploy", "--ignore-lint", "--dry-run", "-o", "plan"], args].concat()).ok();
        std::fs::write(file(name), &ran.stdout).expect("a plan");
        ran.stdout
    };
    let deploy = |name: &str, args: &[&str]| place.lain(&[&["deploy", "--ignore-lint", "--plan", &file(name)], args].concat());

    // The first deploy, from another folder with the same commit; no value given with --set is in the file.
    let text = plan("first", &["--set", "env.PIN=p4815"]);
    assert!(text.contains("env.PIN") && !text.contains("p4815"), "{text}");
    assert_eq!(place.lain(&["history"]).code, 1, "nothing was changed");
    place.lain(&["-C", "/", "diff", "--plan", &file("first")]).ok().says("nothing yet, to image tag");
    deploy("first", &[]).exits(3).says("made with --set of env.PIN").says(" --set env.PIN=VALUE");
    deploy("first", &["--set", "env.PIN=other"]).exits(3).says("the values: files, --set or").says("next: lain deploy --dry-run -o plan");
    let clone = place.root.path().join("clone");
    place.git(&["clone", "-q", ".", &clone.display().to_string()]);
    let there = [
        "-C",
        &clone.display().to_string(),
        "--use",
        "test",
        "deploy",
        "--ignore-lint",
        "--plan",
        &file("first"),
        "--set",
        "env.PIN=p4815",
    ];
    place.lain(&there).ok().says("still fits").says("deployed ");
    deploy("first", &["--set", "env.PIN=p4815"]).exits(3).says("revision 1 is the newest now, there was none").says("next: lain diff");

    // Each thing that moves is named, and nothing is changed.
    place.edit("chart/values.yaml", |text| text.replace("A: one", "A: two"));
    plan("second", &[]);
    let refused = |words: &str| drop(deploy("second", &[]).exits(3).says(words));
    place.kubectl(&["scale", &format!("deployment/{app}-web"), "--replicas=2"]).ok();
    refused(&format!("deployment/{app}-web: spec.replicas"));
    place.kubectl(&["scale", &format!("deployment/{app}-web"), "--replicas=1"]).ok();
    place.lain(&["env", "add", "PIN=1623"]).ok();
    refused("APP-env or APP-secret was changed");
    place.edit("chart/templates/more.yaml", |_| "# {{ .Values.x }}\n".to_owned());
    refused("the chart: files of chart/ are others");
    place.edit("chart/values.yaml", |text| text + "x: 1\n");
    refused("the values: files");
    assert_eq!(place.lain(&["history"]).ok().stdout.lines().count(), 2, "one revision below the head");
    plan("third", &[]);
    deploy("third", &[]).ok().says("still fits").says("deployed ");
    place.lain(&["redeploy", "--plan", &file("third")]).exits(2).says("lain deploy --plan PLAN");
    place.lain(&["deploy", "--plan", "chart/values.yaml"]).exits(1).says("is no plan of lain's");
}
