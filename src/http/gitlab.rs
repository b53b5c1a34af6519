//! GitLab's REST API, version 4: what a pipeline asks of merge requests. <https://docs.gitlab.com/api/rest/>.

use std::cell::Cell;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use ureq::http::StatusCode;

use super::client::{Client, Method, Trust, trusted};
use super::failure::{Failure, Trouble};
use super::proxy::Proxies;
use super::reply::Reply;
use super::retry::is_passing;
use super::url::{encode, host_of, is_same_origin, next_query};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::ui::{Ui, printable};

/// The longest one try may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Tries of what may be asked twice (on 429, 5xx and broken connections), and the wait before the second; it doubles.
const TRIES: (u32, Duration) = (4, Duration::from_millis(500));
/// Most pages of a list.
const PAGES: usize = 100;
/// How to get a token that may.
const TOKEN: &str = "export GITLAB_API_TOKEN=... # a project access token with scope `api` and role Developer; where nothing is written `read_api` and Reporter do (Settings > Access tokens), as a masked variable in Settings > CI/CD";
/// How to say where GitLab is.
const ADDRESS: &str =
    "export CI_API_V4_URL=https://gitlab.example.com/api/v4 # or `gitlab: https://gitlab.example.com` in the cluster values";

/// Whose rights count.
enum Token {
    /// `GITLAB_API_TOKEN`: a person's, a project's or a group's.
    Access(String),
    /// `CI_JOB_TOKEN`, which may do little.
    Job(String),
}

/// GitLab, for one user.
pub(crate) struct Gitlab {
    /// `https://gitlab.example.com/api/v4`.
    api: String,
    token: Token,
    /// For what may be sent twice.
    client: Client,
    /// For what may not.
    once: Client,
    /// The last no was one that passes: GitLab restarts, or was asked too often.
    passes: Cell<bool>,
}

/// A merge request: its project's path or number, and its own number there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// `group/project`, or the project's id.
    pub project: String,
    /// Its number in the project.
    pub number: u64,
}

/// An account.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub(crate) struct User {
    /// Its id.
    pub id: u64,
    /// Its login name.
    #[serde(default)]
    pub username: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// `active`, `blocked`, ...
    #[serde(default)]
    pub state: String,
    /// Its address, where it may be seen.
    #[serde(default)]
    pub public_email: Option<String>,
}

/// Somebody who wrote commits.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Contributor {
    /// As the commits have it.
    #[serde(default)]
    pub name: String,
    /// As the commits have it.
    #[serde(default)]
    pub email: String,
}

/// What is to be known of a merge request.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct MergeRequest {
    /// `opened`, `closed`, `locked`, `merged`.
    pub state: String,
    /// Where people look at it.
    #[serde(default)]
    pub web_url: String,
    /// Who made it.
    pub author: User,
    /// Who is to look at it.
    #[serde(default)]
    pub reviewers: Vec<User>,
    /// Whose it is.
    #[serde(default)]
    pub assignees: Vec<User>,
}

/// How a merge request stands with those who approve.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Approvals {
    /// All that is asked for is there.
    #[serde(default)]
    pub approved: bool,
    /// How many are missing; GitLab's free tier does not count.
    #[serde(default)]
    pub approvals_left: Option<u64>,
    /// Who did.
    #[serde(default)]
    pub approved_by: Vec<Approver>,
}

/// Who approved.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Approver {
    /// Their account.
    pub user: User,
}

/// A note on a merge request.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Note {
    /// Its id.
    pub id: u64,
    /// Markdown.
    #[serde(default)]
    pub body: String,
    /// GitLab's own.
    #[serde(default)]
    pub system: bool,
    /// Who wrote it.
    #[serde(default)]
    pub author: User,
}

/// A job of a pipeline.
#[derive(Clone, Debug, Deserialize)]
struct Job {
    name: String,
    #[serde(default)]
    web_url: String,
}

impl Request {
    /// The one that was named, else the one that this pipeline is of: `CI_MERGE_REQUEST_IID`, or the first of `CI_OPEN_MERGE_REQUESTS` in a branch's pipeline.
    ///
    /// # Errors
    /// Neither says.
    pub(crate) fn of(env: &Env, project: Option<&str>, number: Option<u64>) -> Result<Self> {
        let own = env.get("CI_MERGE_REQUEST_PROJECT_PATH").zip(env.get("CI_MERGE_REQUEST_IID").and_then(|number| number.parse().ok()));
        let open = || {
            let (project, number) = env.get("CI_OPEN_MERGE_REQUESTS")?.split(',').next()?.split_once('!')?;
            Some((project, number.parse().ok()?))
        };
        let (here, this) = own.or_else(open).unzip();
        let project = project.or(here).or_else(|| env.get("CI_PROJECT_PATH")).map(str::to_owned);
        match (project, number.or(this)) {
            (Some(project), Some(number)) => Ok(Self { project, number }),
            _ => Err(Error::usage("which merge request? This is no pipeline of one (CI_MERGE_REQUEST_IID)")
                .hint("name it: its project and its number, as in group/project 12")),
        }
    }

    fn path(&self) -> String {
        format!("{}/merge_requests/{}", project_path(&self.project), self.number)
    }
}

fn project_path(project: &str) -> String {
    format!("/projects/{}", encode(project).replace('/', "%2F"))
}

impl Gitlab {
    /// GitLab as the cluster's file names it, else where this pipeline runs; as whoever `GITLAB_API_TOKEN` is of, else as the job.
    ///
    /// # Errors
    /// Neither an address nor a token is known.
    pub(crate) fn of(env: &Env, ui: &Ui, address: Option<&str>) -> Result<Self> {
        let server = env.get("CI_SERVER_URL").map(|server| format!("{}/api/v4", server.trim_end_matches('/')));
        let own = env.get("CI_API_V4_URL").map(str::to_owned).or(server);
        let named = address.filter(|address| !address.is_empty()).map(|address| {
            let whole = if address.contains("://") { address.to_owned() } else { format!("https://{address}") };
            let base = whole.trim_end_matches('/').to_owned();
            if base.ends_with("/api/v4") { base } else { base + "/api/v4" }
        });
        let Some(api) = named.or_else(|| own.clone()) else {
            return Err(
                Error::usage("where is GitLab? This is no pipeline (CI_API_V4_URL), and the cluster values name none").hint(ADDRESS)
            );
        };
        let is_own = own.as_deref().is_some_and(|own| is_same_origin(own, &api));
        // The job's token is of the GitLab that runs the job, and goes to no other.
        let token = match (env.get("GITLAB_API_TOKEN"), env.get("CI_JOB_TOKEN").filter(|_| is_own)) {
            (Some(token), _) => Token::Access(token.to_owned()),
            (None, Some(token)) => Token::Job(token.to_owned()),
            (None, None) => return Err(Error::usage(format!("there is no token for GitLab at {}", host_of(&api))).hint(TOKEN)),
        };
        let (Token::Access(secret) | Token::Job(secret)) = &token;
        if secret.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(Error::usage("the token for GitLab has spaces or line ends in it").hint(TOKEN));
        }
        ui.hide(secret);
        let roots = || trusted(env.get("CI_SERVER_TLS_CA_FILE").filter(|_| is_own).and_then(|path| std::fs::read(path).ok()));
        let client = |tries| Client::trusting(&Proxies::of(env), TIMEOUT, tries, Trust { roots: roots(), ..Trust::default() });
        Ok(Self {
            client: client(TRIES),
            once: client((1, Duration::ZERO)),
            api: api.trim_end_matches('/').to_owned(),
            token,
            passes: Cell::new(false),
        })
    }

    /// Whether what failed last may go well later.
    pub(crate) fn may_pass(&self) -> bool {
        self.passes.get()
    }

    /// A merge request.
    ///
    /// # Errors
    /// GitLab refuses, knows of none, or does not answer; so with all below.
    pub(crate) fn merge_request(&self, request: &Request) -> Result<MergeRequest> {
        self.get(&request.path(), "read the merge request")
    }

    /// How a merge request stands: `opened`, `closed`, `locked`, `merged`; none where there is no such one, or this account may not see it.
    ///
    /// # Errors
    /// See [`Gitlab::merge_request`].
    pub(crate) fn state(&self, request: &Request) -> Result<Option<String>> {
        const DOING: &str = "read the merge request";
        let reply = self.ask(&request.path())?;
        // A job's token is told so of all that it may not read.
        if reply.status == StatusCode::NOT_FOUND && matches!(self.token, Token::Access(_)) {
            return Ok(None);
        }
        self.json::<MergeRequest>(&reply, DOING, false).map(|found| Some(found.state))
    }

    /// Its approvals.
    ///
    /// # Errors
    /// See [`Gitlab::merge_request`].
    pub(crate) fn approvals(&self, request: &Request) -> Result<Approvals> {
        self.get(&format!("{}/approvals", request.path()), "read the approvals")
    }

    /// The accounts that have to do with a project.
    ///
    /// # Errors
    /// See [`Gitlab::merge_request`].
    pub(crate) fn users(&self, project: &str) -> Result<Vec<User>> {
        self.list(&format!("{}/users", project_path(project)), "read the project's users")
    }

    /// Who wrote commits of a project.
    ///
    /// # Errors
    /// See [`Gitlab::merge_request`].
    pub(crate) fn contributors(&self, project: &str) -> Result<Vec<Contributor>> {
        self.list(&format!("{}/repository/contributors", project_path(project)), "read the project's contributors")
    }

    /// Sets who reviews a merge request, and whose it is; what is none stays.
    ///
    /// # Errors
    /// See [`Gitlab::merge_request`].
    pub(crate) fn assign(&self, request: &Request, reviewer: Option<u64>, assignee: Option<u64>) -> Result<()> {
        let mut body = json!({});
        for (key, id) in [("reviewer_ids", reviewer), ("assignee_ids", assignee)] {
            if let Some(id) = id {
                body[key] = json!([id]);
            }
        }
        self.put(&request.path(), &body, "assign the merge request")
    }

    /// Whether GitLab knows the token: that of a job by its job, another by its user.
    ///
    /// # Errors
    /// See [`Gitlab::merge_request`].
    pub(crate) fn check_token(&self) -> Result<()> {
        let path = if matches!(self.token, Token::Access(_)) { "/user" } else { "/job" };
        self.get::<Json>(path, "use the token").map(drop)
    }

    /// The same for those who wait: each request is made once, and may take so long.
    #[must_use]
    pub(crate) fn hurried(mut self, proxies: &Proxies, within: Duration) -> Self {
        self.client = Client::trusting(proxies, within, (1, Duration::ZERO), self.client.trust());
        self
    }

    /// Who asks; none where the token does not say.
    pub(crate) fn me(&self) -> Option<u64> {
        self.get::<User>("/user", "read the token's own user").ok().map(|user| user.id)
    }

    /// All notes of a merge request, oldest first.
    ///
    /// # Errors
    /// See [`Gitlab::merge_request`].
    pub(crate) fn notes(&self, request: &Request) -> Result<Vec<Note>> {
        self.list(&format!("{}/notes?sort=asc&order_by=created_at", request.path()), "read the notes")
    }

    /// Writes a note.
    ///
    /// # Errors
    /// See [`Gitlab::merge_request`]. With `true` it may have been written all the same.
    pub(crate) fn add_note(&self, request: &Request, text: &str) -> Result<(), (Error, bool)> {
        const DOING: &str = "write a note";
        let (url, body) = (self.url(&format!("{}/notes", request.path())), json!({"body": text}).to_string());
        match self.once.try_send(Method::PostJson(&body), &url, &[self.login()]) {
            Ok(reply) => {
                let unclear = reply.status.is_server_error();
                self.json::<Json>(&reply, DOING, true).map(drop).map_err(|error| (error, unclear))
            }
            Err(failure) => {
                let unclear = matches!(failure.trouble, Trouble::Broken | Trouble::Timeout);
                Err((self.unreached(failure), unclear))
            }
        }
    }

    /// Writes another text into a note.
    ///
    /// # Errors
    /// See [`Gitlab::merge_request`].
    pub(crate) fn change_note(&self, request: &Request, note: u64, text: &str) -> Result<()> {
        self.put(&format!("{}/notes/{note}", request.path()), &json!({"body": text}), "change the note")
    }

    /// Where people start the manual job of this name in a pipeline, if it waits there.
    ///
    /// # Errors
    /// See [`Gitlab::merge_request`].
    pub(crate) fn waiting_job(&self, project: &str, pipeline: &str, name: &str) -> Result<Option<String>> {
        let path = format!("{}/pipelines/{}/jobs?scope[]=manual", project_path(project), encode(pipeline));
        let jobs: Vec<Job> = self.list(&path, "read the pipeline's jobs")?;
        Ok(jobs.into_iter().find(|job| job.name == name).map(|job| job.web_url))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.api)
    }

    fn login(&self) -> (&'static str, &str) {
        match &self.token {
            Token::Access(token) => ("PRIVATE-TOKEN", token),
            Token::Job(token) => ("JOB-TOKEN", token),
        }
    }

    fn ask(&self, path: &str) -> Result<Reply> {
        self.client.try_send(Method::Get, &self.url(path), &[self.login()]).map_err(|failure| self.unreached(failure))
    }

    fn get<T: DeserializeOwned>(&self, path: &str, doing: &str) -> Result<T> {
        self.json(&self.ask(path)?, doing, false)
    }

    fn put(&self, path: &str, body: &Json, doing: &str) -> Result<()> {
        let (text, url) = (body.to_string(), self.url(path));
        let reply = self.client.try_send(Method::Put("application/json", &text), &url, &[self.login()]);
        self.json::<Json>(&reply.map_err(|failure| self.unreached(failure))?, doing, true).map(drop)
    }

    /// All pages of a list, as `Link` or `X-Next-Page` lead on. Of a link its query alone counts: a token goes to no other place.
    fn list<T: DeserializeOwned>(&self, path: &str, doing: &str) -> Result<Vec<T>> {
        let (path, fixed) = path.split_once('?').map_or((path, String::new()), |(path, query)| (path, format!("{query}&")));
        let mut query = format!("{fixed}per_page=100");
        let mut all = Vec::new();
        for _ in 0..PAGES {
            let reply = self.ask(&format!("{path}?{query}"))?;
            let page: Vec<T> = self.json(&reply, doing, false)?;
            if page.is_empty() {
                return Ok(all); // some lists name a next page for ever
            }
            all.extend(page);
            let linked = reply.headers.get_all("link").iter().find_map(|link| next_query(link.to_str().ok()?));
            let numbered = || reply.header("x-next-page").filter(|page| page.parse::<u32>().is_ok());
            let Some(next) = linked.or_else(|| numbered().map(|page| format!("{fixed}per_page=100&page={page}"))) else { return Ok(all) };
            if next == query {
                break;
            }
            query = next;
        }
        Err(Error::failed(format!("GitLab at {}: cannot {doing}: the list has no end", host_of(&self.api))))
    }

    /// What a reply holds.
    fn json<T: DeserializeOwned>(&self, reply: &Reply, doing: &str, writes: bool) -> Result<T> {
        if !reply.status.is_success() {
            return Err(self.refusal(reply, doing, writes));
        }
        serde_json::from_slice(&reply.body)
            .map_err(|_| Error::failed(format!("cannot {doing}: what answers at {} is not GitLab's API", self.api)).hint(ADDRESS))
    }

    /// A no, in GitLab's words, and what to do about it.
    fn refusal(&self, reply: &Reply, doing: &str, writes: bool) -> Error {
        self.passes.set(is_passing(reply.status));
        let (host, said) = (host_of(&self.api), said(reply));
        let because = if said.is_empty() { String::new() } else { format!(": {said}") };
        let error =
            |why: &str| Error::failed(format!("cannot {doing}: {why} (GitLab at {host} answered {}{because})", reply.status.as_u16()));
        let scope = if writes { "api" } else { "read_api" };
        match reply.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND if matches!(self.token, Token::Job(_)) => {
                error("a job's token (CI_JOB_TOKEN) may not do that").hint(TOKEN)
            }
            StatusCode::UNAUTHORIZED => error("the token in GITLAB_API_TOKEN is not known there, expired or revoked").hint(TOKEN),
            StatusCode::FORBIDDEN if said.contains("insufficient_scope") => {
                error(&format!("the token in GITLAB_API_TOKEN lacks the scope `{scope}`")).hint(TOKEN)
            }
            StatusCode::FORBIDDEN => error("the role of the token in GITLAB_API_TOKEN does not suffice in this project").hint(TOKEN),
            StatusCode::NOT_FOUND => error("it is not there, or the token in GITLAB_API_TOKEN may not see it")
                .hint("check project and number; a token of another project sees none of this one's merge requests"),
            StatusCode::CONFLICT => error("somebody else changed it at the same time").hint("run it again"),
            StatusCode::TOO_MANY_REQUESTS => {
                let wait = reply.header("retry-after").filter(|wait| wait.parse::<u32>().is_ok());
                let wait = wait.map_or_else(|| "a minute".to_owned(), |wait| format!("{wait} s"));
                error("it was asked too often").hint(format!("run it again in {wait}"))
            }
            status if status.is_server_error() => error("it is not well").hint("run it again later"),
            _ => error("it refuses"),
        }
    }

    fn unreached(&self, failure: Failure) -> Error {
        let trouble = failure.trouble;
        self.passes.set(matches!(trouble, Trouble::Refused | Trouble::Unreached | Trouble::Broken | Trouble::Timeout));
        let error = failure.into_error(&self.api);
        match trouble {
            Trouble::Interrupted => error,
            Trouble::Certificate => error
                .context("GitLab cannot be asked")
                .hint("export SSL_CERT_FILE=/path/to/ca.crt # or tls-ca-file in the runner's config.toml, which jobs see as CI_SERVER_TLS_CA_FILE"),
            Trouble::NoSuchHost | Trouble::Refused | Trouble::Unreached => error
                .context("GitLab cannot be asked")
                .hint(format!("curl -v {}/version # is it up? CI_API_V4_URL, or `gitlab` in the cluster values, says where it is", self.api)),
            _ => error.context("GitLab cannot be asked"),
        }
    }
}

/// What GitLab says with a no: `{"message": ...}`, `{"error": ..., "error_description": ...}`, or a line.
fn said(reply: &Reply) -> String {
    let body = String::from_utf8_lossy(&reply.body);
    let text = match serde_json::from_str::<Json>(&body) {
        Ok(json) => {
            let words = ["message", "error", "error_description"].into_iter().filter_map(|key| match &json[key] {
                Json::Null => None,
                Json::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            });
            words.collect::<Vec<_>>().join(", ")
        }
        Err(_) if body.trim_start().starts_with('<') => "a page of HTML".to_owned(),
        Err(_) => body.trim().to_owned(),
    };
    printable(&text).replace('\n', " ").chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Env {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_merge_request_of_this_pipeline() {
        let of = |pairs: &[(&str, &str)], project, number| {
            Request::of(&env(pairs), project, number).ok().map(|request| format!("{}!{}", request.project, request.number))
        };
        let own = [("CI_MERGE_REQUEST_PROJECT_PATH", "up/shop"), ("CI_MERGE_REQUEST_IID", "7"), ("CI_PROJECT_PATH", "fork/shop")];
        assert_eq!(of(&own, None, None).as_deref(), Some("up/shop!7"), "a fork's merge request is in the project it goes to");
        assert_eq!(of(&own, Some("a/b"), Some(3)).as_deref(), Some("a/b!3"));
        assert_eq!(of(&[("CI_OPEN_MERGE_REQUESTS", "up/shop!9,up/shop!8")], None, None).as_deref(), Some("up/shop!9"));
        assert_eq!(of(&[("CI_PROJECT_PATH", "up/shop")], None, None), None);
        assert_eq!(project_path("a/b c"), "/projects/a%2Fb%20c");
    }

    #[test]
    fn a_jobs_token_goes_to_its_own_gitlab_alone() {
        let pairs = [("CI_API_V4_URL", "https://gitlab.example.com/api/v4"), ("CI_JOB_TOKEN", "jobs")];
        let of = |pairs: &[(&str, &str)], address| Gitlab::of(&env(pairs), &Ui::default(), address);
        let own = of(&pairs, None).expect("known");
        assert_eq!((own.api.as_str(), own.login()), ("https://gitlab.example.com/api/v4", ("JOB-TOKEN", "jobs")));
        assert!(of(&pairs, Some("https://other.example.com")).is_err());
        let with = [&pairs[..], &[("GITLAB_API_TOKEN", "mine")]].concat();
        let other = of(&with, Some("other.example.com/git/")).expect("known");
        assert_eq!((other.api.as_str(), other.login()), ("https://other.example.com/git/api/v4", ("PRIVATE-TOKEN", "mine")));
        assert!(of(&[("GITLAB_API_TOKEN", "mine")], None).is_err(), "no address");
        assert!(of(&[("GITLAB_API_TOKEN", "a b"), pairs[0]], None).is_err(), "no header");
    }
}
