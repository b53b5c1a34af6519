//! The user's own Dockerfile and .dockerignore: untouched whatever becomes of a build.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use support::{App, listing};

/// First words of what a killed build may leave.
const DERIVED: &str = "# derived from .gitignore by lain";
/// A file that is no UTF-8, as comments of old editors are.
const DOCKERFILE: &[u8] = b"FROM scratch\n# caf\xe9\r\n";
const DOCKERIGNORE: &[u8] = b"*\n!chart\n# caf\xe9";
const COMMANDS: [&[&str]; 4] =
    [&["build"], &["build", "--keep-dockerfile"], &["prepare", "--skip-push"], &["prepare", "--skip-push", "--keep-dockerfile"]];

/// An app whose build takes its time, or fails, or does nothing much.
struct Shop {
    app: App,
    name: String,
}

fn docker(args: &[&str]) -> String {
    let out = Command::new("docker").args(args).output().expect("docker runs");
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

impl Shop {
    /// `script` is the one line of both stages.
    fn new(script: &str) -> Self {
        let unique = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_nanos();
        let name = format!("files-{unique}");
        let app = App::empty().docker().env("DOCKER_BUILDKIT", "0").cluster("test", "registry: 127.0.0.1:1/none\n").using("test");
        Self { app, name }.script(script)
    }

    fn script(self, script: &str) -> Self {
        // Its name makes the step one of its own: nothing comes out of docker's cache.
        let line = format!("echo {} $((40 + 2)); {script}", self.name);
        let values = format!(
            "appname: {}\nbuild:\n  base: debian:trixie-slim\n  prepare: {{script: [\"{line}\"]}}\n  script: [\"{line}\"]\n",
            self.name
        );
        fs::create_dir_all(self.path("chart")).expect("a folder");
        fs::write(self.path("chart/values.yaml"), values).expect("values");
        self
    }

    /// `build` needs no registry once there is a prepare image.
    fn prepared(self) -> Self {
        docker(&["tag", "debian:trixie-slim", &format!("127.0.0.1:1/none/{}:prepare", self.name)]);
        self
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.app.dir().join(name)
    }

    /// A Dockerfile and a .dockerignore with odd bytes, modes and a second name.
    fn with_own_files(self) -> Self {
        for (name, bytes, mode) in [("Dockerfile", DOCKERFILE, 0o640), (".dockerignore", DOCKERIGNORE, 0o604)] {
            fs::write(self.path(name), bytes).expect("a file");
            fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).expect("a mode");
            fs::hard_link(self.path(name), self.path(&format!("{name}.second"))).expect("a second name");
        }
        self
    }

    /// Containers of this app's builds.
    fn containers(&self) -> Vec<String> {
        let all = docker(&["ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Command}}"]);
        let own = all.lines().filter(|line| line.contains(&self.name));
        own.filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect()
    }

    /// No container of this app is there, or soon none: the daemon clears up behind an interrupted client.
    #[track_caller]
    fn leaves_no_container(&self) {
        let end = Instant::now() + Duration::from_secs(30);
        while !self.containers().is_empty() {
            assert!(Instant::now() < end, "containers are left: {:?}", self.containers());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Kills lain the hard way; what it had in the folder for temporary files stays there, as it must.
    fn kill(&self, started: Started) {
        started.kill();
        for entry in fs::read_dir(self.app.tmp()).expect("a folder").flatten() {
            fs::remove_dir_all(entry.path()).expect("a folder");
        }
    }

    /// Starts lain and waits until a step of its build runs.
    fn start(&self, args: &[&str]) -> Started {
        let log = self.app.home().join("log");
        let file = fs::File::create(&log).expect("a log");
        let mut command = self.app.command(Path::new(env!("CARGO_BIN_EXE_lain")));
        let child = command.args(args).stdout(Stdio::null()).stderr(file).spawn().expect("lain runs");
        let mut started = Started { child, log };
        let words = format!("{} 42", self.name);
        let end = Instant::now() + Duration::from_secs(120);
        while !started.log().contains(&words) {
            assert!(Instant::now() < end, "`{words}` never came:\n{}", started.log());
            assert!(started.child.try_wait().expect("a state").is_none(), "lain ended early:\n{}", started.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        started
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        for container in self.containers() {
            docker(&["rm", "--force", &container]);
        }
        let list = docker(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]);
        for image in list.lines().filter(|image| image.contains(&self.name)) {
            docker(&["image", "rm", "--force", "--no-prune", image]);
        }
    }
}

struct Started {
    child: Child,
    log: std::path::PathBuf,
}

impl Started {
    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its children: docker.
    fn children(&self) -> Vec<String> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("tasks");
        let lists = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
        lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().expect("kill runs").success());
    }

    fn end(mut self) -> (Option<i32>, String) {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.child.try_wait().expect("a state") {
                return (status.code(), self.log());
            }
            assert!(Instant::now() < end, "lain does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Kills lain the hard way, and then docker, which that leaves behind.
    fn kill(self) {
        let children = self.children();
        assert!(!children.is_empty(), "docker runs below lain");
        self.signal("-KILL");
        self.end();
        for child in children {
            assert!(Command::new("kill").arg(&child).status().expect("kill runs").success());
            let end = Instant::now() + Duration::from_secs(30);
            while Path::new("/proc").join(&child).exists() {
                assert!(Instant::now() < end, "docker does not end");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

/// Everything about a folder's entries but the time of reading: also inodes, links, owners and times of change.
fn everything(dir: &Path) -> Vec<(String, String)> {
    let names = listing(dir).into_iter();
    names
        .map(|(name, what)| {
            let meta = fs::symlink_metadata(dir.join(&name)).expect("metadata");
            let bytes = if meta.is_file() { fs::read(dir.join(&name)).expect("a file") } else { vec![] };
            let times = if meta.is_dir() { String::new() } else { format!("{}.{}", meta.mtime(), meta.mtime_nsec()) };
            (name, format!("{what} inode {} links {} owner {}:{} {times} {bytes:?}", meta.ino(), meta.nlink(), meta.uid(), meta.gid()))
        })
        .collect()
}

#[test]
fn own_files_through_success() {
    for args in COMMANDS {
        let shop = Shop::new("true").prepared().with_own_files();
        let before = everything(&shop.app.dir());
        let mut args = args.to_vec();
        if args[0] == "build" {
            args.push("--no-pull");
        }
        shop.app.run(&args).exits(0).changed_nothing();
        assert_eq!(everything(&shop.app.dir()), before, "{args:?}");
        shop.leaves_no_container();
    }
}

#[test]
fn own_files_through_failure() {
    for args in COMMANDS {
        let shop = Shop::new("exit 7").prepared().with_own_files();
        let before = everything(&shop.app.dir());
        let mut args = args.to_vec();
        if args[0] == "build" {
            args.push("--no-pull");
        }
        shop.app.run(&args).exits(1).reason("`docker build` failed").changed_nothing();
        assert_eq!(everything(&shop.app.dir()), before, "{args:?}");
        shop.leaves_no_container();
    }
}

#[test]
fn own_files_through_signals() {
    std::thread::scope(|scope| {
        for (args, signal) in COMMANDS.into_iter().zip(["-INT", "-TERM", "-TERM", "-INT"]) {
            scope.spawn(move || {
                let shop = Shop::new("sleep 300").prepared().with_own_files();
                let before = everything(&shop.app.dir());
                let mut args = args.to_vec();
                if args[0] == "build" {
                    args.push("--no-pull");
                }
                let started = shop.start(&args);
                assert_eq!(everything(&shop.app.dir()), before, "{args:?} while it runs");
                started.signal(signal);
                let (code, log) = started.end();
                assert_eq!(code, Some(130), "{log}");
                assert!(log.trim_end().ends_with("error: interrupted"), "{log}");
                assert_eq!(everything(&shop.app.dir()), before, "{args:?} {signal}");
                shop.leaves_no_container();
            });
        }
    });
}

#[test]
fn own_files_through_kill() {
    std::thread::scope(|scope| {
        for args in [&["build", "--no-pull", "--keep-dockerfile"][..], &["prepare", "--skip-push"]] {
            scope.spawn(move || {
                let shop = Shop::new("sleep 300").prepared().with_own_files();
                let before = everything(&shop.app.dir());
                shop.kill(shop.start(args));
                assert_eq!(everything(&shop.app.dir()), before, "{args:?}");
                let shop = shop.script("true");
                let before = everything(&shop.app.dir());
                shop.app.run(args).exits(0).changed_nothing();
                assert_eq!(everything(&shop.app.dir()), before, "{args:?} once more");
            });
        }
    });
}

#[test]
fn links_of_the_users_stay_links() {
    let shop = Shop::new("true").prepared();
    for name in ["Dockerfile", ".dockerignore"] {
        symlink("/nonexistent/file", shop.path(name)).expect("a link");
    }
    let before = everything(&shop.app.dir());
    let build = ["build", "--no-pull", "--keep-dockerfile"];
    // docker itself cannot read a .dockerignore that leads nowhere; what counts is that both links stay.
    let ran = shop.app.run(&build).exits(1).says("a Dockerfile of your own").reason("`docker build` failed");
    ran.next("make it a file").changed_nothing();
    assert_eq!(everything(&shop.app.dir()), before);

    let text = shop.app.run(&["dockerfile", "--stage", "build"]).exits(0).stdout;
    for name in ["Dockerfile", ".dockerignore"] {
        fs::remove_file(shop.path(name)).expect("a link");
        symlink(format!("elsewhere{name}"), shop.path(name)).expect("a link");
    }
    fs::write(shop.path("elsewhereDockerfile"), text).expect("what lain would write");
    fs::write(shop.path("elsewhere.dockerignore"), "chart\n").expect("a file");
    let before = everything(&shop.app.dir());
    // Beside a Dockerfile on stdin the older builder cannot send one that leads somewhere either ("write too long").
    shop.app.run(&build).exits(1).reason("`docker build` failed").next("make it a file").changed_nothing();
    assert_eq!(everything(&shop.app.dir()), before);

    fs::remove_file(shop.path(".dockerignore")).expect("a link");
    fs::rename(shop.path("elsewhere.dockerignore"), shop.path(".dockerignore")).expect("a file");
    let before = everything(&shop.app.dir());
    shop.app.run(&build).exits(0).never_says("of your own").changed_nothing();
    assert_eq!(everything(&shop.app.dir()), before);
}

#[test]
fn what_a_killed_build_leaves_goes_with_the_next() {
    let shop = Shop::new("sleep 300").prepared();
    shop.kill(shop.start(&["build", "--no-pull"]));
    let left = fs::read_to_string(shop.path(".dockerignore")).expect("lain could not take it away");
    assert!(left.starts_with(DERIVED), "{left}");
    let names: Vec<String> = listing(&shop.app.dir()).into_keys().collect();
    assert_eq!(names, [".dockerignore", "chart", "chart/values.yaml"], "only that is left");

    // Not taken for the user's: what .gitignore says now is what counts, and it is gone in the end.
    let shop = shop.script("test ! -e secret && test ! -e .dockerignore");
    fs::write(shop.path("secret"), "x").expect("a file");
    fs::write(shop.path(".gitignore"), "secret\n").expect("a file");
    shop.app.run(&["build", "--no-pull"]).exits(0);
    assert!(!shop.path(".dockerignore").exists(), "the next run takes it away");

    // Nor does a run that fails leave it.
    fs::write(shop.path(".dockerignore"), &left).expect("a file");
    let shop = shop.script("exit 5");
    shop.app.run(&["build", "--no-pull"]).exits(1).reason("`docker build` failed");
    assert!(!shop.path(".dockerignore").exists(), "a failing run takes it away too");
}

#[test]
fn a_derived_file_that_was_edited_is_the_users() {
    let shop = Shop::new("sleep 300").prepared();
    shop.kill(shop.start(&["build", "--no-pull"]));
    let left = fs::read_to_string(shop.path(".dockerignore")).expect("lain could not take it away");
    fs::write(shop.path(".dockerignore"), format!("{left}mine\n")).expect("an edit");
    let shop = shop.script("true");
    let before = everything(&shop.app.dir());
    shop.app.run(&["build", "--no-pull"]).exits(0).changed_nothing();
    assert_eq!(everything(&shop.app.dir()), before);
}

#[test]
fn a_file_that_comes_while_a_build_runs_is_the_users() {
    let shop = Shop::new("sleep 300").prepared();
    let started = shop.start(&["build", "--no-pull"]);
    fs::write(shop.path(".dockerignore"), "mine\n").expect("a file");
    started.signal("-INT");
    assert_eq!(started.end().0, Some(130));
    assert_eq!(fs::read_to_string(shop.path(".dockerignore")).expect("it stays"), "mine\n");
}

#[test]
fn a_kept_dockerfile_is_whole_and_stays() {
    let shop = Shop::new("sleep 300").prepared();
    let text = shop.app.run(&["dockerfile", "--stage", "build"]).exits(0).stdout;
    let started = shop.start(&["build", "--no-pull", "--keep-dockerfile"]);
    started.signal("-INT");
    assert_eq!(started.end().0, Some(130));
    assert_eq!(fs::read_to_string(shop.path("Dockerfile")).expect("it was asked for"), text);
    assert!(!shop.path(".dockerignore").exists());
    // Once more: it is the same already, so it is not even written again.
    let shop = shop.script("sleep 300");
    let before = everything(&shop.app.dir());
    let started = shop.start(&["build", "--no-pull", "--keep-dockerfile"]);
    started.signal("-TERM");
    assert_eq!(started.end().0, Some(130));
    assert_eq!(everything(&shop.app.dir()), before);
}

/// A small file system without room left; unmounted when dropped.
struct Full(std::path::PathBuf);

impl Full {
    fn over(dir: &Path) -> Self {
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(dir).status();
        assert!(status.expect("mount runs").success(), "tests that fill a disk need root");
        Self(dir.to_path_buf())
    }

    /// Uses up what is left, to the last page.
    fn fill(&self) {
        let error = (0..1000).find_map(|number| fs::write(self.0.join(format!("filler{number}")), [b'x'; 4096]).err());
        assert_eq!(error.expect("it fills up").kind(), std::io::ErrorKind::StorageFull);
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn own_files_on_a_full_disk() {
    let shop = Shop::new("true").prepared();
    let disk = Full::over(&shop.app.dir());
    let shop = shop.script("true").with_own_files();
    disk.fill();
    let before = everything(&shop.app.dir());
    for args in
        [&["build", "--no-pull"][..], &["build", "--no-pull", "--keep-dockerfile"], &["prepare", "--skip-push", "--keep-dockerfile"]]
    {
        shop.app.run(args).exits(0).changed_nothing(); // nothing has to be written
        assert_eq!(everything(&shop.app.dir()), before, "{args:?}");
    }
}

#[test]
fn nothing_half_written_on_a_full_disk() {
    let shop = Shop::new("true").prepared();
    let disk = Full::over(&shop.app.dir());
    let shop = shop.script("true");
    disk.fill();
    for command in [&["build", "--no-pull"][..], &["prepare", "--skip-push"]] {
        let full = |args: &[&str]| shop.app.run(args).exits(1).reason("cannot write ").says("no space left on device").next("df -h");
        full(command).says(".dockerignore").changed_nothing();
        full(&[command, &["--keep-dockerfile"]].concat()).says("Dockerfile").changed_nothing();
    }
    shop.leaves_no_container();
}
