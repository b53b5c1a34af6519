//! A review beside its app: what it has of its own, and that nothing else goes with it.

use crate::support::Place;

const VALUES: &str = "\
deployments:
  web:
    image: python:3.13-slim
    imagePullPolicy: IfNotPresent
    command: [sleep, \"1000\"]
    replicaCount: 2
    containerPort: 8080
    terminationGracePeriodSeconds: 1
deploy:
  worker: {image: python:3.13-slim, imagePullPolicy: IfNotPresent, command: [sleep, \"1000\"], replicaCount: 2, terminationGracePeriodSeconds: 1}
cronjobs:
  nightly: {image: python:3.13-slim, schedule: \"0 1 * * *\", command: [\"true\"]}
ingresses: [{host: shop, deployName: web}, {host: shop.inner.example.com, deployName: web}]
externalIngresses: [{host: shop.example.com, deployName: web}]
";

#[test]
fn a_review_comes_and_goes_beside_its_app() {
    let place = Place::new("3.17.3").with_values(VALUES);
    let app = place.appname.clone();
    let review = format!("{app}-feature-one");
    place.lain(&["env", "add", "TOKEN=treasure"]).ok();
    place.lain(&["deploy", "--ignore-lint"]).ok();

    let wrong = place.lain(&["deploy", "--ignore-lint", "--review", "Feature/One", "--app", "shop"]);
    wrong.exits(2).says(&format!("the values call this app {app}, not shop"));
    let ran = place.lain(&["deploy", "--ignore-lint", "--review", "Feature/One", "--app", &app]).ok();
    ran.says(&format!("Secret {review}-env is a copy of {app}-env")).says(&format!("next: lain delete --review feature-one --app {app}"));
    assert_eq!(place.field(&format!("secret/{review}-env"), "{.data.TOKEN}"), place.field(&format!("secret/{app}-env"), "{.data.TOKEN}"));
    for proc in ["web", "worker"] {
        let paths = "{.spec.replicas} {.spec.template.spec.containers[0].envFrom[0].secretRef.name} {.spec.template.spec.volumes[0].secret.secretName}";
        let has = |release: &str| place.field(&format!("deployment/{release}-{proc}"), paths);
        assert_eq!(has(&review), format!("1 {review}-env {review}-secret"));
        assert_eq!(has(&app), format!("2 {app}-env {app}-secret"));
    }
    assert_eq!(place.field(&format!("cronjob/{review}-nightly"), "{.spec.suspend}"), "true");
    let hosts =
        place.kubectl(&["get", "ingress", "-l", &format!("helm.sh/chart={review}"), "-o", "jsonpath={.items[*].spec.rules[*].host}"]);
    let mut hosts: Vec<String> = hosts.ok().stdout.split_whitespace().map(str::to_owned).collect();
    hosts.sort();
    assert_eq!(hosts, ["shop-feature-one.inner.example.com", "shop-feature-one.rig.example.com"]);

    // What is there once a cluster is left out, where it was written.
    place.edit("chart/values.yaml", |text| {
        text.replace("containerPort: 8080", "nodePort: 30123\n    nodes: [none-such]\n    hpa: {maxReplicas: 3}")
            + "persistentVolumeClaims: {data: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}\n"
    });
    let shown = place.lain(&["deploy", "--ignore-lint", "--review", "Feature/One", "--dry-run"]).ok().stdout;
    assert!(shown.contains(&format!("name: \"{review}-data\"")), "{shown}");
    for word in ["30123", "none-such", "HorizontalPodAutoscaler"] {
        assert!(!shown.contains(&format!("{word}\n")) && !shown.contains(&format!("kind: {word}")), "{word}: {shown}");
    }
    place.git(&["checkout", "-q", "chart"]);

    // A release that is no review is out of reach, the app's own first of all.
    place.lain(&["deploy", "--ignore-lint", "--set", &format!("releaseName={app}-other")]).ok();
    for args in [&["deploy", "--ignore-lint", "--review", "other"][..], &["delete", "--yes", "--review", "other"]] {
        place.lain(args).exits(3).says(&format!("release {app}-other is no review"));
    }
    place.lain(&["deploy", "--ignore-lint", "--review", "x", "--set", &format!("releaseName={app}")]).exits(3).says("is no review");
    for name in ["canary", "--", ""] {
        place.lain(&["delete", "--yes", &format!("--review={name}"), "--app", &app]).exits(2);
    }

    // Without a checkout, as a stop job has it.
    let elsewhere = place.root.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).expect("a folder");
    let elsewhere = elsewhere.display().to_string();
    let stop = ["-C", &elsewhere, "delete", "--review", "Feature/One", "--app", &app];
    place
        .lain(&stop)
        .exits(3)
        .says("There is no terminal to ask at")
        .says(&format!("next: lain delete --review feature-one --app {app} --yes"));
    place.lain(&[&stop[..], &["--yes"]].concat()).ok().says(&format!("review Feature/One of {app} is gone"));
    place.lain(&[&stop[..], &["--yes"]].concat()).ok().says("nothing to delete");
    let mut left: Vec<String> = place.helm(&["list", "--short"]).ok().stdout.lines().map(str::to_owned).collect();
    left.sort();
    assert_eq!(left, [app.clone(), format!("{app}-other")]);
    let secrets = place.kubectl(&["get", "secrets,leases", "-o", "name"]).ok().stdout;
    assert!(
        secrets.contains(&format!("secret/{app}-env\n")) && !secrets.contains("feature-one") && !secrets.contains("lease.coordination"),
        "{secrets}"
    );
}
