//! Secrets that the repository holds encrypted, and values of the environment: into a real cluster.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::support::{Place, Ran};

const VALUES: &str = "deployments:\n  web: {image: python:3.13-slim, command: [sleep, \"1000\"]}\n";
const PLAIN: &str = "env:\n  TOKEN: s3cret-of-the-repository\nsecret:\n  a.txt: |\n    first line\n    second line\n";

fn tool(place: &Place, program: &str, args: &[&str]) -> Ran {
    let path = which::which(program).unwrap_or_else(|_| panic!("{program}: tests/rig/rig up"));
    Ran::of(&Command::new(path).args(args).current_dir(&place.app).output().expect("it runs")).ok()
}

/// A new identity in a file, and its recipient.
fn identity(place: &Place, name: &str) -> (String, String) {
    let file = place.root.path().join(name).display().to_string();
    let said = tool(place, "age-keygen", &["--output", &file]).stderr;
    (file, said.trim().rsplit(' ').next().expect("a recipient").to_owned())
}

fn value(place: &Place, kind: &str, key: &str) -> String {
    let encoded = place.field(&format!("secret/{}-{kind}", place.appname), &format!("{{.data.{key}}}"));
    String::from_utf8(STANDARD.decode(encoded).expect("base64")).expect("UTF-8")
}

#[test]
fn what_the_repository_holds_goes_into_the_cluster() {
    let place = Place::new("3.17.3").with_values(VALUES);
    place.lain(&["secret", "push"]).exits(1).says("there is no chart/secrets.enc.yaml");
    let plain = place.root.path().join("plain.yaml");
    fs::write(&plain, PLAIN).expect("a file");
    let plain = plain.display().to_string();
    let (key, recipient) = identity(&place, "key.txt");
    let (other, _) = identity(&place, "other.txt");
    for form in [&["--armor"][..], &[]] {
        let args = [&["--encrypt", "--recipient", &recipient, "--output", "chart/secrets.enc.yaml"], form, &[plain.as_str()]].concat();
        tool(&place, "age", &args);
        let ran = place.lain(&["secret", "push", "--dry-run", "--identity", &key]).ok();
        assert!(form.is_empty() || ran.stderr.contains("-env on cluster test, by chart/secrets.enc.yaml: added TOKEN"), "{}", ran.stderr);
    }
    assert_eq!(place.kubectl(&["get", "secret", "-o", "name"]).ok().stdout.matches(&place.appname).count(), 0, "a dry run makes nothing");
    place.lain(&["secret", "push"]).exits(1).says("there is no identity to decrypt it");
    place.lain(&["secret", "push", "--identity", &other]).exits(1).says("no identity matched");

    place.lain(&["env", "add", "OWN=stays-as-it-was"]).ok();
    let ran = place.lain(&["-v", "secret", "push", "--identity", &key]).ok().says("added TOKEN; other keys that stay: 1");
    let ran =
        ran.says("added a.txt").never_says("s3cret").never_says("first line").never_says(&STANDARD.encode("s3cret-of-the-repository"));
    assert!(ran.stdout.is_empty(), "{}", ran.stdout);
    assert_eq!(value(&place, "env", "TOKEN"), "s3cret-of-the-repository");
    assert_eq!(value(&place, "env", "OWN"), "stays-as-it-was");
    assert_eq!(value(&place, "secret", "a\\.txt"), "first line\nsecond line\n");
    place.lain(&["secret", "push", "--identity", &key]).ok().says("the cluster has what the file holds");

    // What the shell has; and back.
    let place = place.with_env("CI_TOKEN", "s3cret-of-the-shell");
    let ran = place.lain(&["-v", "env", "add", "--from-env", "TOKEN=CI_TOKEN", "CI_TOKEN"]).ok().says("added CI_TOKEN; changed TOKEN");
    assert!(!ran.stderr.contains("s3cret"), "{}", ran.stderr);
    let both = place.lain(&["env", "show"]).ok().stdout;
    assert_eq!(both.matches("s3cret-of-the-shell").count(), 2, "{both}");
    place.lain(&["secret", "add", "--from-env", "b.txt=CI_TOKEN"]).ok().says("added b.txt");
    place.lain(&["env", "add", "--from-env", "TOKEN=NOT_SET"]).exits(2).says("variable NOT_SET is not set, or empty");
    place.lain(&["env", "add", "--from-env", "TOKEN=hunter2hunter2"]).exits(2).says("that --from-env names").never_says("hunter2");
    let backups = place.lain(&["env", "backups", "-o", "json"]).ok().stdout;
    let oldest = backups.split("\"backup\": \"").last().and_then(|rest| rest.split('"').next()).expect("a backup").to_owned();
    place.lain(&["env", "rollback", "--to", &oldest]).ok().says("removed CI_TOKEN, TOKEN");

    // sops, as it is called: the file of the chosen cluster goes first. A real one is not at hand here.
    fs::write(place.app.join("chart/secrets-test.enc.yaml"), "env:\n    BY: ENC[AES256_GCM,data:x]\nsops:\n    mac: y\n").expect("a file");
    let bin = place.root.path().join("bin");
    fs::create_dir(&bin).expect("a folder");
    let log = bin.join("log");
    let script = format!("#!/bin/sh\necho \"$@\" > {}\nprintf 'env: {{BY: s3cret-by-sops}}\\n'\n", log.display());
    fs::write(bin.join("sops"), script).expect("a program");
    fs::set_permissions(bin.join("sops"), fs::Permissions::from_mode(0o755)).expect("a mode");
    let path = place.lain_command(&[]).get_envs().find_map(|(name, value)| (name == "PATH").then(|| value?.to_str().map(str::to_owned))?);
    let place = place.with_env("PATH", &format!("{}:{}", bin.display(), path.expect("a PATH")));
    let ran = place.lain(&["secret", "push"]).ok().says("by chart/secrets-test.enc.yaml: added BY").never_says("s3cret");
    drop(ran);
    assert_eq!(value(&place, "env", "BY").len(), "s3cret-by-sops".len());
    let called = fs::read_to_string(log).expect("a log");
    let file = place.app.join("chart/secrets-test.enc.yaml").display().to_string();
    assert_eq!(called.trim(), format!("--decrypt --input-type yaml --output-type yaml {file}"));
}
