//! Durations as Prometheus writes them: `7d`, `1h30m`, `2w`.
//!
//! The grammar is that of <https://prometheus.io/docs/prometheus/latest/querying/basics/#time-durations>: whole numbers,
//! each with its unit, the larger unit first, each unit once.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::text::Text;

/// The units in the order they must come, and their milliseconds. A day has 24 hours, a week 7 days, a year 365.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// How long ago, as kubectl's columns have it: `90s`, `5m`, `3h`, `12d`, `3y`; nothing is in the future.
pub(crate) fn age(seconds: i64) -> String {
    match seconds {
        ..0 => "0s".to_owned(),
        0..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h", seconds / 3600),
        172_800..=63_071_999 => format!("{}d", seconds / 86_400),
        _ => format!("{}y", seconds / (365 * 86_400)),
    }
}

/// Reads a duration.
///
/// # Errors
/// It is none; the words say why and what to write.
pub fn parse(text: &str) -> Result<Duration, String> {
    let no = |why: &str| Err(format!("`{text}` is no duration: {why}"));
    if text.is_empty() {
        return no("it is empty, write 7d or 1h30m");
    }
    let (mut rest, mut next_unit, mut total) = (text, 0, 0_u64);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        let (number, unit) = (&rest[..digits], &rest[digits..unit_end]);
        if number.is_empty() {
            return no("a whole number comes first, write 7d or 1h30m");
        }
        if unit.is_empty() {
            return no(&format!("{number} of what? write {number}s, {number}m, {number}h or {number}d"));
        }
        let Some(index) = UNITS.iter().position(|(name, _)| *name == unit) else {
            return no(&format!("`{unit}` is no unit, the units are ms s m h d w y"));
        };
        if index < next_unit {
            return no("the larger unit comes first, each once, as in 1h30m");
        }
        let Some(sum) = number.parse::<u64>().ok().and_then(|n| n.checked_mul(UNITS[index].1)).and_then(|ms| total.checked_add(ms)) else {
            return no("it is too long");
        };
        (rest, next_unit, total) = (&rest[unit_end..], index + 1, sum);
    }
    // Prometheus counts in signed nanoseconds.
    if total > i64::MAX.unsigned_abs() / 1_000_000 {
        return no("it is too long");
    }
    Ok(Duration::from_millis(total))
}

/// For a duration in values; none for null.
///
/// # Errors
/// As [`parse`].
pub fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    Option::<Text>::deserialize(deserializer)?.map(|text| parse(&text).map_err(D::Error::custom)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_prometheus_reads() {
        for (text, seconds) in [
            ("7d", 604_800),
            ("1h30m", 5400),
            ("2w", 1_209_600),
            ("1y", 31_536_000),
            ("1y2w3d4h5m6s", 33_019_506),
            ("90s", 90),
            ("007d", 604_800),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("1s500ms"), Ok(Duration::from_millis(1500)));
    }

    #[test]
    fn refuses_in_plain_words() {
        for (text, words) in [
            ("", "it is empty"),
            ("7", "7 of what?"),
            ("7 d", "` d` is no unit"),
            ("-7d", "a whole number comes first"),
            ("1.5h", "`.` is no unit"),
            ("30m1h", "the larger unit comes first"),
            ("1m1m", "each once"),
            ("d", "a whole number comes first"),
            ("7days", "`days` is no unit"),
            ("1M", "`M` is no unit"),
            ("999999999999999999999y", "too long"),
            ("999y", "too long"),
            ("\u{663}d", "a whole number comes first"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
