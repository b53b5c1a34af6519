//! Schedules of cronjobs, as Kubernetes takes them: robfig/cron's standard parser, which the API server validates with.

use super::duration;

struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    words: &'static [&'static str],
}

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const FIELDS: [Field; 5] = [
    Field { name: "minute", least: 0, most: 59, words: &[] },
    Field { name: "hour", least: 0, most: 23, words: &[] },
    Field { name: "day of the month", least: 1, most: 31, words: &[] },
    Field { name: "month", least: 1, most: 12, words: MONTHS },
    Field { name: "weekday", least: 0, most: 6, words: DAYS },
];

const DESCRIPTORS: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

/// Is this a schedule?
///
/// # Errors
/// Which field is wrong, and why, in plain words.
pub fn check(text: &str) -> Result<(), String> {
    if text.starts_with("TZ=") || text.starts_with("CRON_TZ=") {
        // Never official; refused by the API server since 1.29.
        return Err(format!("`{text}`: a schedule names no time zone; Kubernetes 1.29 and newer refuse it"));
    }
    if let Some(every) = text.strip_prefix("@every ") {
        return match duration::parse(every.trim()) {
            Ok(time) if time.as_secs() >= 1 => Ok(()),
            _ => Err(format!("`{text}`: after @every comes a duration such as 1h30m")),
        };
    }
    if text.starts_with('@') {
        let known = DESCRIPTORS.contains(&text);
        return if known { Ok(()) } else { Err(format!("`{text}` is none of {}, @every 1h30m", DESCRIPTORS.join(", "))) };
    }
    let parts: Vec<&str> = text.split_whitespace().collect();
    if parts.len() != FIELDS.len() {
        return Err(format!("`{text}` is no schedule: it has {} fields, and needs five: minute hour day month weekday", parts.len()));
    }
    FIELDS.iter().zip(parts).try_for_each(|(field, part)| {
        part.split(',').try_for_each(|range| field.check(range)).map_err(|why| format!("`{text}`: {} `{part}`: {why}", field.name))
    })
}

impl Field {
    fn check(&self, range: &str) -> Result<(), String> {
        let (range, step) = match range.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (range, None),
        };
        if let Some(step) = step {
            match step.parse::<u32>() {
                Ok(0) => return Err("a step of 0 never ends".to_owned()),
                Ok(_) => {}
                Err(_) => return Err(format!("`{step}` is no step")),
            }
        }
        if range == "*" || range == "?" {
            return Ok(());
        }
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (self.number(first)?, self.number(last)?);
        if first > last {
            return Err(format!(
                "{range} begins after it ends; write {}-{},{}-{}",
                range.split('-').next().unwrap_or_default(),
                self.most,
                self.least,
                range.rsplit('-').next().unwrap_or_default()
            ));
        }
        Ok(())
    }

    fn number(&self, text: &str) -> Result<u32, String> {
        if let Some(index) = self.words.iter().position(|word| text.eq_ignore_ascii_case(word)) {
            return Ok(u32::try_from(index).unwrap_or_default() + self.least);
        }
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("`{text}` is no number"));
        }
        match text.parse::<u32>() {
            Ok(number) if (self.least..=self.most).contains(&number) => Ok(number),
            Ok(7) if self.most == 6 => Err("weekdays are 0 (Sunday) to 6; write 0 for 7".to_owned()),
            _ => Err(format!("{text} is outside {}-{}", self.least, self.most)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_ones() {
        for text in
            ["0 17 * * *", "*/5 * * * *", "0 0 1,15 * MON-fri", "0-30/10 0/2 ? jan-MAR 0", "@daily", "@every 1h30m", "  5 4 * * sun  "]
        {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn bad_ones_say_why() {
        for (text, why) in [
            ("0 25 * * *", "`0 25 * * *`: hour `25`: 25 is outside 0-23"),
            ("* * *", "`* * *` is no schedule: it has 3 fields, and needs five: minute hour day month weekday"),
            ("0 0 * * 7", "`0 0 * * 7`: weekday `7`: weekdays are 0 (Sunday) to 6; write 0 for 7"),
            ("*/0 * * * *", "`*/0 * * * *`: minute `*/0`: a step of 0 never ends"),
            ("0 22-6 * * *", "`0 22-6 * * *`: hour `22-6`: 22-6 begins after it ends; write 22-23,0-6"),
            ("a * * * *", "`a * * * *`: minute `a`: `a` is no number"),
            ("@noon", "`@noon` is none of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, @every 1h30m"),
            ("@every soon", "`@every soon`: after @every comes a duration such as 1h30m"),
            ("CRON_TZ=UTC 0 0 * * *", "`CRON_TZ=UTC 0 0 * * *`: a schedule names no time zone; Kubernetes 1.29 and newer refuse it"),
        ] {
            assert_eq!(check(text), Err(why.to_owned()));
        }
        assert!(check("").is_err() && check("1,,2 * * * *").is_err() && check("-1 * * * *").is_err() && check("+1 * * * *").is_err());
    }
}
