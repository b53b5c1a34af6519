//! What time it is elsewhere.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use super::client::{Client, Method};
use super::proxy::Proxies;

/// How far the clock of whoever answers at an address is ahead of this machine's, in seconds; none where nobody answers in time, or does not say. Certificates
/// are not checked, which a wrong clock is enough to break: nothing but the time is taken from there, and nothing is sent.
pub(crate) fn seconds_ahead(proxies: &Proxies, url: &str, within: Duration) -> Option<i64> {
    let asked = Timestamp::now();
    let reply = Client::new(proxies, within, true).try_send(Method::Head, url, &[]).ok()?;
    let answered = Timestamp::now();
    let there = DateTimeParser::new().parse_timestamp(reply.header("date")?).ok()?.as_second();
    Some(beyond(there, asked.as_second(), answered.as_second()))
}

/// How far a time is outside of these two; it was taken between them, and its seconds are whole.
fn beyond(there: i64, asked: i64, answered: i64) -> i64 {
    if there < asked { there - asked } else { (there - answered).max(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_no_wrong_clock() {
        assert_eq!([beyond(100, 100, 100), beyond(104, 100, 105), beyond(90, 100, 105), beyond(165, 100, 105)], [0, 0, -10, 60]);
    }
}
