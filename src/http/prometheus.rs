//! Prometheus' query API, within a fixed time: <https://prometheus.io/docs/prometheus/latest/querying/api/>.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::client::{Client, Method};
use super::proxy::Proxies;
use super::reply::Reply;
use super::url::{encode, host_of};
use crate::error::{Error, Result};
use crate::interrupt;

/// What to type where it does not answer.
pub(crate) const NO_ANSWER: &str = "prometheus: HOST:PORT # in the cluster's values: is it up, and is the address right?";
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// So many questions are under way at a time.
const AT_ONCE: usize = 8;
/// The largest answer, in bytes: 1440 points of a series are 40 kB.
const MAX_BODY: u64 = 4 << 20;

/// One question.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Query {
    /// The value now.
    Now(String),
    /// The values over a range, to now.
    Over {
        /// The `PromQL` expression.
        expression: String,
        /// From when.
        start: Duration,
        /// To when; both since 1970.
        end: Duration,
        /// How far apart.
        step: Duration,
    },
}

/// One series: seconds since 1970 and what was measured. The values are as sent: NaN and infinities are among them.
pub(crate) type Series = Vec<(f64, f64)>;

/// A series, and its labels.
pub(crate) type Labelled = (Json, Series);

/// Asks everything at once; the answers come in the order of the questions.
///
/// # Errors
/// Not all of it was answered within the time: the first reason, in plain words. Or Ctrl-C.
pub(crate) fn ask(proxies: &Proxies, base: &str, queries: Vec<Query>, within: Duration) -> Result<Vec<Vec<Series>>> {
    let answers = ask_with_labels(proxies, base, queries, within)?;
    Ok(answers.into_iter().map(|answer| answer.into_iter().map(|(_, series)| series).collect()).collect())
}

/// As [`ask`], with the labels of each series.
///
/// # Errors
/// As [`ask`].
pub(crate) fn ask_with_labels(proxies: &Proxies, base: &str, queries: Vec<Query>, within: Duration) -> Result<Vec<Vec<Labelled>>> {
    let deadline = Instant::now() + within;
    let count = queries.len();
    let base = if base.contains("://") { base.to_owned() } else { format!("http://{base}") };
    let asker = Arc::new(Asker {
        proxies: proxies.clone(),
        base: base.trim_end_matches('/').to_owned(),
        queries,
        next: AtomicUsize::new(0),
        deadline,
    });
    let (sender, answers) = mpsc::channel();
    // Not scoped: a server that keeps a thread waiting must not keep the run waiting.
    for _ in 0..count.min(AT_ONCE) {
        let (asker, sender) = (Arc::clone(&asker), sender.clone());
        std::thread::spawn(move || asker.work(&sender));
    }
    drop(sender);
    let mut found: Vec<Option<Vec<Labelled>>> = vec![None; count];
    for _ in 0..count {
        let (index, answer) = loop {
            interrupt::check()?;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                asker.next.store(count, Ordering::SeqCst);
                return Err(Error::failed(format!("{}: no answer within {} s", host_of(&base), within.as_secs())));
            }
            match answers.recv_timeout(left.min(Duration::from_millis(50))) {
                Ok(pair) => break pair,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(Error::failed(format!("{}: no answer", host_of(&base)))),
            }
        };
        if answer.is_err() {
            asker.next.store(count, Ordering::SeqCst);
        }
        found[index] = Some(answer?);
    }
    Ok(found.into_iter().flatten().collect())
}

struct Asker {
    proxies: Proxies,
    base: String,
    queries: Vec<Query>,
    /// Which question is asked next.
    next: AtomicUsize,
    deadline: Instant,
}

impl Asker {
    fn work(&self, sender: &mpsc::Sender<(usize, Result<Vec<Labelled>>)>) {
        loop {
            let index = self.next.fetch_add(1, Ordering::SeqCst);
            let Some(query) = self.queries.get(index) else { return };
            if sender.send((index, self.one(query))).is_err() {
                return; // nobody waits any more
            }
        }
    }

    fn one(&self, query: &Query) -> Result<Vec<Labelled>> {
        let left = self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        // Whoever asked ends the wait, in words of its own.
        let client = Client::once_within(&self.proxies, left + Duration::from_secs(1), CONNECT, MAX_BODY);
        let seconds = |time: Duration| format!("{:.3}", time.as_secs_f64());
        let parameters = match query {
            Query::Now(expression) => format!("query?query={}", encode(expression)),
            Query::Over { expression, start, end, step } => {
                format!("query_range?query={}&start={}&end={}&step={}", encode(expression), seconds(*start), seconds(*end), seconds(*step))
            }
        };
        let reply = client.send(Method::Get, &format!("{}/api/v1/{parameters}", self.base), &[("Accept", "application/json")])?;
        read(&reply).map_err(|why| Error::failed(format!("{}: {why}", host_of(&self.base))))
    }
}

/// The series of a reply, or what is wrong with it.
fn read(reply: &Reply) -> Result<Vec<Labelled>, String> {
    let status = reply.status;
    let body: Option<Json> = serde_json::from_slice(&reply.body).ok();
    // Prometheus tells its own errors in JSON with 400, 422 and 503.
    if let Some(words) = body.as_ref().filter(|body| body["status"] == "error").and_then(|body| body["error"].as_str()) {
        return Err(format!("it refuses the query: {}", printable(words)));
    }
    match status.as_u16() {
        200..=299 => {}
        401 | 403 => return Err(format!("it wants a login ({status})")),
        300..=399 => return Err(format!("it redirects to no location that can be followed ({status})")),
        404 => return Err("no Prometheus answers under this address (404)".to_owned()),
        _ => return Err(format!("it answered {status}")),
    }
    let Some(body) = body else {
        let page = reply.body.trim_ascii_start().starts_with(b"<");
        return Err(
            if page { "it answered with a web page, not with numbers" } else { "it answered with something that is no JSON" }.to_owned()
        );
    };
    series(&body).ok_or_else(|| "it answered with JSON that is no answer of Prometheus'".to_owned())
}

fn series(body: &Json) -> Option<Vec<Labelled>> {
    if body["status"] != "success" {
        return None;
    }
    let result = &body["data"]["result"];
    let point = |pair: &Json| Some((pair.get(0)?.as_f64()?, pair.get(1)?.as_str()?.parse::<f64>().ok()?));
    let of =
        |each: &dyn Fn(&Json) -> Option<Series>| result.as_array()?.iter().map(|one| Some((one["metric"].clone(), each(one)?))).collect();
    match body["data"]["resultType"].as_str()? {
        "vector" => of(&|one| Some(vec![point(&one["value"])?])),
        "matrix" => of(&|one| one["values"].as_array()?.iter().map(point).collect()),
        "scalar" => Some(vec![(Json::Null, vec![point(result)?])]),
        _ => None,
    }
}

/// Words of a server, short and without anything a terminal would act on.
fn printable(words: &str) -> String {
    words.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::http::{HeaderMap, StatusCode};

    fn reply(status: u16, body: &str) -> Result<Vec<Series>, String> {
        let status = StatusCode::from_u16(status).expect("a status");
        let found = read(&Reply { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() })?;
        Ok(found.into_iter().map(|(_, series)| series).collect())
    }

    #[test]
    fn reads_what_prometheus_sends() {
        let vector = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1700000000.5,"471859200"]}]}}"#;
        assert_eq!(reply(200, vector), Ok(vec![vec![(1_700_000_000.5, 471_859_200.0)]]));
        let matrix = r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[[1,"0"],[2,"+Inf"]]}]}}"#;
        assert_eq!(reply(200, matrix), Ok(vec![vec![(1.0, 0.0), (2.0, f64::INFINITY)]]));
        let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"5e3"]}}"#;
        assert_eq!(reply(200, scalar), Ok(vec![vec![(1.0, 5000.0)]]));
        assert_eq!(reply(200, r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#), Ok(vec![]));
    }

    #[test]
    fn says_what_is_wrong_with_the_rest() {
        for (status, body, words) in [
            (200, "", "no JSON"),
            (200, "\n<html>", "a web page"),
            (200, "{}", "no answer of Prometheus'"),
            (200, "[]", "no answer of Prometheus'"),
            (200, r#"{"status":"success","data":{"resultType":"vector","result":[{"value":[1]}]}}"#, "no answer of Prometheus'"),
            (200, r#"{"status":"success","data":{"resultType":"vector","result":[{"value":[1,2]}]}}"#, "no answer of Prometheus'"),
            (200, r#"{"status":"success","data":{"resultType":"string","result":[1,"x"]}}"#, "no answer of Prometheus'"),
            (
                400,
                r#"{"status":"error","errorType":"bad_data","error":"parse error\u001b[31m: x"}"#,
                "it refuses the query: parse error[31m: x",
            ),
            (401, "", "it wants a login (401 Unauthorized)"),
            (404, "404 page not found", "no Prometheus answers"),
            (500, "oops", "it answered 500 Internal Server Error"),
        ] {
            let why = reply(status, body).expect_err(body);
            assert!(why.contains(words), "{status} {body}: {why}");
        }
    }
}
