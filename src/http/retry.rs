//! When a request is worth another try, and how long to wait before it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ureq::http::StatusCode;

use super::failure::{Failure, Trouble};
use super::reply::Reply;
use crate::error::Error;
use crate::interrupt;

/// The longest wait that a server may ask for with `Retry-After`; who wants more gets no second try.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// How often, how far apart, and how long in all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    /// The most tries.
    pub tries: u32,
    /// The wait before the second try; doubles, but for what must arrive ([`persist`]).
    pub pause: Duration,
    /// No try starts later than this.
    pub total: Duration,
}

impl Retry {
    /// The wait before the next try; none when there is to be no other. `attempt` counts from 1.
    pub(super) fn wait(&self, outcome: &Result<Reply, Failure>, attempt: u32, elapsed: Duration) -> Option<Duration> {
        if attempt >= self.tries {
            return None;
        }
        let asked = match outcome {
            Ok(reply) if is_passing(reply.status) => reply.header("retry-after").and_then(|text| asked_wait(text, SystemTime::now())),
            Err(failure) if failure.trouble == Trouble::Broken => None,
            _ => return None,
        };
        let backoff = self.pause * 2_u32.saturating_pow(attempt - 1);
        let wait = asked.unwrap_or_default().max(backoff + jitter(backoff));
        (asked.unwrap_or_default() <= LONGEST_WAIT && elapsed + wait < self.total).then_some(wait)
    }
}

/// What stood in the way of one try.
#[derive(Debug)]
pub(super) struct Fault {
    /// In words.
    pub error: Error,
    /// True for what another try may find gone.
    pub passes: bool,
    /// The wait that was asked for.
    pub wait: Option<Duration>,
}

impl Fault {
    /// A request without a reply. Silence does not pass: who does not answer may have heard, and would hear it twice.
    pub(super) fn of(failure: Failure, url: &str) -> Self {
        let passes =
            matches!(failure.trouble, Trouble::NoSuchHost | Trouble::Refused | Trouble::Unreached | Trouble::Broken | Trouble::Proxy);
        let is_silent = failure.trouble == Trouble::Timeout;
        let error = failure.into_error(url);
        let error = if is_silent { error.context("it may have arrived all the same, so it was not sent again") } else { error };
        Self { error, passes, wait: None }
    }

    /// A reply that says no.
    pub(super) fn said(error: Error, passes: bool, reply: &Reply) -> Self {
        Self { error, passes, wait: reply.header("retry-after").and_then(|text| asked_wait(text, SystemTime::now())) }
    }
}

/// For what must arrive if it can: so many tries, so far apart or as far as was asked, while what stands in the way may pass; the last error.
///
/// # Errors
/// Every try failed, one for good, there is no time for another, or Ctrl-C came.
pub(super) fn persist<T>(retry: Retry, mut attempt: impl FnMut() -> Result<T, Fault>) -> crate::error::Result<T> {
    let started = Instant::now();
    for tried in 1.. {
        match attempt() {
            Ok(done) => return Ok(done),
            Err(fault) => {
                let wait = fault.wait.unwrap_or_default().max(retry.pause);
                if !fault.passes || tried >= retry.tries || started.elapsed() + wait > retry.total {
                    return Err(fault.error);
                }
                interrupt::sleep(wait)?;
            }
        }
    }
    unreachable!("tries are counted")
}

/// Statuses that a server may get over by itself.
pub(super) fn is_passing(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED)
}

/// `Retry-After`: seconds, or a date (RFC 9110, 10.2.3).
fn asked_wait(text: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
    let now = now.duration_since(UNIX_EPOCH).ok()?;
    Some(Duration::from_secs(u64::try_from(then.as_second()).ok()?).saturating_sub(now))
}

/// Up to a quarter more, so that jobs that failed together do not come back together.
fn jitter(wait: Duration) -> Duration {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
    wait / 4 * (nanos % 100) / 100
}

#[cfg(test)]
mod tests {
    use ureq::http::{HeaderMap, HeaderValue};

    use super::*;

    const RETRY: Retry = Retry { tries: 4, pause: Duration::from_millis(500), total: Duration::from_secs(60) };

    fn reply(status: u16, retry_after: Option<&str>) -> Reply {
        let mut headers = HeaderMap::new();
        if let Some(text) = retry_after {
            headers.insert("retry-after", HeaderValue::from_str(text).expect("a header"));
        }
        Reply { status: StatusCode::from_u16(status).expect("a status"), headers, body: vec![] }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for status in [429, 500, 502, 503, 504] {
            assert!(RETRY.wait(&Ok(reply(status, None)), 1, Duration::ZERO).is_some(), "{status}");
        }
        for status in [200, 301, 400, 401, 403, 404, 405, 501] {
            assert_eq!(RETRY.wait(&Ok(reply(status, None)), 1, Duration::ZERO), None, "{status}");
        }
        assert!(RETRY.wait(&Err(Failure::new(Trouble::Broken, "")), 1, Duration::ZERO).is_some());
        for trouble in [Trouble::Timeout, Trouble::Refused, Trouble::Certificate, Trouble::NoSuchHost, Trouble::Interrupted] {
            assert_eq!(RETRY.wait(&Err(Failure::new(trouble, "")), 1, Duration::ZERO), None, "{trouble:?}");
        }
    }

    #[test]
    fn waits_double_and_end() {
        let wait = |attempt, elapsed| RETRY.wait(&Ok(reply(503, None)), attempt, Duration::from_secs(elapsed));
        let third = wait(3, 0).expect("a third wait");
        assert!(third >= Duration::from_secs(2) && third <= Duration::from_millis(2500), "{third:?}");
        assert_eq!(wait(4, 0), None, "tries are counted");
        assert_eq!(wait(1, 60), None, "time is up");
    }

    #[test]
    fn what_must_arrive_is_tried_so_often() {
        let mut tries = 0;
        let mut until = |good: u32, most: u32| {
            tries = 0;
            let attempt = || {
                tries += 1;
                let error = || Error::failed(format!("try {tries}"));
                if tries == good { Ok(tries) } else { Err(Fault { error: error(), passes: tries != 5, wait: None }) }
            };
            let retry = Retry { tries: most, pause: Duration::ZERO, total: Duration::from_secs(60) };
            persist(retry, attempt).map_err(|error| error.to_string())
        };
        assert_eq!([until(1, 3), until(3, 3), until(4, 3)], [Ok(1), Ok(3), Err("try 3".to_owned())]);
        assert_eq!(until(7, 9), Err("try 5".to_owned()), "what is for good is not tried again");
    }

    #[test]
    fn what_must_arrive_is_not_waited_for_without_end() {
        let retry = Retry { tries: 6, pause: Duration::ZERO, total: Duration::from_secs(40) };
        let mut tries = 0;
        let asked = |wait: u64| Fault { error: Error::failed("later"), passes: true, wait: Some(Duration::from_secs(wait)) };
        let outcome: crate::error::Result<()> = persist(retry, || {
            tries += 1;
            Err(asked(if tries < 3 { 0 } else { 3600 }))
        });
        assert!(outcome.is_err_and(|error| error.to_string() == "later") && tries == 3, "{tries} tries");
    }

    #[test]
    fn a_server_may_ask_for_a_wait_within_reason() {
        let wait = |text| RETRY.wait(&Ok(reply(429, Some(text))), 1, Duration::ZERO);
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("3600"), None);
        assert!(wait("soon").is_some_and(|wait| wait < Duration::from_secs(1)), "nonsense counts for nothing");
        let at = UNIX_EPOCH + Duration::from_secs(1_445_412_470);
        assert_eq!(asked_wait("Wed, 21 Oct 2015 07:28:00 GMT", at), Some(Duration::from_secs(10)));
        assert_eq!(asked_wait("Wed, 21 Oct 2015 07:27:00 GMT", at), Some(Duration::ZERO));
    }
}
