//! `lain admin cleanup-reviews`: reviews whose merge request is closed or merged go.

use clap::Args;
use serde::Serialize;

use super::Question;
use crate::error::{Error, Kind, Result};
use crate::http::gitlab::Request;
use crate::model::name::is_label;
use crate::release::review::{self, Review};
use crate::session::Session;
use crate::tools::quote::quoted;
use crate::ui::{Answer, Format, Table};

/// What the template `review` calls the review of a merge request, before its number.
const OF_REQUEST: &str = "mr-";

/// Delete the reviews whose merge request is closed or merged, as `lain delete --review` does; shows them first, and asks
#[derive(Args, Debug)]
#[command(
    after_help = "  lain admin cleanup-reviews --dry-run\n  lain admin cleanup-reviews --app shop --project team/shop --yes\n\nA review `mr-12` is that of merge request 12, as the template `review` names it; others stay.\nGITLAB_API_TOKEN needs the scope `read_api`: a job's own token may not read merge requests."
)]
pub(super) struct CleanupReviews {
    /// The app that the reviews are of; this folder's without one
    #[arg(long, value_name = "APP")]
    app: Option<String>,
    /// The project that the merge requests are in; this pipeline's without one
    #[arg(long, value_name = "GROUP/PROJECT")]
    project: Option<String>,
    /// Only show what would go
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Do not ask; needed where there is no terminal
    #[arg(long)]
    yes: bool,
}

impl CleanupReviews {
    pub(super) fn run(&self, session: &Session) -> Result<()> {
        let app = match &self.app {
            Some(app) => app.clone(),
            None => super::app_here(session, &["lain admin cleanup-reviews --app APP # without a checkout"])?.appname.to_string(),
        };
        if !is_label(&app) {
            return Err(Error::usage(format!("`{app}` is no app name")));
        }
        let kubectl = session.kubectl()?;
        let found = review::all(session, &app)?;
        let mut answer = Reviews { version: 1, reviews: self.judged(session, found)? };
        let count = answer.going().count();
        let is_text = session.ui.format() == Format::Text;
        if is_text {
            session.ui.answer(&answer)?;
        }
        if count == 0 {
            let words = match answer.reviews.len() {
                0 => format!("{app} has no reviews in namespace {}", kubectl.namespace()),
                1 => format!("{app} has 1 review, of no merge request that is closed"),
                many => format!("{app} has {many} reviews, none of them of a merge request that is closed"),
            };
            if answer.reviews.is_empty() {
                super::nothing_in(session, &kubectl, &words)?;
            } else {
                session.ui.say(&words);
            }
        }
        if self.dry_run || count == 0 {
            return if is_text { Ok(()) } else { session.ui.answer(&answer) };
        }
        self.agree(session, count)?;
        let failed = delete(session, &app, &mut answer);
        if !is_text {
            session.ui.answer(&answer)?;
        }
        failed.map_or(Ok(()), Err)
    }

    /// Each with what becomes of it.
    fn judged(&self, session: &Session, found: Vec<Review>) -> Result<Vec<OfReview>> {
        let numbered = |review: &Review| review.name.strip_prefix(OF_REQUEST)?.parse::<u64>().ok();
        if found.iter().all(|review| numbered(review).is_none()) {
            return Ok(found.into_iter().map(|review| OfReview::new(review, None, None)).collect()); // GitLab has nothing to say of them
        }
        let project = self.project.as_deref().or_else(|| session.env.get("CI_PROJECT_PATH")).map(str::to_owned);
        let project = project.ok_or_else(|| {
            Error::usage("which project are the merge requests in? This is no pipeline (CI_PROJECT_PATH)")
                .hint("lain admin cleanup-reviews --project GROUP/PROJECT")
        })?;
        let gitlab = session.gitlab()?;
        let mut judged = vec![];
        for review in found {
            let number = numbered(&review);
            let state = match number {
                Some(number) => gitlab.state(&Request { project: project.clone(), number })?,
                None => None,
            };
            judged.push(OfReview::new(review, number, state));
        }
        Ok(judged)
    }

    fn agree(&self, session: &Session, count: usize) -> Result<()> {
        let reviews = if count == 1 { "this review".to_owned() } else { format!("these {count} reviews") };
        let question = format!("delete {reviews}, with their Secrets and the data of their volumes?");
        let app = self.app.iter().map(|app| format!(" --app {app}"));
        let project = self.project.iter().map(|project| format!(" --project {}", quoted(project)));
        let again: String = ["lain admin cleanup-reviews".to_owned()].into_iter().chain(app).chain(project).collect();
        Question::of_deletion(&question, &format!("{again} --yes # deletes those listed above as `goes`"))
            .agreed(session, self.yes)
            .map(drop)
    }
}

/// One that fails does not stop the rest; the first failure.
fn delete(session: &Session, app: &str, answer: &mut Reviews) -> Option<Error> {
    let mut first = None;
    let (mut done, mut failed) = (0, 0);
    for it in answer.reviews.iter_mut().filter(|it| it.outcome == Outcome::Goes) {
        match review::delete(session, app, &it.review, false) {
            Ok(_) => {
                done += 1;
                it.outcome = Outcome::Deleted;
            }
            Err(error) if error.kind() == Kind::Interrupted => return Some(error),
            Err(error) => {
                failed += 1;
                it.outcome = Outcome::Failed;
                session.ui.warn(&format!("review {} stays: {error}", it.review));
                first.get_or_insert(error);
            }
        }
    }
    let reviews = |count: usize| if count == 1 { "review" } else { "reviews" };
    if done > 0 {
        session.ui.done(&format!("deleted {done} {} of {app}", reviews(done)));
    }
    first.map(|error| error.context(format!("{failed} {} of {app} could not be deleted", reviews(failed))))
}

#[derive(Serialize)]
struct Reviews {
    version: u32,
    reviews: Vec<OfReview>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OfReview {
    review: String,
    release: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    merge_request: Option<u64>,
    /// As GitLab says it; none where it does not know the merge request.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Stays,
    Goes,
    Deleted,
    Failed,
}

impl OfReview {
    fn new(review: Review, merge_request: Option<u64>, state: Option<String>) -> Self {
        let goes = state.as_deref().is_some_and(|state| matches!(state, "closed" | "merged"));
        let outcome = if goes { Outcome::Goes } else { Outcome::Stays };
        Self { review: review.name, release: review.release, merge_request, state, outcome }
    }
}

impl Reviews {
    fn going(&self) -> impl Iterator<Item = &OfReview> {
        self.reviews.iter().filter(|it| it.outcome == Outcome::Goes)
    }
}

impl Answer for Reviews {
    fn text(&self) -> String {
        if self.reviews.is_empty() {
            return String::new();
        }
        let mut table = Table::new(["REVIEW", "RELEASE", "MERGE REQUEST", ""]);
        for it in &self.reviews {
            let request = match (it.merge_request, &it.state) {
                (Some(number), Some(state)) => format!("!{number} {state}"),
                (Some(number), None) => format!("!{number} is not there, or may not be seen"),
                (None, _) => "its name tells of none".to_owned(),
            };
            let outcome = if it.outcome == Outcome::Goes { "goes" } else { "stays" };
            table.row([it.review.clone(), it.release.clone(), request, outcome.to_owned()]);
        }
        table.narrow(&[0, 1, 2]);
        table.to_string().trim_end().to_owned()
    }
}
