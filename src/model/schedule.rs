//! Cron schedules as Kubernetes' `CronJob` takes them.
//!
//! The API server validates `spec.schedule` with `ParseStandard` of robfig/cron (version 1 up to Kubernetes 1.20, version 3
//! since), so the rules below are that parser's: five fields, or one of its `@` words. Both versions take the same texts but
//! for a time zone in front. `TZ=` and `CRON_TZ=`: 1.20 does not know them, 1.21 to 1.28 take them (with a warning since 1.25),
//! 1.29 and later refuse them on creation and point to `spec.timeZone`. They are refused here.

/// A field of a schedule: its name, its least and largest number, its words from the least number on.
struct Field {
    name: &'static str,
    min: u64,
    max: u64,
    words: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", min: 0, max: 59, words: &[] },
    Field { name: "hour", min: 0, max: 23, words: &[] },
    Field { name: "day of the month", min: 1, max: 31, words: &[] },
    Field { name: "month", min: 1, max: 12, words: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"] },
    Field { name: "day of the week", min: 0, max: 6, words: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
];

const DESCRIPTORS: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

/// Is this a schedule that every supported Kubernetes takes?
///
/// # Errors
/// Which field is off and why, in plain words: ``the day of the week `7` is above 6; Sunday is 0``.
pub fn check(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("the schedule is empty; five fields are wanted, such as `0 3 * * *`".to_owned());
    }
    // The server looks for the letters anywhere, not only in front.
    if text.contains("TZ") {
        return Err("a schedule names no time zone: Kubernetes 1.29 and later refuse TZ= and CRON_TZ= (it counts in UTC or the \
                    controller's own zone)"
            .to_owned());
    }
    if text.starts_with('@') {
        return descriptor(text);
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        let seconds = if fields.len() == 6 { " (there is no field for seconds or years)" } else { "" };
        return Err(format!("five fields are wanted (minute, hour, day, month, day of the week), found {}{seconds}", fields.len()));
    }
    fields.iter().zip(&FIELDS).try_for_each(|(text, field)| field.check(text).map_err(|why| format!("the {} `{text}` {why}", field.name)))
}

impl Field {
    /// A list of ranges. Empty parts between commas are skipped, as the server does.
    fn check(&self, text: &str) -> Result<(), String> {
        text.split(',').filter(|part| !part.is_empty()).try_for_each(|part| self.check_range(part))
    }

    /// `A`, `A-B`, `*` or `?`, each with `/STEP`. After `*` a hyphen and what follows it is ignored, as the server does.
    fn check_range(&self, text: &str) -> Result<(), String> {
        let mut slashes = text.split('/');
        let mut ends = slashes.next().unwrap_or_default().split('-');
        let (first, last) = (ends.next().unwrap_or_default(), ends.next());
        let (start, end) = if matches!(first, "*" | "?") {
            (self.min, self.max)
        } else {
            let start = self.number(first)?;
            (start, last.map_or(Ok(start), |last| self.number(last))?)
        };
        if !matches!(first, "*" | "?") && ends.next().is_some() {
            return Err("has more than one `-` in a range".to_owned());
        }
        let step = slashes.next();
        if slashes.next().is_some() {
            return Err("has more than one `/`".to_owned());
        }
        if let Some(step) = step {
            match number(step) {
                Some(0) => return Err("steps by 0; a step is 1 or more".to_owned()),
                Some(_) => {}
                None => return Err(format!("has `{step}` for a step, which is no number")),
            }
        }
        // `A/STEP` runs from A to the end.
        let end = if step.is_some() && last.is_none() { self.max } else { end };
        if start < self.min {
            return Err(format!("is below {}", self.min));
        }
        if end > self.max {
            let sunday = if self.max == 6 && end == 7 { "; Sunday is 0" } else { "" };
            return Err(format!("is above {}{sunday}", self.max));
        }
        if start > end {
            return Err(format!("runs backwards: {start} comes after {end}"));
        }
        Ok(())
    }

    fn number(&self, text: &str) -> Result<u64, String> {
        let word = text.to_lowercase();
        if let Some(at) = self.words.iter().position(|known| *known == word) {
            return Ok(self.min + at as u64);
        }
        number(text).ok_or_else(|| match (text, self.words) {
            ("", _) => "has a range with an end missing".to_owned(),
            (_, []) => format!("is no number from {} to {}", self.min, self.max),
            (_, words) => format!("is no number from {} to {} and no name such as {}", self.min, self.max, words[0].to_uppercase()),
        })
    }
}

/// Go's `strconv.Atoi` for numbers that are not negative: a plus sign may stand in front.
fn number(text: &str) -> Option<u64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse::<i64>().ok()?.unsigned_abs();
    (!text.starts_with('-') || number == 0).then_some(number)
}

fn descriptor(text: &str) -> Result<(), String> {
    if let Some(every) = text.strip_prefix("@every ") {
        return if is_go_duration(every) { Ok(()) } else { Err(format!("`{every}` after @every is no duration; write it like 1h30m")) };
    }
    if DESCRIPTORS.contains(&text) {
        return Ok(());
    }
    Err(format!("`{text}` is none of {}, @every DURATION", DESCRIPTORS.join(", ")))
}

/// Go's `time.ParseDuration`: an optional sign, then numbers with a unit each; `0` alone needs none.
fn is_go_duration(text: &str) -> bool {
    const UNITS: [(&str, u128); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("\u{b5}s", 1_000),
        ("\u{3bc}s", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    if rest.is_empty() {
        return false;
    }
    let digits_of = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let whole = &rest[..digits_of(rest)];
        rest = &rest[whole.len()..];
        let mut fraction = "";
        if let Some(after) = rest.strip_prefix('.') {
            fraction = &after[..digits_of(after)];
            rest = &after[fraction.len()..];
        }
        if whole.is_empty() && fraction.is_empty() {
            return false;
        }
        let unit = &rest[..rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len())];
        rest = &rest[unit.len()..];
        let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else { return false };
        let Ok(number) = (if whole.is_empty() { Ok(0) } else { whole.parse::<u64>() }) else { return false };
        // Digits beyond the 18th of a fraction are below a nanosecond.
        let kept = &fraction[..fraction.len().min(18)];
        let part = kept.parse::<u128>().unwrap_or(0) * scale / 10_u128.pow(u32::try_from(kept.len()).unwrap_or(0));
        total += u128::from(number) * scale + part;
        if total > 1 << 63 {
            return false;
        }
    }
    negative || total < 1 << 63
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_the_server_takes() {
        for text in [
            "* * * * *",
            "*/5 0-6,18-23 1,15 JAN-mar mon-FRI",
            "? ? ? ? ?",
            "5/10 * * * *",
            "0\t3  * * 0",
            "+5 007 1 1 *",
            "@daily",
            "@every 1h30m",
            "@every .5h",
            "@every -1s",
            "1,,2 * * * *",
            "*-9/2 * * * *",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn says_which_field_and_why() {
        for (text, words) in [
            ("", "empty"),
            (" ", "found 0"),
            ("* * * *", "found 4"),
            ("0 * * * * *", "no field for seconds"),
            ("60 * * * *", "the minute `60` is above 59"),
            ("* 24 * * *", "the hour `24` is above 23"),
            ("* * 0 * *", "the day of the month `0` is below 1"),
            ("* * * 13 *", "the month `13` is above 12"),
            ("* * * * 7", "Sunday is 0"),
            ("* * * * funday", "no name such as SUN"),
            ("*/0 * * * *", "steps by 0"),
            ("*/x * * * *", "`x` for a step"),
            ("30-10 * * * *", "runs backwards"),
            ("1-2-3 * * * *", "more than one `-`"),
            ("1/2/3 * * * *", "more than one `/`"),
            ("5- * * * *", "an end missing"),
            ("99999999999999999999 * * * *", "is no number"),
            ("TZ=Asia/Shanghai 0 3 * * *", "1.29"),
            ("@dayly", "none of @yearly"),
            ("@every", "none of @yearly"),
            ("@every 1 day", "no duration"),
            ("@every 999999999999h", "no duration"),
        ] {
            let why = check(text).expect_err(text);
            assert!(why.contains(words), "{text}: {why}");
        }
    }
}
