//! What a job of CI is given: variables, tokens.

use super::{ANSWER, Finding};
use crate::error::{Error, Kind};
use crate::model::app::App;
use crate::model::cluster::Cluster;
use crate::session::Session;

/// Variables and tokens of this job.
pub(super) fn job(session: &Session) -> Vec<Finding> {
    if !session.env.is_ci() {
        return vec![Finding::unseen("this is no CI job")];
    }
    let mut found = missing(session);
    match session.gitlab() {
        // Another CI than GitLab's.
        Err(error) if error.kind() == Kind::Usage && !session.env.flag("GITLAB_CI") => {}
        Err(error) => found.push(Finding::warning(&error)),
        Ok(gitlab) => match gitlab.hurried(&session.proxies(), ANSWER).check_token() {
            Ok(()) => {}
            // Only what is asked of GitLab needs it.
            Err(error) => {
                found.push(if session.env.get("GITLAB_API_TOKEN").is_some() { Finding::bad(&error) } else { Finding::warning(&error) });
            }
        },
    }
    if found.is_empty() { vec![Finding::good("")] } else { found }
}

/// The variables that the values name, and that nobody gave to this job.
fn missing(session: &Session) -> Vec<Finding> {
    let authority = session.authority().ok();
    let app = if session.has_app() { session.app().ok() } else { None };
    let of_cluster = authority.into_iter().flat_map(Cluster::secret_variables);
    let of_app = app.into_iter().flat_map(App::secret_variables);
    let mut names: Vec<&str> = of_cluster.chain(of_app).filter(|name| session.env.get(name).is_none()).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return vec![];
    }
    let error = Error::failed(format!("the values name variables that this job does not have: {}", names.join(", ")));
    let error = error.hint(format!(
        "export {}=... # in GitLab: Settings > CI/CD > Variables; its environment scope is to hold this job's",
        names.first().copied().unwrap_or_default()
    ));
    let is_unprotected = session.env.get("CI_COMMIT_REF_PROTECTED") == Some("false");
    let branch = session.env.get("CI_COMMIT_REF_NAME").unwrap_or("this branch");
    vec![Finding::warning(&if is_unprotected {
        error.hint(format!("{branch} is not protected, so protected variables do not reach it: Settings > Repository > Protected branches"))
    } else {
        error
    })]
}
