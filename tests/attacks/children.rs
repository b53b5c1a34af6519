//! What lain's children are told, as the kernel sees it: strace of real commands on the rig.

use std::fs;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::place::Place;
use crate::server::{Answer, Server};

/// Secrets, and where they come from.
const TYPED: &str = "typed-Zq8vXw2mLr5t";
const FILED: &str = "filed-Nb4kPd7sHj1c";
const OF_CLUSTER: &str = "Y2x1c3RlcjpSdDZ5VWk5b1Bh";
const OF_WEBHOOK: &str = "hooked-Gf3dSa1qWe8z";
const OF_BUILD: &str = "build-Vc5xZl9kMn2b";
const OF_KUBECONFIG: &str = "a3ViZS1jb25maWctb2YtYW5vdGhlci1jbHVzdGVy";
const OF_GITLAB: &str = "glpat-Tr7eWq3uYi6o";
const OF_SHELL: &str = "shell-Wm4nBv6cXz1a";
const OF_REPOSITORY: &str = "repo-Ys2dFg7hJk9p";

/// One program that was started: its words, its environment.
struct Child {
    argv: Vec<String>,
    environment: Vec<String>,
}

/// lain and all that it starts, under strace.
fn children(place: &Place, args: &[&str]) -> Vec<Child> {
    let log = place.root.path().join("strace");
    let lain = place.lain_command(args);
    let mut command = Command::new(which::which("strace").expect("strace: tests/rig/rig up"));
    command.args(["--follow-forks", "--trace=execve", "--no-abbrev", "--string-limit=1000000", "--output"]).arg(&log);
    command.arg(lain.get_program()).args(lain.get_args()).env_clear().current_dir(&place.app).stdin(Stdio::null());
    command.envs(lain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let out = command.output().expect("strace runs");
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    let text = fs::read_to_string(&log).expect("a log");
    let started = text.lines().filter(|line| line.contains("execve(") && line.ends_with(['0', '>'])); // `= 0`, or `<unfinished ...>`
    let found: Vec<Child> = started.filter_map(|line| parse(line.split_once("execve(")?.1)).collect();
    assert!(!found.is_empty(), "{args:?} was not seen to start:\n{text}");
    found.into_iter().skip(1).collect() // the first is lain; what only asks the API server starts no other
}

/// `"PATH", ["a", "b"], ["NAME=VALUE", ...]) = 0`
fn parse(call: &str) -> Option<Child> {
    let (_, lists) = call.split_once(", [")?;
    let (argv, environment) = lists.split_once("], [")?;
    let words = |list: &str| {
        list.trim_end_matches("]) = 0")
            .trim_end_matches("] <unfinished ...>")
            .trim_matches('"')
            .split("\", \"")
            .map(str::to_owned)
            .collect()
    };
    Some(Child { argv: words(argv), environment: words(environment) })
}

/// A key of age; the app's repository holds a secret that only it decrypts.
fn identity(place: &Place) -> String {
    let made = |program: &str, args: &[&str]| {
        let path = which::which(program).unwrap_or_else(|_| panic!("{program}: tests/rig/rig up"));
        let out = Command::new(path).args(args).current_dir(&place.app).output().expect("it runs");
        assert!(out.status.success(), "{program}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).expect("UTF-8")
    };
    let key = made("age-keygen", &[]);
    let recipient = key.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("a recipient");
    let plain = place.root.path().join("plain.yaml");
    fs::write(&plain, format!("env: {{PUSHED: {OF_REPOSITORY}}}\n")).expect("a file");
    let plain = plain.display().to_string();
    made("age", &["--encrypt", "--armor", "--recipient", recipient, "--output", "chart/secrets.enc.yaml", &plain]);
    key.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).expect("a key").to_owned()
}

/// another user or program of this machine: reads arguments and environment of every child of twenty-four commands, builds, deploys, canaries, reviews, Jobs and edits of Secrets among them => no secret is in an argument; in an environment only where lain cannot know it for one, or the child cannot do without
#[test]
fn no_secret_is_told_to_a_child_that_does_not_need_it() {
    let hook = Server::new(|_| Answer::json(200, "{}"));
    let place = Place::new("3.17.3")
        .with_env("HARBOR", OF_CLUSTER)
        .with_env("HOOK_SECRET", OF_WEBHOOK)
        .with_env("BUILD_TOKEN", OF_BUILD)
        .with_env("KUBECONFIG_OTHER", OF_KUBECONFIG)
        .with_env("GITLAB_API_TOKEN", OF_GITLAB)
        .with_env("SHELL_PASSWORD", OF_SHELL)
        .with_dummy();
    let key = identity(&place);
    let place = place.with_env("SOPS_AGE_KEY", &key);
    let clusters = place.root.path().join("clusters/values-test.yaml");
    let values = fs::read_to_string(&clusters).expect("values") + "secrets_env: {harbor_token: HARBOR}\n";
    fs::write(&clusters, values).expect("values");
    place.edit("chart/values.yaml", |text| {
        let text = text.replacen("build:\n", "build:\n  env: {TOKEN: \"${BUILD_TOKEN}\"}\n", 1);
        format!("{text}\nwebhook: {{url: \"http://{}/hook\", secret: \"${{HOOK_SECRET}}\"}}\n", hook.host())
    });
    place.commit("a webhook");
    let file = place.root.path().join("topsecret.txt");
    fs::write(&file, FILED).expect("a file");
    let typed = format!("DB_PASSWORD={TYPED}");
    let applied = place.root.path().join("apply.yaml");
    fs::write(&applied, format!("apiVersion: v1\nkind: Secret\ndata: {{APPLIED: {TYPED}, DB_PASSWORD: {TYPED}}}\n")).expect("a file");
    let commands: [&[&str]; 24] = [
        &["lint", "--simple"],
        &["template"],
        &["build", "--push"],
        &["env", "add", &typed],
        &["env", "show"],
        &["env", "add", "--from-env", "OTHER_PASSWORD=SHELL_PASSWORD"],
        &["secret", "push"],
        &["env", "apply", "-f", applied.to_str().expect("UTF-8")],
        &["env", "rollback"],
        &["secret", "add", file.to_str().expect("UTF-8")],
        &["deploy", "--wait"],
        &["redeploy", "--set", "deployments.web.env.ANOTHER=one"], // so that there is something to go back to
        &["status", "-s"],
        &["job", "--wait", "--memory", "64Mi", "--", "true"],
        &["restart"],
        &["diff", "-o", "json"],
        &["history", "-o", "json"],
        &["update-image", "web", "--deduce"],
        &["deploy", "--review", "one"],
        &["delete", "--review", "one", "--app", &place.appname, "--yes"],
        &["deploy", "--canary"],
        &["set-canary-group", "--abort"],
        &["rollback"],
        &["delete", "--force", "--purge"],
    ];
    let secrets: [&str; 10] = [TYPED, FILED, OF_CLUSTER, OF_WEBHOOK, OF_BUILD, OF_KUBECONFIG, OF_GITLAB, OF_SHELL, OF_REPOSITORY, &key];
    let mut kinds = std::collections::BTreeSet::new();
    let mut idle = vec![];
    for args in commands {
        let children = children(&place, args);
        if children.is_empty() {
            idle.push(args);
        }
        for child in children {
            let program = child.argv[0].rsplit('/').next().unwrap_or_default().to_owned();
            for secret in secrets {
                let encoded = STANDARD.encode(secret);
                let holds = |words: &[String]| words.iter().any(|word| word.contains(secret) || word.contains(&encoded));
                assert!(!holds(&child.argv), "{args:?} tells {program} {secret} by its arguments: {:?}", child.argv);
                // lain does not know what a variable holds that a build passes on as it is, nor one that nobody names.
                let is_unknown = secret == OF_BUILD || (secret == OF_SHELL && !args.contains(&"--from-env"));
                assert!(is_unknown || !holds(&child.environment), "{args:?} tells {program} {secret} by its environment");
            }
            kinds.insert(program);
        }
    }
    let asks = |args: &&[&str]| matches!(args[..], ["env", "show"] | ["status", "-s"] | ["history" | "diff" | "update-image", ..]);
    assert!(idle.iter().all(asks), "{idle:?} started nothing");
    assert!(["age", "docker", "git", "helm", "kubectl"].iter().all(|kind| kinds.contains(*kind)), "{kinds:?}");
}
