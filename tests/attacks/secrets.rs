//! Secrets stay where they belong: no error, no core and no backup list repeats a value, and no refused change pushes a backup out.

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::Command;

use crate::place::Place;
use crate::support::App;

/// A Secret that a fake kubectl hands out; what it holds is up to the test.
fn app_with(data: &str) -> App {
    let object = format!(
        r#"{{"apiVersion":"v1","kind":"Secret","type":"Opaque","metadata":{{"name":"shop-secret","namespace":"default"}},"data":{data}}}"#
    );
    let app = App::new().cluster("test", "registry: 127.0.0.1:5000\n").using("test").tools(&["sh", "sed", "cat", "sleep", "kill"]);
    app.fake("kubectl", &format!("case \"$*\" in *get*) echo '{object}';; *) /bin/cat >/dev/null; echo '{object}';; esac"))
}

/// Runs an edit in which the text below `data:` becomes this.
fn edited(app: App, text: &str) -> (App, crate::support::Ran) {
    let app = app.file("new.yaml", &format!("apiVersion: v1\ndata:\n{text}kind: Secret\n"));
    let path = app.dir().join("new.yaml").display().to_string();
    let app = app.env("EDITOR", &format!("sh -c '/bin/cat {path} >\"$0\"'"));
    let ran = app.run(&["secret", "edit"]);
    (app, ran)
}

/// an accident: a Secret's text with a slip (a number, broken YAML, a value where a key should be, a tag, an anchor, a block) => errors show keys and shape, never a value
#[test]
fn errors_never_repeat_what_was_typed() {
    const SECRET: &str = "48151623";
    for (text, says) in [
        ("  PIN: 48151623\n", "`PIN` is a number"),
        ("  PIN: 48151623.5e3\n", "`PIN` is a number"),
        ("  PIN: [48151623]\n", "`PIN` is a list"),
        ("  PIN: {pin48151623: 1}\n", "`PIN` is a map"),
        ("  PIN: pin48151623: more\n", "not valid YAML"),
        ("  PIN: \"pin48151623\n", "not valid YAML"),
        ("  PIN: 'a' pin48151623\n", "not valid YAML"),
        ("  PIN: \"\\qpin48151623\"\n", "not valid YAML"),
        ("  PIN: @48151623\n", "not valid YAML"),
        ("  pin48151623\n", "`data` must be a map"),
        ("  A: b\n  pin48151623\n", "not valid YAML"),
        ("  my pin48151623: x\n", "has a space in it"),
        ("  \"pin48151623!\": x\n", "a character that no key can have"),
        ("  \"\\x34\\x38151623 x\": x\n", "has a space in it"),
        ("  ? [48151623]\n  : x\n", "must be text"),
        ("  PIN: !x48151623 y\n", "means nothing"),
        ("  PIN: !!int pin48151623\n", "the tag ***"),
        ("  PIN: &p.48151623 x\n", "anchor"),
        ("  PIN: *pin48151623\n", "not valid YAML"),
        ("  PIN: [a, x:48151623:y]\n", "`PIN` is a list"),
        ("  PIN: [\"a\":48151623]\n", "shop-secret.yaml:3:"),
        ("  PIN: .inf48151623\n  PIN: 48151623\n", "stands twice"),
        ("  A: \"\\x34\\x38151623\"\n  \"\\x34\\x38151623 x\": 1\n  \"48151623 x\": 1\n", "stands twice"),
        ("  PIN: |\n    ok\n   48151623\n", "not valid YAML"),
        ("  PIN: |\n\t48151623\n", "shop-secret.yaml:3:"),
        ("---48151623\n", "shop-secret.yaml:3:"),
        ("--- 48151623\n", "shop-secret.yaml:3:"),
        ("%48151623\n", "shop-secret.yaml:3:"),
        ("pin48151623: x\n", "`data` alone"),
        ("  PIN: \u{7}48151623\n", "control character"),
    ] {
        let (_, ran) = edited(app_with("{}"), text);
        assert!(ran.code != 0, "it is refused: {text}\n{}", ran.stderr);
        let ran = ran.says(says).says("your text is kept in").next("lain secret apply -f ");
        // The column and the name of the file have digits too, but not these.
        ran.never_says(SECRET).never_says("8151623").never_says("pin4").never_says("inf4");
    }
    let (_, ran) = edited(app_with("{}"), "  PIN: 48151623\n");
    ran.says(" 3 |   PIN: ***\n").says("next: PIN: \"***\" # your value between quotes");
}

/// an accident: a key, a file name or a line of variables that Kubernetes takes for none => it is refused before a Secret is made, without repeating it, and names are printed without control characters
#[test]
fn no_key_is_repeated() {
    let app = App::new().cluster("test", "registry: 127.0.0.1:5000\n").using("test");
    for pair in ["hunter 2=x", "=hunter2", "hunter2", "..hunter2=x", "hunter2\u{1b}]0;x=y", "hunter2é=1"] {
        app.run(&["env", "add", pair]).exits(2).reason("expected NAME=VALUE").never_says("hunter");
    }
    app.run(&["env", "PASSWORD=hunter2"])
        .exits(2)
        .reason("are set with `lain env add`")
        .next("lain env add NAME=VALUE")
        .never_says("hunter");
    app.run(&["env", "hunter2"]).exits(2).next("lain env --help").never_says("hunter");
    app.run(&["env", "shwo"]).exits(2).next("lain env show");
    let app = app.file("my.env", "A=1\nhunter 2=x\n").file("bad \u{1b}[31mname", "x");
    app.run(&["env", "addfile", "my.env"]).exits(1).reason("my.env:2:1: this name has a space").never_says("hunter");
    app.run(&["secret", "add", "bad \u{1b}[31mname"]).exits(2).reason("its name has a space").never_says("\u{1b}");
    let app = app.file("binary.env", "A=1\n");
    fs::write(app.dir().join("binary.env"), b"A=1\nB=\xff\xfe\n").expect("a file");
    app.run(&["env", "addfile", "binary.env"]).exits(1).reason("binary.env:2: not UTF-8");
    // A server that would let odd keys in.
    let app = app_with(r#"{"a\u001b[31mb":"eA==","c\u202ed":"eA=="}"#);
    app.run(&["secret", "show", "NO\u{7}SUCH"]).exits(1).reason("has no `NO\\u{7}SUCH`").never_says("\u{1b}").never_says("\u{7}");
}

/// the cluster: it refuses a Secret and quotes what it was sent, whole, by pieces, in base64 or short => lain's error has no value
#[test]
fn refusals_quote_no_value() {
    let app = app_with(r#"{"OLD":"b2xkLXNlY3JldC12YWx1ZQ=="}"#).file("a.txt", "first-line-of-it\nsecond-line-of-it\n");
    let said = "error: error when replacing STDIN: data[PIN]: Invalid value: \"4815\": no; old-secret-value; second-line-of-it; c2Vjb25kLWxpbmUtb2YtaXQ; \
                error found in #10 byte of ...|:\"Zmlyc3Q|..., bigger context ...|{\"data\":{\"PIN\":\"NDgxNQ==\"|...";
    let object = r#"{"kind":"Secret","type":"Opaque","metadata":{"name":"shop-secret"},"data":{"OLD":"b2xkLXNlY3JldC12YWx1ZQ=="}}"#;
    fs::write(app.dir().join("said"), said).expect("words");
    let app = app.fake("kubectl", &format!("case \"$*\" in *get*) echo '{object}';; *) /bin/cat said >&2; exit 1;; esac"));
    let ran = app.run(&["secret", "add", "a.txt"]).exits(1).says("data[PIN]: Invalid value");
    let ran = ran.never_says("old-secret").never_says("second-line").never_says("c2Vjb25k").never_says("Zmlyc3Q").never_says("NDgxNQ");
    drop(ran);
    app.run(&["env", "add", "PIN=4815"]).exits(1).says("data[PIN]: Invalid value: \"***\"").never_says("4815");
}

/// the cluster: the real server refuses a Secret => what it says reaches the user without a value
#[test]
fn the_real_server_quotes_no_value() {
    let place = Place::new("3.17.3").with_dummy();
    let name = format!("{}-env", place.appname);
    place
        .kubectl(&["create", "secret", "generic", &name, "--type=kubernetes.io/dockerconfigjson", "--from-literal=.dockerconfigjson={}"])
        .ok();
    let ran = place.lain(&["env", "add", ".dockerconfigjson=hunter2hunter2"]).exits(1).says(".dockerconfigjson").never_says("hunter2");
    assert!(ran.stderr.contains("is invalid"), "{}", ran.stderr);
    assert_eq!(backups(&place, "env"), 0, "what is refused makes no backup");
}

fn backups(place: &Place, kind: &str) -> usize {
    let label = format!("lain.dev/backup-of={}-{kind}", place.appname);
    place.kubectl(&["get", "secrets", "-l", &label, "-o", "name"]).ok().stdout.lines().count()
}

/// an accident: a dozen changes that are refused (keys, size, immutable, somebody else was faster) => none pushes a backup out
#[test]
fn refused_changes_push_no_backup_out() {
    let place = Place::new("3.17.3").with_dummy();
    place.lain(&["env", "add", "A=1"]).ok();
    place.lain(&["env", "add", "A=2"]).ok();
    assert_eq!(backups(&place, "env"), 1);
    for number in 0..12 {
        place.lain(&["env", "add", &format!("my key={number}")]).exits(2);
    }
    place.lain(&["env", "add", &format!("{}=1", "k".repeat(254))]).exits(2).says("is too long");
    fs::write(place.app.join("big"), vec![b'x'; 1024 * 1024 - 10]).expect("a file");
    place.lain(&["secret", "add", "big"]).exits(3).says("1048576 are the most").says("big has 1048566");
    // To the byte as the server counts: topsecret.txt has 13.
    fs::write(place.app.join("big"), vec![b'x'; 1024 * 1024 - 13]).expect("a file");
    place.lain(&["secret", "add", "big"]).ok();
    let secret = format!("{}-env", place.appname);
    place.kubectl(&["patch", "secret", &secret, "-p", r#"{"immutable":true}"#]).ok();
    place.lain(&["env", "add", "A=3"]).exits(3).says("is immutable");
    // Somebody else is faster than the editor.
    let patch = format!(
        "sh -c 'kubectl --kubeconfig {} -n {} label secret {}-secret x=y >/dev/null && sed -i s/BATMAN/ROBIN/ \"$0\"'",
        place.home().join(".kube/kubeconfig-test").display(),
        place.namespace,
        place.appname
    );
    let before = backups(&place, "secret");
    let place = place.with_env("EDITOR", &patch);
    place.lain(&["secret", "edit"]).exits(3).says("someone else changed").says("your text is kept in");
    assert_eq!((backups(&place, "env"), backups(&place, "secret")), (1, before));
}

/// an accident: a wrong change, or many => the last ten different states can be listed by keys and brought back, and bringing back can be undone
#[test]
fn backups_are_brought_back() {
    let place = Place::new("3.17.3").with_dummy();
    place.lain(&["env", "backups"]).ok().says("has no backups");
    for number in 0..13 {
        place.lain(&["env", "add", &format!("A=value-{number}"), &format!("K{}=x", number % 2)]).ok();
    }
    let list = place.lain(&["env", "backups"]).ok();
    assert_eq!(list.stdout.lines().count(), 11, "a head and ten\n{}", list.stdout);
    assert!(list.stdout.contains("tester") && list.stdout.contains("A, K0, K1") && !list.stdout.contains("value-"), "{}", list.stdout);
    place.lain(&["env", "rollback"]).ok().says("changed A").never_says("value-");
    assert!(place.lain(&["env", "show"]).ok().stdout.contains("A: value-11"));
    place.lain(&["env", "rollback"]).ok();
    assert!(place.lain(&["env", "show"]).ok().stdout.contains("A: value-12"), "a rollback is undone by the next");
    // There and back again made no copies.
    let mut states = std::collections::BTreeSet::new();
    let label = format!("lain.dev/backup-of={}-env", place.appname);
    let all = place.kubectl(&["get", "secrets", "-l", &label, "-o", "jsonpath={range .items[*]}{.data}{\"\\n\"}{end}"]).ok().stdout;
    assert!(all.lines().all(|state| states.insert(state.to_owned())), "a state is kept twice\n{all}");
    let oldest =
        place.lain(&["env", "backups"]).ok().stdout.lines().last().and_then(|line| line.split(' ').next()).expect("a backup").to_owned();
    place.lain(&["env", "rollback", &oldest]).ok().says("changed A");
    place.lain(&["env", "rollback", "no-such"]).exits(1).says("has no backup `no-such`").says("next: lain env backups");
    // A Secret that is gone comes back too.
    place.kubectl(&["delete", "secret", &format!("{}-env", place.appname)]).ok();
    place.lain(&["env", "rollback"]).ok().says("added A, K0, K1");
}

/// an accident: kill -9 between the backup of a Secret and its change, again and again => the old values are there, and one backup of them
#[test]
fn a_kill_between_backup_and_change_loses_nothing() {
    let place = Place::new("3.17.3").with_dummy();
    place.lain(&["env", "add", "A=old-value"]).ok();
    let real = which::which_in("kubectl", Some(crate::support::rig("PATH")), "/").expect("kubectl");
    let bin = place.root.path().join("bin");
    fs::create_dir_all(&bin).expect("a folder");
    let script =
        format!("#!/bin/sh\ncase \"$*\" in *dry-run*) ;; replace*) kill -9 $PPID; exit 1 ;; esac\nexec {} \"$@\"\n", real.display());
    fs::write(bin.join("kubectl"), script).expect("a kubectl");
    fs::set_permissions(bin.join("kubectl"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
    for number in 0..3 {
        let mut lain = place.lain_command(&["env", "add", &format!("A=new-{number}")]);
        lain.env("PATH", format!("{}:{}", bin.display(), crate::support::rig("PATH")));
        assert_eq!(lain.output().expect("lain runs").status.signal(), Some(9));
    }
    assert!(place.lain(&["env", "show"]).ok().stdout.contains("A: old-value"));
    assert_eq!(backups(&place, "env"), 1);
    place.lain(&["env", "add", "A=new"]).ok();
    assert_eq!(backups(&place, "env"), 1, "the backup that was made is the one");
    place.lain(&["env", "rollback"]).ok();
    assert!(place.lain(&["env", "show"]).ok().stdout.contains("A: old-value"));
}

/// an accident: a binary value gets another key, or a masked print or one of kubectl's is applied => refused, and no value is replaced by its placeholder
#[test]
fn placeholders_never_become_values() {
    let place = Place::new("3.17.3").with_dummy();
    fs::write(place.app.join("key.bin"), [0u8, 159, 146]).expect("a file");
    place.lain(&["secret", "add", "key.bin"]).ok();
    let place = place.with_env("EDITOR", "sed -i s/key.bin/other.bin/");
    place.lain(&["secret", "edit"]).exits(1).says("`other.bin` stands for bytes");
    let masked = place.lain_command(&["secret", "show"]).env("CI", "true").output().expect("lain runs").stdout;
    fs::write(place.app.join("masked.yaml"), masked).expect("a file");
    place.lain(&["secret", "apply", "-f", "masked.yaml"]).exits(1).says("is the mask");
    let kubectls = place.kubectl(&["get", "secret", &format!("{}-secret", place.appname), "-o", "yaml"]).ok().stdout;
    fs::write(place.app.join("kubectl.yaml"), kubectls).expect("a file");
    place.lain(&["secret", "apply", "-f", "kubectl.yaml"]).exits(1).says("values are base64");
    place.lain(&["env", "apply", "-f", "masked.yaml"]).exits(3).says("another Secret");
    let place = place.with_env("EDITOR", "sed -i 's/^type:.*/type: kubernetes.io\\/tls/'");
    place.lain(&["secret", "edit"]).exits(1).says("lets nobody change the type");
    assert_eq!(
        place.field(&format!("secret/{}-secret", place.appname), "{.data}"),
        r#"{"key.bin":"AJ+S","topsecret.txt":"SQpBTQpCQVRNQU4="}"#
    );
}

/// an accident: lain is aborted while a Secret is in its memory, with cores allowed => no core is written
#[test]
fn no_core_holds_a_secret() {
    let app = app_with(r#"{"a":"aHVudGVyMmh1bnRlcjI="}"#);
    let run = |program: &Path, args: &[&str]| {
        let mut command = app.command(Path::new("/bin/sh"));
        command.args(["-c", "ulimit -c unlimited && exec \"$@\"", "sh"]).arg(program).args(args);
        command.env("EDITOR", "sh -c '/bin/kill -ABRT $PPID'").output().expect("it runs").status
    };
    // What would happen: a shell that does the same to itself.
    let other = run(Path::new("/bin/sh"), &["-c", "kill -ABRT $$"]);
    assert!(other.core_dumped(), "this machine writes no cores at all: {other}");
    let lain = run(Path::new(env!("CARGO_BIN_EXE_lain")), &["secret", "edit"]);
    assert_eq!(lain.signal(), Some(6), "{lain}");
    assert!(!lain.core_dumped(), "a core was written");
}

/// another user or program of this machine: a process of the same user reads lain's memory or environment while a Secret is edited => the kernel refuses
#[test]
fn no_other_process_reads_its_memory() {
    let app = app_with(r#"{"a":"aHVudGVyMmh1bnRlcjI="}"#);
    let root = app.dir().parent().expect("its root").to_path_buf();
    let own = fs::metadata("/proc/self").map(|meta| std::os::unix::fs::MetadataExt::uid(&meta)).expect("/proc");
    let lain = root.join("lain");
    fs::copy(env!("CARGO_BIN_EXE_lain"), &lain).expect("a copy that everybody may run");
    let editor = "sh -c 'for file in mem environ; do /bin/cat /proc/$PPID/$file >/dev/null 2>\"$0.$file\" && echo read $file >&2; done; /bin/cat \"$0\".* >&2; exit 1'";
    let mut command = app.command(&lain);
    command.args(["secret", "edit"]).env("EDITOR", editor);
    let mut render = app.command(Path::new("/bin/sh"));
    render.args(["-c", "\"$0\" compose && \"$0\" dockerfile >lain.out && \"$0\" image -o dotenv >lain.env && cat docker-compose.yaml lain.out lain.env"]).arg(&lain);
    if own == 0 {
        // root may read everything; the user nobody stands for anybody.
        let done = Command::new("chown").args(["-R", "65534:65534"]).arg(&root).status().expect("chown runs");
        assert!(done.success());
        command.uid(65534).gid(65534);
        render.uid(65534).gid(65534);
    }
    let ran = app.run_command(command).exits(1);
    ran.says("Permission denied").never_says("read mem").never_says("read environ");
    // What reads /proc/self goes on.
    let ran = app.run_command(render).exits(0);
    assert!(
        ran.stdout.contains("services:") && ran.stdout.contains("FROM ") && ran.stdout.contains("LAIN_IMAGE"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
}

/// a repository: its `chart/secrets.enc.yaml` is plain text, or is for a program or a key that is not there => `lain secret push` says so, and repeats no value
#[test]
fn what_cannot_be_decrypted_is_said() {
    let app = |text: &str| App::new().cluster("test", "registry: 127.0.0.1:1\n").file("chart/secrets.enc.yaml", text);
    let push = ["--cluster", "test", "secret", "push"];
    drop(app("env: {A: hunter2hunter2}\n").run(&push).exits(3).says("is not encrypted: neither by sops nor by age").never_says("hunter2"));
    drop(
        app("env:\n  A: ENC[x]\nsops:\n  mac: y\n")
            .run(&push)
            .exits(1)
            .says("sops is not installed")
            .says("https://github.com/getsops/sops"),
    );
    let age = "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n";
    drop(app(age).run(&push).exits(1).says("there is no identity to decrypt it").says("SOPS_AGE_KEY_FILE=FILE"));
    drop(app(age).env("SOPS_AGE_KEY", "AGE-SECRET-KEY-1HUNTER2").run(&push).exits(1).says("age is not installed").never_says("HUNTER2"));
}
