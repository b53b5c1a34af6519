//! What a cluster that asks for signatures lets run, on a real one.

use std::fs;
use std::path::PathBuf;

use crate::support::{Place, Ran};

const VALUES: &str = "\
build: {base: 'python:3.13-slim', script: ['true']}
builds: {admin: {base: 'python:3.13-slim', script: ['true']}}
deployments:
  web: {command: [sleep, \"1000\"], replicaCount: 1, terminationGracePeriodSeconds: 1, resources: {requests: {cpu: 1m, memory: 16Mi}, limits: {cpu: 1000m, memory: 64Mi}}}
  admin: {build: admin, command: [sleep, \"1000\"], replicaCount: 1, terminationGracePeriodSeconds: 1, resources: {requests: {cpu: 1m, memory: 16Mi}, limits: {cpu: 1000m, memory: 64Mi}}}
cronjobs:
  nightly: {schedule: \"0 3 1 1 *\", command: [\"true\"], resources: {requests: {cpu: 1m, memory: 16Mi}, limits: {cpu: 1000m, memory: 64Mi}}}
";
const PASSWORD: &str = "open-sesame-7351";
const IMAGE: &str = "python:3.13-slim";

struct Signed {
    place: Place,
    cosign: PathBuf,
}

impl Signed {
    fn new() -> Self {
        let tools = std::env::var("LAIN_RIG_TOOLS").expect("the rig");
        let cosign = PathBuf::from(format!("{tools}/cosign-3"));
        let path = format!("{}:{tools}/helm-3.17.3:{}", cosign.display(), std::env::var("PATH").expect("PATH"));
        let place = Place::new("3.17.3").with_env("PATH", &path).with_env("COSIGN_PASSWORD", PASSWORD).with_values(VALUES);
        let signed = Self { place, cosign: cosign.join("cosign") };
        signed.make_key("ours");
        signed.make_key("theirs");
        signed
    }

    /// `NAME.key` in the place's folder, its public half beside the cluster's values.
    fn make_key(&self, name: &str) {
        let root = self.place.root.path();
        let prefix = root.join(name).display().to_string();
        let made =
            self.place.program(self.cosign.to_str().expect("a path")).args(["generate-key-pair", "--output-key-prefix", &prefix]).output();
        assert!(made.expect("cosign runs").status.success());
        fs::rename(root.join(format!("{name}.pub")), root.join(format!("clusters/{name}.pub"))).expect("a public key");
    }

    /// What the administrators' file says beside the rest.
    fn rule(&self, more: &str) {
        let file = self.place.root.path().join("clusters/values-test.yaml");
        let text = fs::read_to_string(&file).expect("the cluster's values");
        let plain = text.split("signature:").next().expect("a start");
        fs::write(file, format!("{plain}{more}")).expect("the cluster's values");
    }

    /// A commit whose images are in the registry; returns its tag.
    fn pushed(&self, what: &str) -> String {
        self.place.commit(what);
        let tag = self.place.lain(&["meta"]).ok().stdout.trim().to_owned();
        for name in ["", "-admin"] {
            let image = format!("{}/{}{name}:{tag}", Place::registry(), self.place.appname);
            // Another digest each time.
            let mut build = self.place.program("docker");
            build
                .stderr(std::process::Stdio::null())
                .args(["build", "-q", "--label", &format!("it={what}{name}"), "--tag", &image, "-"])
                .stdin(std::process::Stdio::piped());
            let mut child = build.stdout(std::process::Stdio::null()).spawn().expect("docker runs");
            std::io::Write::write_all(&mut child.stdin.take().expect("stdin"), format!("FROM {IMAGE}\n").as_bytes()).expect("a Dockerfile");
            assert!(child.wait().expect("docker ends").success());
            self.place.docker(&["push", "-q", &image]).ok();
        }
        tag
    }

    fn sign(&self, key: &str, more: &[&str]) -> Ran {
        let key = self.place.root.path().join(format!("{key}.key")).display().to_string();
        self.place.lain(&[&["push", "--sign", "--key", &key], more].concat()).ok()
    }

    fn images(&self) -> String {
        self.place.kubectl(&["get", "deployments", "-o", "jsonpath={.items[*].spec.template.spec.containers[*].image}"]).ok().stdout
    }

    fn revisions(&self) -> usize {
        self.place.lain(&["history", "-o", "json"]).ok().stdout.matches("\"revision\":").count()
    }
}

#[test]
fn only_what_is_signed_runs() {
    let signed = Signed::new();
    let place = &signed.place;
    let deploy = |more: &[&str]| place.lain(&[&["deploy"], more].concat());
    // Before there is a rule, anything runs, by its tag; whoever wants it checked says so.
    let first = signed.pushed("one");
    place.lain(&["secret", "show"]).ok();
    signed.rule("signature: {tlog: false}\n");
    deploy(&["--verify", "--ignore-lint"]).exits(3).says("does not say whose signature counts").says("COSIGN_PUBLIC_KEY=");
    deploy(&["--ignore-lint"]).ok();
    assert!(!signed.images().contains('@'));
    signed.rule("signature: {key: ours.pub, tlog: false}\n");
    deploy(&["--verify", "--ignore-lint"]).exits(3).says("has no signature, and --verify asks for a signature");

    let key = fs::read_to_string(place.root.path().join("clusters/ours.pub")).expect("a key").replace('\n', "\n    ");
    signed.rule(&format!("signature:\n  tlog: false\n  key: |\n    {key}\nrequire_signature: true\n"));
    let refused = |ran: Ran, why: &str| ran.exits(3).says(why).says("lain build --push --if-missing --sign");
    for words in [&[][..], &["--ignore-lint"], &["--set", &format!("imageTag={first}")]] {
        refused(deploy(words), "runs signed images alone (`require_signature`)");
    }
    // One of its own images is not enough, and nor is anybody's signature.
    signed.sign("ours", &["--name", "default"]);
    refused(deploy(&["--ignore-lint"]), "-admin@sha256:");
    signed.sign("theirs", &["--name", "admin"]);
    refused(deploy(&["--ignore-lint"]), "is signed, but not by one whose signature counts here");
    for words in [&["update-image", "admin"][..], &["redeploy", "--ignore-lint"]] {
        refused(place.lain(words), "-admin@sha256:");
    }
    deploy(&["--set", "require_signature=false"]).exits(3).says("only the cluster's own file says that");
    assert_eq!((signed.revisions(), signed.images().contains('@')), (1, false), "nothing changed");

    signed.sign("ours", &["--name", "admin"]);
    deploy(&["--ignore-lint"]).ok().says("verified the signature of ");
    let images = signed.images();
    let by_digest = images.split(' ').filter(|image| image.contains(&format!(":{first}@sha256:"))).count();
    assert_eq!(by_digest, 2, "{images}");
    // What was deployed before the rule is not gone back to, but deployed by its digest.
    place.lain(&["rollback"]).exits(3).says("would run by its tag").says("lain deploy --set imageTag=TAG");
    // A Job and one more image are held to it too.
    signed.pushed("two");
    let head = place.lain(&["image"]).ok().stdout.lines().next().expect("an image").to_owned();
    for words in [&["update-image", "web"][..], &["job", "--head", "--", "true"], &["deploy", "--ignore-lint", "--image", &head]] {
        refused(place.lain(words), "has no signature");
    }
    place.lain(&["create-job", "nightly"]).says("verified the signature of ");
    let job = place.kubectl(&["get", "jobs", "-o", "jsonpath={.items[*].spec.template.spec.containers[*].image}"]).ok().stdout;
    assert!(job.contains("@sha256:"), "{job}");
    signed.sign("ours", &[]);
    place.lain(&["update-image", "web"]).ok();
    assert!(signed.images().split(' ').all(|image| image.contains("@sha256:")), "{}", signed.images());
    deploy(&["--ignore-lint"]).ok();
    place.lain(&["rollback"]).ok();
    assert_eq!(signed.images(), images);
}
