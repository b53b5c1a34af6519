//! The time of a pipeline's job: what waits ends by itself a minute before the runner would end it, so that there is time to go back and to say why.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::error::{Error, Kind, Result};
use crate::session::Session;
use crate::tools::helm::Limits;

/// What is kept of the job's time: helm's last steps, the webhook, the last lines.
const RESERVE: i64 = 60;
/// With less than that nothing is begun.
const LEAST: Duration = Duration::from_secs(10);
/// What to type where the time is short.
const RAISE: &str = "timeout: 1h # of the job in .gitlab-ci.yml, or Settings > CI/CD > General pipelines > Timeout";

/// What is left of the job's time; none where nobody bounds it.
pub(crate) fn left(session: &Session) -> Option<Duration> {
    Some(until(session.env.job_ends()?, Timestamp::now()))
}

fn until(ends: Timestamp, now: Timestamp) -> Duration {
    let seconds = ends.as_second().saturating_sub(now.as_second()).saturating_sub(RESERVE);
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// So long, and no longer than the job goes on.
pub(crate) fn within(session: &Session, most: Duration) -> Duration {
    left(session).map_or(most, |left| most.min(left).max(Duration::from_secs(1)))
}

/// Waits for so long, and no longer than the job goes on; an error says so where that ended it.
///
/// # Errors
/// Those of `wait`.
pub(crate) fn wait<T>(session: &Session, most: Duration, wait: impl FnOnce(Duration) -> Result<T>) -> Result<T> {
    let (time, begun) = (within(session, most), Instant::now());
    wait(time).map_err(|error| match session.env.job_ends() {
        Some(ends) if time < most && begun.elapsed() >= time && error.kind() == Kind::Failed => {
            let at = ends.strftime("%H:%M:%S UTC");
            error.context(format!("the runner ends this job at {at} (CI_JOB_TIMEOUT), and lain a minute before")).hint(RAISE)
        }
        _ => error,
    })
}

/// A change's limits within the job's time; where helm goes back by itself, half of it is for that.
pub(crate) fn limits(session: &Session, limits: Limits, goes_back: bool) -> Limits {
    let Some(left) = left(session) else { return limits };
    let once = if goes_back { left / 2 } else { left };
    let at_least = |time: Duration| time.max(Duration::from_secs(1)); // helm takes 0 for no limit
    Limits { timeout: at_least(limits.timeout.min(once)), most: at_least(limits.most.min(left)) }
}

/// Refuses to begin what cannot end in time; says so where the time is shorter than `usual`.
///
/// # Errors
/// The runner ends the job too soon.
pub(crate) fn require(session: &Session, usual: Duration) -> Result<()> {
    let (Some(ends), Some(left)) = (session.env.job_ends(), left(session)) else { return Ok(()) };
    let at = ends.strftime("%H:%M:%S UTC");
    if left < LEAST {
        return Err(Error::refused(format!("the runner ends this job at {at} (CI_JOB_TIMEOUT), too soon to begin: nothing was changed"))
            .hint(RAISE));
    }
    if left < usual {
        session.ui.say(&format!(
            "the runner ends this job at {at} (CI_JOB_TIMEOUT): {} s are left for this, which ends a minute before",
            left.as_secs()
        ));
    }
    Ok(())
}

/// The error of what ended early, with what to do about it.
pub(crate) fn explain(session: &Session, usual: Duration, error: Error) -> Error {
    if left(session).is_some_and(|left| left < usual) { error.hint(RAISE) } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_before_the_end() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let ends = at("2026-11-26T12:00:00Z");
        assert_eq!(until(ends, at("2026-11-26T11:00:00Z")), Duration::from_secs(3540));
        assert_eq!(until(ends, at("2026-11-26T11:59:30Z")), Duration::ZERO);
        assert_eq!(until(ends, at("2026-11-26T13:00:00Z")), Duration::ZERO);
    }
}
