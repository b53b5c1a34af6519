//! What kubectl and helm say of the API server: faults that may pass, and reasons in plain words.

use std::time::{Duration, Instant};

use super::call::{Call, Captured};
use crate::error::{Error, Kind, NotStarted, Result};
use crate::interrupt;
use crate::ui::Ui;

/// No look-up is tried again later than this.
const AGAIN: Duration = Duration::from_secs(15);
/// Before each other try of a look-up.
const PAUSES: [Duration; 2] = [Duration::from_millis(400), Duration::from_millis(1600)];
/// What kubectl and helm say of faults that may pass.
const PASSING: [&str; 12] = [
    "connection refused",
    "was refused",
    "connection reset by peer",
    "unexpected EOF",
    "\": EOF",
    "TLS handshake timeout",
    "client connection lost",
    "too many requests",
    "currently unable to handle the request",
    "an error on the server",
    "etcdserver: leader changed",
    "etcdserver: request timed out",
];

/// What is an answer, and will be the same in a moment.
const FINAL: [&str; 8] = [
    "Unauthorized",
    "must be logged in",
    "provide credentials",
    "(Forbidden)",
    "x509: ",
    "getting credentials: exec",
    "Missing or incomplete configuration",
    "does not exist", // the context, or the kubeconfig
];

/// True for a failed look-up that may well succeed in a moment: the server or the way to it failed, and said nothing about the question.
pub(crate) fn may_pass(error: &Error) -> bool {
    error.kind() == Kind::Failed
        && error.source::<NotStarted>().is_none()
        && error.tool().is_none_or(|tool| !FINAL.iter().any(|words| tool.says(words)))
}

/// Captures a look-up, and tries again where the server or the way to it failed for a moment. Nothing that changes anything may come here.
///
/// # Errors
/// As [`Call::capture`].
pub(super) fn ask(ui: &Ui, call: &Call<'_>) -> Result<Captured> {
    let started = Instant::now();
    let mut pauses = PAUSES.into_iter();
    let mut said = false;
    loop {
        let out = call.capture()?;
        let Some(fault) = PASSING.iter().find(|words| !out.ok() && out.stderr.contains(**words)) else { return Ok(out) };
        let Some(pause) = pauses.next().filter(|pause| started.elapsed() + *pause < AGAIN) else { return Ok(out) };
        if !said {
            ui.say(&format!("the Kubernetes API server failed for a moment ({fault}): asking again"));
            said = true;
        }
        interrupt::sleep(pause)?;
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

/// What usually stands behind these words of kubectl or helm, on top of their error.
pub(crate) fn advise(error: Error, words: &str) -> Error {
    if words.contains("getting credentials: exec") {
        return error
            .context("the login program that the kubeconfig names does not work")
            .hint("kubectl version # see its `users: exec: command:`; install that program, or ask for a kubeconfig with a token");
    }
    if words.contains("connection refused")
        || words.contains("was refused")
        || words.contains("no such host")
        || words.contains("i/o timeout")
        || words.contains("Unable to connect")
        || words.contains("cluster unreachable")
    {
        return error
            .context("the Kubernetes API server cannot be reached")
            .hint("lain use # is this the right cluster? then check VPN, proxy and the `server:` of its kubeconfig");
    }
    if words.contains("Unauthorized") || words.contains("must be logged in") || words.contains("provide credentials") {
        return error
            .context("the Kubernetes API server does not accept these credentials")
            .hint("ask your administrator for a fresh kubeconfig, then put it where `lain use` says");
    }
    if words.contains("(Forbidden)") {
        return error.hint("ask your administrator for this right, or check the `namespace` of the cluster values");
    }
    error.or_hint("the same with --verbose # shows every question to the cluster")
}
