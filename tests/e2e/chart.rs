//! The chart by itself: helm and a cluster, no lain.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Place, Ran};

const VALUES: &str = r#"
deployments:
  web:
    imagePullPolicy: IfNotPresent
    command: [sleep, "100000"]
    replicaCount: 1
    containerPort: 5000
    hpa: {maxReplicas: 3}
    terminationGracePeriodSeconds: 1
    resources: {limits: {cpu: 1, memory: 80Mi}, requests: {cpu: 1m, memory: 8Mi}}
statefulSets:
  store:
    imagePullPolicy: IfNotPresent
    command: [sleep, "100000"]
    replicaCount: 1
    terminationGracePeriodSeconds: 1
    resources: {limits: {cpu: 1, memory: 80Mi}, requests: {cpu: 1m, memory: 8Mi}}
cronjobs:
  nightly: {schedule: "0 17 1 1 *", command: [echo, done]}
ingresses:
  - {host: by-itself, deployName: web, paths: [/]}
"#;

/// What `lain init` wrote, and the Secret that its containers read.
fn chart_of_init(place: &Place) {
    place.lain(&["init", "--appname", &place.appname]).ok();
    place.edit("chart/values.yaml", |_| format!("appname: {}\n{VALUES}", place.appname));
    place.kubectl(&["create", "secret", "generic", &format!("{}-env", place.appname), "--from-literal=A=b"]).ok();
}

/// helm in a version of the rig's, without lain's environment.
pub fn helm(place: &Place, version: &str, args: &[&str]) -> Ran {
    let tools = std::env::var("LAIN_RIG_TOOLS").expect("LAIN_RIG_TOOLS");
    let mut command = Command::new(format!("{tools}/helm-{version}/helm"));
    command.current_dir(&place.app).env("HOME", place.home()).args(args).args(["--namespace", &place.namespace, "--kubeconfig"]);
    Ran::of(&command.arg(place.home().join(".kube/kubeconfig-test")).output().expect("helm runs"))
}

#[test]
fn it_deploys_without_lain_under_every_helm_and_tags_arrive_as_written() {
    let place = Place::new("3.17.3");
    chart_of_init(&place);
    let repository = format!("{}/{}", Place::registry(), place.appname);
    // Tags that YAML readers take for something else; one helm installs, the others go on with the release.
    for (version, tag) in
        [("3.9.4", "y"), ("3.17.3", "1e3"), ("4.3.1", "0123"), ("3.16.4", "20260102"), ("4.3.1", "1.10"), ("4.3.1", "null")]
    {
        let image = format!("{repository}:{tag}");
        place.docker(&["tag", "python:3.13-slim", &image]).ok();
        let registry = format!("registry={},domain=rig.example.com", Place::registry());
        let args = ["upgrade", "--install", &place.appname, "./chart", "--set", &registry, "--wait", "--timeout", "3m"];
        helm(&place, version, &[&args[..], &["--set-string", &format!("imageTag={tag}")]].concat()).ok();
        for pod in [format!("deployment/{}-web", place.appname), format!("statefulset/{}-store", place.appname)] {
            let container = "{.spec.template.spec.containers[0]";
            assert_eq!(place.field(&pod, &format!("{container}.image}}")), image);
            // A pod of the tag before may answer while it is on its way out.
            let end = Instant::now() + Duration::from_secs(60);
            loop {
                let saw = place.kubectl(&["exec", &pod, "--", "printenv", "IMAGE_TAG"]);
                if saw.stdout.trim_end() == tag {
                    break;
                }
                assert!(Instant::now() < end, "helm {version}, tag {tag}, {pod} saw `{}`: {}", saw.stdout, saw.stderr);
                std::thread::sleep(Duration::from_millis(500));
            }
        }
        place.docker(&["rmi", &image]); // its layers stay with the pod that runs it
    }
}

#[test]
fn helm_4_installs_and_upgrades_by_server_side_apply_without_a_conflict() {
    let place = Place::new("4.3.1");
    chart_of_init(&place);
    let image = format!("{}/{}:1", Place::registry(), place.appname);
    place.docker(&["tag", "python:3.13-slim", &image]).ok();
    let registry = format!("registry={},domain=rig.example.com", Place::registry());
    let upgrade = |more: &str| {
        let args = ["upgrade", "--install", &place.appname, "./chart", "--set", &registry, "--set-string", "imageTag=1", "--set", more];
        helm(&place, "4.3.1", &[&args[..], &["--wait", "--timeout", "3m"]].concat()).ok();
    };
    upgrade("env.WORD=one");
    let web = format!("deployment/{}-web", place.appname);
    let managers = place.kubectl(&["get", &web, "-o", "jsonpath={.metadata.managedFields[*].operation}"]).ok().stdout;
    assert!(managers.contains("Apply"), "{managers}");
    // Somebody scales by hand, as the autoscaler would: the next upgrade leaves that alone, for the chart says nothing of it.
    place.kubectl(&["scale", &web, "--replicas=2"]).ok();
    upgrade("env.WORD=two");
    assert_eq!(place.field(&web, "{.spec.template.spec.containers[0].env[?(@.name==\"WORD\")].value}"), "two");
    assert_eq!(place.field(&web, "{.spec.replicas}"), "2");
    place.docker(&["rmi", &image]);
}
