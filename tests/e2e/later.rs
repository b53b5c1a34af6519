//! A deletion that the cluster does by itself, with the account and the image that it has there.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::Place;

const VALUES: &str = "\
deployments:
  web: {image: python:3.13-slim, imagePullPolicy: IfNotPresent, command: [sleep, \"1000\"], replicaCount: 1, terminationGracePeriodSeconds: 1}
";

#[test]
fn a_job_in_the_cluster_deletes_it() {
    let place = Place::new("3.17.3").with_values(VALUES);
    let app = place.appname.clone();
    // What the Job needs of lain's own image.
    let tools = std::env::var("LAIN_RIG_TOOLS").expect("the rig");
    let context = place.root.path().join("image");
    fs::create_dir(&context).expect("a folder");
    for (tool, version) in [("helm", "helm-3.17.3"), ("kubectl", "kubectl-1.20.2")] {
        fs::copy(Path::new(&tools).join(version).join(tool), context.join(tool)).expect("a tool");
    }
    fs::write(context.join("Dockerfile"), "FROM python:3.13-slim\nCOPY helm kubectl /usr/local/bin/\n").expect("a Dockerfile");
    let registry = format!("{}/{app}", Place::registry());
    let clusters = place.root.path().join("clusters/values-test.yaml");
    let text = fs::read_to_string(&clusters).expect("cluster values");
    fs::write(&clusters, text.replace(&format!("registry: {}", Place::registry()), &format!("registry: {registry}")))
        .expect("cluster values");
    let image = format!("{registry}/lain:latest");
    place.docker(&["build", "-q", "-t", &image, &context.display().to_string()]).ok();
    place.docker(&["push", "-q", &image]).ok();

    place.lain(&["delete", "--after", "1h"]).exits(1).says("nothing to delete later").says("next: lain deploy");
    place.lain(&["delete", "--after", "1h", "--purge"]).exits(2);
    let ran = place.lain(&["deploy", "--ignore-lint", "--delete-after", "2h"]).ok();
    ran.says(&format!("by job {app}-delete-job")).says(&format!("next: kubectl delete job {app}-delete-job"));
    let job = format!("job/{app}-delete-job");
    assert!(place.field(&job, "{.metadata.annotations.lain\\.dev/delete-at}").starts_with("20"));
    place.lain(&["env", "add", "A=1"]).ok();

    // Sooner after all: the Job before makes way.
    place.lain(&["delete", "--after", "1s"]).ok().says(&format!("release {app} is deleted at 20"));
    let end = Instant::now() + Duration::from_secs(180);
    let names = || place.kubectl(&["get", "deployments,jobs,rolebindings,serviceaccounts", "-o", "name"]).ok().stdout;
    while names().contains(&app) {
        let log = || place.kubectl(&["logs", &job]);
        assert!(Instant::now() < end, "it stays: {}\n{}{}", names(), log().stdout, log().stderr);
        std::thread::sleep(Duration::from_secs(1));
    }
    assert_eq!(place.helm(&["list", "--all", "--short"]).ok().stdout, "");
    place.kubectl(&["get", "secret", &format!("{app}-env")]).ok();
    let _ = place.docker(&["rmi", &image]);
}
