//! What kubectl and helm say of the API server: faults that may pass, and reasons in plain words.

use std::time::{Duration, Instant};

use super::call::{Call, Captured};
use crate::error::{Error, Kind, NotStarted, Result};
use crate::interrupt;
use crate::ui::Ui;

/// No look-up is tried again later than this.
const AGAIN: Duration = Duration::from_secs(15);
/// Before each other try of a look-up: a server that restarts is back after some five seconds.
const PAUSES: [Duration; 3] = [Duration::from_millis(400), Duration::from_millis(1600), Duration::from_secs(4)];
/// How long a run that is over asks on, and how often: what it leaves behind is to be tidy, and a server that restarts is back by then.
const AFTERWARDS: (Duration, Duration) = (Duration::from_secs(8), Duration::from_secs(1));
/// What kubectl and helm say of faults that may pass.
const PASSING: [&str; 11] = [
    "connection refused",
    "was refused",
    "connection reset by peer",
    "EOF",
    "TLS handshake timeout",
    "client connection lost",
    "too many requests",
    "currently unable to handle the request",
    "an error on the server",
    "etcdserver: leader changed",
    "etcdserver: request timed out",
];

/// What is said where a connection broke off, or the server gave up, once it was asked.
const NO_ANSWER: [&str; 5] =
    ["EOF", "connection reset by peer", "client connection lost", "error when reading response body", "request timed out"];

/// What kubectl and helm say of a kubeconfig that is none.
const NO_KUBECONFIG: &str = "error loading config file";

/// What is an answer, and will be the same in a moment.
const FINAL: [&str; 9] = [
    "Unauthorized",
    "must be logged in",
    "provide credentials",
    "(Forbidden)",
    "x509: ",
    "getting credentials: exec",
    "Missing or incomplete configuration",
    "does not exist", // the context, or the kubeconfig
    NO_KUBECONFIG,
];

/// True for a failed look-up that may well succeed in a moment: the server or the way to it failed, and said nothing about the question.
pub(crate) fn may_pass(error: &Error) -> bool {
    error.kind() == Kind::Failed
        && error.source::<NotStarted>().is_none()
        && error.tool().is_none_or(|tool| !FINAL.iter().any(|words| tool.says(words)))
}

/// True where the server, or the way to it, failed, and the same may do in a moment.
pub(crate) fn failed_for_a_moment(error: &Error) -> bool {
    error.tool().is_some_and(|tool| PASSING.iter().any(|words| tool.says(words)))
}

/// True where the server knows this account and does not allow it (403).
pub(crate) fn is_forbidden(error: &Error) -> bool {
    error.tool().is_some_and(|tool| tool.says("(Forbidden)") || tool.says("is forbidden: User "))
}

/// True where the server does not serve such objects.
pub(crate) fn is_unknown(error: &Error) -> bool {
    error.tool().is_some_and(|tool| tool.says("(NotFound)") || tool.says("doesn't have a resource type"))
}

/// Captures a look-up, and tries again where the server or the way to it failed for a moment. Nothing that changes anything may come here.
///
/// # Errors
/// As [`Call::capture`].
pub(super) fn ask(ui: &Ui, call: &Call<'_>) -> Result<Captured> {
    let started = Instant::now();
    let mut pauses = PAUSES.into_iter();
    loop {
        let out = call.capture()?;
        let Some(fault) = PASSING.iter().find(|words| !out.ok() && out.stderr.contains(**words)) else { return Ok(out) };
        let Some(pause) = pauses.next().filter(|pause| started.elapsed() + *pause < AGAIN) else { return Ok(out) };
        ui.say_once(&format!("the Kubernetes API server failed for a moment ({fault}): asking again"));
        interrupt::sleep(pause)?;
    }
}

/// Asks on for a while, for a run that is over; none where the server does not answer, or Ctrl-C came.
pub(crate) fn until_it_answers<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let (most, pause) = AFTERWARDS;
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if started.elapsed() > most || interrupt::sleep(pause).is_err() {
            return None;
        }
    }
}

/// The error of a failed kubectl, in the words of someone who knows the usual reasons.
pub(crate) fn explain(call: &Call<'_>, out: &Captured) -> Error {
    let error = call.failure(out.code, &out.stderr);
    // Without credentials kubectl asks for a name and a password, and finds nobody to answer.
    if out.stdout.starts_with(b"Please enter Username") {
        return error
            .context("the kubeconfig holds no credentials that work here")
            .hint("ask your administrator for a kubeconfig with a token or certificate, then put it where `lain use` says");
    }
    advise(error, &out.stderr)
}

/// The error of a change that failed: the server may have made it all the same.
pub(super) fn explain_change(error: Error, words: &str) -> Error {
    let error = advise(error, words);
    if NO_ANSWER.iter().any(|known| words.contains(known)) {
        return error.context("no answer came to a change: it may have been made").hint("lain status -s # how it stands now");
    }
    error
}

/// The error of a server that was there, and failed.
fn failed(error: Error) -> Error {
    let error = error.context("the Kubernetes API server failed, or the way to it");
    error.hint("kubectl get --raw /readyz # is it well? then the same command again")
}

/// What usually stands behind these words of kubectl or helm, on top of their error: each cause has its own name. helm calls all of them
/// "Kubernetes cluster unreachable", so that comes last.
pub(crate) fn advise(error: Error, words: &str) -> Error {
    let says = |any: &[&str]| any.iter().any(|known| words.contains(known));
    if says(&[NO_KUBECONFIG]) {
        return error
            .context("the kubeconfig cannot be read: no server was asked")
            .hint("kubectl config view # says the same; mend that file, or put a fresh one where `lain use` says");
    }
    if says(&["getting credentials: exec"]) {
        return error
            .context("the login program that the kubeconfig names does not work")
            .hint("kubectl config view # see its users: exec: command:, and install that program; or ask for a kubeconfig with a token");
    }
    if says(&["x509: ", "tls: failed to verify certificate", "tls: bad certificate", "server gave HTTP response to HTTPS client"]) {
        return error
            .context("the Kubernetes API server's certificate is not the one that the kubeconfig trusts, or the server does not take the kubeconfig's own")
            .hint("kubectl config view # `server` and `certificate-authority` belong together: ask your administrator for a fresh kubeconfig");
    }
    if says(&["Unauthorized", "must be logged in", "provide credentials"]) {
        return error
            .context("the Kubernetes API server does not accept these credentials (401)")
            .hint("ask your administrator for a fresh kubeconfig, then put it where `lain use` says");
    }
    if says(&["(Forbidden)", "is forbidden: User "]) {
        return error
            .context("the Kubernetes API server knows you and does not allow it (403)")
            .hint("ask your administrator for this right, or check the `namespace` of the cluster values");
    }
    if says(&["connection refused", "was refused"]) {
        return error
            .context("the Kubernetes API server cannot be reached: nothing listens at its address")
            .hint("lain use # is this the right cluster? then check the `server:` of its kubeconfig, and whether that machine runs");
    }
    if says(&["no such host", "server misbehaving"]) {
        return error
            .context("the Kubernetes API server cannot be reached: its name is not known here")
            .hint("lain use # is this the right cluster? then check DNS and VPN, and the `server:` of its kubeconfig");
    }
    if says(&NO_ANSWER) {
        return failed(error);
    }
    if says(&[
        "i/o timeout",
        "deadline exceeded",
        "Client.Timeout exceeded",
        "TLS handshake timeout",
        "no route to host",
        "network is unreachable",
        "Unable to connect",
        "cluster unreachable",
    ]) {
        return error
            .context("the Kubernetes API server cannot be reached")
            .hint("lain use # is this the right cluster? then check VPN, proxy and the `server:` of its kubeconfig");
    }
    if says(&PASSING) {
        return failed(error);
    }
    error.or_hint("the same with --verbose # shows every question to the cluster")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_name() {
        for (words, name, vpn) in [
            ("error: You must be logged in to the server (Unauthorized)", "does not accept these credentials (401)", false),
            ("Error: Kubernetes cluster unreachable: the server has asked for the client to provide credentials", "(401)", false),
            (
                "Error from server (Forbidden): pods is forbidden: User \"x\" cannot list resource \"pods\"",
                "does not allow it (403)",
                false,
            ),
            ("Error: list: failed to list: secrets is forbidden: User \"x\" cannot list resource", "(403)", false),
            ("Unable to connect to the server: x509: certificate signed by unknown authority", "certificate", false),
            (
                "Error: Kubernetes cluster unreachable: error loading config file \"/k\": yaml: line 3: mapping values are not allowed",
                "kubeconfig cannot be read",
                false,
            ),
            (
                "Error: Kubernetes cluster unreachable: Get \"https://x/version\": x509: certificate has expired or is not yet valid",
                "certificate",
                false,
            ),
            ("The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?", "nothing listens", false),
            (
                "Error: Kubernetes cluster unreachable: Get \"https://127.0.0.1:1/version\": dial tcp 127.0.0.1:1: connect: connection refused",
                "nothing listens",
                false,
            ),
            ("Unable to connect to the server: dial tcp: lookup k8s.example.com: no such host", "name is not known", true),
            ("Unable to connect to the server: dial tcp 10.0.0.1:6443: i/o timeout", "cannot be reached", true),
            ("Error from server (InternalError): etcdserver: request timed out", "server failed", false),
            ("Unable to connect to the server: EOF", "server failed", false),
            ("error: error when replacing \"STDIN\": Put \"https://x/api\": EOF", "server failed", false),
        ] {
            let error = advise(Error::failed(words), words);
            assert!(error.message().contains(name), "{words}: {}", error.message());
            assert_eq!(error.hints().join(" ").contains("VPN"), vpn, "{words}: {:?}", error.hints());
        }
    }
}
