//! The seed document's walk-through, with every helm.

use serde_json::Value as Json;

use crate::support::{Place, Ran};

/// init, lint, build, push, deploy, look, change a secret, roll back.
fn walk(helm: &str) {
    let place = Place::new(helm).with_dummy();
    let app = place.appname.clone();
    let release = |suffix: &str| format!("{app}-{suffix}");

    place.lain(&["lint", "--simple"]).ok();
    let image = place.lain(&["image"]).ok().stdout.trim().to_owned();
    assert!(image.starts_with(&format!("{}/{app}:", Place::registry())), "{image}");

    // A dry run shows objects and creates none, not even the Secret that a deploy would make.
    assert!(place.lain(&["deploy", "--dry-run"]).ok().says("nothing was changed").stdout.contains("kind: Deployment"));
    let names = place.kubectl(&["get", "secrets,deployments", "-o", "name"]).ok().stdout;
    assert!(!names.contains("-env") && !names.contains("deployment"), "{names}");

    // Nothing is in the registry yet: the way on is shown.
    place.lain(&["deploy"]).exits(3).says("is not in the registry").says("lain deploy --build");

    let built = place.lain(&["build"]).ok();
    assert_eq!(built.stdout.trim(), image);
    assert!(built.stderr.contains("docker build --force-rm --tag"), "every command is echoed");
    let treasure = place.lain(&["run", "--", "cat", "treasure.txt"]).ok();
    assert_eq!(treasure.stdout, "treasure\n");
    assert!(treasure.stderr.contains(&format!("docker run --rm -i {image} cat treasure.txt")), "{}", treasure.stderr);
    place.lain(&["run", "--", "sh", "-c", "exit 7"]).exits(7);

    // A result written into the working tree is neither a change nor part of the image.
    let result = place.app.join("lain.env");
    let out = place
        .lain_command(&["build", "-o", "dotenv"])
        .stdout(std::fs::File::create(&result).expect("lain.env"))
        .output()
        .expect("lain runs");
    let words = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success() && !words.contains("not committed"), "{words}");
    assert!(std::fs::read_to_string(&result).expect("lain.env").starts_with(&format!("LAIN_IMAGE={image}\n")));
    std::fs::remove_file(&result).expect("lain.env");
    assert!(!place.lain(&["run", "--", "ls"]).ok().stdout.contains("lain.env"));

    let pushed = place.lain(&["push", "-o", "dotenv"]).ok().stdout;
    assert!(pushed.contains(&format!("LAIN_IMAGE={image}\n")) && pushed.contains("LAIN_IMAGE_DIGEST=sha256:"), "{pushed}");
    let tag = image.rsplit_once(':').expect("a tag").1;
    // Each line deploys its tag when it is pasted; behind it stands what that is.
    let said = place.lain(&["tags"]).ok().stdout;
    let lines: Vec<(&str, &str)> = said.lines().map(|line| line.split_once("  # ").unwrap_or((line, ""))).collect();
    let deploys = |tag: &str| format!("lain deploy --set imageTag={tag}");
    assert_eq!(lines.iter().map(|line| line.0).collect::<Vec<_>>(), [deploys(tag), deploys("latest")], "{said}");
    let about = lines[0].1;
    assert!(about.trim_start().starts_with(|c: char| c.is_ascii_digit()) && about.contains("Tester  ") && lines[1].1.is_empty(), "{said}");

    place.lain(&["deploy", "--wait"]).ok().says("helm upgrade --install").says("url: http://");
    place.answers(&release("web"), tag);
    place.answers(&release("web"), "BAR");

    // What runs is known by its tag, for people and for programs.
    let said = place.lain(&["tags"]).ok().stdout;
    assert!(said.lines().next().expect("a line").contains(&format!("[runs: {}]", release("web"))), "{said}");
    let version: Json = serde_json::from_str(&place.lain(&["version", "-o", "json"]).ok().stdout).expect("one document");
    assert_eq!(
        (&version["versions"][0]["tag"], &version["versions"][0]["runs"][0]),
        (&Json::from(tag), &Json::from(release("web"))),
        "{version}"
    );

    // A build that deploys answers with one document, too.
    if helm == "4.3.1" {
        let built: Json = serde_json::from_str(&place.lain(&["build", "--deploy", "-o", "json"]).ok().stdout).expect("one document");
        assert_eq!((&built["imageTag"], &built["images"][0]["image"]), (&Json::from(tag), &Json::from(image.clone())), "{built}");
    }

    // The audit question of the seed.
    let values = place.helm(&["get", "values", &app]).ok().stdout;
    for line in ["cluster: test", "user: tester", &format!("imageTag: {tag}")] {
        assert!(values.contains(line), "`{line}` in\n{values}");
    }

    // The same once more: nothing is re-created, and that is said.
    place.lain(&["deploy"]).ok().says("no pod was replaced").says("lain restart");

    // An unknown tag lists the newest and the fix.
    place
        .lain(&["deploy", "--set", "imageTag=xxx"])
        .exits(3)
        .says(&format!("lain deploy --set imageTag={tag}"))
        .says("lain deploy --build");

    // A changed secret reaches the pods by a redeploy; an unchanged one changes nothing.
    let pod = || place.field("pods", "{.items[?(@.status.phase==\"Running\")].metadata.name}");
    place.lain(&["env", "add", "FOO_SECRET=hunter22"]).ok().says("added FOO_SECRET");
    let before = place.field(&format!("deployment/{}", release("web")), "{.metadata.generation}");
    place.lain(&["redeploy", "--wait"]).ok().says(&format!("again, with the chart, values and Secrets of now: image tag {tag}, `"));
    let after = place.field(&format!("deployment/{}", release("web")), "{.metadata.generation}");
    assert_ne!(before, after, "the pod template follows the Secret");
    place.lain(&["redeploy", "--wait"]).ok();
    assert_eq!(after, place.field(&format!("deployment/{}", release("web")), "{.metadata.generation}"));
    assert_eq!(place.lain(&["x", "web", "--", "printenv", "FOO_SECRET"]).ok().stdout, "hunter22\n", "in {}", pod());
    assert!(place.lain(&["x", "web", "--", "cat", "/lain/app/deploy/topsecret.txt"]).ok().stdout.contains("BATMAN"));

    // A second version, then back.
    place.edit("run.py", |text| text + "\n# second version\n");
    place.commit("second version");
    let second = place.lain(&["image"]).ok().stdout.trim().rsplit_once(':').expect("a tag").1.to_owned();
    place.lain(&["deploy", "--build", "--wait"]).ok();
    place.answers(&release("web"), &second);
    place.lain(&["rollback", "--wait"]).ok().says("helm rollback").says("stay as they are");
    place.answers(&release("web"), tag);
    place.lain(&["rollback"]).exits(3).says("git checkout");

    let status = place.lain(&["status", "-s"]).ok().stdout;
    assert!(status.contains(&release("web")) && status.contains("Running") && status.contains("no usage"), "{status}");
    assert!(place.lain(&["logs", "web", "--no-follow"]).ok().stdout.contains("GET /"));
    let version = place.lain(&["version"]).ok().stdout;
    assert!(version.contains(&format!("helm {helm}")) && version.contains(&format!("{app}:{tag}")), "{version}");
    place.lain(&["wait", "--timeout", "60"]).ok();
    place.lain(&["delete", "--yes"]).ok().says("helm uninstall");
    place.lain(&["delete"]).ok().says("nothing to delete");
}

#[test]
fn the_seed_with_helm_3_9() {
    walk("3.9.4");
}

#[test]
fn the_seed_with_helm_3_17() {
    walk("3.17.3");
}

#[test]
fn the_seed_with_helm_4_3() {
    walk("4.3.1");
}

#[test]
fn secrets_print_what_the_seed_shows() {
    let place = Place::new("3.17.3").with_dummy();
    let (app, namespace) = (place.appname.clone(), place.namespace.clone());
    let expected = |data: &str, name: &str| {
        format!("apiVersion: v1\n{data}kind: Secret\nmetadata:\n  name: {app}-{name}\n  namespace: {namespace}\ntype: Opaque\n")
    };
    assert_eq!(place.lain(&["secret", "show"]).ok().stdout, expected("data:\n  topsecret.txt: |-\n    I\n    AM\n    BATMAN\n", "secret"));
    place.lain(&["env", "add", "MYSQL_PASSWORD=pass,word=\"1\""]).ok();
    assert_eq!(place.lain(&["env", "show"]).ok().stdout, expected("data:\n  MYSQL_PASSWORD: pass,word=\"1\"\n", "env"));

    // An editor that changes one word; the old Secret is backed up; values stay out of every log.
    let editor = place.root.path().join("editor");
    std::fs::write(&editor, "#!/bin/sh\nsed -i s/BATMAN/ROBIN/ \"$1\"\n").expect("editor");
    let _ = std::process::Command::new("chmod").arg("+x").arg(&editor).status();
    let place = place.with_env("EDITOR", &editor.to_string_lossy());
    let edited = place.lain(&["secret", "edit"]).ok().says("changed topsecret.txt");
    assert!(!edited.stderr.contains("ROBIN") && !edited.stdout.contains("ROBIN"), "{}", edited.stderr);
    assert_eq!(place.lain(&["secret", "show", "topsecret.txt"]).ok().stdout, "I\nAM\nROBIN");
    let backups = place.kubectl(&["get", "secrets", "-l", &format!("lain.dev/backup-of={app}-secret"), "-o", "name"]).ok().stdout;
    assert_eq!(backups.lines().count(), 1, "{backups}");
    assert!(std::fs::read_dir(place.tmp()).expect("tmp").next().is_none(), "no plain text is left on disk");

    // Binary files survive an edit of their neighbours.
    std::fs::write(place.app.join("key.bin"), [0u8, 159, 146, 150, 255]).expect("key.bin");
    place.lain(&["secret", "add", "key.bin"]).ok();
    let place = place.with_env("EDITOR", "sed -i s/ROBIN/ALFRED/");
    place.lain(&["secret", "edit"]).ok();
    let key = place.field(&format!("secret/{}-secret", place.appname), "{.data.key\\.bin}");
    assert_eq!(key, "AJ+Slv8=");

    // Someone else changes it while the editor is open: refused, and the text is kept.
    let patch = format!(
        "sh -c 'kubectl --kubeconfig {0} -n {1} patch secret {2}-secret -p \"{{\\\"data\\\":{{\\\"other\\\":\\\"eA==\\\"}}}}\" && sed -i s/ALFRED/JOKER/ \"$0\"'",
        place.home().join(".kube/kubeconfig-test").display(),
        place.namespace,
        place.appname
    );
    let place = place.with_env("EDITOR", &patch);
    place.lain(&["secret", "edit"]).exits(3).says("someone else changed").says("your text is kept in");

    // In CI values are masked.
    let place = place.with_env("CI", "true");
    let masked = place.lain(&["secret", "show"]).ok().stdout;
    assert!(masked.contains("topsecret.txt: '***'") && !masked.contains("ALFRED"), "{masked}");
}

#[test]
fn odd_tags_and_names_stay_themselves() {
    let place = Place::new("3.17.3").with_dummy();
    let evil = "eve,imageTag=evil,labels={x}\"'\\\n$(id)";
    let place = place.with_env("USER", evil);
    place.lain(&["build", "--push"]).ok();
    let image = place.lain(&["image"]).ok().stdout.trim().to_owned();
    let repository = image.rsplit_once(':').expect("a tag").0.to_owned();
    for tag in ["y", "1e3", "0123", "20260101", "on"] {
        let odd = format!("{repository}:{tag}");
        place.docker(&["tag", &image, &odd]).ok();
        place.docker(&["push", &odd]).ok();
        place.lain(&["deploy", "--set", &format!("imageTag={tag}")]).ok();
        let template = format!("deployment/{}-web", place.appname);
        assert_eq!(place.field(&template, "{.spec.template.spec.containers[0].image}"), odd);
        assert_eq!(place.field(&template, "{.spec.template.spec.containers[0].env[?(@.name==\"IMAGE_TAG\")].value}"), tag);
    }
    let values: serde_json::Value =
        serde_json::from_str(&place.helm(&["get", "values", &place.appname, "-o", "json"]).ok().stdout).expect("JSON");
    assert_eq!(values["user"], evil);
    assert_eq!(values["imageTag"], "on");

    // By digest, as a step before may hand it over.
    let digest = place.docker(&["image", "inspect", "--format", "{{index .RepoDigests 0}}", &image]).ok().stdout.trim().to_owned();
    place.lain(&["deploy", "--wait", "--image", &digest]).ok();
    let runs = || place.field(&format!("deployment/{}-web", place.appname), "{.spec.template.spec.containers[0].image}");
    assert_eq!(runs(), digest);
    // The same again is the whole image.
    place.lain(&["redeploy", "--wait"]).ok();
    assert_eq!(runs(), digest);
    // helm keeps a tag that somebody gave it by itself as a number.
    let odd = format!("{repository}:20190612073634");
    place.docker(&["tag", &image, &odd]).ok();
    place.docker(&["push", &odd]).ok();
    place.helm(&["upgrade", &place.appname, "chart", "--reuse-values", "--set", "imageTag=20190612073634,imageRef=null"]).ok();
    place.lain(&["redeploy", "--wait"]).ok();
    assert_eq!(runs(), odd);
}

/// Another release of the same app: all that lain decides by itself is about that one.
#[test]
fn set_names_the_release_that_is_deployed() {
    let place = Place::new("3.17.3").with_dummy();
    let (app, other) = (place.appname.clone(), format!("{}-other", place.appname));
    place.lain(&["deploy", "--build", "--wait"]).ok();
    let node = place.field("nodes", "{.items[0].metadata.name}");
    let (name, nodes) = (format!("releaseName={other}"), format!("deployments.web.nodes[0]={node}"));
    // One pod less would be as ready: two tell whose rollout is followed.
    let args = ["deploy", "--wait", "--set", &name, "--set", &nodes, "--set", "deployments.web.replicaCount=2", "--set", "ingresses=null"];
    let ran = place.lain(&args).ok().says(&format!(" {other} chart -f ")).says(&format!("deployed {other} with image tag"));
    assert!(ran.stderr.contains(&format!("deployment/{other}-web: 2/2 ready")), "{}", ran.stderr);
    assert!(!ran.stderr.contains(&format!("deployment/{app}-web:")), "{}", ran.stderr);
    let revisions = |release: &str| place.helm(&["history", release, "-o", "json"]).ok().stdout.matches("\"revision\"").count();
    assert_eq!((revisions(&app), revisions(&other)), (1, 1));
    assert_eq!(place.field(&format!("deployment/{other}-web"), "{.status.readyReplicas}"), "2");
    assert_eq!(place.field(&format!("node/{node}"), &format!("{{.metadata.labels.{other}-web}}")), "true");
    place.kubectl(&["label", "node", &node, &format!("{other}-web-")]).ok();
    let names = place.helm(&["list", "-q"]).ok().stdout;
    place.lain(&["redeploy", "--set", &name, "--set", "ingresses=null"]).ok().says(&format!("deployed {other}"));
    assert_eq!(place.helm(&["list", "-q"]).ok().stdout, names);
    assert_eq!((revisions(&app), revisions(&other)), (1, 2));
    place.lain(&["delete", &other, "--yes"]).ok();
    place.lain(&["delete", "--yes"]).ok();
}

/// The same question is put to a tool once a run.
#[test]
fn a_deploy_asks_each_question_once() {
    let place = Place::new("3.17.3").with_dummy();
    place.lain(&["build", "--push"]).ok();
    place.lain(&["deploy", "--wait"]).ok();
    for args in [&["-v", "deploy"][..], &["-v", "redeploy"]] {
        let said = place.lain(args).ok().stderr;
        let count = |words: &[&str]| said.lines().filter(|line| words.iter().all(|word| line.contains(word))).count();
        assert_eq!(count(&["git", "remote get-url origin"]), 1, "{said}");
        assert_eq!(count(&["kubectl proxy "]), 0, "the login stands in the kubeconfig: {said}");
        assert_eq!((count(&["kubectl version --client"]), count(&["kubectl get --raw /version "])), (1, 1), "{said}");
        assert_eq!(count(&["helm version"]), 1, "{said}");
        assert_eq!((count(&["kubectl get --raw", "-env "]), count(&["kubectl get --raw", "-secret "])), (1, 1), "{said}");
        assert!(count(&["git", " log -1 "]) <= 1, "{said}");
        // The revisions are read from helm's records; what is deployed again, before them.
        let lists = if args.contains(&"redeploy") { 2 } else { 1 };
        let records = |line: &&str| line.starts_with("kubectl get --raw") && line.contains("labelSelector=owner%3Dhelm%2Cname%3D");
        let (canarys, own): (Vec<&str>, Vec<&str>) = said.lines().filter(records).partition(|line| line.contains("-canary"));
        assert_eq!((own.len(), canarys.len()), (lists, 1), "{said}");
        // The lock is taken once, and given back.
        assert_eq!((count(&["kubectl create --raw", "/leases"]), count(&["kubectl delete --raw", "/leases/"])), (1, 1), "{said}");
        assert_eq!(count(&["helm history"]) + count(&["helm get"]) + count(&["helm list"]), 0, "{said}");
        // No other kubectl asks anything, but for the log of a Job that was over before it could be heard.
        let other = ["kubectl delete job ", "kubectl logs --tail "];
        let asks =
            |line: &&str| line.starts_with("kubectl ") && !line.contains(" --raw ") && !other.iter().any(|words| line.starts_with(words));
        assert_eq!(said.lines().filter(asks).count(), 1, "its own version: {said}");
    }
}

/// A web proc that shows the file it was built with.
const WORD: &str = "\
build: {base: \"python:3.13-slim\", script: [\"true\"]}
deployments:
  web:
    command: [sleep, \"1000\"]
    replicaCount: 1
    terminationGracePeriodSeconds: 1
    resources: {requests: {cpu: 1m, memory: 8Mi}, limits: {cpu: 1000m, memory: 64Mi}}
";

#[test]
fn what_is_not_committed_is_not_taken_for_what_is() {
    let place = Place::new("3.17.3").with_values(WORD);
    let put = |word: &str| place.edit("word", |_| word.to_owned());
    let runs = || place.lain(&["x", "web", "--", "cat", "word"]).ok().stdout;
    put("one");
    place.commit("one");
    place.lain(&["deploy", "--build", "--wait"]).ok().never_says("so it is not built");
    place.lain(&["deploy", "--build"]).ok().says("is in the registry, so it is not built; lain build --push builds it anew");
    put("two");
    let ran = place.lain(&["deploy", "--build"]).exits(3).says("these changes are not committed: word").never_says("helm upgrade");
    ran.says("next: git add --all && git commit").says("next: lain deploy --build --dirty").says("next: lain deploy #");
    let in_ci = Ran::of(&place.lain_command(&["deploy", "--build"]).env("CI", "true").output().expect("lain runs")).ok();
    in_ci.says("it is not built: changes that are not committed are not in it: word").says("next: lain deploy --build --dirty");
    assert_eq!(runs(), "one");
    place.lain(&["deploy", "--build", "--dirty", "--set", "imageTag=v1"]).exits(2).says("--dirty");
    let ran = place.lain(&["deploy", "--build", "--dirty", "--wait"]).ok().says("-dirty-").never_says(":latest");
    assert!(!ran.stderr.contains("the working tree has changes"), "they have their own tag: {}", ran.stderr);
    assert_eq!(runs(), "two");
    place.lain(&["deploy", "--build", "--dirty"]).ok().says("so it is not built");
    put("three");
    place.lain(&["deploy", "--build", "--dirty", "--wait"]).ok().never_says("so it is not built");
    assert_eq!(runs(), "three");
    place.commit("three");
    place.lain(&["deploy", "--build", "--dirty"]).ok().never_says("-dirty-");
    // Outside git nothing tells one image from the next.
    std::fs::remove_dir_all(place.app.join(".git")).expect("the repository goes");
    for word in ["four", "five"] {
        put(word);
        place.lain(&["deploy", "--build", "--wait"]).ok().says("docker push").never_says("so it is not built");
        place.lain(&["restart", "--wait"]).ok();
        assert_eq!(runs(), word);
    }
}

#[test]
fn a_rollback_steps_over_what_runs_already() {
    let place = Place::new("3.17.3").with_values(&format!("env: {{MODE: good}}\n{WORD}"));
    place.lain(&["deploy", "--build", "--wait"]).ok();
    place.edit("chart/values.yaml", |text| text.replace("MODE: good", "MODE: bad"));
    place.commit("a bad mode");
    place.lain(&["deploy", "--build", "--wait"]).ok();
    place.lain(&["env", "add", "OTHER=x"]).ok();
    place.lain(&["redeploy", "--wait"]).ok();
    let ran = place.lain(&["rollback", "--wait"]).ok().says("going back from revision 3 to revision 1: image tag ");
    ran.says("`the app`").says("by tester").says("; revision 2 runs the same image, chart and values as revision 3 does: stepped over");
    assert_eq!(place.lain(&["x", "web", "--", "printenv", "MODE"]).ok().stdout, "good\n");
    place.lain(&["delete", "--yes"]).ok();
    for _ in 0..2 {
        place.lain(&["deploy"]).ok();
    }
    let ran = place.lain(&["rollback"]).exits(3).says("has nothing else to go back to: revision 1 runs the same image, chart and values");
    ran.never_says("helm rollback").says("next: lain deploy --set imageTag=TAG");
    // An image that never came is no way back, whatever else differs.
    let (image, port) = (format!("{}/nothing:here", Place::registry()), |port: u32| format!("deployments.web.containerPort={port}"));
    place.lain(&["delete", "--yes"]).ok();
    let bad = ["deploy", "--ignore-lint", "--wait", "--set", &format!("deployments.web.image={image}"), "--set"];
    for at in [1, 2] {
        place.lain(&[&bad[..], &[&port(8000 + at)]].concat()).exits(1).says("ImagePull").never_says("lain rollback");
    }
    let none = format!("{}/nosuch:1", Place::registry());
    place
        .lain(&["deploy", "--image", &none])
        .exits(3)
        .says(&format!("there is no image {none}: looked for `1` in {}/nosuch", Place::registry()));
}

#[test]
fn a_node_that_is_named_no_more_loses_the_label() {
    let place = Place::new("3.17.3").with_values(WORD);
    let node = place.field("nodes", "{.items[0].metadata.name}");
    let label = format!("{}-web", place.appname);
    // A second node, that nothing runs on.
    let other = format!("{}-gone", place.appname);
    let object = format!(
        r#"{{"apiVersion": "v1", "kind": "Node", "metadata": {{"name": "{other}", "labels": {{"{label}": "true", "other-web": "true"}}}}, "spec": {{"unschedulable": true}}}}"#
    );
    let file = place.root.path().join("node.json");
    std::fs::write(&file, object).expect("a node");
    place.kubectl(&["apply", "-f", &file.to_string_lossy()]).ok();
    let ran = place.lain(&["deploy", "--build", "--wait", "--set", &format!("deployments.web.nodes[0]={node}")]);
    let labels = place.field(&format!("node/{other}"), "{.metadata.labels}");
    place.kubectl(&["delete", "node", &other]).ok();
    let has = place.field(&format!("node/{node}"), &format!("{{.metadata.labels.{label}}}"));
    place.kubectl(&["label", "node", &node, &format!("{label}-")]).ok();
    ran.ok().says(&format!("node {other} is not among `nodes` of web any more"));
    assert!(!labels.contains(&label) && labels.contains("other-web"), "{labels}");
    assert_eq!(has, "true");
}
