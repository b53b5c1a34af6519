//! What is said of a rollout while it is followed, and of its end.

use std::time::Duration;

use crate::cluster::follow::{End, Event, Follower, Wall};
use crate::cluster::judge::{Progress, Trouble, View};
use crate::cluster::look::Selected;
use crate::error::{Error, Result};
use crate::tools::kubectl::Kubectl;
use crate::ui::{Ui, printable};

/// Follows what `selector` selects, a line for whatever changes.
pub(crate) fn follower<'a>(ui: &'a Ui, kubectl: &'a Kubectl<'a>, selector: &'a str) -> Follower<'a> {
    Follower::new(Selected::new(kubectl, selector), &Wall, |event| ui.say(&line(event)))
}

/// Follows until everything is ready, something cannot become ready, or time is up. Returns what there was at the end.
///
/// # Errors
/// As [`until_ready`].
pub(crate) fn follow(ui: &Ui, kubectl: &Kubectl<'_>, selector: &str, timeout: Duration) -> Result<View> {
    until_ready(ui, &mut follower(ui, kubectl, selector), timeout)
}

/// Follows on until everything is ready.
///
/// # Errors
/// Something cannot become ready (the pod's own words and the end of its log are shown), it takes too long, or the server does not answer.
pub(crate) fn until_ready(ui: &Ui, follower: &mut Follower<'_>, timeout: Duration) -> Result<View> {
    match follower.until_the_end(timeout)? {
        End::Ready(view) => Ok(view),
        End::Stuck { trouble, log } => {
            if let Some(log) = log {
                ui.say(&format!("the end of the log of {}:", trouble.pod));
                ui.say(&log);
            }
            Err(stuck(&trouble))
        }
        End::Late(waiting) => {
            let waiting: Vec<String> = waiting.iter().map(|it| format!("{} {}/{}", it.name, it.ready, it.wanted)).collect();
            Err(Error::failed(format!("not ready after {} s: {}", timeout.as_secs(), waiting.join(", "))).hint("lain status -s"))
        }
    }
}

fn line(event: &Event) -> String {
    match event {
        Event::Workload(Progress { name, ready, wanted, .. }) => format!("{name}: {ready}/{wanted} ready"),
        Event::Job { name, state } => format!("job/{name}: {state}"),
        Event::Trouble(trouble) => format!("pod/{}: {}", trouble.pod, trouble.reason),
    }
}

fn stuck(trouble: &Trouble) -> Error {
    let words = if trouble.message.is_empty() { String::new() } else { format!(": {}", printable(&trouble.message)) };
    let error = Error::failed(format!("pod {} cannot become ready: {}{words}", trouble.pod, trouble.reason));
    match trouble.reason.as_str() {
        "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" => {
            error.hint("lain tags # is the image in the registry, and may the cluster pull it?")
        }
        "CrashLoopBackOff" => error.hint(format!("kubectl logs --previous {}", trouble.pod)),
        "Unschedulable" => error.hint("lower `resources.requests`, or ask for more nodes"),
        _ => error.hint(format!("kubectl describe pod {}", trouble.pod)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_has_its_line() {
        let progress = Progress { name: "deployment/a".into(), ready: 1, wanted: 2, new: 2, is_done: false };
        assert_eq!(line(&Event::Workload(progress)), "deployment/a: 1/2 ready");
        assert_eq!(line(&Event::Job { name: "j".into(), state: "done" }), "job/j: done");
        let trouble = |reason: &str, message: &str| Trouble {
            pod: "p".into(),
            container: None,
            reason: reason.into(),
            message: message.into(),
            grace: Duration::ZERO,
            is_crash: false,
        };
        assert_eq!(line(&Event::Trouble(trouble("Unschedulable", ""))), "pod/p: Unschedulable");
        assert_eq!(stuck(&trouble("Unschedulable", "")).to_string(), "pod p cannot become ready: Unschedulable");
        assert_eq!(stuck(&trouble("X", "a\u{1b}b")).to_string(), "pod p cannot become ready: X: a\\u{1b}b");
    }
}
