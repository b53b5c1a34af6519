//! Proxies of the environment: for registries, webhooks, Prometheus and the addresses that `lain status` asks; as helm takes them.

#[path = "support/registry.rs"]
mod registry;
#[path = "support/server.rs"]
mod server;
mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;

use registry::Registry;
use server::{Answer, Asked, Server};
use support::App;

/// A tag list, a webhook's yes, a page of Prometheus': whoever asks finds what it needs.
fn anything(asked: &Asked) -> Answer {
    if asked.target.contains("/tags/list?n=") {
        return Answer::json(200, "{\"tags\": [\"v1\"]}").with("Link", "</v2/team/shop/tags/list?last=v1>; rel=\"next\"");
    }
    if asked.target.contains("/tags/list") {
        return Answer::json(200, "{\"tags\": [\"v2\"]}");
    }
    Answer::json(200, "{\"code\": 0, \"status\": \"success\", \"data\": {\"resultType\": \"vector\", \"result\": []}}")
}

fn app(values: &str) -> App {
    App::new().values(&format!("{}{values}", support::VALUES)).committed().using("test")
}

fn plain_registry() -> App {
    app("").cluster("test", "registry: registry.invalid:5000/team\nregistry_endpoint_use_https: false\n")
}

/// A proxy that opens tunnels to one place, whatever it is asked for: CONNECT, or SOCKS 5. Returns its `host:port`.
fn tunnel(to: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let to = to.clone();
            std::thread::spawn(move || {
                let mut client = client;
                let mut head = [0; 1024];
                let count = client.read(&mut head).unwrap_or(0);
                if head[0] == 5 {
                    client.write_all(&[5, 0]).expect("no login");
                    let _ = client.read(&mut head); // where to
                    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).expect("connected");
                } else {
                    let mut count = count;
                    while !head[..count].ends_with(b"\r\n\r\n") {
                        count += client.read(&mut head[count..]).expect("the rest of the head");
                    }
                    assert!(head[..count].starts_with(b"CONNECT registry.invalid:443 HTTP/1.1\r\n"));
                    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("connected");
                }
                let server = TcpStream::connect(to).expect("the server");
                let (mut from_client, mut to_server) = (client.try_clone().expect("a handle"), server.try_clone().expect("a handle"));
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from_client, &mut to_server);
                    let _ = to_server.shutdown(Shutdown::Write);
                });
                let _ = std::io::copy(&mut &server, &mut client);
                let _ = client.shutdown(Shutdown::Both);
            });
        }
    });
    address
}

#[test]
fn plain_http_is_asked_by_get_with_the_whole_address() {
    let proxy = Server::new(anything);
    let app = plain_registry().env("HTTP_PROXY", &format!("http://me:p%40ss@{}", proxy.host())).env("HTTPS_PROXY", "http://127.0.0.1:1");
    app.run(&["tags"]).exits(0).prints("lain deploy --set imageTag=v1\nlain deploy --set imageTag=v2");
    let asked = proxy.asked();
    let sent: Vec<_> = asked.iter().map(|asked| (asked.method.as_str(), asked.target.as_str())).collect();
    let at = "http://registry.invalid:5000/v2/team/shop/tags/list";
    assert_eq!(sent, [("GET", format!("{at}?n=1000").as_str()), ("GET", format!("{at}?last=v1").as_str())]);
    assert_eq!(proxy.connections(), 1, "the connection is kept");
    assert_eq!(asked[0].header("host"), Some("registry.invalid:5000"));
    assert_eq!(asked[1].header("proxy-authorization"), Some("Basic bWU6cEBzcw=="));
}

#[test]
fn https_goes_by_a_tunnel() {
    let registry = Registry::tls("DNS:registry.invalid");
    registry.put("team/shop", "v1");
    for scheme in ["http", "socks5h"] {
        let proxy = format!("{scheme}://{}", tunnel(registry.host()));
        let app = app("").cluster("test", "registry: registry.invalid/team\n").env("SSL_CERT_FILE", &registry.ca().display().to_string());
        app.env("https_proxy", &proxy)
            .env("HTTP_PROXY", "http://127.0.0.1:1")
            .run(&["tags"])
            .exits(0)
            .prints("lain deploy --set imageTag=v1");
    }
}

#[test]
fn one_for_https_is_not_for_http_and_exceptions_count() {
    let proxy = Server::new(anything);
    let by = format!("http://{}", proxy.host());
    plain_registry().env("HTTPS_PROXY", &by).run(&["tags"]).exits(1).says("no such host");
    plain_registry().env("HTTP_PROXY", &by).env("NO_PROXY", "10.0.0.0/8, .invalid").run(&["tags"]).exits(1).says("no such host");
    assert_eq!(proxy.connections(), 0);
    plain_registry().env("HTTP_PROXY", &by).env("NO_PROXY", "registry.invalid:80").run(&["tags"]).exits(0);
}

#[test]
fn webhooks_prometheus_and_addresses_go_the_same_way() {
    let proxy = Server::new(anything);
    let by = format!("http://{}", proxy.host());
    let values =
        "webhook: {url: \"http://hook.invalid/x\", type: feishu}\ningresses: [{host: shop.invalid, deployName: web, paths: [/]}]\n";
    let app = app(&values.replace("ingresses", "prometheus: prometheus.invalid:9090\ningresses"))
        .cluster("test", "registry: registry.invalid/team\n")
        .chart()
        .tools(&["helm", "kubectl"])
        .env("ALL_PROXY", &by);
    app.run(&["send-msg", "--strict", "hello"]).exits(0);
    app.run(&["lint"]);
    app.run(&["status"]).exits(1); // there is no cluster
    let asked = proxy.asked();
    for start in ["http://hook.invalid/x", "http://prometheus.invalid:9090/api/v1/query", "http://shop.invalid/"] {
        assert!(asked.iter().any(|asked| asked.target.starts_with(start)), "{start}: {asked:?}");
    }
}

#[test]
fn a_proxy_in_the_way_is_named() {
    for (variables, words) in [
        (&[("HTTP_PROXY", "http://me:s3cret@127.0.0.1:1")][..], "the proxy of HTTP_PROXY, 127.0.0.1:1: connection refused"),
        (&[("http_proxy", "http://proxy.invalid:3128")], "the proxy of http_proxy, proxy.invalid:3128: no such host"),
        (&[("ALL_PROXY", "gopher://me:s3cret@x")], "ALL_PROXY is no address of a proxy"),
    ] {
        let app = variables.iter().fold(plain_registry(), |app, (name, value)| app.env(name, value));
        let ran = app.run(&["tags"]).exits(1).says(words).next("export NO_PROXY=\"$NO_PROXY,registry.invalid:5000\"");
        assert!(!ran.stderr.contains("s3cret"), "{}", ran.stderr);
    }
    let refusing = Server::new(|asked| Answer::Reply(if asked.method == "CONNECT" { 403 } else { 407 }, vec![], String::new()));
    let by = format!("http://{}", refusing.host());
    plain_registry().env("HTTP_PROXY", &by).run(&["tags"]).exits(1).says("it wants a login (407)");
    let https = app("").cluster("test", "registry: registry.invalid/team\n");
    https.env("HTTPS_PROXY", &by).run(&["tags"]).exits(1).says("it refuses (403)");
}

/// What helm asks by the proxy lain asks by the proxy, and what helm asks directly lain does too.
#[test]
fn exceptions_are_helms() {
    for (words, host) in [
        ("", "a.shop.invalid"),
        ("*", "a.shop.invalid"),
        ("shop.invalid", "a.shop.invalid"),
        ("shop.invalid", "shop.invalid"),
        (".shop.invalid", "shop.invalid"),
        (".shop.invalid", "a.shop.invalid"),
        ("*.shop.invalid", "a.shop.invalid"),
        ("*shop.invalid", "a.shop.invalid"),
        ("hop.invalid", "shop.invalid"),
        ("SHOP.invalid", "shop.invalid"),
        ("shop.invalid:5000", "shop.invalid:5000"),
        ("shop.invalid:5000", "shop.invalid:5001"),
        ("shop.invalid:80", "shop.invalid"),
        ("fd00::/8", "[fd12::1]:5000"),
        ("fd00::/8", "[fe00::1]:5000"),
        ("fd12::1", "[fd12::1]:5000"),
        ("[fd12::1]:5000", "[fd12::1]:5000"),
        ("[fd12::1]:5001", "[fd12::1]:5000"),
    ] {
        let proxy = Server::new(anything);
        let by = format!("http://{}", proxy.host());
        let cluster = format!("registry: registry.invalid/team\nprometheus: http://{host}\n");
        let app = app("").cluster("test", &cluster).chart().tools(&["helm"]).env("HTTP_PROXY", &by).env("NO_PROXY", words);
        let mut helm = app.command(Path::new("helm"));
        helm.args(["pull", &format!("http://{host}/chart.tgz")]);
        let _ = app.run_command(helm);
        let helm_asks = proxy.connections() > 0;
        app.run(&["lint"]).within(60);
        let lain_asks = proxy.asked().iter().any(|asked| asked.target.contains("/api/v1/"));
        assert_eq!(lain_asks, helm_asks, "NO_PROXY={words} {host}");
    }
}
