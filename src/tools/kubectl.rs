//! kubectl, through its command line.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use zeroize::Zeroize;

use super::call::{Call, Captured};
use super::later::Later;
use super::line::{Line, Method};
use super::server::{ask, explain, explain_change};
use super::target::Target;
use super::usage::{self, PodUsage};
use super::way::{self, Way};
pub(crate) use super::way::{Listed, News};
use crate::error::{Error, Result};
use crate::model::version::Version;
use crate::ui::Ui;

/// How to get kubectl.
pub(crate) const INSTALL: &str = "install kubectl, within one minor version of the cluster: https://kubernetes.io/docs/tasks/tools/";
/// Bound of a single question to the API server.
const QUESTION: Duration = Duration::from_secs(30);
/// What is said of a question that takes longer, and what to type.
const TOO_LONG: &str = "the API server takes too long, or asks to come back later";
const READY: &str = "kubectl get --raw /readyz # is the API server well?";
/// Most log streams that are followed at once.
pub(crate) const MAX_STREAMS: usize = 20;
/// The same when the user waits for the run to end.
const LAST_WORD: Duration = Duration::from_secs(6);
/// Of a question that only asks whether the server is there.
const PULSE: Duration = Duration::from_secs(4);
/// What a question may take beyond its own bound: kubectl says better what was wrong.
const GRACE: Duration = Duration::from_secs(3);
/// The same over the connection.
const OVER: Duration = Duration::from_secs(20);
const LAST_WORD_OVER: Duration = Duration::from_secs(5);

/// How much of a log, and how it is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Excerpt {
    /// Its last lines; -1 for all.
    pub tail: i64,
    /// What is not older.
    pub since: Option<Duration>,
    /// Each line begins with its pod and container.
    pub has_prefix: bool,
}

impl Excerpt {
    fn of<'a>(&self, call: Call<'a>) -> Call<'a> {
        let since = self.since.map(|since| ("--since", format!("{}s", since.as_secs().max(1))));
        let call = call.option("--tail", self.tail.to_string()).options(since);
        if self.has_prefix { call.arg("--prefix") } else { call }
    }
}

/// kubectl, pointed at one cluster.
#[derive(Debug)]
pub(crate) struct Kubectl<'a> {
    ui: &'a Ui,
    target: Target,
    is_last_word: bool,
    /// The one connection of the run; none where kubectl is asked by itself alone.
    way: Option<Way<'a>>,
    /// kubectl's own version, which may have been asked already.
    client: Option<&'a Later>,
}

/// Client and server versions; the server's is none when it does not answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Versions {
    /// kubectl's own.
    pub client: Version,
    /// The API server's.
    pub server: Option<Version>,
}

/// What [`Kubectl::these`] found.
#[derive(Debug, Default)]
pub(crate) struct These {
    /// The objects that are there.
    pub found: Vec<Json>,
    /// What kubectl said of those that it could not ask for; then those that were not found may be there.
    pub lacking: Option<String>,
}

impl<'a> Kubectl<'a> {
    /// kubectl for one cluster.
    pub(crate) fn new(ui: &'a Ui, target: Target) -> Self {
        Self { ui, target, is_last_word: false, way: None, client: None }
    }

    /// Asks over this connection where that can be, and by kubectl where not; `client` is the question for kubectl's own version.
    #[must_use]
    pub(crate) fn over(mut self, line: &'a dyn Line, client: &'a Later) -> Self {
        self.way = Some(Way { ui: self.ui, line, target: self.target.clone(), within: OVER, is_last_word: false });
        self.client = Some(client);
        self
    }

    /// The same for those who wait: a question over the connection may take so long.
    #[must_use]
    pub(crate) fn hurried(self, within: Duration) -> Self {
        let way = self.way.map(|way| Way { within, ..way });
        Self { way, ..self }
    }

    /// Asks by kubectl alone.
    #[must_use]
    pub(crate) fn alone(self) -> Self {
        Self { way: None, ..self }
    }

    /// Whether questions need no kubectl: the login is lain's own.
    pub(crate) fn logs_in(&self) -> bool {
        self.way.is_some() && self.target.login.is_some()
    }

    /// Starts the connection in the background: it is needed soon.
    pub(crate) fn begin(&self) {
        if let Some(way) = &self.way {
            way.begin();
        }
    }

    /// Starts to ask for kubectl's own version.
    pub(crate) fn begin_to_ask_version(&self) {
        if let Some(client) = self.client {
            client.begin(&self.own_version());
        }
    }

    fn own_version(&self) -> Call<'a> {
        let call = Call::new(self.ui, "kubectl").args(["version", "--client", "--output", "json"]).lookup();
        call.install_hint(INSTALL)
    }

    /// The same for a run that is over, by Ctrl-C or a failure: short look-ups of what it leaves behind.
    #[must_use]
    pub(crate) fn last_word(&self) -> Self {
        let way = self.way.clone().map(|way| Way { within: LAST_WORD_OVER, is_last_word: true, ..way });
        Self { target: self.target.clone(), is_last_word: true, way, ..*self }
    }

    /// Where it goes.
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// A kubectl command that runs as long as somebody wants it (`exec`, `logs --follow`), or that changes a kubeconfig; the target's flags come after
    /// the verb's words, operands after those.
    pub(super) fn call(&self, words: impl IntoIterator<Item = &'static str>) -> Call<'a> {
        let call = Call::new(self.ui, "kubectl").args(words).install_hint(INSTALL);
        self.target.flags("--context", call)
    }

    /// The same with kubectl's own bound for a request, in seconds.
    fn within(&self, seconds: u64, words: impl IntoIterator<Item = &'static str>) -> Call<'a> {
        self.target.within(Duration::from_secs(seconds), self.call(words))
    }

    /// A bounded look-up, echoed with `--verbose` only.
    pub(super) fn question(&self, words: impl IntoIterator<Item = &'static str>) -> Call<'a> {
        if self.is_last_word {
            return self.within(5, words).lookup().timeout(LAST_WORD).last_word();
        }
        let call = self.within(20, words).lookup().timeout(QUESTION);
        call.leaves(TOO_LONG, READY) // kubectl heeds Retry-After by itself, for minutes
    }

    /// A change of the cluster (`delete`, `label`, `patch`): the server may have made it though it did not answer in time.
    pub(super) fn change(&self, words: impl IntoIterator<Item = &'static str>) -> Call<'a> {
        self.call(words)
            .timeout(QUESTION)
            .leaves("the server did not answer; it may have done it, or do it yet", "lain status -s # how it stands now")
    }

    /// Makes a change, shows what kubectl says of it, and what to type where it fails.
    pub(super) fn make(&self, call: &Call<'_>) -> Result<()> {
        let out = call.capture()?;
        self.ui.raw(&out.stdout);
        if !out.ok() {
            return Err(explain_change(call.failure(out.code, &out.stderr), &out.stderr));
        }
        self.ui.raw(out.stderr.as_bytes());
        Ok(())
    }

    fn ask(&self, call: &Call<'_>) -> Result<Captured> {
        if self.is_last_word { call.capture() } else { ask(self.ui, call) }
    }

    /// `kubectl get KINDS -o json`.
    ///
    /// # Errors
    /// kubectl is missing, or the server does not answer.
    pub(crate) fn get<T: DeserializeOwned>(&self, kinds: &'static str) -> Result<T> {
        match self.listed(kinds, &[])? {
            Some(list) => read(list),
            None => self.answer(&self.question(["get", kinds, "--output", "json"])),
        }
    }

    /// All objects of these kinds over the connection; none where kubectl is to be asked.
    fn listed(&self, kinds: &str, selectors: &[(&str, &str)]) -> Result<Option<Json>> {
        self.way.as_ref().map_or(Ok(None), |way| way.list(kinds, selectors))
    }

    /// All objects of one kind that a selector selects, and the state of the server that they are of; none where nothing can be watched.
    ///
    /// # Errors
    /// As [`Kubectl::get`].
    pub(crate) fn known(&self, kind: &str, selector: &str) -> Result<Option<Listed>> {
        self.way.as_ref().map_or(Ok(None), |way| way.known(kind, selector))
    }

    /// `kubectl get --raw '...watch=true'`: tells on a thread of its own what becomes of these objects, until it returns false. False where nothing can be
    /// watched.
    pub(crate) fn watch(&self, kind: &str, selector: &str, since: &str, tell: impl FnMut(News) -> bool + Send + 'static) -> bool {
        self.way.as_ref().is_some_and(|way| way.watch(kind, selector, since, tell))
    }

    /// `kubectl get KINDS --selector SELECTOR -o json`.
    ///
    /// # Errors
    /// As [`Kubectl::get`].
    pub(crate) fn select<T: DeserializeOwned>(&self, kinds: &'static str, selector: &str) -> Result<T> {
        match self.listed(kinds, &[("labelSelector", selector)])? {
            Some(list) => read(list),
            None => self.answer(&self.question(["get", kinds, "--output", "json"]).option("--selector", selector)),
        }
    }

    /// Begins to ask what [`Kubectl::select`] will be asked soon, beside other work.
    pub(crate) fn begin_to_select(&self, kinds: &'static str, selector: &str) {
        if let Some(way) = &self.way {
            way.begin_to_list(kinds, &[("labelSelector", selector)]);
        }
    }

    /// Begins to ask what [`Kubectl::find`] will be asked soon, beside other work.
    pub(crate) fn begin_to_find(&self, kind: &'static str, name: &str) {
        if let Some(way) = &self.way {
            way.begin_to_find(kind, name);
        }
    }

    /// What a question answers in JSON.
    ///
    /// # Errors
    /// As [`Kubectl::get`], and when the answer is no JSON.
    pub(super) fn answer<T: DeserializeOwned>(&self, question: &Call<'_>) -> Result<T> {
        let mut out = self.ask_for(question)?;
        let found = out.json();
        out.stdout.zeroize(); // as in find
        found
    }

    /// What a question is answered with.
    ///
    /// # Errors
    /// As [`Kubectl::get`].
    pub(super) fn ask_for(&self, question: &Call<'_>) -> Result<Captured> {
        let out = self.ask(question)?;
        if out.ok() { Ok(out) } else { Err(explain(question, &out)) }
    }

    /// One object, or none when the server says that there is none.
    ///
    /// # Errors
    /// kubectl is missing or the server does not answer.
    pub(crate) fn find(&self, kind: &'static str, name: &str) -> Result<Option<Json>> {
        if let Some(way) = &self.way
            && let Some(found) = way.find(kind, name)?
        {
            return Ok(Some(found).filter(|found| !found.is_null()));
        }
        let call = self.question(["get", kind, "--ignore-not-found", "--output", "json"]).operand(name);
        let mut out = self.ask(&call)?;
        if !out.ok() {
            return Err(explain(&call, &out));
        }
        let found = if out.stdout.iter().all(u8::is_ascii_whitespace) { Ok(None) } else { out.json().map(Some) };
        out.stdout.zeroize(); // it may be a Secret
        found
    }

    /// What there is of these objects, of whatever kinds: `kubectl get -f -`. Each is named by `apiVersion`, `kind`, `name` and, where it has one of its
    /// own, `namespace`.
    ///
    /// # Errors
    /// kubectl is missing or the server does not answer. What the server does not serve or does not let one read is no error.
    pub(crate) fn these(&self, objects: &[Json]) -> Result<These> {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let call = self.question(["get", "--ignore-not-found", "--output", "json", "-f", "-"]).stdin(list.to_string());
        let mut out = self.ask(&call)?;
        let text = std::str::from_utf8(&out.stdout).unwrap_or_default().trim();
        let found: Option<Json> = if text.is_empty() { Some(Json::Null) } else { serde_json::from_str(text).ok() };
        out.stdout.zeroize(); // as in find
        let refused = ["no matches for kind", "(Forbidden)", "(NotFound)", "could not find the requested resource"];
        if !out.ok() && !refused.iter().any(|words| out.stderr.contains(words)) {
            return Err(explain(&call, &out));
        }
        let found = match found.ok_or_else(|| Error::failed("kubectl get printed no JSON"))? {
            Json::Object(mut one) if one.get("kind").is_some_and(|kind| kind == "List") => match one.remove("items") {
                Some(Json::Array(items)) => items,
                _ => vec![],
            },
            Json::Object(one) => vec![Json::Object(one)],
            _ => vec![],
        };
        Ok(These { found, lacking: if out.ok() { None } else { Some(out.stderr) } })
    }

    /// What the server would say to these objects, were they sent: `kubectl create` or `replace` with `--dry-run=server`. Nothing where it takes all.
    ///
    /// # Errors
    /// kubectl is missing or takes too long.
    pub(crate) fn would_refuse(&self, verb: &'static str, objects: &[Json]) -> Result<String> {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let call = self.question([verb, "--dry-run=server", "--output", "name", "-f", "-"]).stdin(list.to_string());
        let out = self.ask(&call)?;
        Ok(if out.ok() { String::new() } else { out.stderr })
    }

    /// Those of these objects that are there, in one question.
    ///
    /// # Errors
    /// As [`Kubectl::find`].
    pub(crate) fn find_all(&self, kind: &'static str, names: &[String]) -> Result<Vec<Json>> {
        match names {
            [] => return Ok(vec![]),
            [name] => return Ok(self.find(kind, name)?.into_iter().collect()),
            _ => {}
        }
        if let Some(way) = &self.way
            && let Some(found) = way.find_all(kind, names)?
        {
            return Ok(found.into_iter().filter(|found| !found.is_null()).collect());
        }
        let call = self.question(["get", kind, "--ignore-not-found", "--output", "json"]).operands(names.iter().map(String::as_str));
        let mut out = self.ask(&call)?;
        if !out.ok() {
            return Err(explain(&call, &out));
        }
        let found = if out.stdout.iter().all(u8::is_ascii_whitespace) { Ok(Json::Null) } else { out.json() };
        out.stdout.zeroize(); // as in find
        Ok(match found? {
            Json::Null => vec![],
            mut list if list["items"].is_array() => list["items"].as_array_mut().map(std::mem::take).unwrap_or_default(),
            one => vec![one],
        })
    }

    /// `kubectl label node --overwrite`.
    ///
    /// # Errors
    /// kubectl is missing, the server does not answer or refuses.
    pub(crate) fn label_node(&self, node: &str, label: String) -> Result<()> {
        self.make(&self.change(["label", "node", "--overwrite"]).operand(node).operand(label))
    }

    /// `kubectl delete KIND NAME`; one that is gone already is no error.
    ///
    /// # Errors
    /// As [`Kubectl::label_node`].
    pub(crate) fn delete(&self, kind: &'static str, name: &str) -> Result<()> {
        self.make(&self.change(["delete", kind, "--ignore-not-found"]).operand(name))
    }

    /// `kubectl patch ingress --type merge`.
    ///
    /// # Errors
    /// As [`Kubectl::label_node`].
    pub(crate) fn patch_ingress(&self, name: &str, patch: &Json) -> Result<()> {
        self.make(&self.change(["patch", "ingress", "--type", "merge"]).operand(name).option("--patch", patch.to_string()))
    }

    /// The last 50 lines of the log of `job/NAME` or a pod; none where there is none to be had.
    pub(crate) fn log_end(&self, of: String) -> Option<String> {
        let out = self.question(["logs", "--tail", "50"]).operand(of).capture().ok()?;
        out.ok().then(|| out.text())
    }

    /// `kubectl annotate secret --overwrite`, for marks that nothing depends on: whether it worked is not told.
    pub(crate) fn mark_secret(&self, name: String, mark: String) {
        let _ = self.question(["annotate", "secret", "--overwrite"]).operands([name, mark]).capture();
    }

    /// The keys of a Secret: what is in them is not kept. None where there is no such Secret.
    ///
    /// # Errors
    /// As [`Kubectl::find`].
    pub(crate) fn secret_keys(&self, name: &str) -> Result<Vec<String>> {
        if let Some(way) = &self.way
            && let Some(keys) = way.secret_keys(name)?
        {
            return Ok(keys);
        }
        let keys = r#"go-template={{range $key, $value := .data}}{{$key}}{{"\n"}}{{end}}"#;
        let call = self.question(["get", "secret", "--ignore-not-found", "--output", keys]).operand(name);
        let out = call.capture()?;
        if out.ok() { Ok(out.text().lines().map(str::to_owned).collect()) } else { Err(explain(&call, &out)) }
    }

    /// The labels of the Secrets that a selector selects; none when the server does not answer.
    pub(crate) fn secret_labels(&self, selector: &str) -> Option<Vec<Json>> {
        let labels = |list: &Json| list["items"].as_array().into_iter().flatten().map(|item| item["metadata"]["labels"].clone()).collect();
        if let Ok(Some(list)) = self.listed("secrets", &[("labelSelector", selector)]) {
            return Some(labels(&list));
        }
        let only = r#"jsonpath={range .items[*]}{.metadata.labels}{"\n"}{end}"#; // not what is in them
        let out = self.question(["get", "secrets", "--output", only]).option("--selector", selector).capture().ok()?;
        out.ok().then(|| out.text().lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Reads, makes, replaces or deletes what is at an address of the API; a body is JSON. What the server says is captured as kubectl prints it, with its
    /// exit code.
    ///
    /// # Errors
    /// kubectl is missing, or Ctrl-C.
    pub(crate) fn raw(&self, method: Method, path: &str, body: Option<&str>) -> Result<Captured> {
        if let Some((_, out)) = self.over_the_connection(method, path, body)? {
            return Ok(out);
        }
        let path = format!("{}{path}", self.target.base.as_deref().unwrap_or_default());
        if method == Method::Get {
            return self.ask(&self.question(["get"]).option("--raw", path));
        }
        let call = way::raw_call(self.change([way::verb(method)]).option("--raw", path), method).lookup();
        let call = if self.is_last_word { call.timeout(LAST_WORD).last_word() } else { call };
        body.map_or_else(|| call.clone(), |body| call.clone().stdin(body)).capture()
    }

    /// The same over the connection alone, with the kubectl command that does it; none where kubectl is to be asked.
    ///
    /// # Errors
    /// Ctrl-C.
    pub(super) fn over_the_connection(&self, method: Method, path: &str, body: Option<&str>) -> Result<Option<(Call<'a>, Captured)>> {
        let Some(way) = &self.way else { return Ok(None) };
        if method == Method::Get { way.get(path) } else { way.send(method, path, body) }
    }

    /// The kinds that the server has in one API version; none when it does not know it.
    ///
    /// # Errors
    /// kubectl is missing or the server does not answer.
    pub(crate) fn kinds_of(&self, version: &str) -> Result<Vec<String>> {
        let path = if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") };
        let call = self.question(["get"]).option("--raw", path.clone());
        let out = self.raw(Method::Get, &path, None)?;
        if !out.ok() {
            let unknown = out.stderr.contains("NotFound") || out.stderr.contains("could not find the requested resource");
            return if unknown { Ok(vec![]) } else { Err(explain(&call, &out)) };
        }
        let list: Json = out.json()?;
        Ok(list["resources"].as_array().into_iter().flatten().filter_map(|kind| kind["kind"].as_str().map(str::to_owned)).collect())
    }

    /// Why the server did not say its version, which `kubectl version` hides.
    ///
    /// # Errors
    /// The reason. None when the server answers now.
    pub(crate) fn why_silent(&self) -> Result<()> {
        let path = format!("{}/version", self.target.base.as_deref().unwrap_or_default());
        let _: Json = self.answer(&self.question(["get"]).option("--raw", path)).or_else(|_| self.get("namespaces"))?;
        Ok(())
    }

    /// Sends objects as JSON on stdin (never in arguments: they may be Secrets): `create`, `apply`, `replace`; a trial is echoed as a look-up.
    ///
    /// # Errors
    /// kubectl is missing or the server refuses.
    pub(crate) fn send(&self, verb: &[&'static str], object: &Json) -> Result<Captured> {
        if verb.iter().any(|word| word.starts_with("--dry-run")) {
            let call = self.call(verb.iter().copied()).args(["-f", "-"]).stdin(object.to_string());
            let call = call.lookup().timeout(QUESTION).leaves(TOO_LONG, READY);
            let out = self.ask(&call)?;
            return if out.ok() { Ok(out) } else { Err(explain(&call, &out)) };
        }
        let call = self.change(verb.iter().copied()).args(["-f", "-"]).stdin(object.to_string());
        let out = call.capture()?;
        if out.ok() { Ok(out) } else { Err(explain_change(call.failure(out.code, &out.stderr), &out.stderr)) }
    }

    /// Client and server version.
    ///
    /// # Errors
    /// kubectl is missing. A server that does not answer is no error.
    pub(crate) fn versions(&self) -> Result<Versions> {
        if let Some(server) = self.server_over()? {
            return Ok(Versions { client: self.client()?, server: Some(server) });
        }
        versions_in(&self.question(["version", "--output", "json"]).capture()?) // `--short` left kubectl with 1.28
    }

    /// kubectl's own version.
    ///
    /// # Errors
    /// kubectl is missing.
    pub(crate) fn client(&self) -> Result<Version> {
        let call = self.own_version();
        let out = self.client.map_or_else(|| call.capture(), |client| client.read(&call))?;
        versions_in(&out).map(|versions| versions.client)
    }

    /// The server's version over the connection; none where kubectl is to be asked.
    ///
    /// # Errors
    /// Ctrl-C.
    pub(crate) fn server_over(&self) -> Result<Option<Version>> {
        let Some(way) = &self.way else { return Ok(None) };
        let Some((_, out)) = way.get("/version")?.filter(|(_, out)| out.ok()) else { return Ok(None) };
        let said: Json = out.json()?;
        Ok(said["gitVersion"].as_str().and_then(Version::parse))
    }

    /// The server's version, for those who can do without: none when kubectl is missing or the server takes longer than `bound`.
    pub(crate) fn server_within(&self, bound: Duration) -> Option<Version> {
        if let Some(way) = &self.way {
            let way = Way { within: bound, ..way.clone() };
            if let Some((_, out)) = way.get("/version").ok()? {
                let said: Json = out.json().ok()?;
                return Version::parse(said["gitVersion"].as_str()?);
            }
        }
        let call = self.target.within(bound, self.call(["version", "--output", "json"])).lookup().timeout(bound);
        versions_in(&call.capture().ok()?).ok()?.server
    }
}

fn read<T: DeserializeOwned>(list: Json) -> Result<T> {
    serde_json::from_value(list).map_err(|error| way::no_json(&error))
}

/// The server, or the way to it, says no; the command was not run.
fn is_refused(words: &str) -> bool {
    words.contains("Error from server") || words.contains("Unable to connect")
}

/// The server said something, be it no.
fn is_answer(out: &Captured) -> bool {
    out.ok() || out.stderr.contains("Error from server") || out.stderr.contains("must be logged in to the server")
}

fn versions_in(out: &Captured) -> Result<Versions> {
    let value: Json = serde_json::from_slice(&out.stdout).unwrap_or(Json::Null);
    let version = |key: &str| Version::parse(value[key]["gitVersion"].as_str()?);
    let client = version("clientVersion").ok_or_else(|| Error::failed(out.stderr.trim()).context("cannot tell kubectl's version"))?;
    Ok(Versions { client, server: version("serverVersion") })
}

impl Kubectl<'_> {
    /// The API server's version, asked once, by kubectl itself.
    ///
    /// # Errors
    /// kubectl is missing, or why the server does not answer in time.
    pub(crate) fn hail(&self, bound: Duration) -> Result<Version> {
        let path = format!("{}/version", self.target.base.as_deref().unwrap_or_default());
        let call = self.target.within(bound, self.call(["get"]).option("--raw", path)).lookup().timeout(bound + GRACE);
        let call = call.leaves(TOO_LONG, READY);
        let out = call.capture()?;
        if !out.ok() {
            return Err(explain(&call, &out));
        }
        let said: Json = out.json()?;
        said["gitVersion"].as_str().and_then(Version::parse).ok_or_else(|| Error::failed("what answers there is no Kubernetes API server"))
    }

    /// True when the API server answers in time, whatever it says.
    pub(crate) fn answers(&self, bound: Duration) -> bool {
        let out = self.target.within(bound, self.call(["get", "--raw", "/version"])).lookup().timeout(bound).capture();
        out.is_ok_and(|out| is_answer(&out))
    }
}

/// What is asked of pods, and done to them.
impl<'a> Kubectl<'a> {
    /// `kubectl get pods` of those that run.
    ///
    /// # Errors
    /// As [`Kubectl::get`].
    pub(crate) fn running_pods<T: DeserializeOwned>(&self, selector: &str) -> Result<T> {
        if let Some(list) = self.listed("pods", &[("labelSelector", selector), ("fieldSelector", "status.phase=Running")])? {
            return read(list);
        }
        let call = self.question(["get", "pods", "--output", "json", "--field-selector", "status.phase=Running"]);
        self.answer(&call.option("--selector", selector))
    }

    /// The last lines that a container logged, or its run before; none when there is no log to be had.
    ///
    /// # Errors
    /// As [`Kubectl::get`]: this account may not read it, or the server does not answer.
    pub(crate) fn end_of_container_log(&self, pod: &str, container: &str, is_previous: bool, lines: u32) -> Result<Option<String>> {
        let over = self.way.as_ref().map_or(Ok(None), |way| way.end_of_log(pod, container, is_previous, lines))?;
        let (call, out) = if let Some(found) = over {
            found
        } else {
            let call = self.question(["logs"]).option("--tail", lines.to_string()).option("--container", container).operand(pod);
            let call = if is_previous { call.arg("--previous") } else { call };
            let out = call.capture()?;
            (call, out)
        };
        if out.ok() {
            return Ok((!out.stdout.is_empty()).then(|| out.text()));
        }
        // A container that never ran has no log, and a pod may be gone by now.
        if out.stderr.contains("(BadRequest)") || out.stderr.contains("(NotFound)") { Ok(None) } else { Err(explain(&call, &out)) }
    }

    /// Hears the log of a container from its beginning on, line by line, as long as it comes; none at its end. False where there is no connection.
    pub(crate) fn hear_log(&self, pod: &str, container: &str, tell: impl FnMut(Option<&[u8]>) -> bool + Send + 'static) -> bool {
        self.way.as_ref().is_some_and(|way| way.hear_log(pod, container, tell))
    }

    /// `kubectl top pod`.
    ///
    /// # Errors
    /// The cluster has no metrics, this account may not see them, or the server does not answer.
    pub(crate) fn top_pods(&self, selector: &str) -> Result<Vec<PodUsage>> {
        if let Some(pods) = self.way.as_ref().and_then(|way| way.usage(selector).transpose()) {
            return pods.map(|pods| usage::of_metrics(&pods));
        }
        let call = self.question(["top", "pod", "--no-headers"]).option("--selector", selector);
        let out = call.capture()?;
        if out.ok() { Ok(usage::of_table(&out.text())) } else { Err(explain(&call, &out)) }
    }

    /// What the server tells of one pod, whether it warns or not: `kubectl get events`.
    ///
    /// # Errors
    /// As [`Kubectl::get`].
    pub(crate) fn events_of_pod<T: DeserializeOwned>(&self, pod: &str) -> Result<T> {
        let selector = format!("involvedObject.kind=Pod,involvedObject.name={pod}");
        if let Some(list) = self.listed("events", &[("fieldSelector", &selector)])? {
            return read(list);
        }
        self.answer(&self.question(["get", "events", "--output", "json"]).option("--field-selector", selector))
    }

    /// A shell in a container until it ends: bash, or sh where there is no bash. Its exit code.
    ///
    /// # Errors
    /// As [`Kubectl::exec`], and where the image has no shell.
    pub(crate) fn shell(&self, pod: &str, container: &str, has_terminal: bool) -> Result<i32> {
        // A shell's own exit code tells nothing of it: it is that of the last command in it, 127 too.
        let probe = self.execution(pod, container, false, &["sh", "-c", "command -v bash || command -v sh"]).lookup().timeout(QUESTION);
        let out = probe.capture()?;
        // Which of its streams says so is the runtime's choice.
        let said = format!("{}{}", out.text(), out.stderr);
        if !out.ok() && ["executable file not found", "no such file or directory"].iter().any(|words| said.contains(words)) {
            return Err(Error::failed(format!("the image of container {container} has no shell, neither bash nor sh")).hint(format!(
                "kubectl debug -it {pod} --image busybox --target {container} # a shell beside it, from Kubernetes 1.23 on"
            )));
        }
        if !out.ok() && is_refused(&out.stderr) {
            return Err(explain(&probe, &out));
        }
        self.exec(pod, container, has_terminal, if out.text().ends_with("bash") { &["bash"] } else { &["sh"] })
    }

    /// True when the API server answers soon, whatever it says.
    pub(crate) fn has_a_pulse(&self) -> bool {
        let way = self.way.clone().map(|way| Way { within: PULSE, ..way });
        match way.map(|way| way.get("/version")) {
            Some(Ok(Some((_, out)))) => is_answer(&out),
            Some(Err(_)) => false,
            _ => self.answers(PULSE),
        }
    }

    /// `kubectl delete pod --wait=false`.
    ///
    /// # Errors
    /// kubectl is missing or the server refuses.
    pub(crate) fn begin_to_delete_pods(&self, pods: &[&str]) -> Result<()> {
        self.make(&self.change(["delete", "pod", "--wait=false"]).operands(pods.iter().copied()))
    }

    /// The logs of everything selected, followed until somebody ends it. A pod that is just going does not end it.
    pub(crate) fn follow_logs(&self, selector: &str, streams: usize, what: &Excerpt) -> Call<'a> {
        let call =
            self.call(["logs", "--all-containers", "--ignore-errors"]).option("--max-log-requests", streams.max(MAX_STREAMS).to_string());
        what.of(call.arg("--follow").option("--selector", selector))
    }

    /// The log of a container; with `--previous`, what it said before it was last started again.
    pub(crate) fn container_log(&self, pod: &str, container: &str, is_previous: bool, what: &Excerpt) -> Call<'a> {
        let call = self.call(if is_previous { &["logs", "--previous"][..] } else { &["logs"] }.iter().copied());
        what.of(call.operand(pod).option("--container", container))
    }

    /// Deletes a Secret that may be gone already, without an echo: it is lain's own.
    ///
    /// # Errors
    /// kubectl is missing or the server refuses.
    pub(crate) fn delete_own_secret(&self, name: &str) -> Result<()> {
        self.change(["delete", "secret", "--ignore-not-found"]).operand(name).lookup().read().map(drop)
    }

    /// Makes a context the kubeconfig's own default.
    ///
    /// # Errors
    /// kubectl is missing, or the kubeconfig has no such context.
    pub(crate) fn use_context(&self, context: &str) -> Result<()> {
        self.call(["config", "use-context"]).operand(context).run()
    }

    /// Makes a namespace the default of the kubeconfig's current context.
    ///
    /// # Errors
    /// kubectl is missing, or the kubeconfig cannot be written.
    pub(crate) fn use_namespace(&self, namespace: &str) -> Result<()> {
        self.call(["config", "set-context", "--current"]).option("--namespace", namespace).run()
    }

    /// `kubectl exec`, as long as it takes: the command's exit code.
    ///
    /// # Errors
    /// kubectl cannot be started.
    pub(crate) fn exec(&self, pod: &str, container: &str, has_terminal: bool, words: &[&str]) -> Result<i32> {
        self.execution(pod, container, has_terminal, words).interact()
    }

    pub(super) fn execution(&self, pod: &str, container: &str, has_terminal: bool, words: &[&str]) -> Call<'a> {
        let call = self.call(["exec", if has_terminal { "-it" } else { "-i" }]).operand(pod).option("--container", container);
        call.end_of_options().command(words)
    }
}
