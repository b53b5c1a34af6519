//! An app, a home and a set of clusters of their own for each test, and lain run among them.
//!
//! ```ignore
//! App::new().values("appname: shop\n").cluster("test", "registry: 127.0.0.1:5000\n").run(&["deploy"]).exits(1);
//! ```
//!
//! lain sees a cleared environment. Its PATH is one folder that holds only what the test put there ([`App::tools`]),
//! so that a missing program is really missing.

#![allow(dead_code)] // each test file uses its own part

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// No run of a test may take longer; lain's own bounds are shorter.
const LONGEST: Duration = Duration::from_secs(300);

/// Values that are fine: what is wrong in a test is what the test says.
pub const VALUES: &str = "\
appname: shop
deployments:
  web:
    replicaCount: 1
    command: [sleep, \"1000\"]
    resources:
      limits: {cpu: 1000m, memory: 64Mi}
      requests: {cpu: 10m, memory: 32Mi}
build:
  base: alpine:3
  script: [\"true\"]
";

/// Where a program of the rig lives; a test that needs it fails without.
pub fn rig(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: tests/rig/rig up && eval \"$(tests/rig/rig env)\", or run tests/run"))
}

/// The place that a test sets up.
pub struct App {
    root: TempDir,
    env: BTreeMap<String, String>,
}

impl App {
    /// A folder with [`VALUES`] in `chart/values.yaml`, an empty home, no clusters, no programs but git.
    pub fn new() -> Self {
        let app = Self::empty();
        app.file("chart/values.yaml", VALUES)
    }

    /// As [`App::new`], with an empty folder.
    pub fn empty() -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        for folder in ["shop", "home/.kube", "clusters", "bin", "tmp"] {
            fs::create_dir_all(root.path().join(folder)).expect("a folder");
        }
        let path = |name: &str| root.path().join(name).display().to_string();
        let env = [
            ("PATH", path("bin")),
            ("HOME", path("home")),
            ("TMPDIR", path("tmp")),
            ("LAIN_CLUSTER_VALUES_DIR", path("clusters")),
            ("USER", "tester".to_owned()),
            ("LC_ALL", "C.UTF-8".to_owned()),
            ("NO_COLOR", "1".to_owned()),
            ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
            ("GIT_CEILING_DIRECTORIES", root.path().display().to_string()),
        ];
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { root, env }.tools(&["git"])
    }

    /// `chart/values.yaml`.
    pub fn values(self, text: &str) -> Self {
        self.file("chart/values.yaml", text)
    }

    /// The chart that lain writes, without its values.
    pub fn chart(self) -> Self {
        let files = lain::render::chart::without_values("shop", None).expect("the chart");
        for file in files {
            write(&self.dir().join("chart").join(file.path), &file.bytes);
        }
        self
    }

    /// Any file in the app's folder.
    pub fn file(self, path: &str, text: &str) -> Self {
        write(&self.dir().join(path), text.as_bytes());
        self
    }

    /// A cluster: its values, and a kubeconfig for an API server that nobody runs.
    pub fn cluster(self, name: &str, values: &str) -> Self {
        self.cluster_without_kubeconfig(name, values).kubeconfig(name, "https://127.0.0.1:1")
    }

    /// A cluster that nobody gave a kubeconfig.
    pub fn cluster_without_kubeconfig(self, name: &str, values: &str) -> Self {
        write(&self.root.path().join(format!("clusters/values-{name}.yaml")), values.as_bytes());
        self
    }

    /// `~/.kube/kubeconfig-NAME` for an API server.
    pub fn kubeconfig(self, name: &str, server: &str) -> Self {
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: it\nclusters: [{{name: it, cluster: {{server: \"{server}\"}}}}]\n\
             users: [{{name: it, user: {{token: none}}}}]\ncontexts: [{{name: it, context: {{cluster: it, user: it}}}}]\n"
        );
        self.home_file(&format!(".kube/kubeconfig-{name}"), &text)
    }

    /// Any file in the home folder.
    pub fn home_file(self, path: &str, text: &str) -> Self {
        write(&self.home().join(path), text.as_bytes());
        self
    }

    /// `~/.kube/config` points to a cluster, as `lain use` leaves it.
    pub fn using(self, name: &str) -> Self {
        let link = self.home().join(".kube/config");
        symlink(self.home().join(format!(".kube/kubeconfig-{name}")), link).expect("a link");
        self
    }

    /// Real programs on PATH: `helm` and `kubectl` of the rig, in the versions that suit most tests; the rest of the machine.
    pub fn tools(mut self, names: &[&str]) -> Self {
        for name in names {
            self = match *name {
                "helm" => self.tool("helm", "helm-3.17.3"),
                "kubectl" => self.tool("kubectl", "kubectl-1.31.9"),
                other => {
                    let found = which::which(other).unwrap_or_else(|_| panic!("this test needs {other} on PATH"));
                    self.link_tool(other, &found)
                }
            };
        }
        self
    }

    /// One program in one of the rig's versions: `tool("helm", "helm-4.3.1")`.
    pub fn tool(self, name: &str, version: &str) -> Self {
        self.tool_as(name, name, version)
    }

    /// The same under another name: `tool_as("helm3", "helm", "helm-3.17.3")`.
    pub fn tool_as(self, name: &str, program: &str, version: &str) -> Self {
        let found = Path::new(&rig("LAIN_RIG_TOOLS")).join(version).join(program);
        assert!(found.is_file(), "{} is missing: tests/rig/rig tools", found.display());
        self.link_tool(name, &found)
    }

    fn link_tool(self, name: &str, target: &Path) -> Self {
        let link = self.root.path().join("bin").join(name);
        let _ = fs::remove_file(&link); // another version of the same
        symlink(target, link).expect("a link");
        self
    }

    /// Takes a program away again.
    pub fn without(self, name: &str) -> Self {
        fs::remove_file(self.root.path().join("bin").join(name)).expect("it was there");
        self
    }

    /// A program that stands for a broken one; for faults that real programs do not show.
    pub fn fake(self, name: &str, script: &str) -> Self {
        let path = self.root.path().join("bin").join(name);
        let _ = fs::remove_file(&path);
        write(&path, format!("#!/bin/sh\n{script}\n").as_bytes());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
        self
    }

    /// One more variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The docker daemon of the one who runs the tests.
    pub fn docker(self) -> Self {
        let host = std::env::var("DOCKER_HOST").unwrap_or_default();
        self.tools(&["docker"]).env("DOCKER_HOST", &host)
    }

    /// A git repository with everything committed.
    pub fn committed(self) -> Self {
        for args in [&["init", "-q"][..], &["add", "-A"], &["commit", "-q", "--allow-empty", "-m", "the app"]] {
            self.git(args);
        }
        self
    }

    /// git in the app's folder; returns its stdout.
    pub fn git(&self, args: &[&str]) -> String {
        let mut command = self.command(Path::new("git"));
        command.args(["-c", "user.name=Tester", "-c", "user.email=tester@example.com"]).args(args);
        let output = command.output().expect("git runs");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// The app's folder.
    pub fn dir(&self) -> PathBuf {
        self.root.path().join("shop")
    }

    /// The home folder.
    pub fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// Where lain and its tools put temporary files.
    pub fn tmp(&self) -> PathBuf {
        self.root.path().join("tmp")
    }

    /// A command among all this, not started.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.dir()).env_clear().envs(&self.env).stdin(Stdio::null());
        command
    }

    /// Runs `lain`.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Ran {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_lain")));
        command.args(args);
        self.run_command(command)
    }

    /// Runs a command to its end and keeps what it printed and what it did to the app's folder.
    #[track_caller]
    pub fn run_command(&self, command: Command) -> Ran {
        self.watch(command, |_| ())
    }

    /// As [`App::run`]; once lain or its children said these words, `then` is done to them.
    #[track_caller]
    pub fn run_until(&self, args: &[&str], words: &str, then: impl FnOnce()) -> Ran {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_lain")));
        command.args(args);
        let mut then = Some(then);
        let ran = self.watch(command, |said| {
            if said.contains(words)
                && let Some(then) = then.take()
            {
                then();
            }
        });
        assert!(then.is_none(), "`{words}` never came\n{}", ran.said());
        ran
    }

    #[track_caller]
    fn watch(&self, mut command: Command, mut see: impl FnMut(&str)) -> Ran {
        let (out, err) = (tempfile::NamedTempFile::new().expect("a file"), tempfile::NamedTempFile::new().expect("a file"));
        command.stdout(out.reopen().expect("a file")).stderr(err.reopen().expect("a file"));
        let line = typed(&command);
        let before = listing(&self.dir());
        let started = Instant::now();
        let mut child = command.spawn().expect("it starts");
        let status = loop {
            if let Some(status) = child.try_wait().expect("a state") {
                break status;
            }
            if started.elapsed() > LONGEST {
                let _ = child.kill();
                panic!("it does not end:\n{}", text_of(err.path()));
            }
            see(&(text_of(out.path()) + &text_of(err.path())));
            std::thread::sleep(Duration::from_millis(10));
        };
        Ran {
            line,
            root: self.root.path().to_path_buf(),
            code: status.code().unwrap_or(-1),
            stdout: text_of(out.path()),
            stderr: text_of(err.path()),
            took: started.elapsed(),
            before,
            after: listing(&self.dir()),
            left: listing(&self.tmp()),
        }
    }
}

/// What one run did. Each check returns the run, so that checks can be chained.
pub struct Ran {
    line: String,
    root: PathBuf,
    /// The exit code; -1 when a signal ended it.
    pub code: i32,
    /// The result.
    pub stdout: String,
    /// Everything else that was said.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
    before: Listing,
    after: Listing,
    left: Listing,
}

/// What can be pasted is `next:`, advice in words is `tip:`.
pub fn is_hint(line: &str) -> bool {
    line.starts_with("next: ") || line.starts_with("tip: ")
}

impl Ran {
    /// The exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "the exit code\n{}", self.said());
        self
    }

    /// stderr holds these words.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(self.stderr.contains(words), "expected `{words}`\n{}", self.said());
        self
    }

    /// Neither stdout nor stderr holds these words.
    #[track_caller]
    pub fn never_says(self, words: &str) -> Self {
        assert!(!self.stderr.contains(words) && !self.stdout.contains(words), "`{words}` must not be said\n{}", self.said());
        self
    }

    /// stdout, whole but for its last newline.
    #[track_caller]
    pub fn prints(self, text: &str) -> Self {
        assert_eq!(self.stdout.trim_end(), text, "stdout\n{}", self.said());
        self
    }

    /// stdout, line by line without the comments at their ends.
    #[track_caller]
    pub fn prints_commands(self, text: &str) -> Self {
        let bare: Vec<&str> = self.stdout.lines().map(|line| line.split_once("  # ").map_or(line, |(line, _)| line)).collect();
        assert_eq!(bare.join("\n"), text, "stdout\n{}", self.said());
        self
    }

    /// stderr ends with exactly one error: this reason, then only its place, its causes and what to type next.
    #[track_caller]
    pub fn reason(self, words: &str) -> Self {
        let errors: Vec<usize> =
            self.lines().iter().enumerate().filter(|(_, line)| line.starts_with("error: ")).map(|(at, _)| at).collect();
        assert_eq!(errors.len(), 1, "exactly one error\n{}", self.said());
        let lines = self.lines();
        assert!(lines[errors[0]].contains(words), "the reason is to hold `{words}`\n{}", self.said());
        let belongs = |line: &str| line.starts_with(' ') || is_hint(line);
        assert!(lines[errors[0] + 1..].iter().all(|line| belongs(line)), "nothing comes after the reason\n{}", self.said());
        assert!(!self.stderr.contains("(os error") && !self.stderr.contains("panicked"), "plain words\n{}", self.said());
        self.show();
        self
    }

    /// The last thing that is said is a hint, and one of the hints holds these words.
    #[track_caller]
    pub fn next(self, words: &str) -> Self {
        let lines = self.lines();
        assert!(lines.last().is_some_and(|line| is_hint(line)), "the last line is a hint\n{}", self.said());
        assert!(lines.iter().any(|line| is_hint(line) && line.contains(words)), "a hint with `{words}`\n{}", self.said());
        self
    }

    /// The app's folder holds the same names, bytes and modes as before, and no temporary file is left.
    #[track_caller]
    pub fn changed_nothing(self) -> Self {
        assert_eq!(self.after, self.before, "the folder changed\n{}", self.said());
        assert_eq!(self.left, Listing::new(), "temporary files are left\n{}", self.said());
        self
    }

    /// No temporary file is left.
    #[track_caller]
    pub fn leaves_nothing(self) -> Self {
        assert_eq!(self.left, Listing::new(), "temporary files are left\n{}", self.said());
        self
    }

    /// It ended within this time.
    #[track_caller]
    pub fn within(self, seconds: u64) -> Self {
        assert!(self.took < Duration::from_secs(seconds), "it took {:?}\n{}", self.took, self.said());
        self
    }

    /// For docs/errors.md (tests/gallery.rs): what was typed and what was said, under the test's name.
    fn show(&self) {
        let Ok(folder) = std::env::var("LAIN_GALLERY") else { return };
        let test = std::thread::current().name().expect("a test's thread has its name").replace("::", " ");
        let errors: Vec<&str> = self.stderr.lines().skip_while(|line| !line.starts_with("error: ")).collect();
        let shown = format!("$ {}\n{}\n", self.line, errors.join("\n")).replace(&self.root.display().to_string(), "/home/you");
        let path = (0..100).map(|number| Path::new(&folder).join(format!("{test}-{number:02}"))).find(|path| !path.exists());
        fs::write(path.expect("a number is free"), shown).expect("the gallery");
    }

    fn lines(&self) -> Vec<&str> {
        self.stderr.lines().collect()
    }

    fn said(&self) -> String {
        format!("--- exit code {}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

/// What a folder holds: relative paths, and for each its mode and contents or where it points.
pub type Listing = BTreeMap<String, String>;

/// Lists a folder with everything below it; git's own records are left out.
pub fn listing(dir: &Path) -> Listing {
    let mut found = Listing::new();
    let mut todo = vec![dir.to_path_buf()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.file_name().is_some_and(|name| name == ".git") {
                continue;
            }
            let meta = fs::symlink_metadata(&path).expect("metadata");
            let mut what = format!("{:o} ", meta.permissions().mode());
            if meta.is_symlink() {
                let _ = write!(what, "-> {}", fs::read_link(&path).expect("a link").display());
            } else if meta.is_file() {
                what += &String::from_utf8_lossy(&fs::read(&path).expect("a file"));
            } else if meta.is_dir() {
                todo.push(path.clone());
            }
            found.insert(path.strip_prefix(dir).expect("below").display().to_string(), what);
        }
    }
    found
}

/// A command as it would be typed.
fn typed(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let args = command.get_args().map(|arg| arg.to_string_lossy().into_owned());
    shell_words::join(std::iter::once(program).chain(args))
}

fn text_of(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).expect("what it printed")).into_owned()
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
