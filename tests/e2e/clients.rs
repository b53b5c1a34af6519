//! What looks at the cluster, by each kubectl that the rig has: of its server's minor version, the next, and some that are further from it than kubectl promises to bear.

use crate::support::{HELM, Place, SLEEPER};

const KUBECTLS: [&str; 6] = ["1.20.2", "1.21.0", "1.24.0", "1.28.3", "1.31.9", "1.37.1"];

/// What is printed does not depend on kubectl: without a connection too, where it is asked in its own words.
const LOOKS: &[&[&str]] = &[
    &["logs", "web", "--no-follow"],
    &["x", "web", "--", "echo", "inside"],
    &["version"],
    &["get-values"],
    &["admin", "get", "deployments", "--annotations", "lain.test/of=CLIENTS"],
    &["admin", "get", "cm,sa", "--annotations", "lain.test/of=CLIENTS"],
    &["admin", "delete-bad-pod", "--dry-run"],
    &["admin", "delete-bad-ing", "--dry-run"],
    &["admin", "x", "--", "echo", "inside"],
];

#[test]
fn older_and_newer_kubectls_see_the_same() {
    let mut place = Place::new(HELM).with_values(&SLEEPER.replace("[sleep, \"1000\"]", "[sh, -c, \"echo begun; sleep 1000\"]"));
    let looks: Vec<Vec<String>> =
        LOOKS.iter().map(|args| args.iter().map(|arg| arg.replace("CLIENTS", &place.namespace)).collect()).collect();
    place.lain(&["deploy", "--ignore-lint", "--wait"]).ok();
    place.kubectl(&["create", "configmap", "mark"]).ok();
    let (mark, web) = (format!("lain.test/of={}", place.namespace), format!("deployment/{}-web", place.appname));
    place.kubectl(&["annotate", "configmap/mark", "serviceaccount/default", &web, &mark]).ok();
    let rig = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: tests/rig/rig env"));
    let mut seen: Vec<Vec<String>> = vec![];
    for version in KUBECTLS {
        let tools = rig("LAIN_RIG_TOOLS");
        place = place.with_env("PATH", &format!("{tools}/kubectl-{version}:{tools}/helm-{HELM}:{}", rig("PATH")));
        let status = place.lain(&["status", "-s"]).ok().stdout;
        assert!(status.contains("Running") && status.contains("no usage"), "kubectl {version}, no metrics server: {status}");
        let look = |args: &Vec<String>| place.lain(&args.iter().map(String::as_str).collect::<Vec<_>>()).ok().stdout;
        seen.push(looks.iter().map(|args| look(args).replace(&format!("kubectl {version}"), "kubectl VERSION")).collect());
    }
    for (version, other) in KUBECTLS.iter().zip(&seen) {
        assert_eq!(other, &seen[0], "kubectl {version} beside {}", KUBECTLS[0]);
    }
    let words = ["begun", "inside", "web", "imageTag", "web", "ServiceAccount", "", "", "inside"];
    assert!(seen[0].iter().zip(words).all(|(text, words)| text.contains(words)), "{:?}", seen[0]);
}
