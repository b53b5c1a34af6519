//! `lain assign-mr`: somebody to review a merge request, and somebody whose it is.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};

use clap::Args;
use serde::Serialize;

use super::Command;
use crate::error::{Error, Result};
use crate::http::gitlab::{Contributor, Request, User};
use crate::session::Session;
use crate::ui::{Answer, Format};

/// Give a GitLab merge request a reviewer and an assignee, at random among those who wrote commits, never its author
#[derive(Args, Debug)]
#[command(after_help = "  lain assign-mr # in a merge request's pipeline\n  lain assign-mr $CI_PROJECT_PATH $CI_MERGE_REQUEST_IID\n\n\
                              GITLAB_API_TOKEN needs the scope `api`. Whom it has already stays, unless the account is active no more.")]
pub struct AssignMr {
    /// The project, by path or id; this pipeline's when not given
    project: Option<String>,
    /// The merge request's number in the project
    number: Option<u64>,
}

impl Command for AssignMr {
    const FORMATS: &'static [Format] = Assigned::FORMATS;

    fn run(self, session: &Session) -> Result<()> {
        let request = Request::of(&session.env, self.project.as_deref(), self.number)?;
        let gitlab = session.gitlab()?;
        let found = gitlab.merge_request(&request)?;
        let has = |users: &[User]| users.iter().find(|user| user.state == "active").cloned();
        let (reviewer, assignee) = (has(&found.reviewers), has(&found.assignees));
        let answer = match (reviewer, assignee) {
            (Some(reviewer), Some(assignee)) => {
                session.ui.say(&format!("{}!{} has a reviewer and an assignee already", request.project, request.number));
                Assigned { version: 1, reviewer: reviewer.username, assignee: assignee.username, changed: false }
            }
            (reviewer, assignee) => {
                let (users, contributors) = (gitlab.users(&request.project)?, gitlab.contributors(&request.project)?);
                let mut left = candidates(users, &contributors, &found.author);
                let taken: Vec<u64> = reviewer.iter().chain(&assignee).map(|user| user.id).collect();
                let nobody = || {
                    Error::failed(format!(
                        "nobody in {} can be asked: no active account but the author's has commits in it",
                        request.project
                    ))
                    .hint(format!("glab mr update {} --reviewer NAME --assignee NAME", request.number))
                };
                let mut choose = |has: &Option<User>| match has {
                    Some(user) => Ok(user.clone()),
                    None => draw(&mut left, &taken).ok_or_else(nobody),
                };
                let (new_reviewer, new_assignee) = (choose(&reviewer)?, choose(&assignee)?);
                let id = |had: &Option<User>, user: &User| had.is_none().then_some(user.id);
                gitlab.assign(&request, id(&reviewer, &new_reviewer), id(&assignee, &new_assignee))?;
                Assigned { version: 1, reviewer: new_reviewer.username, assignee: new_assignee.username, changed: true }
            }
        };
        session.ui.answer(&answer)
    }
}

/// The active accounts of those who wrote commits, without the author's.
fn candidates(users: Vec<User>, contributors: &[Contributor], author: &User) -> Vec<User> {
    let wrote: BTreeSet<&str> = contributors.iter().flat_map(|one| [&*one.name, &*one.email]).filter(|name| !name.is_empty()).collect();
    let is_one = |user: &User| {
        let names = [Some(&*user.name), Some(&*user.username), user.public_email.as_deref()];
        names.into_iter().flatten().any(|name| wrote.contains(name))
    };
    let is_author = |user: &User| user.id == author.id || user.username == author.username;
    users.into_iter().filter(|user| user.state == "active" && !is_author(user) && is_one(user)).collect()
}

/// Somebody of these at random, and of the others the next time, as long as there are others.
fn draw(left: &mut Vec<User>, taken: &[u64]) -> Option<User> {
    let others: Vec<usize> = (0..left.len()).filter(|at| !taken.contains(&left[*at].id)).collect();
    let from = if others.is_empty() { (0..left.len()).collect() } else { others };
    let count = u64::try_from(from.len()).ok().filter(|count| *count > 0)?;
    let at = from[usize::try_from(RandomState::new().build_hasher().finish() % count).ok()?];
    Some(if left.len() > 1 { left.swap_remove(at) } else { left[at].clone() })
}

/// Who it is.
#[derive(Serialize)]
struct Assigned {
    version: u32,
    reviewer: String,
    assignee: String,
    /// It was not so before.
    changed: bool,
}

impl Answer for Assigned {
    fn text(&self) -> String {
        format!("reviewer: {}\nassignee: {}", self.reviewer, self.assignee)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_are_asked_where_there_are_two() {
        let user = |id: u64| User { id, ..User::default() };
        for _ in 0..50 {
            let mut left = vec![user(1), user(2)];
            let (one, other) = (draw(&mut left, &[]).expect("one"), draw(&mut left, &[]).expect("another"));
            assert_ne!(one.id, other.id);
            let mut left = vec![user(1), user(2)];
            assert_eq!(draw(&mut left, &[1]).expect("the other").id, 2);
        }
        let mut left = vec![user(1)];
        assert_eq!((draw(&mut left, &[]).map(|user| user.id), draw(&mut left, &[1]).map(|user| user.id)), (Some(1), Some(1)));
        assert!(draw(&mut vec![], &[]).is_none());
    }
}
