//! Questions over the one connection to the API server. Each is shown as the `kubectl get --raw` that does the same, and fails in kubectl's words.
//!
//! What is no answer of the server about the question (it is overloaded, its certificate is bad, the login has run out) is left to kubectl: it asks again
//! itself, logs in anew, and says it in its own words.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value as Json, json};
use zeroize::Zeroize;

use super::call::{Call, Captured};
use super::kinds::{self, Kind};
use super::line::{Entry, Line, Method, Question, Said};
use super::proxy::Proxy;
use super::server::explain;
use super::target::Target;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::ui::Ui;

/// Objects, and the state of the server that they are of (`resourceVersion`).
pub(crate) type Listed = (Vec<Json>, String);

/// How long a watch goes on, in seconds: a little longer than before whoever follows asks for all anew, so that one that nobody hears any more ends.
const WATCH: &str = "20";

/// The connection, and what is asked over it.
#[derive(Clone, Debug)]
pub(super) struct Way<'a> {
    pub(super) ui: &'a Ui,
    pub(super) line: &'a dyn Line,
    pub(super) target: Target,
    /// Bound of one question.
    pub(super) within: Duration,
    pub(super) is_last_word: bool,
}

impl<'a> Way<'a> {
    fn start(&self, may_log_in: bool) -> Option<Entry> {
        match self.target.login.as_ref().filter(|_| may_log_in) {
            Some(login) => Some(Entry::Login(Arc::clone(login))),
            None => Proxy::start(self.ui, &self.target).map(Entry::Proxy),
        }
    }

    /// Starts the connection in the background.
    pub(super) fn begin(&self) {
        self.line.begin(&|may_log_in| self.start(may_log_in));
    }

    /// The kubectl command that does the same.
    fn call(&self, verb: &'static str, path: &str) -> Call<'a> {
        let call = Call::new(self.ui, "kubectl").arg(verb).option("--raw", path);
        self.target.flags("--context", call).lookup()
    }

    /// Reads an address; none where kubectl is to be asked in its own words.
    ///
    /// # Errors
    /// Ctrl-C.
    pub(super) fn get(&self, path: &str) -> Result<Option<(Call<'a>, Captured)>> {
        let Some(path) = self.target.base.as_ref().map(|base| format!("{base}{path}")) else { return Ok(None) };
        let start = |may_log_in| self.start(may_log_in);
        if !self.line.is_there(&start) {
            return Ok(None);
        }
        let call = self.call("get", &path);
        if let Some(Said::Answer { status, body, .. }) = self.line.begun(&path)? {
            return Ok(Some((call, in_words(status, body)))); // it was shown when it was asked
        }
        call.stand_in();
        let question = Question { method: Method::Get, path: &path, body: None, within: self.within, is_last_word: self.is_last_word };
        let out = match self.line.ask(&question, &start)? {
            // A longer wait is kubectl's, which is ended when it takes too long.
            Some(Said::Answer { status: 429 | 503, wait: Some(wait), .. }) if wait < self.within && !self.is_last_word => {
                interrupt::sleep(wait)?;
                None
            }
            Some(Said::Answer { status, body, .. }) => final_answer(status, body),
            Some(Said::TooLate) => Some(too_late()),
            Some(Said::BrokeOff) | None => None,
        };
        Ok(out.map(|out| (call, out)))
    }

    /// Begins to read an address that [`Way::get`] will be asked for soon.
    fn begin_to_get(&self, path: &str) {
        let Some(path) = self.target.base.as_ref().map(|base| format!("{base}{path}")) else { return };
        if self.line.is_there(&|may_log_in| self.start(may_log_in)) {
            self.call("get", &path).stand_in();
            self.line.begin_to_ask(&path, self.within, &|may_log_in| self.start(may_log_in));
        }
    }

    /// Begins what [`Way::list`] will be asked for soon.
    pub(super) fn begin_to_list(&self, words: &str, selectors: &[(&str, &str)]) {
        let Some((kinds, namespace)) = kinds::kinds(words).zip(self.namespace()) else { return };
        let query = kinds::query(selectors);
        kinds.iter().for_each(|kind| self.begin_to_get(&(kind.path(kind.versions[0], Some(namespace)) + &query)));
    }

    /// Begins what [`Way::find`] will be asked for soon.
    pub(super) fn begin_to_find(&self, word: &str, name: &str) {
        let Some((kinds, namespace)) = kinds::kinds(word).zip(self.namespace()).filter(|_| kinds::is_part(name)) else { return };
        kinds.iter().for_each(|kind| self.begin_to_get(&format!("{}/{name}", kind.path(kind.versions[0], Some(namespace)))));
    }

    /// Does something with an address; none where there is no connection, and nothing was done. Whatever fails, it is not tried again.
    ///
    /// # Errors
    /// Ctrl-C.
    pub(super) fn send(&self, method: Method, path: &str, body: Option<&str>) -> Result<Option<(Call<'a>, Captured)>> {
        let Some(path) = self.target.base.as_ref().map(|base| format!("{base}{path}")) else { return Ok(None) };
        let start = |may_log_in| self.start(may_log_in);
        if !self.line.is_there(&start) {
            return Ok(None);
        }
        let call = raw_call(self.call(verb(method), &path), method);
        call.stand_in();
        let question = Question { method, path: &path, body, within: self.within, is_last_word: self.is_last_word };
        let out = match self.line.ask(&question, &start)? {
            Some(Said::Answer { status, body, .. }) => in_words(status, body),
            Some(Said::TooLate) => too_late(),
            Some(Said::BrokeOff) => failed("error: unexpected EOF".to_owned()),
            None => return Ok(None),
        };
        Ok(Some((call, out)))
    }

    /// All objects of these kinds that the selectors select, each with its kind; none where kubectl is to be asked.
    ///
    /// # Errors
    /// The server refuses the question, or Ctrl-C.
    pub(super) fn list(&self, words: &str, selectors: &[(&str, &str)]) -> Result<Option<Json>> {
        let Some((kinds, namespace)) = kinds::kinds(words).zip(self.namespace()) else { return Ok(None) };
        let query = kinds::query(selectors);
        let found = self.side_by_side(&kinds, |kind| self.list_one(kind, namespace, &query));
        let found: Option<Vec<Listed>> = found.into_iter().collect::<Result<Option<_>>>()?;
        Ok(found.map(|found| json!({"items": found.into_iter().flat_map(|(items, _)| items).collect::<Vec<Json>>()})))
    }

    /// Asks for each of these, all at a time; nothing where there is no connection.
    fn side_by_side<'i, I: Sync, T: Send>(
        &self,
        items: &'i [I],
        one: impl Fn(&'i I) -> Result<Option<T>> + Sync,
    ) -> Vec<Result<Option<T>>> {
        match items {
            [item] => vec![one(item)],
            _ if !self.line.is_there(&|may_log_in| self.start(may_log_in)) => vec![Ok(None)],
            items => std::thread::scope(|scope| {
                let asked: Vec<_> = items.iter().map(|item| scope.spawn(|| one(item))).collect();
                asked.into_iter().map(|answer| answer.join().unwrap_or(Ok(None))).collect()
            }),
        }
    }

    /// These objects in their order, `null` for one that is not there; none where kubectl is to be asked.
    ///
    /// # Errors
    /// As [`Way::list`].
    pub(super) fn find_all(&self, word: &str, names: &[String]) -> Result<Option<Vec<Json>>> {
        self.side_by_side(names, |name| self.find(word, name)).into_iter().collect()
    }

    fn list_one(&self, kind: &Kind, namespace: &str, query: &str) -> Result<Option<Listed>> {
        let (last, newer) = kind.versions.split_last().unwrap_or((&"", &[]));
        for version in newer.iter().chain([last]) {
            let path = kind.path(version, Some(namespace)) + query;
            let Some((call, mut out)) = self.get(&path)? else { return Ok(None) };
            if !out.ok() && out.stderr.contains("(NotFound)") && version != last {
                continue; // the server is too old for it
            }
            if !out.ok() {
                return Err(explain(&call, &out));
            }
            let read = out.json::<Json>();
            out.stdout.zeroize(); // it may hold Secrets
            let mut answer = read?;
            let mut items = answer["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
            for item in &mut items {
                // A list of one kind repeats neither; who sends an object back needs both.
                item["kind"] = Json::from(kind.name);
                item["apiVersion"] = Json::from(kinds::api_version(version));
            }
            let version = answer["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
            return Ok(Some((items, version)));
        }
        Ok(None)
    }

    /// All objects of one kind, and the state of the server that they are of; none where kubectl is to be asked.
    ///
    /// # Errors
    /// As [`Way::list`].
    pub(super) fn known(&self, word: &str, selector: &str) -> Result<Option<Listed>> {
        let Some((kinds, namespace)) = kinds::kinds(word).zip(self.namespace()) else { return Ok(None) };
        let [kind] = &kinds[..] else { return Ok(None) };
        self.list_one(kind, namespace, &kinds::query(&[("labelSelector", selector)]))
    }

    /// What the pods that a selector selects use now; none where kubectl is to be asked.
    ///
    /// # Errors
    /// The cluster has no metrics, as [`Way::list`].
    pub(super) fn usage(&self, selector: &str) -> Result<Option<Vec<Json>>> {
        let Some(namespace) = self.namespace() else { return Ok(None) };
        let found = self.list_one(&kinds::USAGE, namespace, &kinds::query(&[("labelSelector", selector)]))?;
        Ok(found.map(|(items, _)| items))
    }

    /// Hears what becomes of the objects of one kind since a state of the server. False where there is no connection.
    pub(super) fn watch(&self, word: &str, selector: &str, since: &str, mut tell: impl FnMut(News) -> bool + Send + 'static) -> bool {
        let Some(((kinds, namespace), base)) = kinds::kinds(word).zip(self.namespace()).zip(self.target.base.as_ref()) else {
            return false;
        };
        let [kind] = kinds[..] else { return false };
        let query = kinds::query(&[("labelSelector", selector), ("resourceVersion", since), ("watch", "true"), ("timeoutSeconds", WATCH)]);
        let path = format!("{base}{}{query}", kind.path(kind.versions[0], Some(namespace)));
        self.call("get", &path).stand_in();
        let hear = move |line: Option<&[u8]>| tell(line.map_or(News::Ended, |line| news(line, kind.name)));
        self.line.follow(&path, &|may_log_in| self.start(may_log_in), Box::new(hear))
    }

    /// Hears a container's log, line by line. False where there is no connection.
    pub(super) fn hear_log(&self, pod: &str, container: &str, tell: impl FnMut(Option<&[u8]>) -> bool + Send + 'static) -> bool {
        let Some((namespace, base)) = self.namespace().zip(self.target.base.as_ref()).filter(|_| kinds::is_part(pod)) else { return false };
        let query = kinds::query(&[("container", container), ("follow", "true")]);
        let path = format!("{base}/api/v1/namespaces/{namespace}/pods/{pod}/log{query}");
        self.call("get", &path).stand_in();
        self.line.follow(&path, &|may_log_in| self.start(may_log_in), Box::new(tell))
    }

    /// The last lines of a container's log, or of its run before; none where kubectl is to be asked.
    ///
    /// # Errors
    /// Ctrl-C.
    pub(super) fn end_of_log(&self, pod: &str, container: &str, is_previous: bool, lines: u32) -> Result<Option<(Call<'a>, Captured)>> {
        let Some(namespace) = self.namespace().filter(|_| kinds::is_part(pod)) else { return Ok(None) };
        let lines = lines.to_string();
        let mut selectors = vec![("container", container), ("tailLines", &*lines)];
        if is_previous {
            selectors.push(("previous", "true"));
        }
        self.get(&format!("/api/v1/namespaces/{namespace}/pods/{pod}/log{}", kinds::query(&selectors)))
    }

    /// One object, `null` where there is none of that name; none where kubectl is to be asked.
    ///
    /// # Errors
    /// As [`Way::list`].
    pub(super) fn find(&self, word: &str, name: &str) -> Result<Option<Json>> {
        let Some((kinds, namespace)) = kinds::kinds(word).zip(self.namespace()).filter(|_| kinds::is_part(name)) else { return Ok(None) };
        let [kind] = &kinds[..] else { return Ok(None) };
        let Some((call, mut out)) = self.get(&format!("{}/{name}", kind.path(kind.versions[0], Some(namespace))))? else { return Ok(None) };
        if !out.ok() && out.stderr.contains("(NotFound)") {
            return Ok(Some(Json::Null));
        }
        if !out.ok() {
            return Err(explain(&call, &out));
        }
        let found = out.json::<Json>();
        out.stdout.zeroize(); // as in list
        found.map(Some)
    }

    /// The keys of a Secret, none where there is no such Secret; the outer none where kubectl is to be asked. What is in them is passed over.
    ///
    /// # Errors
    /// As [`Way::list`].
    pub(super) fn secret_keys(&self, name: &str) -> Result<Option<Vec<String>>> {
        #[derive(Deserialize)]
        struct Secret {
            #[allow(clippy::zero_sized_map_values)] // serde reads maps into maps
            data: Option<BTreeMap<String, IgnoredAny>>,
        }
        let Some(namespace) = self.namespace().filter(|_| kinds::is_part(name)) else { return Ok(None) };
        let Some((call, mut out)) = self.get(&format!("/api/v1/namespaces/{namespace}/secrets/{name}"))? else { return Ok(None) };
        if !out.ok() {
            return if out.stderr.contains("(NotFound)") { Ok(Some(vec![])) } else { Err(explain(&call, &out)) };
        }
        let read = serde_json::from_slice::<Secret>(&out.stdout).map_err(|error| no_json(&error));
        out.stdout.zeroize();
        Ok(Some(read?.data.unwrap_or_default().into_keys().collect()))
    }

    fn namespace(&self) -> Option<&str> {
        self.target.namespace.as_deref().filter(|name| kinds::is_part(name))
    }
}

/// What a watch tells.
#[derive(Debug)]
pub(crate) enum News {
    /// An object is so now.
    Is(Json),
    /// An object is there no more.
    Gone(Json),
    /// It goes on; nothing changed.
    Nothing,
    /// It ended, or never began: what there is must be asked anew.
    Ended,
}

/// A line of a watch: `{"type": "MODIFIED", "object": {...}}`. Any other is an error, after which the server ends it.
fn news(line: &[u8], kind: &str) -> News {
    let Ok(mut event) = serde_json::from_slice::<Json>(line) else { return News::Ended };
    let mut object = event["object"].take();
    object["kind"] = Json::from(kind);
    match event["type"].as_str() {
        Some("ADDED" | "MODIFIED") => News::Is(object),
        Some("DELETED") => News::Gone(object),
        Some("BOOKMARK") => News::Nothing,
        _ => News::Ended,
    }
}

/// kubectl's own verb.
pub(super) fn verb(method: Method) -> &'static str {
    match method {
        Method::Get => "get",
        Method::Create => "create",
        Method::Replace => "replace",
        Method::Delete => "delete",
    }
}

/// What `--raw` takes beside an address.
pub(super) fn raw_call(call: Call<'_>, method: Method) -> Call<'_> {
    match method {
        Method::Create | Method::Replace => call.args(["-f", "-"]),
        Method::Get | Method::Delete => call,
    }
}

/// What kubectl prints for an answer that will be the same in a moment; none for others.
fn final_answer(status: u16, body: Vec<u8>) -> Option<Captured> {
    matches!(status, 200..=299 | 400 | 403 | 404 | 405 | 409 | 410 | 422).then(|| in_words(status, body))
}

/// What kubectl prints for an answer.
fn in_words(status: u16, body: Vec<u8>) -> Captured {
    if (200..=299).contains(&status) {
        return Captured { code: 0, stdout: body, stderr: String::new() };
    }
    let said: Option<Json> = serde_json::from_slice(&body).ok().filter(|said: &Json| said["kind"] == "Status");
    let text = |key: &str| said.as_ref().and_then(|said| said[key].as_str()).filter(|text| !text.is_empty());
    let plain = String::from_utf8_lossy(&body).trim().chars().take(1000).collect::<String>();
    failed(match (status, text("reason"), text("message")) {
        (401, _, message) => format!("error: You must be logged in to the server ({})", message.unwrap_or("Unauthorized")),
        (_, Some(reason), message) => format!("Error from server ({reason}): {}", message.unwrap_or_default()),
        (404, None, _) => "Error from server (NotFound): the server could not find the requested resource".to_owned(),
        (429, None, _) => "Error from server (TooManyRequests): too many requests".to_owned(),
        (503, None, _) => "Error from server (ServiceUnavailable): the server is currently unable to handle the request".to_owned(),
        (_, None, Some(message)) => format!("Error from server: {message}"),
        // kubectl proxy's own words when it does not reach the server.
        (500 | 502, None, None) if !plain.is_empty() && said.is_none() => format!("Unable to connect to the server: {plain}"),
        _ => format!("Error from server (InternalError): an error on the server (\"{plain}\") has prevented the request from succeeding"),
    })
}

fn too_late() -> Captured {
    failed("Unable to connect to the server: net/http: request canceled (Client.Timeout exceeded while awaiting headers)".to_owned())
}

fn failed(stderr: String) -> Captured {
    Captured { code: 1, stdout: vec![], stderr }
}

/// The error of what cannot be sent as JSON.
pub(super) fn no_json(error: &serde_json::Error) -> Error {
    Error::failed(format!("its output is not the JSON that was expected: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::server::advise;

    #[test]
    fn what_a_watch_tells() {
        let of = |line: &str| news(line.as_bytes(), "Pod");
        let pod = |news: News| match news {
            News::Is(object) => format!("is {} {}", object["kind"], object["metadata"]["name"]),
            News::Gone(object) => format!("gone {}", object["metadata"]["name"]),
            other => format!("{other:?}"),
        };
        assert_eq!(pod(of(r#"{"type":"ADDED","object":{"metadata":{"name":"a"}}}"#)), r#"is "Pod" "a""#);
        assert_eq!(pod(of(r#"{"type":"DELETED","object":{"kind":"Pod","metadata":{"name":"a"}}}"#)), r#"gone "a""#);
        assert_eq!(pod(of(r#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7"}}}"#)), "Nothing");
        for ended in [r#"{"type":"ERROR","object":{"kind":"Status","code":410}}"#, r#"{"kind":"Status","code":403}"#, "", "no JSON"] {
            assert_eq!(pod(of(ended)), "Ended", "{ended}");
        }
    }

    #[test]
    fn answers_in_kubectls_words() {
        let status = |reason: &str, message: &str| json!({"kind": "Status", "reason": reason, "message": message}).to_string();
        for (code, body, words) in [
            (403, status("Forbidden", "pods is forbidden: User \"x\""), "Error from server (Forbidden): pods is forbidden: User \"x\""),
            (404, status("NotFound", "secrets \"a\" not found"), "Error from server (NotFound): secrets \"a\" not found"),
            (404, "404 page not found".into(), "Error from server (NotFound): the server could not find the requested resource"),
            (401, status("Unauthorized", "Unauthorized"), "error: You must be logged in to the server (Unauthorized)"),
            (409, status("AlreadyExists", "leases \"a\" already exists"), "Error from server (AlreadyExists): leases \"a\" already exists"),
            (
                500,
                "dial tcp 10.0.0.1:6443: connect: connection refused\n".into(),
                "Unable to connect to the server: dial tcp 10.0.0.1:6443: connect: connection refused",
            ),
            (503, "<html>".into(), "Error from server (ServiceUnavailable): the server is currently unable to handle the request"),
            (
                504,
                "<html>".into(),
                "Error from server (InternalError): an error on the server (\"<html>\") has prevented the request from succeeding",
            ),
        ] {
            let out = in_words(code, body.into_bytes());
            assert_eq!((out.code, out.stderr.as_str()), (1, words));
        }
        let refused = advise(Error::failed("x"), &in_words(403, status("Forbidden", "x").into_bytes()).stderr);
        assert!(refused.message().contains("does not allow it (403)"));
        assert!(final_answer(500, vec![]).is_none() && final_answer(429, vec![]).is_none() && final_answer(401, vec![]).is_none());
        assert!(final_answer(200, b"{}".to_vec()).is_some_and(|out| out.ok() && out.stdout == b"{}"));
    }
}
