//! Debian's docker-registry, one for each test: plain, with TLS, with htpasswd, with tokens.

#![allow(dead_code)] // each test file uses its own part

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::server::{Answer, Asked, Server};

/// The account of registries with a login.
pub const USER: &str = "tester";
/// Its password.
pub const PASSWORD: &str = "correct-horse-battery";
/// A refresh token that the login server takes in place of both.
pub const REFRESH: &str = "refresh-staple-token";
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// What `htpasswd -nbB -C 5` makes of both.
const HTPASSWD: &str = "tester:$2y$05$q6dQPkvbib6X5MowYzcm/efO4Jnij6YCK8/r1gNi97UYNjfsZB4iG\n";
/// The name of the service in tokens.
const SERVICE: &str = "the test's registry";

/// What `docker login` would write for the account.
pub fn basic() -> String {
    STANDARD.encode(format!("{USER}:{PASSWORD}"))
}

/// A running registry; ends when dropped.
pub struct Registry {
    child: Child,
    address: IpAddr,
    port: u16,
    dir: TempDir,
}

impl Registry {
    /// Without TLS or login; images may be deleted.
    pub fn plain() -> Self {
        Self::start(LOOPBACK, tempfile::tempdir().expect("a folder"), "", "", true)
    }

    /// The same on the machine's own address on its network, which is no loopback.
    pub fn beyond_loopback() -> Self {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
        socket.connect("192.0.2.1:9").expect("a network, to have an address on it"); // nothing is sent
        let address = socket.local_addr().expect("an address").ip();
        Self::start(address, tempfile::tempdir().expect("a folder"), "", "", true)
    }

    /// The same, but nothing may be deleted.
    pub fn that_keeps_all() -> Self {
        Self::start(LOOPBACK, tempfile::tempdir().expect("a folder"), "", "", false)
    }

    /// With a certificate for these names (`IP:127.0.0.1`, `DNS:localhost`), signed by a CA of its own: [`Registry::ca`].
    pub fn tls(names: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        make_certificates(dir.path(), names);
        let at = |name: &str| dir.path().join(name).display().to_string();
        let tls = format!(", tls: {{certificate: {}, key: {}}}", at("server.crt"), at("server.key"));
        Self::start(LOOPBACK, dir, &tls, "", true)
    }

    /// With TLS for 127.0.0.1, for clients with a certificate of the same CA alone: the `server.crt` and `server.key` beside [`Registry::ca`] will do.
    pub fn mutual_tls() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        make_certificates(dir.path(), "IP:127.0.0.1");
        let at = |name: &str| dir.path().join(name).display().to_string();
        let tls = format!(", tls: {{certificate: {}, key: {}, clientcas: [{}]}}", at("server.crt"), at("server.key"), at("ca.crt"));
        Self::start(LOOPBACK, dir, &tls, "", true)
    }

    /// With [`USER`] and [`PASSWORD`] as its only account.
    pub fn htpasswd() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("htpasswd");
        fs::write(&path, HTPASSWD).expect("a file");
        Self::start(LOOPBACK, dir, "", &format!("auth: {{htpasswd: {{realm: test, path: {}}}}}", path.display()), true)
    }

    /// With tokens from a login server.
    pub fn tokens(login: &LoginServer) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let auth = format!(
            "auth: {{token: {{realm: \"{}\", service: \"{SERVICE}\", issuer: \"it\", rootcertbundle: {}}}}}",
            login.realm(),
            login.certificate().display()
        );
        Self::start(LOOPBACK, dir, "", &auth, true)
    }

    fn start(address: IpAddr, dir: TempDir, tls: &str, extra: &str, delete: bool) -> Self {
        for _ in 0..5 {
            let port = TcpListener::bind((address, 0)).and_then(|listener| listener.local_addr()).expect("a port").port();
            let config = dir.path().join("config.yml");
            let text = format!(
                "version: 0.1\nlog: {{level: warn}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n  delete: {{enabled: {delete}}}\n\
                 http: {{addr: \"{address}:{port}\", secret: none{tls}}}\n{extra}\n",
                dir.path().join("data").display()
            );
            fs::write(&config, text).expect("a file");
            let log = fs::File::create(dir.path().join("log")).expect("a log");
            let mut child = Command::new("docker-registry")
                .arg("serve")
                .arg(&config)
                .stdin(Stdio::null())
                .stdout(log.try_clone().expect("a log"))
                .stderr(log)
                .spawn()
                .expect("docker-registry runs: apt-get install docker-registry");
            let started = Instant::now();
            while started.elapsed() < Duration::from_secs(20) {
                if child.try_wait().expect("a state").is_some() {
                    break; // someone else was quicker to take the port
                }
                if TcpStream::connect((address, port)).is_ok() {
                    return Self { child, address, port, dir };
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = child.kill(); // it may have ended
            let _ = child.wait();
        }
        panic!("docker-registry does not start:\n{}", fs::read_to_string(dir.path().join("log")).unwrap_or_default());
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `ADDRESS:PORT`.
    pub fn host(&self) -> String {
        format!("{}:{}", self.address, self.port)
    }

    /// The certificate of the CA that signed its own.
    pub fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.crt")
    }

    /// The folder that holds all its blobs and manifests.
    pub fn storage(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Puts an image of no layers under a tag, straight into the storage folder; returns its digest.
    pub fn put(&self, repository: &str, tag: &str) -> String {
        self.put_image(repository, tag, &[])
    }

    /// Puts an image with these layers under a tag; returns its digest.
    pub fn put_image(&self, repository: &str, tag: &str, layers: &[&str]) -> String {
        let config = self.put_blob(repository, &format!("{{\"architecture\":\"amd64\",\"os\":\"linux\",\"comment\":\"{tag}\"}}"));
        let layers: Vec<String> = layers
            .iter()
            .map(|text| {
                let (digest, size) = self.put_blob(repository, text);
                format!("{{\"mediaType\":\"{DOCKER_LAYER}\",\"size\":{size},\"digest\":\"{digest}\"}}")
            })
            .collect();
        let manifest = format!(
            "{{\"schemaVersion\":2,\"mediaType\":\"{DOCKER_MANIFEST}\",\"config\":{{\"mediaType\":\"{DOCKER_CONFIG}\",\"size\":{},\"digest\":\"{}\"}},\"layers\":[{}]}}",
            config.1,
            config.0,
            layers.join(",")
        );
        self.put_manifest(repository, tag, &manifest)
    }

    /// Puts any manifest under a tag.
    pub fn put_manifest(&self, repository: &str, tag: &str, manifest: &str) -> String {
        let (digest, _) = self.put_blob(repository, manifest);
        let link = |path: &str| self.write(&format!("repositories/{repository}/{path}/link"), &digest);
        let hex = digest.trim_start_matches("sha256:");
        link(&format!("_manifests/revisions/sha256/{hex}"));
        link(&format!("_manifests/tags/{tag}/index/sha256/{hex}"));
        link(&format!("_manifests/tags/{tag}/current"));
        digest
    }

    /// The length of a blob that is there.
    pub fn size(&self, digest: &str) -> u64 {
        let hex = digest.trim_start_matches("sha256:");
        let path = format!("data/docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]);
        fs::metadata(self.dir.path().join(path)).expect("a blob").len()
    }

    /// Other bytes under the digest of a text that was put there.
    pub fn spoil(&self, text: &str) {
        let hex = sha256(text);
        self.write(&format!("blobs/sha256/{}/{hex}/data", &hex[..2]), &text.to_uppercase());
    }

    /// More tags for an image that is there: thousands in a moment.
    pub fn tag_all<'t>(&self, repository: &str, digest: &str, tags: impl IntoIterator<Item = &'t str>) {
        for tag in tags {
            self.write(&format!("repositories/{repository}/_manifests/tags/{tag}/current/link"), digest);
        }
    }

    fn put_blob(&self, repository: &str, text: &str) -> (String, usize) {
        let hex = sha256(text);
        self.write(&format!("blobs/sha256/{}/{hex}/data", &hex[..2]), text);
        self.write(&format!("repositories/{repository}/_layers/sha256/{hex}/link"), &format!("sha256:{hex}"));
        (format!("sha256:{hex}"), text.len())
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.dir.path().join("data/docker/registry/v2").join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill(); // this very process; it may have ended
        let _ = self.child.wait();
    }
}

/// In hex.
fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}"); // a String takes all
        hex
    })
}

/// docker's manifest of one image.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// A CA, and a certificate for these names that it signed.
pub fn make_certificates(dir: &Path, names: &str) {
    let openssl = |args: &[&str]| {
        let out = Command::new("openssl").args(args).current_dir(dir).output().expect("openssl runs: apt-get install openssl");
        assert!(out.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    };
    let new = ["req", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-sha256"];
    openssl(&[&new[..], &["-x509", "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=a test's CA"]].concat());
    openssl(&[&new[..], &["-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=a test's server"]].concat());
    fs::write(dir.join("names"), format!("subjectAltName={names}\nbasicConstraints=CA:FALSE\n")).expect("a file");
    openssl(&[
        "x509",
        "-req",
        "-in",
        "server.csr",
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-sha256",
        "-extfile",
        "names",
        "-out",
        "server.crt",
    ]);
}

/// A login server as registries with tokens have one: <https://distribution.github.io/distribution/spec/auth/token/>.
pub struct LoginServer {
    server: Server,
    dir: Arc<TempDir>,
    anonymous: Arc<Mutex<BTreeSet<String>>>,
}

impl LoginServer {
    /// Gives tokens to [`USER`] with [`PASSWORD`] or [`REFRESH`]; to others only for what is public.
    pub fn new() -> Self {
        let dir = Arc::new(tempfile::tempdir().expect("a folder"));
        make_certificates(dir.path(), "DNS:tokens");
        let anonymous: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let (keys, public) = (dir.clone(), anonymous.clone());
        let server = Server::new(move |asked| {
            let service = asked.field("service");
            if !asked.target.starts_with("/token") || service.as_deref() != Some(SERVICE) {
                return Answer::json(404, "{}");
            }
            let known = asked.header("authorization") == Some(&format!("Basic {}", basic()));
            let refreshed = asked.field("grant_type").as_deref() == Some("refresh_token") && asked.method == "POST";
            let refreshed = refreshed && asked.field("refresh_token").as_deref() == Some(REFRESH) && asked.field("client_id").is_some();
            let scope = asked.field("scope").unwrap_or_default();
            if asked.header("authorization").is_some() && !known || asked.method == "POST" && !refreshed {
                return Answer::json(401, "{\"details\":\"incorrect username or password\"}");
            }
            let is_public = scope.split(':').nth(1).is_some_and(|name| public.lock().expect("no panic").contains(name));
            let access = if known || refreshed || is_public { access(&scope) } else { "[]".to_owned() };
            let key = if refreshed { "access_token" } else { "token" };
            Answer::json(200, &format!("{{\"{key}\":\"{}\",\"expires_in\":60}}", sign(keys.path(), &access)))
        });
        Self { server, dir, anonymous }
    }

    /// Everyone may pull it.
    pub fn publish(&self, repository: &str) {
        self.anonymous.lock().expect("no panic").insert(repository.to_owned());
    }

    /// What was asked of it.
    pub fn asked(&self) -> Vec<Asked> {
        self.server.asked()
    }

    fn realm(&self) -> String {
        format!("http://{}/token", self.server.host())
    }

    fn certificate(&self) -> PathBuf {
        self.dir.path().join("ca.crt")
    }
}

/// `repository:a/b:pull,push` as a token has it.
fn access(scope: &str) -> String {
    let mut parts = scope.splitn(3, ':');
    let (Some(kind), Some(name), Some(actions)) = (parts.next(), parts.next(), parts.next()) else { return "[]".to_owned() };
    let actions: Vec<String> = actions.split(',').map(|action| format!("\"{action}\"")).collect();
    format!("[{{\"type\":\"{kind}\",\"name\":\"{name}\",\"actions\":[{}]}}]", actions.join(","))
}

/// A JSON Web Token, RS256, that names its key by the certificate (`x5c`).
fn sign(dir: &Path, access: &str) -> String {
    let pem = fs::read_to_string(dir.join("server.crt")).expect("a certificate");
    let der: String = pem.lines().filter(|line| !line.starts_with("---")).collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("now").as_secs();
    let header = format!("{{\"typ\":\"JWT\",\"alg\":\"RS256\",\"x5c\":[\"{der}\"]}}");
    let claims = format!(
        "{{\"iss\":\"it\",\"sub\":\"{USER}\",\"aud\":\"{SERVICE}\",\"exp\":{},\"nbf\":{},\"iat\":{now},\"jti\":\"{now}\",\"access\":{access}}}",
        now + 60,
        now - 10
    );
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let input = tempfile::NamedTempFile::new().expect("a file");
    fs::write(input.path(), &text).expect("a file");
    let key = dir.join("server.key");
    let out = Command::new("openssl").args(["dgst", "-sha256", "-sign"]).arg(key).arg(input.path()).output().expect("openssl runs");
    assert!(out.status.success(), "openssl dgst: {}", String::from_utf8_lossy(&out.stderr));
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(out.stdout))
}
