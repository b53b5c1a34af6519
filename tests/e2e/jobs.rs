//! `lain job` and `lain create-job`: commands in Jobs of their own, on a real node.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jsonschema::draft202012;
use serde_json::Value as Json;

use crate::support::{Place, Ran};

const VALUES: &str = "\
env: {GREETING: hello}
volumeMounts: [{mountPath: /etc/top/secret.txt, subPath: secret.txt}]
deployments:
  web: {command: [sleep, \"1000\"], imagePullPolicy: IfNotPresent, replicaCount: 1, terminationGracePeriodSeconds: 1}
cronjobs:
  nightly: {schedule: \"0 3 1 1 *\", command: [sh, -c, \"echo nightly $GREETING; exit 3\"]}
";
const BASE: &str = "python:3.13-slim";

/// An app that runs, whose image is in the registry.
fn deployed() -> Place {
    let place = Place::new("3.17.3").with_values(VALUES);
    push(&place);
    std::fs::write(place.root.path().join("secret.txt"), "BATMAN").expect("a file");
    let file = place.root.path().join("secret.txt").display().to_string();
    place.lain(&["secret", "add", &file]).ok();
    place.lain(&["env", "add", "TOKEN=from-the-secret"]).ok();
    // The job of a merge request that comes before the first deploy ends well.
    let cherry = place.lain(&["cherry", "-o", "json"]).ok().says("is not deployed: its first deploy brings all there is").stdout;
    assert!(cherry.contains("\"deployed\": null") && cherry.contains("\"commits\": []"), "{cherry}");
    place.lain(&["deploy", "--ignore-lint", "--wait"]).ok();
    place
}

/// HEAD's image.
fn push(place: &Place) -> String {
    let tag = place.lain(&["meta"]).ok().stdout.trim().to_owned();
    let image = format!("{}/{}:{tag}", Place::registry(), place.appname);
    place.docker(&["tag", BASE, &image]).ok();
    place.docker(&["push", "-q", &image]).ok();
    tag
}

fn jobs(place: &Place) -> String {
    place.kubectl(&["get", "jobs", "-l", "lain.dev/run", "-o", "jsonpath={.items[*].metadata.name}"]).ok().stdout
}

/// What is deleted in the background goes in a moment.
#[track_caller]
fn no_jobs(place: &Place) {
    let end = Instant::now() + Duration::from_secs(60);
    while !jobs(place).is_empty() {
        assert!(Instant::now() < end, "{} is still there", jobs(place));
        std::thread::sleep(Duration::from_millis(300));
    }
}

#[test]
fn a_command_has_what_the_app_has_and_its_exit_code_is_lain_s() {
    let place = deployed();
    let script = "echo \"$GREETING $TOKEN $(cat /etc/top/secret.txt) $IMAGE_TAG\"; exit 7";
    let first = place.lain(&["meta"]).ok().stdout.trim().to_owned();
    let ran = place.lain(&["job", "--wait", "--", "sh", "-c", script]).exits(7).says("failed: container job ended with exit code 7");
    assert_eq!(ran.stdout, format!("hello from-the-secret BATMAN {first}\n"));
    // The same command once more: what is over is replaced. The user is another one.
    place.lain(&["job", "--wait", "-u", "1234", "--", "sh", "-c", script]).exits(7).says("is over: it is replaced");
    let ran = place.lain(&["job", "--wait", "-u", "1234", "id", "-u"]).ok();
    assert_eq!(ran.stdout, "1234\n");

    // HEAD's image, once it is there.
    place.commit("more");
    place
        .lain(&["job", "--head", "--wait", "--", "printenv", "IMAGE_TAG"])
        .exits(3)
        .says("is not in the registry")
        .says("lain build --push");
    let head = push(&place);
    assert_ne!(head, first);
    let ran = place.lain(&["job", "--head", "--wait", "--", "printenv", "IMAGE_TAG"]).ok();
    assert_eq!(ran.stdout, format!("{head}\n"));
    let ran = place.lain(&["job", "--image-tag", &first, "--wait", "--", "printenv", "IMAGE_TAG"]).ok();
    assert_eq!(ran.stdout, format!("{first}\n"));

    // What a deploy would bring; and one process with HEAD's image, which is not the others'.
    let cherry = place.lain(&["cherry"]).ok().stdout;
    assert!(cherry.trim_end().ends_with(": more (Tester)") && cherry.lines().count() == 1, "{cherry}");
    let json = place.lain(&["cherry", "-o", "json"]).ok().stdout;
    let schema: Json = serde_json::from_str(&place.lain(&["schema", "cherry"]).ok().stdout).expect("a schema");
    assert!(draft202012::is_valid(&schema, &serde_json::from_str(&json).expect("JSON")), "{schema:#}");
    assert!(json.contains(&format!("\"deployed\": \"{first}\"")) && json.contains("\"subject\": \"more\""), "{json}");
    place.lain(&["update-image", "wed"]).exits(2).says("there are web, nightly").says("lain update-image web");
    let image = |object: &str, path: &str| place.field(object, &format!("{{{path}.containers[0].image}}"));
    let web = || image(&format!("deployment/{}-web", place.appname), ".spec.template.spec");
    let night = || image(&format!("cronjob/{}-nightly", place.appname), ".spec.jobTemplate.spec.template.spec");
    place.lain(&["update-image", "nightly"]).ok().says(&format!("nightly runs {}/{}:{head} from now on", Place::registry(), place.appname));
    assert!(web().ends_with(&first) && night().ends_with(&head), "{} {}", web(), night());
    place.lain(&["update-image", "web", "--deduce", "--wait"]).ok().says("web: 1/1 ready");
    assert!(web().ends_with(&head), "{}", web());
    let told = |object: &str, path: &str| place.field(object, &format!("{{{path}.containers[0].env[?(@.name==\"IMAGE_TAG\")].value}}"));
    assert_eq!(told(&format!("deployment/{}-web", place.appname), ".spec.template.spec"), head);
    assert_eq!(told(&format!("cronjob/{}-nightly", place.appname), ".spec.jobTemplate.spec.template.spec"), head);
    place.lain(&["update-image", "web", "nightly"]).ok().says("runs that image already").says("nothing changed");
    place.commit("not built");
    place
        .lain(&["update-image", "web"])
        .exits(3)
        .says("is not in the registry")
        .says(&format!("lain deploy --set deployments.web.imageTag={head}"));

    // Time is up: Kubernetes ends it.
    place.lain(&["job", "--wait", "--timeout", "3", "--", "sleep", "500"]).exits(1).says("was ended: it took longer than 3 s");

    // A cron job, now; twice, as it has another name each time.
    for _ in 0..2 {
        let ran = place.lain(&["create-job", "nightly"]).exits(3).says("failed: container nightly ended with exit code 3");
        assert_eq!(ran.stdout, "nightly hello\n");
    }
    place.lain(&["create-job", "nihgtly"]).exits(2).says("next: lain create-job nightly");
}

#[test]
fn one_that_runs_is_left_alone_and_one_that_cannot_start_is_told_of() {
    let place = deployed();
    place.lain(&["job", "--", "sleep", "400"]).ok().says(" runs").says("kubectl logs ");
    let name = jobs(&place);
    let again = place.lain(&["job", "--", "sleep", "400"]).exits(3);
    assert!(again.stderr.contains(&format!("job {name} with the same command runs already")), "{}", again.stderr);
    assert!(again.stderr.contains(", started by tester"), "{}", again.stderr);
    let uid = || place.field(&format!("job/{name}"), "{.metadata.uid}");
    let first = uid();
    place.lain(&["job", "--force", "--", "sleep", "400"]).ok().says("is ended: it is replaced");
    assert_ne!(uid(), first);
    place.kubectl(&["delete", "job", &name]).ok();

    // An image that does not come; room that is not there; a key that is not there.
    let ran = place.lain(&["--ignore-lint", "job", "--image-tag", "none", "--wait", "--", "true"]).exits(1);
    assert!(ran.stderr.contains("cannot become ready: ") && ran.stderr.contains("is removed: it did not start"), "{}", ran.stderr);
    no_jobs(&place);
    // Pods that are on their way out count still.
    place.kubectl(&["create", "quota", "small", "--hard=limits.memory=30Gi"]).ok();
    place.lain(&["job", "--wait", "--memory", "32Gi", "--", "true"]).exits(1).says("exceeded quota").says("--memory 1Gi");
    no_jobs(&place);
    place.lain(&["job", "--wait", "--memory", "256Mi", "--", "true"]).ok().says(" is done");
}

#[test]
fn a_shell_is_gone_when_it_is_left_in_whatever_way() {
    let place = deployed();
    let begin = |args: &[&str]| {
        let mut command: Command = place.lain_command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("lain runs")
    };
    let mut shell = begin(&["job"]);
    shell.stdin.take().expect("stdin").write_all(b"echo $GREETING $TOKEN; exit 5\n").expect("typed");
    let ran = Ran::of(&shell.wait_with_output().expect("lain ends")).exits(5);
    assert_eq!(ran.stdout, "hello from-the-secret\n");
    no_jobs(&place);
    // A command that reads, with the current folder beside it.
    place.edit("note.txt", |_| "here".to_owned());
    let mut shell = begin(&["job", "--context"]);
    shell.stdin.take().expect("stdin").write_all(b"cat /tmp/app/note.txt\n").expect("typed");
    assert_eq!(Ran::of(&shell.wait_with_output().expect("lain ends")).ok().stdout, "here");
    let mut cat = begin(&["job", "-i", "--", "cat"]);
    cat.stdin.take().expect("stdin").write_all(b"typed").expect("typed");
    assert_eq!(Ran::of(&cat.wait_with_output().expect("lain ends")).ok().stdout, "typed");
    no_jobs(&place);

    for signal in ["-TERM", "-INT", "-HUP"] {
        let mut shell = begin(&["job"]);
        let mut lines = BufReader::new(shell.stderr.take().expect("stderr")).lines();
        assert!(lines.any(|line| line.expect("a line").contains("which is removed when you leave")), "{signal}");
        let id = shell.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().expect("kill runs").success());
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        let code = shell.wait().expect("lain ends").code();
        assert!(code.is_some_and(|code| code != 0), "{signal}: {code:?} {rest:?}");
        no_jobs(&place);
    }
    // kill -9: Kubernetes takes it away, and that is written in the Job.
    let mut shell = begin(&["job", "--timeout", "1200"]);
    let mut lines = BufReader::new(shell.stderr.take().expect("stderr")).lines();
    assert!(lines.any(|line| line.expect("a line").contains("and in 1200 s in any case")));
    shell.kill().expect("kill -9");
    shell.wait().expect("lain ended");
    let times = place.field(&format!("job/{}", jobs(&place)), "{.spec.activeDeadlineSeconds}");
    assert_eq!(times, "1200");

    // Outside of an app: lain's own image.
    let elsewhere = place.root.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).expect("a folder");
    let elsewhere = elsewhere.display().to_string();
    let cluster = place.root.path().join("clusters/values-test.yaml");
    let text = std::fs::read_to_string(&cluster).expect("cluster values");
    std::fs::write(&cluster, format!("{text}lain_image: {BASE}\n")).expect("cluster values");
    let ran = place.lain(&["-C", &elsewhere, "job", "--wait", "--", "echo", "anywhere"]).ok().says("no app is here");
    assert_eq!(ran.stdout, "anywhere\n");
    place.lain(&["-C", &elsewhere, "job", "--head", "--", "true"]).exits(2).says("no app is here");
}
