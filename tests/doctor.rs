//! `lain doctor`: on real parts all is good; then each fault is made, or shown by a server of the test's own.

#[path = "support/registry.rs"]
mod registry;
#[path = "support/server.rs"]
mod server;
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use registry::Registry;
use serde_json::{Value as Json, json};
use server::{Answer, Asked, Server};
use support::{App, Ran, VALUES, rig};

/// A registry's values, in a namespace that each cluster has.
fn cluster_of(registry: &str) -> String {
    format!("registry: {registry}/team\nnamespace: kube-public\n")
}

/// An app on the rig's cluster, committed, with all that lain needs.
fn healthy(registry: &str) -> App {
    let kubeconfig = fs::read_to_string(rig("LAIN_E2E_KUBECONFIG")).expect("the rig's kubeconfig");
    let app = App::new().chart().file("sub/readme", "").cluster_without_kubeconfig("test", &cluster_of(registry));
    let app =
        app.home_file(".gitconfig", "[user]\nname = Tester\nemail = tester@example.com\n").home_file(".kube/kubeconfig-test", &kubeconfig);
    fs::set_permissions(app.home().join(".kube/kubeconfig-test"), private()).expect("a mode");
    let app = app.tool("kubectl", "kubectl-1.20.2").tools(&["helm"]).docker().committed().using("test");
    app.git(&["remote", "add", "origin", "https://git.example.com/team/shop.git"]);
    app
}

/// For its owner alone.
fn private() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o600)
}

/// An app with a cluster that only has a registry.
fn with_registry(registry: &str) -> App {
    App::new().cluster("test", &cluster_of(registry)).using("test")
}

/// What a check found, by `-o json`.
fn found(ran: &Ran, check: &str) -> Json {
    let diagnosis: Json = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("JSON: {}{}", ran.stdout, ran.stderr));
    let checks = diagnosis["checks"].as_array().expect("checks");
    let first = checks.iter().find(|one| one["check"] == check);
    first.unwrap_or_else(|| panic!("{check}: {diagnosis:#}")).clone()
}

/// One check ends in this state; all it says holds these words.
#[track_caller]
fn ends(app: &App, check: &str, state: &str, words: &[&str]) -> Json {
    let ran = app.run(&["doctor", check, "-o", "json"]).within(17).changed_nothing();
    let one = found(&ran, check);
    assert_eq!(one["state"], state, "{one:#}");
    for word in words {
        assert!(one.to_string().contains(word), "`{word}` in {one:#}");
    }
    assert!(state != "bad" || one["next"].as_array().is_some_and(|next| !next.is_empty()), "what to type next: {one:#}");
    ran.exits(if state == "bad" { 3 } else { 0 });
    one
}

/// All uploads that a registry waits for the end of. What docker-registry itself writes of one while it cancels it (`hashstates`) is none.
fn uploads(registry: &Registry) -> Vec<String> {
    let is_open = |path: &String| {
        path.contains("/_uploads/") && !path.contains("/hashstates") && (path.ends_with("/startedat") || path.ends_with("/data"))
    };
    support::listing(&registry.storage()).into_keys().filter(is_open).collect()
}

#[test]
fn all_is_good_on_real_parts() {
    let registry = Registry::plain();
    let app = healthy(&registry.host());
    let mut command = app.command(Path::new(env!("CARGO_BIN_EXE_lain")));
    command.arg("doctor").current_dir(app.dir().join("sub"));
    let ran = app.run_command(command).exits(0).changed_nothing();
    let image = format!("{}/team/shop: pull, push", registry.host());
    for words in [
        "good: values (shop), git, docker (daemon), registry (",
        &image,
        "kubeconfig (cluster test, context ",
        "server (1.20.2, namespace kube-public), ",
        "rights (deploy; status and logs; x, job and restart; env and secret; admin), helm (3.17.3), kubectl (1.20.2), ",
        "\nnot looked at: webhook (the app names none for this cluster), job (this is no CI job)\n",
    ] {
        assert!(ran.stdout.contains(words), "`{words}` in {}", ran.stdout);
    }
    assert_eq!(uploads(&registry), Vec::<String>::new(), "nothing is left in the registry");

    let ran = app.run(&["doctor", "-o", "json"]).exits(0);
    let answer: Json = serde_json::from_str(&ran.stdout).expect("JSON");
    let schema: Json = serde_json::from_str(&app.run(&["schema", "doctor"]).exits(0).stdout).expect("a schema");
    jsonschema::draft202012::validate(&schema, &answer).expect("as the schema says");
    let schema = serde_json::to_string(&schema).expect("JSON");
    assert!(answer["good"] == true && answer["cluster"] == "test" && schema.contains("unseen"), "{answer:#}");
    // In full each has its line, and what was asked is shown.
    let ran = app.run(&["doctor", "-v", "helm", "values"]).exits(0).says("helm version --template");
    assert_eq!(ran.stdout, "good: values (shop)\ngood: helm (3.17.3)\n");
    app.run(&["doctor", "hlem"]).exits(2).says("a similar value exists: 'helm'");
}

#[test]
fn where_there_is_nothing_it_says_what_it_did_not_look_at() {
    let ran = App::empty().run(&["doctor"]).exits(3).changed_nothing();
    for words in [
        "bad: helm: helm is not installed (not found on PATH)\n",
        "bad: kubectl: kubectl is not installed (not found on PATH)\n",
        "warning: docker: no app is here, and docker is not at hand\n",
    ] {
        assert!(ran.stdout.contains(words), "`{words}` in {}", ran.stdout);
    }
    let unseen = ran.stdout.lines().find(|line| line.starts_with("not looked at: ")).expect("a line");
    assert!(unseen.contains("values (no chart/values.yaml here), git (no repository here), registry (no cluster is chosen"), "{unseen}");
    assert!(unseen.contains("server (no cluster is chosen), rights (no cluster is chosen)"), "{unseen}");

    let app = App::new().values("appname: [\n").cluster("test", "registry: 127.0.0.1:1/x\n").using("test");
    ends(&app, "values", "bad", &["chart/values.yaml:1:10: not valid YAML"]);
    ends(&app, "docker", "unseen", &["the values cannot be read"]);
    ends(&with_registry("127.0.0.1:1").committed(), "git", "warning", &["no remote `origin`", "git remote add origin URL"]);
    let app = with_registry("127.0.0.1:1").env("GIT_AUTHOR_NAME", "").env("EMAIL", "");
    let ran = app.run(&["doctor", "git"]).exits(0);
    let (author, commit) = (ran.stdout.find("git config --global user.name"), ran.stdout.find("git init && "));
    assert!(author.is_some() && author < commit, "who commits is told before: {}", ran.stdout);
}

#[test]
fn a_clone_of_the_newest_commits_alone() {
    let origin = App::new().committed();
    origin.git(&["commit", "-q", "--allow-empty", "-m", "another"]);
    let app = App::empty();
    app.git(&["clone", "-q", "--depth", "1", &format!("file://{}", origin.dir().display()), "."]);
    ends(&app, "git", "warning", &["only the newest commits", "git fetch --unshallow"]);
    ends(&app.env("CI", "true"), "git", "warning", &["GIT_DEPTH: 0 # in `variables` of the job"]);
}

#[test]
fn a_registry_that_does_not_take_the_login() {
    let registry = Registry::htpasswd();
    let app = with_registry(&registry.host());
    ends(&app, "registry", "bad", &["wants a login to read team/shop", &format!("docker login {}", registry.host())]);
    let login = |password: &str| json!({"auths": {registry.host(): {"auth": STANDARD.encode(format!("tester:{password}"))}}}).to_string();
    let app = app.home_file(".docker/config.json", &login("wrong-horse"));
    let one = ends(&app, "registry", "bad", &["refuses the login from ", ".docker/config.json"]);
    assert!(!one.to_string().contains("wrong-horse") && !one.to_string().contains(&STANDARD.encode("tester:wrong-horse")), "{one:#}");
    let app = app.home_file(".docker/config.json", &login(registry::PASSWORD));
    ends(&app, "registry", "good", &["team/shop: pull, push"]);
    assert_eq!(uploads(&registry), Vec::<String>::new());
    // Without an app no repository is known: the login alone is asked about.
    let elsewhere = App::empty().cluster("test", &cluster_of(&registry.host())).using("test");
    ends(&elsewhere, "registry", "bad", &["wants a login"]);
    ends(&elsewhere.home_file(".docker/config.json", &login(registry::PASSWORD)), "registry", "good", &["log in"]);
}

/// A registry that has nothing to pull, and says this to whoever wants to push.
fn to_push(answer: Answer) -> Server {
    Server::new(move |asked: &Asked| match asked.method.as_str() {
        "POST" => answer.clone(),
        "DELETE" => Answer::json(204, ""),
        _ => Answer::json(404, "{\"errors\":[{\"code\":\"NAME_UNKNOWN\"}]}").with("Docker-Distribution-Api-Version", "registry/2.0"),
    })
}

#[test]
fn a_registry_that_may_be_pulled_from_alone() {
    let denied = to_push(Answer::json(403, "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"\\u001b[31mpush is not for you\"}]}"));
    let one = ends(
        &with_registry(&denied.host()),
        "registry",
        "bad",
        &["may be pulled from, but not pushed to", "push is not for you", "docker login"],
    );
    assert!(!one.to_string().contains("\\u001b["), "{one}");
    // Whoever builds nothing pushes nothing.
    let app = with_registry(&denied.host()).values("appname: shop\ndeployments: {web: {image: \"a:1\", command: [a]}}\n");
    let asked = denied.asked().len();
    ends(&app, "registry", "good", &["team/shop: pull\""]);
    assert!(denied.asked()[asked..].iter().all(|asked| asked.method != "POST"));

    let unknown = to_push(Answer::json(404, "{\"errors\":[{\"code\":\"NAME_UNKNOWN\"}]}"));
    ends(
        &with_registry(&unknown.host()),
        "registry",
        "bad",
        &["has no repository team/shop, and makes none", "make the repository team/shop"],
    );

    let begun = to_push(Answer::json(202, "").with("Location", "/v2/team/shop/blobs/uploads/1?state=x"));
    ends(&with_registry(&begun.host()), "registry", "good", &["pull, push"]);
    let last = begun.asked().pop().expect("a request");
    assert_eq!(
        (last.method.as_str(), last.target.as_str()),
        ("DELETE", "/v2/team/shop/blobs/uploads/1?state=x"),
        "what was begun is cancelled"
    );
    // Nobody else is told to delete anything.
    let other = Server::new(|_| Answer::json(204, ""));
    let begun = to_push(Answer::json(202, "").with("Location", &format!("http://{}/x", other.host())));
    ends(&with_registry(&begun.host()), "registry", "good", &["pull, push"]);
    assert!(other.asked().is_empty());
}

#[test]
fn a_clock_that_is_wrong() {
    let with_clock = |ahead: i64| {
        Server::new(move |_| {
            let there = Timestamp::now() + SignedDuration::from_secs(ahead);
            let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&there).expect("a date");
            Answer::json(401, "{}").with("Date", &date)
        })
    };
    for (ahead, state, words) in [
        (7200, "bad", &["the clock here is 2h behind that of the registry (127.0.0.1:", "date -u # "][..]),
        (-90, "warning", &["the clock here is 90s ahead of that of the registry"]),
        (5, "good", &[]),
    ] {
        let server = with_clock(ahead);
        ends(&with_registry(&server.host()), "clock", state, words);
        assert!(
            server.asked().iter().all(|asked| asked.method == "HEAD" && asked.header("authorization").is_none()),
            "{:?}",
            server.asked()
        );
    }
    ends(&with_registry("127.0.0.1:1"), "clock", "unseen", &["nobody says what time it is"]);
}

/// The rig's kubeconfig with a change.
fn kubeconfig(change: impl FnOnce(&mut Json)) -> String {
    let text = fs::read_to_string(rig("LAIN_E2E_KUBECONFIG")).expect("the rig's kubeconfig");
    let mut config: Json = serde_yaml::from_str(&text).expect("YAML");
    change(&mut config);
    config.to_string()
}

/// An app with this kubeconfig, and a registry that nobody runs.
fn with_kubeconfig(config: &str) -> App {
    let app = with_registry("127.0.0.1:1").tools(&["kubectl", "helm"]);
    app.home_file(".kube/kubeconfig-test", config)
}

/// A certificate of its own making, and its key: base64 of PEM.
fn certificate(days: &str) -> (String, String) {
    let dir = tempfile::tempdir().expect("a folder");
    let asked = ["req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=somebody", "-keyout", "key", "-out", "csr"];
    let signed = ["x509", "-req", "-in", "csr", "-signkey", "key", "-out", "crt", "-days", days]; // a time that is over, too
    for words in [&asked[..], &signed] {
        let out = Command::new("openssl").args(words).current_dir(dir.path()).output().expect("openssl runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }
    let read = |name: &str| STANDARD.encode(fs::read(dir.path().join(name)).expect("a file"));
    (read("crt"), read("key"))
}

#[test]
fn a_kubeconfig_that_leads_nowhere() {
    let app = with_kubeconfig(&kubeconfig(|config| config["current-context"] = "gone".into()));
    ends(
        &app,
        "kubeconfig",
        "bad",
        &["context `gone` is not in ", "kubectl config get-contexts --kubeconfig ", "kubectl config use-context NAME"],
    );
    let whole = kubeconfig(|_| ());
    for (text, words) in [
        ("", &["kubeconfig-test is empty", "install -m 600 YOUR_KUBECONFIG"][..]),
        ("clusters: [\n", &["kubeconfig-test:1:1: not valid YAML"]),
        ("apiVersion: v1\nclusters: []\n", &["is no kubeconfig, or not all of one: it has no `contexts`"]),
        (&whole[..whole.len() - 9], &["not valid YAML"]),
    ] {
        let ran = with_kubeconfig(text).run(&["doctor", "kubeconfig", "server", "rights", "-o", "json"]).exits(3);
        let one = found(&ran, "kubeconfig");
        assert!(one["state"] == "bad" && words.iter().all(|word| one.to_string().contains(word)), "{words:?} in {one:#}");
        for check in ["server", "rights"] {
            assert_eq!(found(&ran, check)["about"], "see kubeconfig", "one reason, told once: {}", ran.stdout);
        }
    }
    for (change, words) in [
        (json!({"users": []}), "does not hold user `"),
        (json!({"users": [{"name": "rig", "user": {"exec": {"command": "log-in-nowhere"}}}]}), "the login program `log-in-nowhere`"),
        (json!({"users": [{"name": "rig", "user": {"client-certificate": "gone.pem"}}]}), ".kube/gone.pem: no such file"),
        (json!({"clusters": [{"name": "rig", "cluster": {"server": "https://a", "certificate-authority-data": "LS0tL"}}]}), "no base64"),
        (json!({"clusters": [{"name": "rig", "cluster": {}}]}), "leads to no server"),
    ] {
        let mut config: Json = serde_json::from_str(&whole).expect("JSON");
        config["contexts"] = json!([{"name": "rig", "context": {"cluster": "rig", "user": "rig"}}]);
        config["current-context"] = "rig".into();
        config.as_object_mut().expect("a map").extend(change.as_object().expect("a map").clone());
        ends(&with_kubeconfig(&config.to_string()), "kubeconfig", "bad", &[words]);
    }
    let app = with_registry("127.0.0.1:1").kubeconfig("test", "http://k8s.invalid:8080");
    ends(&app, "kubeconfig", "warning", &["is no https", "kubectl config set-cluster ", "--server=https://"]);
    let app = with_registry("127.0.0.1:1");
    ends(&app, "kubeconfig", "warning", &["other users of this machine can read ", "chmod 600 "]);
    fs::remove_file(app.home().join(".kube/kubeconfig-test")).expect("it goes");
    let app = app.env("LAIN_CLUSTER", "test");
    ends(&app, "kubeconfig", "bad", &["cluster test has no kubeconfig"]);
    ends(&app, "server", "unseen", &["the cluster has no kubeconfig"]);
    let app = App::new().cluster("test", "registry: a/b\n").cluster("prod", "registry: a/b\n");
    let nowhere = app.run(&["doctor", "server", "-o", "json", "--cluster", "nosuch"]).exits(0);
    assert_eq!(found(&nowhere, "server")["about"], "there is no such cluster");
    ends(&app, "kubeconfig", "unseen", &["no cluster is chosen; lain use CLUSTER, one of prod, test"]);
}

#[test]
fn an_api_server_that_does_not_let_one_in() {
    // Nobody listens.
    let app = with_registry("127.0.0.1:1");
    ends(&app, "server", "unseen", &["kubectl is not installed"]);
    let app = app.tools(&["kubectl"]);
    let ran = app.run(&["doctor", "server", "rights", "-o", "json"]).exits(3);
    assert!(found(&ran, "server").to_string().contains("nothing listens at its address"), "{}", ran.stdout);
    assert_eq!(found(&ran, "rights")["about"], "the API server does not answer", "one reason, told once");
    let ran = app.run(&["doctor", "server", "-o", "json"]).exits(3);
    assert!(!ran.stdout.contains("rights"), "nobody asked for it: {}", ran.stdout);
    // Another CA.
    let (other, _) = certificate("2");
    let app = with_kubeconfig(&kubeconfig(|config| config["clusters"][0]["cluster"]["certificate-authority-data"] = other.into()));
    ends(&app, "server", "bad", &["certificate is not the one that the kubeconfig trusts", "kubectl config view"]);
    // A certificate of nobody's, and a token that has run out.
    let (crt, key) = certificate("1");
    let user = json!({"client-certificate-data": crt, "client-key-data": key});
    let app = with_kubeconfig(&kubeconfig(|config| config["users"][0]["user"] = user));
    ends(&app, "server", "bad", &["does not accept these credentials (401)"]);
    let app = with_kubeconfig(&kubeconfig(|config| config["users"][0]["user"] = json!({"token": "has-run-out"})));
    ends(&app, "server", "bad", &["(401)", "ask your administrator for a fresh kubeconfig"]);
    // What the certificate itself says of its time.
    for (days, state, words) in [("-1", "bad", "ended on 20"), ("5", "warning", "ends in "), ("90", "good", "")] {
        let (crt, key) = certificate(days);
        let user = json!({"client-certificate-data": crt, "client-key-data": key});
        let app = with_kubeconfig(&kubeconfig(|config| config["users"][0]["user"] = user));
        fs::set_permissions(app.home().join(".kube/kubeconfig-test"), private()).expect("a mode");
        ends(&app, "kubeconfig", state, &[words]);
    }
    // No login at all: the version is public, and nothing else.
    let app = with_kubeconfig(&kubeconfig(|config| config["users"][0]["user"] = json!({})));
    let ran = app.run(&["doctor", "rights", "-o", "json"]).exits(3);
    assert_eq!(found(&ran, "rights")["state"], "bad", "{}", ran.stdout);
    // The namespace is not there.
    let app = with_kubeconfig(&kubeconfig(|_| ())).cluster_without_kubeconfig("test", "registry: 127.0.0.1:1/x\nnamespace: nowhere\n");
    ends(
        &app,
        "server",
        "bad",
        &["the cluster has no namespace nowhere", "kubectl create namespace nowhere", "lain values --explain namespace"],
    );
    app.run(&["values", "--explain", "namespace"]).exits(0);
}

/// kubectl of the rig's administrator.
fn kubectl(args: &[&str], stdin: Option<&Json>) -> String {
    use std::io::Write;
    let mut command = Command::new(Path::new(&rig("LAIN_RIG_TOOLS")).join("kubectl-1.31.9/kubectl"));
    command.args(["--kubeconfig", &rig("LAIN_E2E_KUBECONFIG")]).args(args);
    let mut child = command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().expect("kubectl runs");
    let text = stdin.map(Json::to_string).unwrap_or_default();
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    let out = child.wait_with_output().expect("an end");
    assert!(out.status.success(), "kubectl {args:?}");
    String::from_utf8(out.stdout).expect("UTF-8")
}

#[test]
fn an_account_that_may_not_all() {
    let namespace = format!("doctor-{}", std::process::id());
    let named = |name: &str| json!({"name": name, "namespace": namespace});
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": named("team"), "rules": [
        {"apiGroups": ["", "apps", "batch"], "verbs": ["*"], "resources": ["pods", "pods/log", "deployments", "statefulsets", "replicasets", "jobs"]},
        {"apiGroups": [""], "verbs": ["get", "list", "create", "update"], "resources": ["secrets"]}]});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": named("team"),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "team"},
        "subjects": [{"kind": "ServiceAccount", "name": "team", "namespace": namespace}]});
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": named("team")});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token", "metadata":
        {"name": "token", "namespace": namespace, "annotations": {"kubernetes.io/service-account.name": "team"}}});
    kubectl(&["create", "namespace", &namespace], None);
    kubectl(&["apply", "-f", "-"], Some(&json!({"apiVersion": "v1", "kind": "List", "items": [account, role, binding, secret]})));
    let end = Instant::now() + Duration::from_secs(30);
    let token = loop {
        let token = kubectl(&["-n", &namespace, "get", "secret", "token", "-o", "jsonpath={.data.token}"], None);
        if !token.is_empty() {
            break String::from_utf8(STANDARD.decode(token).expect("base64")).expect("UTF-8");
        }
        assert!(Instant::now() < end, "no token for the account");
        std::thread::sleep(Duration::from_millis(100));
    };
    let app = with_kubeconfig(&kubeconfig(|config| config["users"][0]["user"] = json!({"token": token})));
    let app = app.cluster_without_kubeconfig("test", &format!("registry: 127.0.0.1:1/x\nnamespace: {namespace}\n"));
    let ran = app.run(&["doctor", "rights", "server"]).exits(3);
    // What is being deleted stays as long as something holds it up.
    let finalizer = |list: Json| json!({"metadata": {"finalizers": list}}).to_string();
    kubectl(&["-n", &namespace, "patch", "serviceaccount", "team", "--type", "merge", "-p", &finalizer(json!(["example.com/held"]))], None);
    kubectl(&["delete", "namespace", &namespace, "--wait=false"], None);
    let app = with_kubeconfig(&kubeconfig(|_| ()))
        .cluster_without_kubeconfig("test", &format!("registry: 127.0.0.1:1/x\nnamespace: {namespace}\n"));
    let leaving = app.run(&["doctor", "server"]);
    kubectl(&["-n", &namespace, "patch", "serviceaccount", "team", "--type", "merge", "-p", &finalizer(Json::Null)], None);
    let leaving = leaving.exits(3).stdout;
    assert!(
        leaving.contains("is being deleted") && leaving.contains(&format!("next: kubectl get namespace {namespace} -o yaml")),
        "{leaving}"
    );
    for line in [
        &*format!("bad: rights: deploy: this account may not patch, delete secrets in namespace {namespace}"),
        &format!("bad: rights: x, job and restart: this account may not create pods/exec in namespace {namespace}"),
        &format!("bad: rights: env and secret: this account may not delete secrets in namespace {namespace}"),
        "warning: rights: admin: this account may not list pods, deployments.apps, statefulsets.apps, cronjobs.batch, \
         ingresses.networking.k8s.io in all namespaces: it sees one at a time",
        &format!("good: server (1.20.2, namespace {namespace})"),
    ] {
        assert!(ran.stdout.lines().any(|known| known == line), "`{line}` in {}", ran.stdout);
    }
    assert!(
        ran.stdout.contains("warning: rights: status and logs: this account may not list events, pods.metrics.k8s.io"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains(&format!("next: kubectl auth can-i --list --namespace {namespace} # ")), "{}", ran.stdout);
    assert!(!ran.stdout.contains(&token));
}

#[test]
fn tools_that_are_too_old_or_too_new() {
    let app = with_registry("127.0.0.1:1").fake("helm", "echo v3.7.1");
    ends(&app, "helm", "bad", &["helm 3.7.1 is too old", "install helm 3.8 or newer"]);
    let app = with_kubeconfig(&kubeconfig(|_| ())).fake("helm", "echo v3.8.0");
    ends(&app, "helm", "good", &["3.8.0"]);
    ends(&app, "kubectl", "warning", &["kubectl 1.31.9 is 11 minor versions newer than the API server (1.20.2)", "install kubectl"]);
    let server = Server::new(|_| Answer::json(200, "{\"gitVersion\": \"v1.30.2\"}"));
    let app = with_registry("127.0.0.1:1")
        .tools(&["kubectl"])
        .kubeconfig("test", &format!("http://{}", server.host()))
        .fake("helm", "echo v3.8.0");
    ends(&app, "helm", "warning", &["helm 3.8.0 was made for Kubernetes 1.23 and older, and the API server is 1.30.2"]);
    ends(&app, "kubectl", "good", &["1.31.9"]);
}

#[test]
fn nobody_who_builds() {
    let app = with_registry("127.0.0.1:1").docker();
    ends(&app, "docker", "good", &["daemon"]);
    let app = app.env("DOCKER_HOST", "tcp://127.0.0.1:1");
    ends(&app, "docker", "bad", &["no docker daemon answers", "sudo systemctl start docker # "]);
    for (words, what, next) in [
        (
            "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
            "this account may not use",
            "sudo usermod -aG docker $USER # ",
        ),
        (
            "Failed to initialize: unable to resolve docker endpoint: context \"x\": context not found: open /x",
            "no such context",
            "docker context ls",
        ),
    ] {
        ends(&with_registry("127.0.0.1:1").fake("docker", &format!("echo '{words}' >&2; exit 1")), "docker", "bad", &[what, next]);
    }
    let app = app.values("appname: shop\ndeployments: {web: {image: \"a:1\", command: [a]}}\n");
    ends(&app, "docker", "warning", &["the app builds nothing, and docker is not at hand", "no docker daemon answers"]);
    let app = with_registry("127.0.0.1:1").docker().env("BUILDX_BUILDER", "far-away");
    ends(&app, "docker", "bad", &["builder far-away"]);
    let app = with_registry("127.0.0.1:1").docker().values(&format!("{VALUES}  platforms: [linux/amd64, linux/arm64]\n"));
    ends(&app, "docker", "bad", &["docker itself builds for one platform"]);
}

/// A file system of its own in a folder, until it is dropped.
struct Mount<'a>(&'a Path);

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn a_disk_without_room() {
    let app = with_registry("127.0.0.1:1");
    let tmp = app.tmp();
    let done = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(&tmp).status();
    assert!(done.is_ok_and(|status| status.success()), "this test mounts a file system: run it as root");
    let mount = Mount(&tmp);
    let one = ends(&app, "disk", "bad", &["for temporary files, has 1 MiB left", "df -h "]);
    assert!(one["about"].as_str().is_some_and(|about| about.starts_with(&tmp.display().to_string())), "{one:#}");
    drop(mount);
    let done = Command::new("mount").args(["-t", "tmpfs", "-o", "nr_inodes=1", "none"]).arg(&tmp).status();
    assert!(done.is_ok_and(|status| status.success()));
    let mount = Mount(&tmp);
    ends(&app, "disk", "bad", &["has no room for more files (inodes)", "df -i "]);
    drop(mount);
    let gone = tmp.join("gone");
    let app = app.env("TMPDIR", &gone.display().to_string());
    ends(&app, "disk", "bad", &["and no such folder is there", &format!("mkdir -p {} # or unset TMPDIR", gone.display())]);
}

#[test]
fn proxies_that_lead_nowhere() {
    let app = App::new().cluster("test", "registry: registry.invalid:5000/team\nregistry_endpoint_use_https: false\n").using("test");
    let app = app.env("HTTP_PROXY", "http://me:hunter22@127.0.0.1:1");
    let one = ends(
        &app,
        "proxies",
        "bad",
        &[
            "the registry is asked by the proxy of HTTP_PROXY, 127.0.0.1:1, which does not lead to registry.invalid:5000",
            "export NO_PROXY=",
        ],
    );
    assert!(!one.to_string().contains("hunter22") && one["because"] == json!(["connection refused"]), "{one:#}");
    let shut = Server::new(|_| Answer::json(407, ""));
    let app = app.env("HTTP_PROXY", &format!("http://{}", shut.host()));
    ends(&app, "proxies", "bad", &["it wants a login (407)", "export HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"]);
    let proxy = Server::new(|_| Answer::json(401, "{}"));
    let app = app.env("HTTP_PROXY", &format!("http://{}", proxy.host()));
    ends(&app, "proxies", "good", &["the registry by the proxy of HTTP_PROXY"]);
    ends(&app.env("NO_PROXY", "registry.invalid"), "proxies", "good", &["none in the way"]);
    let app = with_registry("127.0.0.1:1").kubeconfig("test", "https://k8s.invalid:6443").env("HTTPS_PROXY", "http://127.0.0.1:1");
    ends(&app, "proxies", "bad", &["the API server is asked by the proxy of HTTPS_PROXY, 127.0.0.1:1", "$NO_PROXY,k8s.invalid:6443"]);
    // kubectl and helm do not read it.
    let app = with_registry("127.0.0.1:1").kubeconfig("test", "https://k8s.invalid:6443").env("ALL_PROXY", "http://127.0.0.1:1");
    ends(&app, "proxies", "good", &["none in the way"]);
}

#[test]
fn no_certificates() {
    let app = with_registry("127.0.0.1:1").env("SSL_CERT_FILE", "/nonexistent").env("SSL_CERT_DIR", "/nonexistent");
    let ran = app.run(&["doctor", "certificates"]).exits(0);
    for words in ["SSL_CERT_FILE is /nonexistent", "next: unset SSL_CERT_DIR", "no CA is known here", "apt-get install ca-certificates"] {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.stdout);
    }
    let app = with_registry("127.0.0.1:1").env("SSL_CERT_DIR", "/nonexistent");
    ends(&app, "certificates", "warning", &["SSL_CERT_DIR is /nonexistent, and nothing is there"]);
}

#[test]
fn a_webhook_is_sent_nothing() {
    let server = Server::new(|_| Answer::json(404, ""));
    let values = |url: &str| format!("{VALUES}webhook: {{url: \"{url}\"}}\n");
    let hook = format!("http://{}/hook/secret-of-the-room-0123456789", server.host());
    let app = with_registry("127.0.0.1:1").values(&values("${HOOK}"));
    ends(&app, "webhook", "warning", &["`webhook.url` is ${HOOK}, but HOOK is not set", "export HOOK=..."]);
    let app = app.env("HOOK", &hook);
    let one = ends(&app, "webhook", "good", &["nothing was sent"]);
    let asked: Vec<(String, String)> = server.asked().into_iter().map(|asked| (asked.method, asked.target)).collect();
    assert_eq!(asked, [("HEAD".to_owned(), "/".to_owned())], "{one:#}");
    let one = ends(
        &app.env("HOOK", "http://127.0.0.1:1/hook/secret-of-the-room-0123456789"),
        "webhook",
        "warning",
        &["host cannot be reached", "curl -vI http://127.0.0.1:1/ # "],
    );
    assert!(!one.to_string().contains("secret-of-the-room"), "{one:#}");
    let app = with_registry("127.0.0.1:1").values(&values("ftp://a.example.com/hook"));
    ends(&app, "webhook", "warning", &["chart/values.yaml:12:16: ", "none of http or https"]);
}

#[test]
fn what_a_job_lacks() {
    let gitlab = Server::new(|asked| match asked.header("job-token") {
        Some("good-job-token") => Answer::json(200, "{}"),
        _ => Answer::json(401, "{\"message\": \"401 Unauthorized\"}"),
    });
    let cluster = "registry: 127.0.0.1:1/team\nsecrets_env: {harbor_token: HARBOR_TOKEN}\n";
    let app = App::new().cluster("test", cluster).using("test").values(&format!("{VALUES}webhook: {{url: \"${{HOOK}}\"}}\n"));
    ends(&app, "job", "unseen", &["this is no CI job"]);
    let job = app.env("CI", "true").env("GITLAB_CI", "true").env("CI_API_V4_URL", &format!("http://{}/api/v4", gitlab.host()));
    let job = job.env("CI_COMMIT_REF_PROTECTED", "false").env("CI_COMMIT_REF_NAME", "fix/x").env("CI_JOB_TOKEN", "good-job-token");
    ends(
        &job,
        "job",
        "warning",
        &[
            "does not have: HARBOR_TOKEN, HOOK",
            "Settings > CI/CD > Variables",
            "fix/x is not protected, so protected variables do not reach it",
        ],
    );
    let job = job.env("HARBOR_TOKEN", "dDp0").env("HOOK", "http://127.0.0.1:1/x");
    ends(&job, "job", "good", &[]);
    assert_eq!(gitlab.asked().last().map(|asked| asked.target.clone()).as_deref(), Some("/api/v4/job"));
    let job = job.env("GITLAB_API_TOKEN", "one-that-was-revoked");
    let one = ends(&job, "job", "bad", &["the token in GITLAB_API_TOKEN is not known there, expired or revoked"]);
    assert!(!one.to_string().contains("one-that-was-revoked"), "{one:#}");
    let away = job.env("CI_API_V4_URL", "http://127.0.0.1:1/api/v4");
    ends(&away, "job", "bad", &["GitLab cannot be asked", "curl -v http://127.0.0.1:1/api/v4/version # "]);
    let job = away.env("CI_API_V4_URL", &format!("http://{}/api/v4", gitlab.host()));
    ends(&job.env("GITLAB_API_TOKEN", "").env("CI_JOB_TOKEN", ""), "job", "warning", &["there is no token for GitLab"]);
}

/// Whatever hangs, all of it at once: the whole ends, each thing is told, and nothing is left running.
#[test]
fn what_hangs_is_not_waited_for() {
    let hangs = Server::new(|_| Answer::Hang);
    let cluster = format!("registry: {}/team\nnamespace: kube-public\n", hangs.host());
    let app =
        App::new().cluster("test", &cluster).kubeconfig("test", &format!("http://{}", hangs.host())).using("test").tools(&["kubectl"]);
    let app = app.values(&format!("{VALUES}webhook: {{url: \"http://{}/hook\"}}\n", hangs.host())).committed();
    let app = app.fake("docker", "exec /bin/sleep 1000").fake("helm", "trap '' TERM; /bin/sleep 1000");
    let ran = app.run(&["doctor", "-o", "json"]).exits(3).within(17).leaves_nothing();
    for (check, words) in [
        ("docker", "no docker daemon answers"),
        ("registry", "no answer in time"),
        ("server", "API server"),
        ("helm", "no answer within 12 s"),
    ] {
        let one = found(&ran, check);
        assert!(one["state"] == "bad" && one.to_string().contains(words), "`{words}` in {one:#}");
    }
    assert_eq!(found(&ran, "webhook")["state"], "warning");
    assert_eq!(found(&ran, "clock")["state"], "unseen");
    assert_eq!(found(&ran, "git")["state"], "warning");
}
