//! One object of the server by its path: `kubectl get|create|replace|delete --raw`.

use std::time::Duration;

use serde_json::Value as Json;

use super::call::Stop;
use super::kubectl::Kubectl;
pub(crate) use super::line::Method;
use super::server::explain;
use super::way;
use crate::error::{Error, Result};

/// How long a question is waited for when the run ends.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the server answers.
#[derive(Clone, Debug)]
pub(crate) enum Answered {
    /// The object, as it is now; of a deletion, what the server says of it.
    Object(Json),
    /// There is none (404).
    Absent,
    /// There is one already, or it is another by now (409).
    Taken,
    /// This account may not (403).
    Forbidden,
}

impl Kubectl<'_> {
    /// Asks, or changes, one object by its path, unless another thread stops it. It is lain's own business: echoed with `--verbose` only.
    ///
    /// # Errors
    /// kubectl is missing, the run is interrupted, or the server does not answer, or with something else.
    pub(crate) fn at(&self, method: Method, path: &str, body: Option<&Json>, stop: &Stop) -> Result<Answered> {
        let body = body.map(Json::to_string);
        let (call, out) = if let Some(said) = self.over_the_connection(method, path, body.as_deref())? {
            said
        } else {
            let path = format!("{}{path}", self.target().base.as_deref().unwrap_or_default());
            let call = self.question([way::verb(method)]).option("--raw", path);
            let call = match body {
                Some(body) => call.args(["-f", "-"]).stdin(body),
                None => call,
            };
            let out = call.capture_until(stop)?;
            (call, out)
        };
        if out.ok() {
            return Ok(Answered::Object(serde_json::from_slice(&out.stdout).unwrap_or_default()));
        }
        let says = |words: &str| out.stderr.contains(words);
        Ok(if says("(AlreadyExists)") || says("(Conflict)") {
            Answered::Taken
        } else if says("(Forbidden)") {
            Answered::Forbidden
        } else if says("(NotFound)") {
            Answered::Absent
        } else {
            return Err(explain(&call, &out));
        })
    }

    /// The line of such a change, for those to whom it is shown.
    pub(crate) fn line_at(&self, method: Method, path: &str) -> String {
        let path = format!("{}{path}", self.target().base.as_deref().unwrap_or_default());
        way::raw_call(self.call([way::verb(method)]).option("--raw", path), method).line()
    }

    /// That the namespace is not there, and what to type; none where it is, and where the account may not ask: one of one namespace works in it all the same.
    ///
    /// # Errors
    /// The server does not answer.
    pub(crate) fn lacks_namespace(&self) -> Result<Option<Error>> {
        Ok(matches!(self.own_namespace()?, Answered::Absent).then(|| self.no_namespace()))
    }

    /// The same for who wants to make something in it: also that it is on its way out.
    ///
    /// # Errors
    /// As [`Kubectl::lacks_namespace`].
    pub(crate) fn lacks_lasting_namespace(&self) -> Result<Option<Error>> {
        Ok(match self.own_namespace()? {
            Answered::Absent => Some(self.no_namespace()),
            Answered::Object(found) if found["status"]["phase"] == "Terminating" => {
                let namespace = self.namespace();
                let why = format!(
                    "kubectl get namespace {namespace} -o yaml # its `status` says what holds it up; it can be made anew after that"
                );
                Some(Error::failed(format!("namespace {namespace} is being deleted: nothing can be made in it")).hint(why))
            }
            _ => None,
        })
    }

    fn own_namespace(&self) -> Result<Answered> {
        self.at(Method::Get, &format!("/api/v1/namespaces/{}", self.namespace()), None, &Stop::within(PATIENCE))
    }

    fn no_namespace(&self) -> Error {
        let namespace = self.namespace();
        Error::failed(format!("the cluster has no namespace {namespace}"))
            .hint(format!("kubectl create namespace {namespace}"))
            .hint("lain values --explain namespace # who names it?")
    }

    /// The namespace that all this goes to.
    pub(crate) fn namespace(&self) -> &str {
        self.target().namespace.as_deref().unwrap_or("default")
    }
}
