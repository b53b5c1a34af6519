//! `lain wait-mr-approval`: until a merge request has its approvals.

use std::time::{Duration, Instant};

use clap::Args;

use super::Command;
use crate::error::{Error, Result};
use crate::globals;
use crate::http::gitlab::{Approvals, Request};
use crate::interrupt;
use crate::release::deadline;
use crate::session::Session;

/// Wait until a GitLab merge request is approved; merged counts, closed fails
#[derive(Args, Debug)]
#[command(
    after_help = "  lain wait-mr-approval # in a merge request's pipeline\n  lain wait-mr-approval $CI_PROJECT_PATH $CI_MERGE_REQUEST_IID --timeout 30m\n\n\
                              GITLAB_API_TOKEN needs the scope `read_api`. It ends a minute before the runner would end the job."
)]
pub struct WaitMrApproval {
    /// The project, by path or id; this pipeline's when not given
    project: Option<String>,
    /// The merge request's number in the project
    number: Option<u64>,
    /// Longest time: 10m, 1h30m, or seconds
    #[arg(long, default_value = "1h", value_name = "TIME", value_parser = globals::timeout)]
    timeout: Duration,
}

/// What lies between two looks, as in the older tool.
const PAUSE: Duration = Duration::from_secs(5);

impl Command for WaitMrApproval {
    fn run(self, session: &Session) -> Result<()> {
        let request = Request::of(&session.env, self.project.as_deref(), self.number)?;
        let gitlab = session.gitlab()?;
        let name = format!("{}!{}", request.project, request.number);
        let (timeout, started) = (deadline::within(session, self.timeout), Instant::now());
        let mut told = None;
        loop {
            let looked = gitlab.merge_request(&request).and_then(|found| match found.state.as_str() {
                "merged" | "closed" => Ok((found, None)),
                _ => Ok((found, Some(gitlab.approvals(&request)?))),
            });
            let is_time = started.elapsed() + PAUSE <= timeout;
            let (found, approvals) = match looked {
                // GitLab restarts: those who wait for people do not end for that. Where it never answered, something else is wrong.
                Err(error) if told.is_some() && is_time && gitlab.may_pass() => {
                    session.ui.warning(&error);
                    interrupt::sleep(PAUSE)?;
                    continue;
                }
                looked => looked?,
            };
            let Some(approvals) = approvals else {
                if found.state == "closed" {
                    return Err(Error::failed(format!("{name} is closed: nobody will approve it")).hint(found.web_url));
                }
                session.ui.done(&format!("{name} is merged"));
                return Ok(());
            };
            if approvals.approved {
                session.ui.done(&format!("{name} is approved{}", by(&approvals)));
                return Ok(());
            }
            let missing = missing(&approvals);
            if !is_time {
                let error = Error::failed(format!("{name} was not approved within {} s: {missing}", timeout.as_secs())).hint(found.web_url);
                return Err(deadline::explain(session, self.timeout, error));
            }
            if told.as_ref() != Some(&missing) {
                session.ui.say(&format!("{name} waits: {missing}"));
                told = Some(missing);
            }
            interrupt::sleep(PAUSE)?;
        }
    }
}

fn by(approvals: &Approvals) -> String {
    let names: Vec<&str> =
        approvals.approved_by.iter().map(|approver| approver.user.username.as_str()).filter(|name| !name.is_empty()).collect();
    if names.is_empty() { String::new() } else { format!(" by {}", names.join(", ")) }
}

fn missing(approvals: &Approvals) -> String {
    let missing = match approvals.approvals_left {
        Some(1) => "1 approval is missing".to_owned(),
        Some(count) if count > 1 => format!("{count} approvals are missing"),
        _ => "an approval is missing".to_owned(),
    };
    let by = by(approvals);
    if by.is_empty() { missing } else { format!("{missing}, approved{by}") }
}
