//! Reading real registries: plain, with TLS, with htpasswd, with tokens; every way to log in.

#[path = "support/registry.rs"]
mod registry;
#[path = "support/server.rs"]
mod server;
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use lain::env::Env;
use lain::error::Kind;
use lain::http::registry::Registry as Client;
use lain::model::cluster::Cluster;
use lain::model::text::Text;
use lain::ui::Ui;

use registry::{DOCKER_MANIFEST, LoginServer, PASSWORD, REFRESH, Registry, USER, basic};
use support::App;

const COMMIT: &str = "1700000000-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const REPOSITORY: &str = "team/shop";

fn line(tag: &str) -> String {
    format!("lain deploy --set imageTag={tag}")
}

/// An app on a cluster with this registry.
fn app(host: &str, more: &str) -> App {
    App::new().cluster("test", &format!("registry: {host}/team\n{more}")).using("test")
}

/// docker's config.json with one entry.
fn docker_config(app: App, host: &str, entry: &str) -> App {
    app.home_file(".docker/config.json", &format!("{{\"auths\": {{\"{host}\": {entry}}}}}"))
}

// ---- tags ----

#[test]
fn thousands_of_tags() {
    let registry = Registry::plain();
    let tags: Vec<String> = (0..5000).map(|at| format!("{}-{at:040x}", 1_600_000_000 + at * 7919 % 5000)).collect();
    let digest = registry.put(REPOSITORY, "latest");
    registry.put(REPOSITORY, "prepare");
    registry.tag_all(REPOSITORY, &digest, tags.iter().map(String::as_str));
    let mut expected = tags.clone();
    expected.sort_by_key(|tag| std::cmp::Reverse(tag[..10].parse::<i64>().expect("a time")));
    let app = app(&registry.host(), "");
    let ten = expected[..10].iter().map(|tag| line(tag)).collect::<Vec<_>>().join("\n");
    app.run(&["tags"]).exits(0).prints_commands(&ten).says("10 of 5001 tags").changed_nothing();
    app.run(&["tags", "-n", "1"]).exits(0).prints_commands(&line(&expected[0]));
    let all = app.run(&["tags", "-n", "9999"]).exits(0).never_says("prepare");
    assert_eq!(all.stdout.lines().count(), 5001);
    assert_eq!(all.stdout.lines().last(), Some(line("latest").as_str()), "others come after the commits");
    let json = app.run(&["tags", "-n", "2", "-o", "json"]).exits(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["repository"], format!("{}/team/shop", registry.host()));
    assert_eq!(json["tags"], serde_json::json!(expected[..2]));
}

#[test]
fn a_repository_that_nothing_was_pushed_to() {
    let registry = Registry::plain();
    let app = app(&registry.host(), "");
    app.run(&["tags"]).exits(0).prints("").says("team/shop has no tags yet").next("lain build --push").changed_nothing();
    let json: serde_json::Value = serde_json::from_str(&app.run(&["tags", "-o", "json"]).exits(0).stdout).expect("JSON");
    assert_eq!(json["tags"], serde_json::json!([]));
}

// ---- manifests ----

/// The client itself, for what no command does yet.
fn with_client(host: &str, variables: &[(&str, &str)], check: impl FnOnce(&Client<'_>)) {
    let env: Env = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let (ui, cluster) = (Ui::default(), Cluster { registry: Some(Text(format!("{host}/team"))), ..Cluster::default() });
    check(&Client::new(&ui, &env, &cluster, &format!("{host}/{REPOSITORY}")).expect("a name"));
}

#[test]
fn every_kind_of_manifest_has_its_digest() {
    let registry = Registry::plain();
    let image = registry.put(REPOSITORY, "docker");
    let entry = format!("\"digest\":\"{image}\",\"size\":1,\"platform\":{{\"architecture\":\"amd64\",\"os\":\"linux\"}}");
    let list = |kind: &str| {
        format!("{{\"schemaVersion\":2,\"mediaType\":\"{kind}\",\"manifests\":[{{\"mediaType\":\"{DOCKER_MANIFEST}\",{entry}}}]}}")
    };
    let index = registry.put_manifest(REPOSITORY, "index", &list("application/vnd.oci.image.index.v1+json"));
    let many = registry.put_manifest(REPOSITORY, "list", &list("application/vnd.docker.distribution.manifest.list.v2+json"));
    let config = format!("{{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"size\":1,\"digest\":\"{image}\"}}");
    let oci =
        format!("{{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{config},\"layers\":[]}}");
    let oci = registry.put_manifest(REPOSITORY, "oci", &oci);
    with_client(&registry.host(), &[], |client| {
        for (tag, digest) in [("docker", &image), ("index", &index), ("list", &many), ("oci", &oci)] {
            assert_eq!(client.digest(tag).expect("an answer").as_ref(), Some(digest), "{tag}");
            assert_eq!(client.digest(digest).expect("an answer").as_ref(), Some(digest), "{tag} by its digest");
        }
        assert_eq!(client.digest("nothing").expect("an answer"), None);
        assert_eq!(client.digest(&format!("sha256:{}", "0".repeat(64))).expect("an answer"), None);
    });
}

#[test]
fn deleting_takes_the_tags_along() {
    let registry = Registry::plain();
    let (first, second) = (registry.put(REPOSITORY, "first"), registry.put(REPOSITORY, "second"));
    with_client(&registry.host(), &[], |client| {
        assert!(client.delete(&first).expect("deleted"));
        assert!(!client.delete(&first).expect("an answer"), "it was gone");
        assert_eq!(client.digest("first").expect("an answer"), None);
        assert_eq!(client.digest("second").expect("an answer"), Some(second));
        assert_eq!(client.tags().expect("tags"), ["second"]);
    });
}

#[test]
fn a_registry_that_deletes_nothing() {
    let registry = Registry::that_keeps_all();
    let digest = registry.put(REPOSITORY, "first");
    with_client(&registry.host(), &[], |client| {
        let error = client.delete(&digest).expect_err("refused");
        assert_eq!(error.kind(), Kind::Failed);
        assert_eq!(error.message(), format!("registry {} does not let images be deleted", registry.host()));
        assert!(error.hints()[0].contains("delete: {enabled: true}"), "{:?}", error.hints());
        assert_eq!(client.digest("first").expect("an answer"), Some(digest.clone()), "it is still there");
    });
}

// ---- TLS ----

#[test]
fn a_ca_that_is_not_known() {
    let registry = Registry::tls("IP:127.0.0.1");
    registry.put(REPOSITORY, COMMIT);
    let host = registry.host();
    let words = "its certificate is signed by no CA that is known here";
    let cannot = format!("registry {host} cannot be asked");
    // On loopback http is tried first, and the server's answer to it understood.
    for more in ["", "registry_endpoint_use_https: true\n"] {
        let app = app(&host, more);
        let ran = app.run(&["tags"]).exits(1).reason(&cannot).says(words);
        ran.next(&format!("/etc/docker/certs.d/{host}/ca.crt")).next("registry_insecure: true").changed_nothing();
    }
}

#[test]
fn a_ca_where_docker_keeps_it() {
    let registry = Registry::tls("IP:127.0.0.1");
    registry.put(REPOSITORY, COMMIT);
    let ca = fs::read_to_string(registry.ca()).expect("a CA");
    let app = app(&registry.host(), "").home_file(&format!(".config/docker/certs.d/{}/ca.crt", registry.host()), &ca);
    app.run(&["tags"]).exits(0).prints_commands(&line(COMMIT));
}

#[test]
fn a_registry_that_wants_a_certificate() {
    let registry = Registry::mutual_tls();
    registry.put(REPOSITORY, COMMIT);
    let host = registry.host();
    let file = |name: &str| fs::read_to_string(registry.ca().with_file_name(name)).expect("a file");
    let place = |name: &str| format!(".config/docker/certs.d/{host}/{name}");
    let app = app(&host, "").home_file(&place("ca.crt"), &file("ca.crt"));
    app.run(&["tags"])
        .exits(1)
        .says("it wants a client's certificate that it knows")
        .next(&format!("/etc/docker/certs.d/{host}/client.cert"))
        .changed_nothing();
    let app = app.home_file(&place("client.cert"), &file("server.crt")).home_file(&place("client.key"), &file("server.key"));
    app.run(&["tags"]).exits(0).prints_commands(&line(COMMIT));
}

/// A folder that goes again.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // nothing is lost if it stays
    }
}

#[test]
fn a_ca_where_docker_keeps_it_for_the_machine() {
    let registry = Registry::tls("IP:127.0.0.1");
    registry.put(REPOSITORY, COMMIT);
    let folder = Folder(Path::new("/etc/docker/certs.d").join(registry.host()));
    fs::create_dir_all(&folder.0).expect("root runs the rig");
    fs::copy(registry.ca(), folder.0.join("ca.crt")).expect("a file");
    app(&registry.host(), "").run(&["tags"]).exits(0).prints_commands(&line(COMMIT));
}

#[test]
fn a_ca_of_the_system() {
    let registry = Registry::tls("IP:127.0.0.1");
    registry.put(REPOSITORY, COMMIT);
    let app = app(&registry.host(), "").env("SSL_CERT_FILE", &registry.ca().display().to_string());
    app.run(&["tags"]).exits(0).prints_commands(&line(COMMIT));
}

#[test]
fn insecure_is_said_by_the_cluster_alone() {
    let registry = Registry::tls("IP:127.0.0.1");
    registry.put(REPOSITORY, COMMIT);
    app(&registry.host(), "registry_insecure: true\n").run(&["tags"]).exits(0).prints_commands(&line(COMMIT));
    // What the cluster says of its registry does not hold for another.
    let (ui, env) = (Ui::default(), Env::default());
    let cluster = Cluster { registry: Some("127.0.0.1:1/team".into()), registry_insecure: Some(true), ..Cluster::default() };
    let client = Client::new(&ui, &env, &cluster, &format!("{}/{REPOSITORY}", registry.host())).expect("a name");
    let error = client.digest(COMMIT).expect_err("its certificate is not known");
    assert!(error.to_string().contains("signed by no CA"), "{error}");
}

#[test]
fn a_certificate_for_another_name() {
    let registry = Registry::tls("DNS:registry.example.com");
    let app = app(&registry.host(), "").env("SSL_CERT_FILE", &registry.ca().display().to_string());
    app.run(&["tags"]).exits(1).reason("cannot be asked").says("its certificate is for another name").next("registry_insecure: true");
}

#[test]
fn https_where_http_is_spoken_and_the_other_way_round() {
    let (plain, tls) = (Registry::plain(), Registry::tls("IP:127.0.0.1"));
    let ran = app(&plain.host(), "registry_endpoint_use_https: true\n").run(&["tags"]).exits(1).reason("cannot be asked");
    ran.says("it does not speak TLS there").next("registry_insecure: true").within(30);
    let ran = app(&tls.host(), "registry_endpoint_use_https: false\n").run(&["tags"]).exits(1);
    ran.reason("answers 400 Bad Request to plain http").next("registry_endpoint_use_https: true").within(30);
}

#[test]
fn no_proxy_on_the_way_to_this_machine() {
    let registry = Registry::plain();
    registry.put(REPOSITORY, COMMIT);
    let app = app(&registry.host(), "").env("HTTP_PROXY", "http://127.0.0.1:1").env("HTTPS_PROXY", "http://127.0.0.1:1");
    app.run(&["tags"]).exits(0).prints_commands(&line(COMMIT));
}

#[test]
fn plain_http_beyond_loopback_is_said_by_the_cluster_alone() {
    let registry = Registry::beyond_loopback();
    registry.put(REPOSITORY, COMMIT);
    let host = registry.host();
    app(&host, "").run(&["tags"]).exits(1).reason("cannot be asked").says("does not speak TLS").next("registry_insecure: true");
    app(&host, "registry_insecure: true\n").run(&["tags"]).exits(0).prints_commands(&line(COMMIT));
    app(&host, "registry_endpoint_use_https: false\n").run(&["tags"]).exits(0).prints_commands(&line(COMMIT));
}

// ---- a password ----

#[test]
fn docker_logs_in_pushes_and_lain_reads() {
    let registry = Registry::htpasswd();
    let host = registry.host();
    let app = app(&host, "").docker();
    app.run(&["tags"]).exits(1).reason(&format!("registry {host} wants a login to read team/shop")).next(&format!("docker login {host}"));
    let docker = |args: &[&str]| {
        let mut command = app.command(Path::new("docker"));
        command.args(args);
        app.run_command(command)
    };
    docker(&["login", "-u", USER, "-p", PASSWORD, &host]).exits(0);
    let image = format!("{host}/team/shop:{COMMIT}");
    let from = tempfile::tempdir().expect("a folder");
    fs::write(
        from.path().join("Dockerfile"),
        format!("FROM scratch\nCOPY Dockerfile /\n# {image}: of this test alone, as another may remove its own\n"),
    )
    .expect("a file");
    let mut build = app.command(Path::new("docker"));
    build.args(["build", "-q", "--no-cache", "-t", &image]).arg(from.path()).env("DOCKER_BUILDKIT", "0");
    app.run_command(build).exits(0);
    docker(&["push", "-q", &image]).exits(0);
    app.run(&["tags", "-v"]).exits(0).prints_commands(&line(COMMIT)).never_says(PASSWORD).never_says(&basic());
    docker(&["rmi", &image]).exits(0);
    docker(&["pull", "-q", &image]).exits(0);
    docker(&["rmi", &image]).exits(0);
}

#[test]
fn docker_pushes_to_a_registry_with_tls() {
    let registry = Registry::tls("IP:127.0.0.1");
    let app = app(&registry.host(), "").docker().env("SSL_CERT_FILE", &registry.ca().display().to_string());
    let image = format!("{}/team/shop:{COMMIT}", registry.host());
    let from = tempfile::tempdir().expect("a folder");
    fs::write(
        from.path().join("Dockerfile"),
        format!("FROM scratch\nCOPY Dockerfile /\n# {image}: of this test alone, as another may remove its own\n"),
    )
    .expect("a file");
    let mut build = app.command(Path::new("docker"));
    build.args(["build", "-q", "--no-cache", "-t", &image]).arg(from.path()).env("DOCKER_BUILDKIT", "0");
    app.run_command(build).exits(0);
    for words in ["push", "rmi"] {
        let mut command = app.command(Path::new("docker"));
        command.args([words, &image]);
        app.run_command(command).exits(0);
    }
    app.run(&["tags"]).exits(0).prints_commands(&line(COMMIT));
}

#[test]
fn passwords_in_config_json() {
    let registry = Registry::htpasswd();
    registry.put(REPOSITORY, COMMIT);
    let host = registry.host();
    let auth = format!("{{\"auth\": \"{}\"}}", basic());
    let pair = format!("{{\"username\": \"{USER}\", \"password\": \"{PASSWORD}\"}}");
    for (key, entry) in [(host.clone(), &auth), (format!("https://{host}/v1/"), &auth), (format!("http://{host}"), &pair)] {
        docker_config(app(&host, ""), &key, entry).run(&["tags", "-v"]).exits(0).prints_commands(&line(COMMIT)).never_says(&basic());
    }
    let elsewhere = tempfile::tempdir().expect("a folder");
    fs::write(elsewhere.path().join("config.json"), format!("{{\"auths\": {{\"{host}\": {auth}}}}}")).expect("a file");
    let app_there = app(&host, "").env("DOCKER_CONFIG", &elsewhere.path().display().to_string());
    app_there.run(&["tags"]).exits(0).prints_commands(&line(COMMIT));
    let given = app(&host, "").env("DOCKER_AUTH_CONFIG", &format!("{{\"auths\": {{\"{host}\": {auth}}}}}"));
    given.run(&["tags"]).exits(0).prints_commands(&line(COMMIT));
}

#[test]
fn passwords_that_do_not_do() {
    let registry = Registry::htpasswd();
    let host = registry.host();
    let wrong = docker_config(app(&host, ""), &host, "{\"username\": \"tester\", \"password\": \"long-forgotten\"}");
    let ran = wrong.run(&["tags", "-v"]).exits(1).reason(&format!("registry {host} refuses the login from")).says(".docker/config.json");
    ran.next(&format!("docker login {host}")).never_says("long-forgotten").within(30).changed_nothing();
    let broken = app(&host, "").home_file(".docker/config.json", "{\"auths\": {\"x\": {\"password\": \"long-forgotten\" oops");
    let ran = broken.run(&["tags"]).exits(1).says("config.json is not JSON (line 1,").reason("wants a login");
    ran.never_says("long-forgotten").says("because: ").next("jq . ").never_says("docker login");
    let other = docker_config(app(&host, ""), "127.0.0.1:1", &format!("{{\"auth\": \"{}\"}}", basic()));
    other.run(&["tags"]).exits(1).reason("wants a login");
}

// ---- helpers ----

/// Speaks docker's protocol: `get`, the server on stdin, JSON on stdout.
fn helper(host: &str, user: &str, secret: &str) -> String {
    format!(
        "[ \"$1\" = get ] || exit 9\nread -r server || true\nif [ \"$server\" = '{host}' ]; then\n\
         echo '{{\"ServerURL\": \"{host}\", \"Username\": \"{user}\", \"Secret\": \"{secret}\"}}'\n\
         else echo 'credentials not found in native keychain'; exit 1; fi"
    )
}

#[test]
fn helpers_and_stores() {
    let registry = Registry::htpasswd();
    registry.put(REPOSITORY, COMMIT);
    let host = registry.host();
    let script = helper(&host, USER, PASSWORD);
    let own = format!("{{\"credHelpers\": {{\"{host}\": \"vault\"}}, \"credsStore\": \"desktop\"}}");
    let store = "{\"credsStore\": \"vault\", \"auths\": {}}";
    for config in [own.as_str(), store] {
        let app = app(&host, "").home_file(".docker/config.json", config).fake("docker-credential-vault", &script);
        app.run(&["tags", "-v"]).exits(0).prints_commands(&line(COMMIT)).says("docker-credential-vault get").never_says(PASSWORD);
    }
    // A store that does not know it leaves it to the file.
    let config = format!("{{\"credsStore\": \"vault\", \"auths\": {{\"{host}\": {{\"auth\": \"{}\"}}}}}}", basic());
    let unknown = helper("elsewhere", USER, "nothing");
    let app = app(&host, "").home_file(".docker/config.json", &config).fake("docker-credential-vault", &unknown);
    app.run(&["tags"]).exits(0).prints_commands(&line(COMMIT)).never_says("warning:");
}

#[test]
fn helpers_that_fail() {
    let registry = Registry::htpasswd();
    let host = registry.host();
    let place = || app(&host, "").home_file(".docker/config.json", "{\"credsStore\": \"vault\"}");
    let asked = |app: App| app.run(&["tags"]).exits(1).reason("wants a login").within(60);
    asked(place())
        .says("warning: docker-credential-vault is not installed")
        .says("because: docker-credential-vault is not installed")
        .next("install docker-credential-vault, which docker's config.json names");
    asked(place().fake("docker-credential-vault", "echo 'the vault is sealed'; exit 1"))
        .says("warning: docker-credential-vault failed")
        .says("the vault is sealed")
        .next(&format!("echo {host} | docker-credential-vault get"));
    let noise = place().fake("docker-credential-vault", "echo 'user=me secret=hunter22'");
    asked(noise).says("answered something that is no login").never_says("hunter22");
}

#[test]
fn nobody_is_asked_where_no_login_is_wanted() {
    let registry = Registry::plain();
    registry.put(REPOSITORY, COMMIT);
    let app =
        app(&registry.host(), "registry_token_fetch_cmd: touch asked\n").home_file(".docker/config.json", "{\"credsStore\": \"vault\"}");
    app.fake("docker-credential-vault", "touch asked; exit 1")
        .run(&["tags"])
        .exits(0)
        .prints_commands(&line(COMMIT))
        .never_says("touch")
        .changed_nothing();
}

// ---- tokens ----

#[test]
fn tokens_for_those_who_log_in() {
    let login = LoginServer::new();
    let registry = Registry::tokens(&login);
    registry.put(REPOSITORY, COMMIT);
    let host = registry.host();
    let ran = app(&host, "").run(&["tags"]).exits(1).reason(&format!("registry {host} wants a login to read team/shop"));
    ran.next(&format!("docker login {host}"));
    let known = docker_config(app(&host, ""), &host, &format!("{{\"auth\": \"{}\"}}", basic()));
    known.run(&["tags", "-v"]).exits(0).prints_commands(&line(COMMIT)).never_says(PASSWORD).never_says("eyJ");
    let refreshing = docker_config(app(&host, ""), &host, &format!("{{\"auth\": \"\", \"identitytoken\": \"{REFRESH}\"}}"));
    refreshing.run(&["tags", "-v"]).exits(0).prints_commands(&line(COMMIT)).never_says(REFRESH);
    let from_helper = app(&host, "").home_file(".docker/config.json", "{\"credsStore\": \"vault\"}");
    from_helper.fake("docker-credential-vault", &helper(&host, "<token>", REFRESH)).run(&["tags"]).exits(0).prints_commands(&line(COMMIT));
    let posted = login.asked().into_iter().filter(|asked| asked.method == "POST").count();
    assert_eq!(posted, 2, "refresh tokens go into a form");
    assert!(login.asked().iter().all(|asked| asked.field("scope").as_deref() == Some("repository:team/shop:pull")));
    let wrong = docker_config(app(&host, ""), &host, "{\"identitytoken\": \"long-forgotten\"}");
    let ran = wrong.run(&["tags"]).exits(1).reason("refuses the login from").next(&format!("docker login {host}"));
    ran.never_says("long-forgotten");
}

#[test]
fn tokens_for_what_is_public() {
    let login = LoginServer::new();
    let registry = Registry::tokens(&login);
    registry.put(REPOSITORY, COMMIT);
    login.publish(REPOSITORY);
    app(&registry.host(), "").run(&["tags"]).exits(0).prints_commands(&line(COMMIT));
    assert_eq!(login.asked().len(), 1, "one token does for the run");
}

#[test]
fn a_token_for_deleting_is_asked_for_apart() {
    let login = LoginServer::new();
    let registry = Registry::tokens(&login);
    let digests: Vec<String> = ["a", "b", "c"].iter().map(|tag| registry.put(REPOSITORY, tag)).collect();
    let auth = format!("{{\"auths\": {{\"{}\": {{\"auth\": \"{}\"}}}}}}", registry.host(), basic());
    with_client(&registry.host(), &[("DOCKER_AUTH_CONFIG", &auth)], |client| {
        for (tag, digest) in ["a", "b", "c"].iter().zip(&digests) {
            assert_eq!(client.digest(tag).expect("an answer").as_ref(), Some(digest));
            assert!(client.delete(digest).expect("deleted"));
        }
    });
    let scopes: Vec<String> = login.asked().iter().filter_map(|asked| asked.field("scope")).collect();
    assert_eq!(scopes.len(), 2, "a token for each of both, kept: {scopes:?}");
    assert!(scopes[0].ends_with(":pull") && scopes[1].ends_with(":delete"), "{scopes:?}");
}

// ---- the cluster's own logins ----

#[test]
fn a_command_that_fetches_the_token() {
    let registry = Registry::htpasswd();
    registry.put(REPOSITORY, COMMIT);
    let host = registry.host();
    let keys = "registry_token_fetch_cmd: \"cloud token --region 'north west'\"\nregistry_token_type: Basic\n";
    let script = format!("[ \"$1 $2 $3\" = 'token --region north west' ] || exit 9\necho '{}'", basic());
    let app = app(&host, keys).fake("cloud", &script);
    let ran = app.run(&["tags", "-v"]).exits(0).prints_commands(&line(COMMIT));
    ran.says("cloud token --region 'north west'").never_says(&basic()).changed_nothing();
    let failing = app.fake("cloud", "echo secret-half; echo 'the session has expired' >&2; exit 4");
    let ran = failing.run(&["tags"]).exits(1).reason("registry_token_fetch_cmd gave no token");
    let failing = ran.says("the session has expired").never_says("secret-half");
    assert!(failing.stderr.contains("exit code 4"), "{}", failing.stderr);
    let app = self::app(&host, keys);
    app.run(&["tags"]).exits(1).reason("registry_token_fetch_cmd gave no token").says("cloud is not installed");
    let chatty = self::app(&host, keys).fake("cloud", "echo warning; echo secret-half");
    chatty.run(&["tags"]).exits(1).reason("is not one word").never_says("secret-half").next("run it by hand");
    self::app(&host, keys).fake("cloud", "true").run(&["tags"]).exits(1).reason("is empty, so it is no token").next("run it by hand");
    let wrong = self::app(&host, keys).fake("cloud", "echo bm9ib2R5Om5vdGhpbmc=");
    wrong.run(&["tags"]).exits(1).reason("refuses the login from registry_token_fetch_cmd").next("has not expired");
    let open = self::app(&host, "registry_token_fetch_cmd: \"cloud 'token\"\n");
    open.run(&["tags"]).exits(1).reason("has a quote that is not closed").next("no shell is in between");
    let kind = self::app(&host, "registry_token_fetch_cmd: cloud\nregistry_token_type: \"Basic x\"\n");
    kind.run(&["tags"]).exits(1).reason("registry_token_type").next("registry_token_type: Basic");
}

#[test]
fn a_token_that_is_ready() {
    let server = server::Server::new(|asked| match asked.header("authorization") {
        Some("Bearer abc.def") => server::Answer::json(200, &format!("{{\"tags\":[\"{COMMIT}\"]}}")),
        _ => server::Answer::json(401, "{}").with("WWW-Authenticate", "Bearer realm=\"https://elsewhere.invalid/\""),
    });
    let app = app(&server.host(), "registry_token_fetch_cmd: cloud token\n").fake("cloud", "echo abc.def");
    app.run(&["tags"]).exits(0).prints_commands(&line(COMMIT)).never_says("abc.def");
}

#[test]
fn logins_from_the_environment() {
    let registry = Registry::htpasswd();
    registry.put(REPOSITORY, COMMIT);
    let host = registry.host();
    let hub = "registry_type: registry\nsecrets_env:\n  dockerhub_username: HUB_USER\n  dockerhub_password: {env_name: HUB_PASSWORD, hint: ask the team, required: true}\n  access_key_id: KEY\n";
    let ready = app(&host, hub).env("HUB_USER", USER).env("HUB_PASSWORD", PASSWORD);
    let ran = ready.run(&["tags", "-v"]).exits(0).prints_commands(&line(COMMIT)).never_says(PASSWORD);
    ran.says("registry_type: registry is not needed any more").says("access_key_id is not used");
    ready.run(&["tags"]).exits(0).never_says("registry_type").never_says("access_key_id");
    let missing = app(&host, hub).env("HUB_USER", USER).run(&["tags"]).exits(1);
    missing.reason("environment variable HUB_PASSWORD is not set").next("export HUB_PASSWORD=... # ask the team");
    // A user's name may be a part of other names; it is no secret.
    let namesake = app(&host, hub).env("HUB_USER", "shop").env("HUB_PASSWORD", "long-forgotten").run(&["tags", "-v"]).exits(1);
    namesake.reason("refuses the login from dockerhub_username and dockerhub_password").never_says("***");
    // Nothing says that it is required: docker's own login is as good.
    let harbor = "registry_type: harbor\nsecrets_env: {harbor_token: HARBOR_TOKEN}\n";
    app(&host, harbor).env("HARBOR_TOKEN", &basic()).run(&["tags", "-v"]).exits(0).prints_commands(&line(COMMIT)).never_says(&basic());
    let without = docker_config(app(&host, harbor), &host, &format!("{{\"auth\": \"{}\"}}", basic()));
    without.run(&["tags", "-v"]).exits(0).prints_commands(&line(COMMIT)).says("HARBOR_TOKEN is not set");
    let in_file = format!("dockerhub_username: {USER}\ndockerhub_password: {PASSWORD}\n");
    app(&host, &in_file).run(&["tags", "-v"]).exits(0).prints_commands(&line(COMMIT)).never_says(PASSWORD);
    let nameless = app(&host, "secrets_env: {harbor_token: [A]}\n").run(&["tags"]).exits(1);
    nameless.reason("secrets_env.harbor_token").next("secrets_env: {harbor_token: VARIABLE}");
}

#[test]
fn harbor_takes_its_token_to_its_login_server() {
    let login = LoginServer::new();
    let registry = Registry::tokens(&login);
    registry.put(REPOSITORY, COMMIT);
    let app = app(&registry.host(), "secrets_env: {harbor_token: HARBOR_TOKEN}\n").env("HARBOR_TOKEN", &basic());
    app.run(&["tags"]).exits(0).prints_commands(&line(COMMIT));
}

#[test]
fn the_cluster_s_login_is_for_its_own_registry() {
    let registry = Registry::htpasswd();
    registry.put(REPOSITORY, COMMIT);
    let (ui, env) = (Ui::default(), Env::default());
    let cluster = |registry: String| Cluster {
        registry: Some(Text(registry)),
        dockerhub_username: Some(USER.into()),
        dockerhub_password: Some(PASSWORD.into()),
        ..Cluster::default()
    };
    let name = format!("{}/{REPOSITORY}", registry.host());
    let (own, other) = (cluster(format!("{}/team", registry.host())), cluster("127.0.0.1:1/team".to_owned()));
    assert!(Client::new(&ui, &env, &own, &name).expect("a name").digest(COMMIT).expect("an answer").is_some());
    let error = Client::new(&ui, &env, &other, &name).expect("a name").digest(COMMIT).expect_err("no login");
    assert!(error.message().contains("wants a login"), "{error}");
}
