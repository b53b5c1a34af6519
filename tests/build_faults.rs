//! Docker daemons that are not there, die in the middle, hang, or have no room: each command ends, with one reason, the right exit code, and
//! nothing left behind.

#[path = "support/daemon.rs"]
mod daemon;
mod support;

use std::os::unix::net::UnixListener;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use daemon::{BASE, Daemon, Fate, Way};
use support::{App, Ran};

/// Every command that needs docker. Some need an image first, or an archive.
const COMMANDS: [&[&str]; 12] = [
    &["prepare"],
    &["prepare", "--skip-push", "--keep-dockerfile"],
    &["build"],
    &["build", "--no-pull", "--keep-dockerfile"],
    &["build", "--push"],
    &["build", "--publish"],
    &["push"],
    &["push", "--publish"],
    &["push", "debian:trixie-slim", "--pull"],
    &["run", "--", "true"],
    &["save"],
    &["save", "debian:trixie-slim", "--pull"],
];

/// An app that is new in every run; its images go when it is dropped.
struct Shop {
    app: App,
    name: String,
}

fn docker(args: &[&str]) -> String {
    let out = Command::new("docker").args(args).output().expect("docker runs");
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

impl Shop {
    /// Its docker is at `host`; both stages run `script`.
    fn new(host: &str, script: &str) -> Self {
        Self::of(App::empty(), host, script)
    }

    /// `app` has variables already.
    fn of(app: App, host: &str, script: &str) -> Self {
        let name = format!("faults-{}", SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_nanos());
        let line = format!("echo {name} $((40 + 2)); {script}");
        let values = format!("appname: {name}\nbuild:\n  base: {BASE}\n  prepare: {{script: [{line:?}]}}\n  script: [{line:?}]\n");
        let app = app.tools(&["docker"]).env("DOCKER_HOST", host).env("DOCKER_BUILDKIT", "0").values(&values);
        Self { app: app.cluster("test", "registry: 127.0.0.1:1/none\n").using("test"), name }
    }

    /// The app's image with this tag; `prepare` is one.
    fn image(&self, tag: &str) -> String {
        format!("127.0.0.1:1/none/{}:{tag}", self.name)
    }

    /// With images as if they had been built, on the rig's daemon.
    fn built(self) -> Self {
        ["prepare", "latest"].iter().for_each(|tag| drop(docker(&["tag", BASE, &self.image(tag)])));
        self
    }

    /// Runs lain and does this once a step of its build, or its command, runs.
    #[track_caller]
    fn run_until_it_works(&self, args: &[&str], then: impl FnOnce()) -> Ran {
        self.app.run_until(args, &format!("{} 42", self.name), then)
    }

    /// No container of this app is on the rig's daemon, or soon none.
    #[track_caller]
    fn leaves_no_container(&self) {
        let end = Instant::now() + Duration::from_secs(30);
        while docker(&["ps", "--all", "--no-trunc", "--format", "{{.Command}}"]).contains(&self.name) {
            assert!(Instant::now() < end, "a container is left");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let list = docker(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]);
        list.lines()
            .filter(|image| image.contains(&self.name))
            .for_each(|image| drop(docker(&["image", "rm", "--force", "--no-prune", image])));
    }
}

// ---- absent ----

#[test]
fn nobody_listens() {
    let folder = tempfile::tempdir().expect("a folder");
    let dead = folder.path().join("dead.sock");
    drop(UnixListener::bind(&dead).expect("a socket")); // the file stays, as after a crash
    let hosts =
        [format!("unix://{}/none.sock", folder.path().display()), format!("unix://{}", dead.display()), "tcp://127.0.0.1:1".to_owned()];
    for host in hosts {
        let shop = Shop::new(&host, "true");
        for args in COMMANDS {
            shop.app.run(args).exits(1).reason("no docker daemon answers").next("DOCKER_HOST").within(60).changed_nothing();
        }
    }
}

#[test]
fn the_clusters_own_daemon_is_not_there() {
    let app = App::new().tools(&["docker"]).cluster("far", "registry: 127.0.0.1:1/none\nremote_docker: 127.0.0.1:1\n");
    let ran = app.run(&["build", "--cluster", "far", "--remote-docker"]);
    ran.exits(1).reason("no docker daemon answers").says("127.0.0.1:1").next("DOCKER_HOST").within(60).changed_nothing();
}

// ---- dying ----

const GONE: &str = "the docker daemon went away";

#[test]
fn it_dies_while_a_step_runs() {
    for args in [&["build", "--no-pull"][..], &["prepare", "--skip-push"], &["build", "--no-pull", "--publish"]] {
        let mut daemon = Daemon::with_room(300);
        let shop = Shop::new(&daemon.host(), "sleep 300");
        daemon.says(&["tag", BASE, &shop.image("prepare")]);
        let ran = shop.run_until_it_works(args, || daemon.kill());
        ran.exits(1).reason("`docker build` failed").reason(GONE).next("DOCKER_HOST").within(120).changed_nothing();
    }
}

#[test]
fn it_dies_while_a_command_runs() {
    let mut daemon = Daemon::with_room(300);
    let shop = Shop::new(&daemon.host(), "true");
    daemon.says(&["tag", BASE, &shop.image("latest")]);
    let line = format!("echo {} $((40 + 2)); sleep 300", shop.name);
    let ran = shop.run_until_it_works(&["run", "--", "sh", "-c", &line], || daemon.kill());
    ran.exits(1).reason(GONE).next("DOCKER_HOST").within(120).changed_nothing();
}

/// The connection breaks, and the daemon is well.
#[test]
fn it_goes_and_comes_back() {
    let way = Way::new(|_| Fate::Pass);
    let shop = Shop::new(&way.host(), "sleep 300").built();
    let ran = shop.run_until_it_works(&["build", "--no-pull"], || way.break_off());
    ran.exits(1).reason("`docker build` failed").says("unexpected EOF").next("lain dockerfile").within(120).changed_nothing();
    shop.leaves_no_container();
}

/// The way to the daemon ends at each of the requests that a command makes.
#[test]
fn it_goes_at_any_request() {
    let cases: [(&[&str], &str, &str); 8] = [
        (&["build"], "/images/create?", GONE),
        (&["build", "--no-pull"], "/images/", "no docker daemon answers"),
        (&["prepare", "--skip-push"], "/build?", GONE),
        (&["push"], "/push?", GONE),
        (&["push", BASE], "/tag?", GONE),
        (&["push", "--publish"], "/push?", GONE),
        (&["run", "--", "true"], "/containers/create", GONE),
        (&["save"], "/images/get?", GONE),
    ];
    for (args, request, reason) in cases {
        let way = Way::new(move |line| if line.contains(request) { Fate::Cut } else { Fate::Pass });
        let shop = Shop::new(&way.host(), "true").built();
        shop.app.run(args).exits(1).reason(reason).next("DOCKER_HOST").within(120).changed_nothing();
        shop.leaves_no_container();
    }
}

/// Or in the middle of the answer: half an archive is none.
#[test]
fn it_goes_while_it_answers() {
    let cases: [(&[&str], &str); 2] = [(&["build", "--no-pull"], "/build?"), (&["save"], "/images/get?")];
    for (args, request) in cases {
        let way = Way::new(move |line| if line.contains(request) { Fate::CutAnswer } else { Fate::Pass });
        let shop = Shop::new(&way.host(), "sleep 300").built();
        shop.app.run(args).exits(1).reason(GONE).next("DOCKER_HOST").within(120).changed_nothing();
        shop.leaves_no_container();
    }
}

// ---- hanging ----

#[test]
fn it_takes_every_request_and_answers_none() {
    let way = Way::new(|_| Fate::Hang);
    let shop = Shop::new(&way.host(), "true");
    for args in [&["prepare"][..], &["build"], &["push"], &["push", "--publish"], &["run", "--", "true"], &["save"]] {
        shop.app.run(args).exits(1).reason("no docker daemon answers").next("DOCKER_HOST").within(60).changed_nothing();
    }
}

#[test]
fn it_hangs_in_the_middle() {
    let cases: [(&[&str], &str, &str); 5] = [
        (&["build", "--no-pull"], "/build?", "`docker build` stood"),
        (&["prepare", "--skip-push"], "/build?", "`docker build` stood"),
        (&["build"], "/images/create?", "`docker pull 127.0.0.1:1/none/"),
        (&["push"], "/push?", "`docker push 127.0.0.1:1/none/"),
        (&["push", "--publish"], "/push?", "`docker push 127.0.0.1:1/none/"),
    ];
    for (args, request, reason) in cases {
        let way = Way::new(move |line| if line.contains(request) { Fate::Hang } else { Fate::Pass });
        let app = App::empty().env("LAIN_REGISTRY_TIMEOUT", "3s").env("LAIN_BUILD_TIMEOUT", "3s");
        let shop = Shop::of(app, &way.host(), "true").built();
        shop.app
            .run(args)
            .exits(1)
            .reason(reason)
            .reason("stood still for 3 s and was stopped")
            .next("_TIMEOUT=")
            .within(60)
            .changed_nothing();
        shop.leaves_no_container();
    }
}

/// A step that says nothing is no daemon that hangs, until it says nothing for longer than a build may.
#[test]
fn a_silent_step_has_its_time() {
    let way = Way::new(|_| Fate::Pass);
    let shop = Shop::of(App::empty().env("LAIN_BUILD_TIMEOUT", "5s"), &way.host(), "sleep 300").built();
    shop.app
        .run(&["build", "--no-pull"])
        .exits(1)
        .reason("`docker build` stood still for 5 s")
        .next("LAIN_BUILD_TIMEOUT=")
        .changed_nothing();
    shop.leaves_no_container();
    let shop = Shop::of(App::empty().env("LAIN_BUILD_TIMEOUT", "5"), &way.host(), "true");
    shop.app.run(&["build"]).exits(2).reason("LAIN_BUILD_TIMEOUT: `5` is no duration").next("LAIN_BUILD_TIMEOUT=60m").changed_nothing();
}

// ---- out of space ----

#[test]
fn no_room_for_what_a_step_writes() {
    let daemon = Daemon::with_room(250);
    for args in [&["build", "--no-pull"][..], &["prepare", "--skip-push"], &["build", "--no-pull", "--push"]] {
        let shop = Shop::new(&daemon.host(), "dd if=/dev/zero of=/big bs=1M");
        daemon.says(&["tag", BASE, &shop.image("prepare")]);
        let ran = shop.app.run(args).exits(1).reason("`docker build` failed").says("No space left on device");
        ran.next("docker system df").never_says("docker push").changed_nothing();
        daemon.says(&["image", "rm", &shop.image("prepare")]);
        assert_eq!(daemon.says(&["ps", "--all", "--quiet"]), "", "containers are left by {args:?}");
        // Steps that went well before are docker's cache, for the next time.
        let images = daemon.says(&["image", "ls", "--filter", "dangling=false", "--format", "{{.Repository}}:{{.Tag}}"]);
        assert_eq!(images, BASE, "images are left by {args:?}");
    }
}

#[test]
fn no_room_at_all() {
    let daemon = Daemon::with_room(250);
    let shop = Shop::new(&daemon.host(), "true");
    ["prepare", "latest"].iter().for_each(|tag| drop(daemon.says(&["tag", BASE, &shop.image(tag)])));
    daemon.fill();
    let cases: [(&[&str], &str); 4] = [
        (&["build", "--no-pull"], "`docker build` failed"),
        (&["prepare", "--skip-push"], "`docker build` failed"),
        (&["save"], "`docker save "),
        (&["run", "--", "true"], "docker could not run the command"),
    ];
    for (args, reason) in cases {
        let ran = shop.app.run(args).exits(1).reason(reason).within(60).changed_nothing();
        let ran = ran.says("o space left on device");
        ran.next(if args[0] == "run" { "docker image inspect" } else { "docker system df" });
        assert_eq!(daemon.says(&["ps", "--all", "--quiet"]), "", "containers are left by {args:?}");
    }
}
