//! An app, a cluster and a home folder of their own for each test, on the real rig.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

/// What the rig's `env` prints; a test without it fails.
pub fn rig(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: tests/rig/rig up && eval \"$(tests/rig/rig env)\", or run tests/run"))
}

/// The helm that most tests run.
pub const HELM: &str = "3.17.3";

/// One pod that sleeps, of an image that the node has; more keys of it may follow.
pub const SLEEPER: &str = "\
deployments:
  web:
    image: python:3.13-slim
    imagePullPolicy: IfNotPresent
    command: [sleep, \"1000\"]
    replicaCount: 1
    terminationGracePeriodSeconds: 1
    resources: {requests: {cpu: 1m, memory: 16Mi}, limits: {cpu: 1000m, memory: 64Mi}}
";

static NAMESPACES: AtomicU32 = AtomicU32::new(0);

pub struct Place {
    pub root: TempDir,
    pub app: PathBuf,
    pub namespace: String,
    pub appname: String,
    helm: String,
    extra_env: Vec<(String, String)>,
}

pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(self.stderr.contains(words), "expected `{words}` in\n--- stderr\n{}", self.stderr);
        self
    }

    #[track_caller]
    pub fn never_says(self, words: &str) -> Self {
        assert!(!self.stderr.contains(words), "no `{words}` in\n--- stderr\n{}", self.stderr);
        self
    }
}

/// A script that runs.
pub fn program(path: &Path, script: &str) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, script).expect("a script");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it may run");
}

impl Place {
    /// A namespace, a registry path and a home of one's own; `appname` is unique, so that images of tests stay apart.
    pub fn new(helm: &str) -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        let number = NAMESPACES.fetch_add(1, Ordering::SeqCst);
        // The registry outlives a run, and process ids come again: the time makes names new each time.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
        let id = format!("{:x}-{number}", now.as_millis());
        let place = Self {
            app: root.path().join("app"),
            namespace: format!("t-{id}"),
            appname: format!("dummy-{id}"),
            helm: helm.to_owned(),
            extra_env: vec![],
            root,
        };
        fs::create_dir_all(place.home().join(".kube")).expect("home");
        fs::create_dir_all(place.root.path().join("clusters")).expect("clusters");
        fs::create_dir_all(&place.app).expect("app");
        fs::copy(rig("LAIN_E2E_KUBECONFIG"), place.home().join(".kube/kubeconfig-test")).expect("kubeconfig");
        fs::write(
            place.root.path().join("clusters/values-test.yaml"),
            format!(
                "registry: {}\ndomain: rig.example.com\nnamespace: {}\nextra_docs: the rig\n",
                rig("LAIN_E2E_REGISTRY"),
                place.namespace
            ),
        )
        .expect("cluster values");
        place.kubectl(&["create", "namespace", &place.namespace]).ok();
        place
    }

    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        self.extra_env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Changes what the kubeconfig says.
    #[track_caller]
    pub fn kubeconfig(&self, change: impl FnOnce(&str) -> String) {
        let path = self.home().join(".kube/kubeconfig-test");
        let old = fs::read_to_string(&path).expect("a kubeconfig");
        let new = change(&old);
        assert_ne!(old, new);
        fs::write(path, new).expect("a kubeconfig");
    }

    /// From now on a program logs in, as it does at most providers of clusters: that is kubectl's.
    pub fn with_a_program_that_logs_in(&self) {
        self.kubeconfig(|old| {
            let token = old.split("{token: ").nth(1).and_then(|rest| rest.split('}').next()).expect("a token");
            let script = self.home().join("login");
            let answer = format!(
                r#"{{"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential", "status": {{"token": "{token}"}}}}"#
            );
            program(&script, &format!("#!/bin/sh\necho '{answer}'\n"));
            let login = format!("{{exec: {{apiVersion: client.authentication.k8s.io/v1beta1, command: {}}}}}", script.display());
            old.replace(&format!("{{token: {token}}}"), &login)
        });
    }

    pub fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    pub fn registry() -> String {
        rig("LAIN_E2E_REGISTRY")
    }

    /// examples/dummy under this test's own name, committed.
    pub fn with_dummy(self) -> Self {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/dummy");
        copy_tree(&example, &self.app);
        self.edit("chart/values.yaml", |text| text.replace("appname: dummy", &format!("appname: {}", self.appname)));
        self.edit("chart/Chart.yaml", |text| text.replace("name: dummy", &format!("name: {}", self.appname)));
        self.commit("the app");
        self.lain(&["use", "test"]).ok();
        self.lain(&["secret", "show"]).ok(); // makes topsecret.txt, as the seed says
        self
    }

    /// An app of these values and lain's chart, under this test's own name, committed.
    pub fn with_values(self, values: &str) -> Self {
        for file in lain::render::chart::without_values(&self.appname, None).expect("the chart") {
            let path = self.app.join("chart").join(file.path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, file.bytes).expect("the chart");
        }
        self.edit("chart/values.yaml", |_| format!("appname: {}\n{values}", self.appname));
        self.commit("the app");
        self.lain(&["use", "test"]).ok();
        self
    }

    pub fn edit(&self, file: &str, change: impl FnOnce(String) -> String) {
        let path = self.app.join(file);
        let text = fs::read_to_string(&path).unwrap_or_default();
        fs::write(&path, change(text)).expect("edit");
    }

    pub fn commit(&self, message: &str) {
        if !self.app.join(".git").exists() {
            self.git(&["init", "-q"]);
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    pub fn git(&self, args: &[&str]) {
        let config = ["-c", "user.name=Tester", "-c", "user.email=tester@example.com"];
        let output = self.command("git").args(config).args(args).output().expect("git runs");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Any program, with what lain has around it here.
    pub fn program(&self, name: &str) -> Command {
        self.command(name)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}/helm-{}:{}", rig("LAIN_RIG_TOOLS"), self.helm, rig("PATH"));
        command
            .current_dir(&self.app)
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.home())
            .env("USER", "tester")
            .env("NO_COLOR", "1")
            .env("LC_ALL", "C.UTF-8");
        command.env("LAIN_CLUSTER_VALUES_DIR", self.root.path().join("clusters")).env("TMPDIR", self.tmp());
        if let Ok(host) = std::env::var("DOCKER_HOST") {
            command.env("DOCKER_HOST", host);
        }
        command.envs(self.extra_env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    pub fn tmp(&self) -> PathBuf {
        let tmp = self.root.path().join("tmp");
        fs::create_dir_all(&tmp).expect("tmp");
        tmp
    }

    pub fn lain_command(&self, args: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_lain"));
        command.args(args);
        command
    }

    pub fn lain(&self, args: &[&str]) -> Ran {
        Ran::of(&self.lain_command(args).output().expect("lain runs"))
    }

    pub fn kubectl_command(&self, args: &[&str]) -> Command {
        let mut command = self.command("kubectl");
        command.arg("--kubeconfig").arg(self.home().join(".kube/kubeconfig-test")).args(["--namespace", &self.namespace]).args(args);
        command
    }

    pub fn kubectl(&self, args: &[&str]) -> Ran {
        Ran::of(&self.kubectl_command(args).output().expect("kubectl runs"))
    }

    pub fn helm(&self, args: &[&str]) -> Ran {
        let mut command = self.command("helm");
        command.args(args).arg("--kubeconfig").arg(self.home().join(".kube/kubeconfig-test")).args(["--namespace", &self.namespace]);
        Ran::of(&command.output().expect("helm runs"))
    }

    pub fn docker(&self, args: &[&str]) -> Ran {
        Ran::of(&self.command("docker").args(args).output().expect("docker runs"))
    }

    /// A lain that is killed in a first install of `release`, and its helm with it: both at once, as a runner that goes away takes them.
    pub fn kill_in_install(&self, args: &[&str], release: &str) {
        let mut child = self.lain_command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("lain runs");
        let end = Instant::now() + Duration::from_secs(60);
        while !self.helm(&["status", release]).stdout.contains("pending-install") {
            assert!(Instant::now() < end, "helm never began");
            std::thread::sleep(Duration::from_millis(100));
        }
        let helms = Command::new("pgrep").args(["-P", &child.id().to_string(), "helm"]).output().expect("pgrep runs").stdout;
        child.kill().expect("kill -9");
        child.wait().expect("an end");
        for helm in String::from_utf8_lossy(&helms).split_whitespace() {
            Command::new("kill").args(["-9", helm]).status().expect("kill runs");
        }
    }

    /// A field of an object, by jsonpath.
    pub fn field(&self, object: &str, path: &str) -> String {
        self.kubectl(&["get", object, "-o", &format!("jsonpath={path}")]).ok().stdout
    }

    /// GET / of a Service, from the host, until the answer holds `words`: for a moment after a rollout the node
    /// still sends requests to a pod that is going.
    #[track_caller]
    pub fn answers(&self, service: &str, words: &str) {
        let address = self.field(&format!("service/{service}"), "{.spec.clusterIP}");
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let answer = get(&address);
            if answer.as_ref().is_ok_and(|body| body.contains(words)) {
                return;
            }
            assert!(Instant::now() < end, "{service} at {address} does not answer with `{words}`: {answer:?}");
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    pub fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&self.app)
            .expect("the app's folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::env::var("LAIN_RIG_TOOLS").is_err() {
            return; // the test said so already; a panic here would hide it
        }
        let _ = self.kubectl(&["delete", "namespace", &self.namespace, "--wait=false"]);
    }
}

fn get(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&format!("{address}:80").parse().map_err(std::io::Error::other)?, Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| std::io::Error::other("no reply"))?;
    if head.contains(" 200 ") { Ok(body.to_owned()) } else { Err(std::io::Error::other(head.to_owned())) }
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copy");
        }
    }
}
