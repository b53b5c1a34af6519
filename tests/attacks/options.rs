//! Nothing that comes from outside reaches a program as an option of its own, or as a program.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::server::{Answer, Server};
use crate::support::{App, VALUES};

/// What a name looks like that wants to be an option.
const EVIL: &str = "--evil=MARK";
const REGISTRY: &str = "registry: 127.0.0.1:1/team\ndomain: example.com\n";

/// A program in the app's folder that leaves a file when it runs.
fn with_evil_script(app: App) -> App {
    let script = app.dir().join("evil.sh");
    let app = app.file("evil.sh", "#!/bin/sh\necho ran > \"${0%/*}/it-ran\"\ncat\n");
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).expect("a mode");
    app
}

#[track_caller]
fn ran_nothing(app: &App) {
    assert!(!app.dir().join("it-ran").exists(), "a program of the repository's ran");
}

/// a merge request: `releaseName: --post-renderer=./evil.sh`, or `appname`, in whatever helm reads => refused with its line; helm does not start
#[test]
fn a_release_name_is_no_option_of_helm() {
    for key in ["appname", "releaseName"] {
        for helm in ["helm-3.17.3", "helm-4.3.1"] {
            let name = "--post-renderer=./evil.sh";
            let values = if key == "appname" {
                VALUES.replace("appname: shop", &format!("appname: {name}"))
            } else {
                format!("{VALUES}{key}: {name}\n")
            };
            let app = with_evil_script(App::new().chart().values(&values).cluster("test", REGISTRY).using("test").tool("helm", helm));
            let app = app.tools(&["kubectl", "cat"]);
            for args in
                [&["lint"][..], &["lint", "--simple"], &["template"], &["deploy", "--dry-run"], &["deploy", "--ignore-lint"], &["redeploy"]]
            {
                let ran = app.run(args);
                assert_ne!(ran.code, 0, "{args:?}\n{}", ran.stderr);
                ran.says(&format!("`{name}` cannot be")).says("chart/values.yaml:").never_says("it-ran");
                ran_nothing(&app);
            }
        }
    }
}

/// Where words come from, and values with an option in the place of one.
fn sources() -> Vec<(&'static str, String)> {
    let web = |more: &str| VALUES.replace("    replicaCount: 1\n", &format!("    replicaCount: 1\n    {more}\n"));
    let top = |more: &str| format!("{VALUES}{more}\n");
    vec![
        ("nothing", VALUES.to_owned()),
        ("appname", VALUES.replace("appname: shop", &format!("appname: {EVIL}"))),
        ("releaseName", top(&format!("releaseName: {EVIL}"))),
        ("a proc", VALUES.replace("  web:", &format!("  \"{EVIL}\":"))),
        ("a cron job", top(&format!("cronjobs: {{\"{EVIL}\": {{schedule: \"0 0 1 1 *\", command: [x]}}}}"))),
        ("a group of a canary", top(&format!("canaryGroups: {{\"{EVIL}\": {{nginx.ingress.kubernetes.io/canary-weight: \"{EVIL}\"}}}}"))),
        ("a job", top(&format!("jobs: {{\"{EVIL}\": {{command: [x]}}}}"))),
        ("a node", web(&format!("nodes: [\"{EVIL}\"]"))),
        ("an image", web(&format!("image: \"{EVIL}\""))),
        ("an image tag", web(&format!("imageTag: \"{EVIL}\""))),
        ("a namespace", top(&format!("namespace: \"{EVIL}\""))),
        ("a registry", top(&format!("registry: \"{EVIL}\""))),
        ("a registry that is a list", top("registry: \"127.0.0.1:1/a,push=false,dest=--evil=MARK\"")),
        ("a builder", top(&format!("buildx_builder: \"{EVIL}\""))),
        ("a cache", top(&format!("buildx_builder: far\nbuild_cache: \"127.0.0.1:1/a,{EVIL}\""))),
        ("one of builds", top(&format!("builds: {{\"{EVIL}\": {{base: alpine}}}}"))),
        ("a platform", VALUES.replace("  base: alpine:3", &format!("  base: alpine:3\n  platforms: [\"{EVIL}\"]"))),
        ("a build secret", VALUES.replace("  base: alpine:3", "  base: alpine:3\n  secrets: {\"--evil=MARK\": {env: HOME}}")),
        ("a build variable", VALUES.replace("  base: alpine:3", "  base: alpine:3\n  env: {A: \"${--evil=MARK}\", \"--evil=MARK\": b}")),
        ("a base image", VALUES.replace("alpine:3", &format!("\"{EVIL}\""))),
        (
            "a prepared file",
            VALUES.replace("  base: alpine:3", &format!("  base: alpine:3\n  prepare: {{script: [a], keep: [\"{EVIL}\"]}}")),
        ),
        ("a mounted file", top(&format!("volumeMounts: [{{subPath: \"{EVIL}\", mountPath: /x}}]"))),
        ("a host", top(&format!("ingresses: [{{host: \"{EVIL}\", deployName: web}}]"))),
    ]
}

/// Every command that reads any of this.
const COMMANDS: &[&[&str]] = &[
    &["lint"],
    &["template"],
    &["template", "--canary"],
    &["init", "--template-only"],
    &["image"],
    &["tags"],
    &["build"],
    &["build", "--push"],
    &["build", "--publish"],
    &["prepare"],
    &["push"],
    &["push", "--publish"],
    &["save"],
    &["run", "--", "true"],
    &["run", "--proc", "web"],
    &["run", "--proc", EVIL],
    &["deploy", "--ignore-lint"],
    &["deploy", "--ignore-lint", "--dry-run"],
    &["deploy", "--ignore-lint", "--set", "imageTag=--evil=MARK"],
    &["deploy", "--ignore-lint", "--image", "--evil=MARK"],
    &["deploy", "--ignore-lint", "--auto-pilot"],
    &["redeploy"],
    &["rollback"],
    &["restart"],
    &["restart", "--graceful"],
    &["delete", "--force"],
    &["delete", "--force", "--purge"],
    &["status", "-s"],
    &["logs"],
    &["logs", "--no-follow"],
    &["logs", EVIL],
    &["logs", "--stern"],
    &["x", "web", "--", "true"],
    &["x", EVIL],
    &["wait", "--timeout", "0"],
    &["wait", EVIL, "--timeout", "0"],
    &["env", "show"],
    &["env", "add", "--evil=MARK"],
    &["secret", "show"],
    &["version"],
    &["--cluster", EVIL, "template"],
    &["--use", EVIL, "template"],
    &["-f", EVIL, "template"],
    &["diff"],
    &["diff", EVIL],
    &["diff", "--image", "--evil=MARK", "--live"],
    &["history"],
    &["history", EVIL],
    &["deploy", "--ignore-lint", "--canary"],
    &["deploy", "--ignore-lint", "--review", EVIL],
    &["deploy", "--ignore-lint", "-o", "plan"],
    &["set-canary-group", EVIL],
    &["set-canary-group", "--abort"],
    &["set-canary-group", "--final"],
    &["update-image", "web"],
    &["update-image", "web", "--deduce"],
    &["update-image", EVIL],
    &["job", "--", "true"],
    &["job", "--", EVIL],
    &["job", "-i", "--", EVIL],
    &["job", "--image-tag", "--evil=MARK", "--", "true"],
    &["job", "--memory", "--evil=MARK", "--", "true"],
    &["create-job", EVIL],
    &["create-job", "night"],
    &["admin", "unlock", EVIL],
    &["admin", "get", "secrets", "--annotations", EVIL],
    &["admin", "delete-bad-pod", "--bare", "--yes"],
    &["admin", "delete-bad-ing", "--yes"],
    &["admin", "x", "--", EVIL],
    &["rollback", EVIL],
    &["delete", EVIL, "--yes"],
    &["delete", "--review", EVIL, "--app", EVIL, "--yes"],
    &["delete", "--after", "1h", "--yes"],
    &["secret", "rollback", EVIL],
    &["secret", "backups"],
    &["secret", "push"],
    &["env", "apply", "-f", EVIL],
    &["env", "add", "--from-env", EVIL],
    &["send-msg", EVIL],
];

/// A program that writes its words down, between NULs, and answers as this script says. Only what the shell has built in is at hand.
fn recorder(log: &Path, script: &str) -> String {
    format!("for word in \"${{0##*/}}\" \"$@\"; do printf '%s\\0' \"$word\"; done >> {0}\nprintf '\\n\\0' >> {0}\n{script}", log.display())
}

/// What a server says that is in a stranger's hands.
const KUBECTL: &str = r#"case "$*" in
  *"get pods"*|*pods*json*) echo '{"items":[{"kind":"Pod","metadata":{"name":"--evil=MARK","labels":{"app.kubernetes.io/instance":"shop-web"}},"spec":{"containers":[{"name":"--evil=MARK","image":"x"}]},"status":{"phase":"Running","containerStatuses":[{"name":"--evil=MARK","restartCount":9,"state":{"waiting":{"reason":"CrashLoopBackOff"}}}]}}]}';;
  *"get deployments,"*) echo '{"items":[{"kind":"Deployment","metadata":{"name":"shop-web"},"spec":{"template":{"spec":{"containers":[{"name":"--evil=MARK","image":"127.0.0.1:1/team/shop:v1"}]}}}},{"kind":"Deployment","metadata":{"name":"--evil=MARK"}}]}';;
  *"get ingresses"*) echo '{"items":[{"kind":"Ingress","metadata":{"name":"--evil=MARK"}}]}';;
  *leases*) echo '{"metadata":{"name":"lain-shop","annotations":{"lain.dev/doing":"--evil=MARK"}},"spec":{"holderIdentity":"--evil=MARK"}}';;
  *"get secrets"*) echo '{"items":[{"metadata":{"name":"--evil=MARK"}}]}';;
  *"get secret "*helm*) ;;
  *"get secret"*) echo '{"kind":"Secret","type":"Opaque","metadata":{"name":"a","namespace":"b"},"data":{"--evil=MARK":"eA=="}}';;
  *"get jobs"*) echo '{"items":[{"metadata":{"name":"--evil=MARK"},"status":{"failed":1}}]}';;
  *version*) echo '{"clientVersion":{"gitVersion":"v1.31.0"},"serverVersion":{"gitVersion":"v1.31.0"},"gitVersion":"v1.31.0"}';;
  *) echo '{"items":[]}';;
esac"#;
const HELM: &str = r#"case "$*" in
  version*) echo v3.17.3;;
  *history*) echo '[{"revision":1,"status":"superseded"},{"revision":2,"status":"deployed"}]';;
  *"get values"*) echo '{"imageTag":"--evil=MARK"}';;
  *list*) echo '[{"name":"shop","status":"deployed","revision":"2","updated":""}]';;
  *) printf 'apiVersion: v1\nkind: Service\nmetadata: {name: a}\n';;
esac"#;
const GIT: &str = r#"case "$*" in
  *"log -1"*) printf '0123456789012345678901234567890123456789\0001700000000\000--evil=MARK\000--evil=MARK';;
  *get-url*) echo --evil=MARK;;
  *rev-parse*) exit 128;;
  *ls-files*) printf -- '--evil=MARK\0';;
esac"#;
const DOCKER: &str = r#"case "$*" in
  *load*) echo "Loaded image: --evil=MARK";;
  *inspect*) echo sha256:0;;
  *) echo 28.0.0;;
esac"#;

/// a repository: words that look like options in every name, tag, path, host, branch and key that values, git, a registry or a server bring => no program is given one where it would read it as an option
#[test]
fn no_word_from_outside_becomes_an_option() {
    let mut calls = 0;
    for (source, values) in sources() {
        let app = App::new().chart().values(&values).cluster("test", REGISTRY).using("test");
        let log = app.tmp().join("../argv");
        let app = app.fake("kubectl", &recorder(&log, KUBECTL)).fake("helm", &recorder(&log, HELM)).fake("git", &recorder(&log, GIT));
        let app = app.fake("docker", &recorder(&log, DOCKER)).fake("stern", &recorder(&log, ""));
        for args in COMMANDS {
            let _ = fs::remove_file(&log); // nothing may have been started
            let ran = app.run(args);
            assert!(!ran.stderr.contains("panicked"), "{source}, {args:?}\n{}", ran.stderr);
            let text = fs::read_to_string(&log).unwrap_or_default();
            for call in text.split("\n\0").filter(|call| !call.is_empty()) {
                calls += 1;
                let words: Vec<&str> = call.trim_end_matches('\0').split('\0').collect();
                let end = words.iter().position(|word| *word == "--").unwrap_or(words.len());
                let read = words[..end].iter().find(|word| word.contains("MARK") && word.starts_with('-') && !is_flag_of_lain(word));
                assert_eq!(read, None, "{source}, lain {args:?} starts {words:?}");
                if source == "a registry that is a list" || source == "a cache" {
                    let listed = words.iter().find(|word| word.contains("type=") && word.contains("MARK") && !word.contains('"'));
                    assert_eq!(listed, None, "{source}, lain {args:?}: a field of its own in {words:?}");
                }
            }
        }
    }
    assert!(calls > 1000, "{calls} calls were looked at");
}

/// `--flag=VALUE`, with the flag lain's own.
fn is_flag_of_lain(word: &str) -> bool {
    let flags = [
        "--namespace",
        "--platform",
        "--builder",
        "--values",
        "-f",
        "--set-string",
        "--set",
        "--build-arg",
        "--secret",
        "--tag",
        "--container",
    ];
    flags.iter().any(|flag| word.strip_prefix(flag).is_some_and(|rest| rest.starts_with('=')))
}

/// a repository: a `helm`, `kubectl`, `docker` or `git` of its own in its folder, where PATH has a `.` or an empty place => the ones of the machine run, or none
#[test]
fn a_program_of_the_folder_is_not_the_machines() {
    for path in [".", "", "./", "bin"] {
        let app = App::new().chart().cluster("test", REGISTRY).using("test");
        let bin = app.dir().join("../bin");
        let app = app.without("git");
        for name in ["helm", "kubectl", "docker", "git", "bin/helm", "bin/git", "bin/kubectl", "bin/docker"] {
            let script = "#!/bin/sh\necho ran > it-ran\n";
            let file = app.dir().join(name);
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(&file, script).expect("a file");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a mode");
        }
        let app = app.env("PATH", &format!("{path}:{}", bin.display()));
        for args in [&["lint"][..], &["template"], &["build"], &["deploy"], &["status", "-s"], &["meta"]] {
            let ran = app.run(args);
            assert_ne!(ran.code, 0, "PATH={path}: {args:?}");
            ran.says("is not installed");
            ran_nothing(&app);
        }
    }
}

/// a repository: a bare git repository among its files, whose configuration names a program to run (`core.fsmonitor`) => git does not take it for the user's repository
#[test]
fn a_repository_inside_of_a_repository_runs_nothing() {
    let app = App::new().chart().cluster("test", REGISTRY).using("test").tools(&["helm", "sh", "cat"]).committed();
    let inner = app.dir().join("inner");
    fs::create_dir(&inner).expect("a folder");
    let copied = Command::new("cp").arg("-r").args([app.dir().join("chart"), inner.join("chart")]).status();
    assert!(copied.expect("cp runs").success());
    fs::write(inner.join("evil.sh"), "#!/bin/sh\necho ran > \"${0%/*}/it-ran\"\n").expect("a file");
    fs::set_permissions(inner.join("evil.sh"), fs::Permissions::from_mode(0o755)).expect("a mode");
    let real = which::which("git").expect("git");
    let bare = |args: &[&str]| {
        let out = Command::new(&real).args(args).current_dir(&inner).env("HOME", app.home()).output().expect("git runs");
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    };
    bare(&["init", "-q", "--bare", "."]); // HEAD, config, objects, refs: files that any repository may hold
    let script = format!("{}/evil.sh", inner.display());
    for (key, value) in [("core.bare", "false"), ("core.worktree", inner.to_str().expect("UTF-8")), ("core.fsmonitor", &script)] {
        bare(&["config", "--file", "config", key, value]);
    }
    // The attack works on a git that is not told better.
    let _ = Command::new(&real).args(["status"]).current_dir(&inner).env("HOME", app.home()).output().expect("git runs");
    assert!(inner.join("it-ran").exists(), "this git runs what such a repository names");
    fs::remove_file(inner.join("it-ran")).expect("removed");
    for args in [&["meta"][..], &["lint"], &["template"], &["build"], &["image"]] {
        let mut command = app.command(Path::new(env!("CARGO_BIN_EXE_lain")));
        command.current_dir(&inner).args(args);
        app.run_command(command);
        assert!(!inner.join("it-ran").exists(), "{args:?}: a program of the repository's ran");
    }
}

/// a registry: tags, digests and names that look like options or hold escapes => they are not among its tags
#[test]
fn tags_of_a_registry_are_tags() {
    let server =
        Server::new(|_| Answer::json(200, "{\"tags\":[\"--evil=MARK\",\"a\\u001b[31mb\",\"$(reboot)\",\"good\",\"\\u202eback\",\"a b\"]}"));
    let app = App::new().cluster("test", &format!("registry: {}/team\n", server.host())).using("test");
    app.run(&["tags"]).exits(0).prints("lain deploy --set imageTag=good");
}

/// another user or program of this machine: a cluster's name that leads to other folders (`LAIN_CLUSTER=../../x`) => refused; it is part of file names
#[test]
fn a_clusters_name_is_no_path() {
    let app = App::new().chart().cluster("test", REGISTRY).tools(&["helm", "kubectl"]);
    for name in ["../test", "a/b", "--evil", ".", "a b", "x\u{1b}[31m"] {
        app.run(&["values", &format!("--cluster={name}")])
            .exits(2)
            .reason("cannot be the name of a cluster")
            .next("lain use")
            .changed_nothing();
        app.run(&["use", "--", name]).exits(2).reason("cannot be the name of a cluster").changed_nothing();
    }
    app.env("LAIN_CLUSTER", "../test").run(&["values"]).exits(2).reason("cannot be the name of a cluster");
}

/// another user or program of this machine: a docker configuration whose credential helper is a path (`x/../../evil`) => a warning; it is not run
#[test]
fn a_credential_helper_is_a_name() {
    let server = Server::new(|_| Answer::json(401, "{}").with("WWW-Authenticate", "Basic realm=x"));
    let app = with_evil_script(App::new().cluster("test", &format!("registry: {}/team\n", server.host())).using("test"));
    fs::create_dir_all(app.dir().join("docker-credential-x")).expect("a folder");
    let config = format!("{{\"credHelpers\": {{\"{}\": \"x/../evil.sh\"}}}}", server.host());
    let app = app.home_file(".docker/config.json", &config);
    app.run(&["tags"]).exits(1).says("which is no program's name");
    ran_nothing(&app);
}
