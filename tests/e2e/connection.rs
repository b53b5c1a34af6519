//! The one connection to the API server: lain's own login where it stands in the kubeconfig, else a `kubectl proxy` of each run's own.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::support::{HELM, Place, Ran, program};

/// Ready once somebody says so, and never by itself.
const WAITS: &str = "\
deployments:
  web:
    image: python:3.13-slim
    imagePullPolicy: IfNotPresent
    command: [sleep, \"1000\"]
    terminationGracePeriodSeconds: 1
    readinessProbe: {exec: {command: [test, -e, /tmp/go]}, periodSeconds: 1, timeoutSeconds: 10}
    resources: {requests: {cpu: 1m, memory: 8Mi}, limits: {cpu: 1000m, memory: 64Mi}}
";

/// The proxies of runs in this place, whoever their parent is by now.
fn proxies(place: &Place) -> Vec<i32> {
    let ours = place.tmp().to_string_lossy().into_owned();
    let is_ours = |words: &str| words.contains("\0proxy\0") && words.contains(&ours);
    let pids = fs::read_dir("/proc").expect("/proc").flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &i32| fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|words| is_ours(&words))).collect()
}

/// Waits until something is so.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < end, "{what}: not within a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[track_caller]
fn leaves_nothing(place: &Place, when: &str) {
    until(&format!("{when}: the proxy ends"), || proxies(place).is_empty());
    let left: Vec<PathBuf> = fs::read_dir(place.tmp()).expect("tmp").flatten().map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "{when} leaves {left:?}");
}

fn kill(signal: &str, pid: i32) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().expect("kill").success());
}

/// `lain -v wait`, once it follows.
fn waiting(place: &Place) -> (Child, BufReader<std::process::ChildStderr>, String) {
    let mut child = place.lain_command(&["-v", "wait"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("lain");
    let mut stderr = BufReader::new(child.stderr.take().expect("its stderr"));
    let mut said = String::new();
    while !said.contains("new pods ready") {
        assert_ne!(stderr.read_line(&mut said).expect("a line"), 0, "it ended: {said}");
    }
    (child, stderr, said)
}

/// What lain can do by itself starts no kubectl.
#[test]
fn a_login_that_stands_in_the_kubeconfig_is_lains_own() {
    let place = Place::new(HELM).with_values(&WAITS.replace("[test, -e, /tmp/go]", "[\"true\"]"));
    place.lain(&["-v", "deploy", "--ignore-lint"]).ok().says("kubectl get --raw").never_says("kubectl proxy");
    let known = format!("{}-web: python:3.13-slim", place.appname);
    let plainly = "--request-timeout 20s --raw"; // kubectl is started for it
    let by_token = place.lain(&["-v", "version"]).ok().says("kubectl get --raw").never_says("kubectl proxy").never_says(plainly);
    assert!(by_token.stdout.contains(&known), "{}", by_token.stdout);

    // By a certificate: the rig's kubeconfig has such a user, as those of kind and of kubeadm.
    let values = place.root.path().join("clusters/values-test.yaml");
    let old = fs::read_to_string(&values).expect("cluster values");
    let config = fs::read_to_string(place.home().join(".kube/kubeconfig-test")).expect("a kubeconfig");
    if config.contains("name: rig-by-certificate") {
        fs::write(&values, format!("{old}\nkube_context: rig-by-certificate\n")).expect("cluster values");
    } else {
        assert!(config.contains("client-certificate-data"), "no user of the kubeconfig has a certificate");
    }
    let by_certificate = place.lain(&["-v", "version"]).ok().says("kubectl get --raw").never_says("kubectl proxy").never_says(plainly);
    assert!(by_certificate.stdout.contains(&known), "{}", by_certificate.stdout);
    fs::write(&values, old).expect("cluster values");

    // `ALL_PROXY` is no variable of kubectl's, and so none of the way to the cluster. This one is away.
    let mut command = place.lain_command(&["-v", "history"]);
    command.env("ALL_PROXY", "http://127.0.0.1:1");
    Ran::of(&command.output().expect("lain")).ok().never_says("kubectl proxy ");

    // A token that is none (any more), and a server that is another one: kubectl says so.
    let token = |config: &str| config.split("{token: ").nth(1).and_then(|rest| rest.split('}').next()).expect("a token").to_owned();
    let right = token(&config);
    place.kubeconfig(|old| old.replace(&right, "gone"));
    place.lain(&["-v", "history"]).exits(1).never_says("kubectl proxy").says("You must be logged in to the server");
    place.kubeconfig(|old| old.replace("token: gone", &format!("token: {right}")));
    // Keys of a kind that is not lain's, and one that is another certificate's.
    let made = |curve: &str| {
        let file = |end: &str| place.root.path().join(format!("{curve}.{end}"));
        let mut command = Command::new("openssl");
        command.args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-nodes",
            "-subj",
            "/CN=somebody",
            "-pkeyopt",
            &format!("ec_paramgen_curve:{curve}"),
        ]);
        let out = command.arg("-keyout").arg(file("key")).arg("-out").arg(file("crt")).output().expect("openssl");
        assert!(out.status.success(), "{out:?}");
        let read = |end: &str| STANDARD.encode(fs::read(file(end)).expect("a file"));
        (read("crt"), read("key"))
    };
    let ((certificate, _), (_, key), (large, its_key)) = (made("P-256"), made("P-384"), made("P-521"));
    for (certificate, key, words) in
        [(&certificate, &key, "private key does not match public key"), (&large, &its_key, "You must be logged in")]
    {
        let user = format!("{{client-certificate-data: {certificate}, client-key-data: {key}}}");
        let token = format!("{{token: {right}}}");
        place.kubeconfig(|old| old.replace(&token, &user));
        place.lain(&["-v", "history"]).exits(1).says("kubectl proxy ").says(words);
        place.kubeconfig(|old| old.replace(&user, &token));
    }
    let other = STANDARD.encode(fs::read("tests/pipelines/company-ca.crt").expect("a CA"));
    place.kubeconfig(|old| {
        let ca = old.split("certificate-authority-data: ").nth(1).and_then(|rest| rest.split('}').next()).expect("a CA");
        old.replace(ca, &other)
    });
    place.lain(&["-v", "history"]).exits(1).says("kubectl proxy ").says("x509: certificate signed by unknown authority");
}

#[test]
fn one_proxy_answers_and_nothing_stays_behind() {
    let place = Place::new(HELM).with_values(WAITS);
    place.with_a_program_that_logs_in();
    place.lain(&["deploy", "--ignore-lint"]).ok();
    leaves_nothing(&place, "a deploy");
    // Each question is a command that does the same.
    let ran = place.lain(&["-v", "version"]).ok();
    let line = ran.stderr.lines().find(|line| line.contains("/deployments?limit=500")).unwrap_or_else(|| panic!("{}", ran.stderr));
    let copied = Command::new("sh").args(["-ec", line]).env("HOME", place.home()).env_remove("KUBECONFIG").output().expect("sh");
    let out = Ran::of(&copied).ok();
    assert!(line.starts_with("kubectl get --raw ") && out.stdout.contains(&format!("{}-web", place.appname)), "{line}\n{}", out.stdout);
    assert_eq!(ran.stderr.matches("kubectl proxy ").count(), 1, "{}", ran.stderr);

    for signal in ["-INT", "-TERM", "-KILL"] {
        let (mut child, mut stderr, mut said) = waiting(&place);
        let running = proxies(&place);
        assert_eq!(running.len(), 1, "{said}");
        let id = i32::try_from(child.id()).expect("a process id");
        kill(signal, id);
        stderr.read_to_string(&mut said).expect("the rest");
        let status = child.wait().expect("it ends");
        assert_eq!(status.code(), (signal != "-KILL").then_some(130), "{signal}: {said}");
        leaves_nothing(&place, signal);
    }

    // Somebody ends the proxy: the run goes on by a new one, and sees what there is to see.
    let (mut child, mut stderr, mut said) = waiting(&place);
    let [first] = proxies(&place)[..] else { panic!("one proxy: {said}") };
    kill("-KILL", first);
    until("a new proxy", || proxies(&place).iter().any(|pid| *pid != first));
    place.kubectl(&["exec", &format!("deployment/{}-web", place.appname), "--", "touch", "/tmp/go"]).ok();
    stderr.read_to_string(&mut said).expect("the rest");
    assert!(child.wait().expect("it ends").success() && said.contains("1/1 ready"), "{said}");
    assert_eq!(said.matches("kubectl proxy ").count(), 2, "{said}");
    leaves_nothing(&place, "a proxy that was killed");
}

/// Servers behind one address have a path each; where no proxy can be, kubectl is asked by itself.
#[test]
fn whatever_the_way_is_the_answers_are_the_same() {
    let place = Place::new(HELM).with_values(&WAITS.replace("[test, -e, /tmp/go]", "[\"true\"]"));
    place.lain(&["deploy", "--ignore-lint", "--wait"]).ok();
    let runs =
        |ran: &Ran| ran.stdout.lines().find(|line| line.starts_with(&place.appname)).unwrap_or_else(|| panic!("{}", ran.stderr)).to_owned();
    let known = format!("{}-web: python:3.13-slim", place.appname);
    let plainly = "--request-timeout 20s --raw"; // kubectl is started for it

    let mut gate = place.kubectl_command(&["proxy", "--port=0", "--api-prefix=/k8s/clusters/c-1/"]);
    let mut gate = gate.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("kubectl proxy");
    let mut line = String::new();
    BufReader::new(gate.stdout.take().expect("its stdout")).read_line(&mut line).expect("where it serves");
    let address = line.trim().rsplit_once(' ').expect("Starting to serve on ADDRESS").1.to_owned();
    let config = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: it\nclusters: [{{name: it, cluster: {{server: \"http://{address}/k8s/clusters/c-1\"}}}}]\n\
         contexts: [{{name: it, context: {{cluster: it, user: it}}}}]\nusers: [{{name: it, user: {{}}}}]\n"
    );
    fs::write(place.home().join(".kube/kubeconfig-path"), config).expect("a kubeconfig");
    let clusters = place.root.path().join("clusters");
    fs::copy(clusters.join("values-test.yaml"), clusters.join("values-path.yaml")).expect("cluster values");
    let tools = std::env::var("LAIN_RIG_TOOLS").expect("the rig");
    let path = std::env::var("PATH").expect("PATH");
    for version in ["1.20.2", "1.31.9"] {
        let path = format!("{tools}/kubectl-{version}:{tools}/helm-{HELM}:{path}");
        let ran = Ran::of(&place.lain_command(&["-v", "version", "--cluster", "path"]).env("PATH", path).output().expect("lain")).ok();
        let ran = ran.says("kubectl get --raw '/k8s/clusters/c-1/apis/apps/v1/namespaces/").never_says(plainly);
        assert_eq!(runs(&ran), known, "kubectl {version}");
    }
    let _ = gate.kill(); // it may have ended
    let _ = gate.wait();

    place.with_a_program_that_logs_in();
    // An older kubectl, a system without such sockets, a folder whose path is too long for one: that is no error.
    let real = which::which_in("kubectl", Some(&path), "/").expect("kubectl");
    let bin = place.root.path().join("bin");
    program(&bin.join("kubectl"), &format!("#!/bin/sh\n[ \"$1\" != proxy ] || exit 1\nexec {} \"$@\"\n", real.display()));
    let without = format!("{}:{tools}/helm-{HELM}:{path}", bin.display());
    let ran = Ran::of(&place.lain_command(&["-v", "version"]).env("PATH", without).output().expect("lain")).ok();
    assert_eq!(runs(&ran.says(plainly).never_says("kubectl get --raw")), known);
    let long = place.root.path().join("x".repeat(150));
    fs::create_dir(&long).expect("a folder");
    let ran = Ran::of(&place.lain_command(&["-v", "version"]).env("TMPDIR", &long).output().expect("lain")).ok();
    assert_eq!(runs(&ran.says("kubectl get --raw ").never_says(plainly)), known);
}
