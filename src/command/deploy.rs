//! `lain deploy`: the app, as its values say, running in the cluster.

use std::time::Duration;

use clap::Args;
use serde_json::Value as Json;

use crate::command::deploy_values::{HelmValues, given_tag};
use crate::command::lint::Lint;
use crate::command::tags;
use crate::error::{Error, Kind, Result};
use crate::images;
use crate::interrupt;
use crate::model::app::{App, ProcKind};
use crate::model::image::ImageReference;
use crate::model::version::Version;
use crate::release::announce::{self, DeployMessage};
use crate::release::deployed::Deployed;
use crate::release::{links, mend, pending, rollout, secrets};
use crate::session::Session;
use crate::tools::helm::{Helm, Revision};
use crate::tools::kubectl::Kubectl;
use crate::ui::{Answer, Format, Surface, TEXT};
use crate::values::parse::read_file;

/// Shortest time given to helm and to the rollout.
const MIN_TIMEOUT: Duration = Duration::from_secs(300);

/// Deploy the app to the chosen cluster
#[derive(Args, Debug, Default)]
#[command(after_help = "  lain deploy --build\n  lain deploy --set imageTag=TAG   # lain tags lists them\n  lain deploy --dry-run")]
pub struct Deploy {
    /// A value on top of all files; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Build and push the image first when the registry does not have it
    #[arg(long, conflicts_with = "dry_run")]
    build: bool,
    /// Wait until everything is ready; always so in CI
    #[arg(long)]
    wait: bool,
    /// Print what would be sent to the cluster, change nothing
    #[arg(long)]
    dry_run: bool,
    /// A whole image, REPOSITORY:TAG or REPOSITORY@sha256:DIGEST, instead of a tag
    #[arg(long, value_name = "REF")]
    image: Option<String>,
    /// Return to the last good release when the deploy fails
    #[arg(long)]
    rollback_on_failure: bool,
    /// Longest time for helm and for the rollout, in seconds
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// The tag that runs now, for `lain redeploy`; skips lint
    #[arg(skip)]
    pub(super) same_tag: Option<String>,
}

impl Deploy {
    /// The shapes of its result.
    pub fn formats(&self) -> &'static [Format] {
        if self.dry_run { TEXT } else { Deployed::FORMATS }
    }

    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
        let choice = session.require_cluster()?;
        if self.build && session.globals.ignore_lint {
            return Err(Error::usage("--build and --ignore-lint do not go together: what is not checked is not built")
                .hint("lain build --push && lain deploy --ignore-lint"));
        }
        self.refuse_foreign_build(session, &choice.name)?;
        session.git().remote_url()?; // a missing git is said before anything is done
        if !session.globals.ignore_lint && self.same_tag.is_none() {
            Lint::simple().run(session)?;
        }
        let app = session.app()?;
        let release = app.release();
        let (helm, kubectl) = (session.helm()?, session.kubectl()?);
        let server = warn_of_skew(session, &kubectl)?;
        if self.dry_run {
            return self.dry_run(session, &helm, &kubectl, app);
        }
        let history = Self::refuse_stuck(session, &helm, &kubectl, release)?;
        let checksum = secrets::ensure(&session.ui, &kubectl, app)?;
        let (tag, mut values) = self.values(session, &checksum)?;
        let id = run_id();
        values.add(pending::ID, id.clone());
        values.add(pending::TIMEOUT, self.most(session)?.as_secs().to_string());
        self.ensure_image(session, app, &tag)?;
        label_nodes(&kubectl, app, release)?;
        delete_finished_jobs(&kubectl, app, release)?;
        let selector = rollout::selector(&app.appname, release);
        let before = generations(&kubectl, &selector)?;
        let ways = session.layers()?.credentials(&session.dir);
        let current = mend::current(&history);
        let known = match current {
            Some(revision) => mend::mend(&session.ui, &kubectl, release, revision, server, &left_to_hpas(session, app, release), &ways)?,
            None => mend::Known::default(),
        };
        let suspect = known.holds_credentials || history.last().is_some_and(|newest| Some(newest.revision) != current);
        mend::forget_credentials(&session.ui, &kubectl, release, suspect, &ways)?;
        let previous_tag = match known.image_tag.clone() {
            None if !history.is_empty() => {
                helm.values(release, None, false)?.and_then(|values| values["imageTag"].as_str().map(str::to_owned))
            }
            tag => tag,
        };
        let mut message =
            DeployMessage { action: "deploy", release: release.to_owned(), tag: tag.clone(), previous_tag, ..DeployMessage::default() };
        let newest = history.last().map_or(0, |newest| newest.revision);
        let left = || pending::left_by_deploy(&kubectl, release, &id, newest);
        let outcome = self.apply(session, &helm, &kubectl, (release, &known), &values, &selector);
        if outcome.as_ref().is_err_and(|error| error.kind() == Kind::Interrupted) {
            session.ui.say(&left().words(release)); // in one line: what a Ctrl-C leaves behind
            return outcome;
        }
        let outcome = outcome.map_err(|error| left().advise(error));
        message.failure = outcome.as_ref().err().map(ToString::to_string);
        announce::send(session, &message.render(session)?, false)?;
        outcome?;
        session.ui.done(&format!("deployed {release} with image tag {tag} to cluster {}", choice.name));
        if message.previous_tag.as_deref() == Some(tag.as_str()) && generations(&kubectl, &selector)? == before {
            session.ui.say("the image and the chart are as before, so no pod was replaced");
            session.ui.hint("lain restart");
        }
        if app.tests.as_ref().is_some_and(|tests| !tests.is_empty()) {
            self.run_tests(session, &helm, release)
                .map_err(|error| if error.kind() == Kind::Failed { left().advise(error) } else { error })?;
        }
        self.tell(session, app, release, &tag)
    }

    /// What would be sent, from the same values; nothing is created, built or mended on the way.
    fn dry_run(&self, session: &Session, helm: &Helm<'_>, kubectl: &Kubectl<'_>, app: &App) -> Result<()> {
        let (_, values) = self.values(session, &secrets::current_checksum(kubectl, app)?)?;
        let out = self.upgrade(session, helm, app.release(), &values)?.arg("--dry-run").read().map_err(|error| {
            let unreadable = error.tool().is_some_and(|tool| tool.says("current release manifest"));
            if unreadable { error.hint("lain deploy # mends helm's record of the release first, then upgrades") } else { error }
        })?;
        session.ui.result(&String::from_utf8_lossy(&out.stdout))
    }

    /// The helm values, and the tag in them.
    fn values(&self, session: &Session, checksum: &str) -> Result<(String, HelmValues)> {
        let reference = self.image.as_deref().map(ImageReference::parse).transpose()?;
        let given = match (&reference, &self.same_tag) {
            (Some(reference), _) => Some(
                reference
                    .tag
                    .clone()
                    .or_else(|| reference.digest.as_ref().map(|digest| digest.replace(':', "-")))
                    .unwrap_or_else(|| "latest".into()),
            ),
            (None, Some(tag)) => Some(tag.clone()),
            (None, None) => given_tag(&self.set)?,
        };
        let tag = match given {
            Some(tag) => tag,
            None => session.image_tag()?.to_owned(),
        };
        let mut values = HelmValues::gather(session, &self.set, Some(&tag))?;
        values.add("secretsChecksum", checksum.to_owned());
        if let Some(reference) = &reference {
            values.add("imageRef", reference.to_string());
        }
        Ok((tag, values))
    }

    /// `build` differs by cluster but not the name: two clusters would fight over one tag.
    fn refuse_foreign_build(&self, session: &Session, cluster: &str) -> Result<()> {
        let path = session.dir.join(format!("chart/values-{cluster}.yaml"));
        if !self.build || !path.is_file() {
            return Ok(());
        }
        let node = read_file(&path)?;
        match (node.get("build"), node.get("appname")) {
            (Some(build), None) => Err(build
                .span
                .error(format!("chart/values-{cluster}.yaml overrides `build` but not `appname`: the image of this cluster would have the same name and tag as every other cluster's, and --build would take another's for it"))
                .hint("lain build --deploy # always builds")),
            _ => Ok(()),
        }
    }

    /// The release's history, when a deploy can go on from it.
    fn refuse_stuck(session: &Session, helm: &Helm<'_>, kubectl: &Kubectl<'_>, release: &str) -> Result<Vec<Revision>> {
        let history = helm.history(release)?;
        let Some(newest) = history.last().filter(|newest| pending::is_under_way(&newest.status)) else {
            return Ok(history);
        };
        pending::refuse(kubectl, release, newest)?;
        let back = super::rollback::target(&history);
        if !session.globals.auto_pilot {
            let error = Error::refused(format!(
                "release {release} is stuck in {} (revision {}, {}): a run before was cut off",
                newest.status, newest.revision, newest.updated
            ));
            let by_hand =
                if back.is_some() { "lain rollback # then deploy again" } else { "lain delete # nothing ran before it; then deploy again" };
            return Err(error.hint(by_hand).hint("lain deploy --auto-pilot # does both"));
        }
        session.ui.warn(&format!("release {release} is stuck in {}; going back first", newest.status));
        match back {
            Some(revision) => super::rollback::back_to(session, helm, kubectl, release, newest.revision, revision)?,
            // Nothing ever ran: the half-made first release goes.
            None => helm.change(&["uninstall"], MIN_TIMEOUT, MIN_TIMEOUT)?.operand(release).run()?,
        }
        helm.history(release)
    }

    /// The registry must have the image, or it is built, or the ways on are listed.
    fn ensure_image(&self, session: &Session, app: &App, tag: &str) -> Result<()> {
        let ours = app.procs().any(|(_, _, proc)| proc.image.is_none() && proc.image_tag.is_none() && proc.build.is_none());
        if session.globals.ignore_lint || !ours {
            return Ok(());
        }
        let repository = session.repository()?;
        let (registry, wanted) = match &self.image {
            Some(image) => {
                let reference = ImageReference::parse(image)?;
                let wanted = reference.digest.clone().or(reference.tag.clone()).unwrap_or_else(|| "latest".to_owned());
                (session.registry_of(&reference.name())?, wanted)
            }
            None => (session.registry_of(&repository)?, tag.to_owned()),
        };
        if crate::model::image::is_tag(&wanted) || wanted.contains(':') {
            if registry.digest(&wanted)?.is_some() {
                return Ok(());
            }
        } else {
            return Err(Error::usage(format!("`{wanted}` cannot be an image tag: letters, digits, `_`, `.` and `-`, 128 at most"))
                .hint("lain tags"));
        }
        let is_head = self.image.is_none() && tag == session.image_tag()?;
        if is_head && (self.build || session.globals.auto_pilot) {
            for plan in images::plans(session)? {
                plan.make(session, &images::Options::default(), images::Goal::Push)?;
            }
            return Ok(());
        }
        let newest = tags::newest(session, &repository, 5)?;
        let mut error = Error::refused(format!(
            "image {}:{tag} is not in the registry",
            self.image.as_deref().map_or(repository.as_str(), |image| image)
        ));
        if !newest.is_empty() {
            error = error.hint(format!(
                "one of the newest tags:\n{}",
                newest.iter().map(|tag| format!("        lain deploy --set imageTag={tag}")).collect::<Vec<_>>().join("\n")
            ));
        }
        Err(error.hint("lain deploy --build # builds and pushes HEAD's image, then deploys it"))
    }

    fn upgrade<'s>(&self, session: &Session, helm: &Helm<'s>, release: &str, values: &HelmValues) -> Result<crate::tools::call::Call<'s>> {
        let call = helm.change(&["upgrade", "--install"], self.timeout(session)?, self.most(session)?)?;
        let mut call = call.operands([release, "chart"]).options(values.flags());
        if self.goes_back(session)? {
            call = call.arg(helm.rollback_flag()?);
        }
        Ok(call)
    }

    /// The longest job, at least five minutes.
    fn timeout(&self, session: &Session) -> Result<Duration> {
        if let Some(seconds) = self.timeout {
            return Ok(Duration::from_secs(seconds));
        }
        let jobs = session.app()?.procs().filter(|(kind, _, _)| *kind == ProcKind::Job);
        let longest = jobs.map(|(_, _, proc)| proc.active_deadline_seconds.unwrap_or(3600)).max();
        Ok(longest.map_or(MIN_TIMEOUT, |seconds| Duration::from_secs(seconds).max(MIN_TIMEOUT)))
    }

    fn goes_back(&self, session: &Session) -> Result<bool> {
        Ok(self.rollback_on_failure || session.cluster()?.rollback_on_failure.unwrap_or(false))
    }

    /// What helm may take in all: `--timeout`, else what its hooks may take one after another; the same again where it goes back by itself.
    fn most(&self, session: &Session) -> Result<Duration> {
        let timeout = self.timeout(session)?;
        let hooks = session.app()?.procs().filter(|(kind, _, proc)| {
            *kind == ProcKind::Job && proc.annotations.as_ref().is_some_and(|annotations| annotations["helm.sh/hook"].is_string())
        });
        let hooks = Duration::from_secs(hooks.map(|(_, _, proc)| proc.active_deadline_seconds.unwrap_or(3600)).sum());
        let once = if self.timeout.is_some() { timeout } else { timeout.max(hooks) };
        Ok(if self.goes_back(session)? { once * 2 } else { once })
    }

    fn apply(
        &self,
        session: &Session,
        helm: &Helm<'_>,
        kubectl: &Kubectl<'_>,
        (release, known): (&str, &mend::Known),
        values: &HelmValues,
        selector: &str,
    ) -> Result<()> {
        let mut follower = rollout::Follower::new(&session.ui, kubectl, selector);
        follower.start_from_now()?;
        {
            let _section = session.ui.section("helm_upgrade", &format!("helm upgrade --install {release}"));
            let call = self.upgrade(session, helm, release, values)?.args(known.flags().iter().copied());
            // helm says nothing while hooks run: what happens in the cluster is told meanwhile.
            let out = std::thread::scope(|scope| {
                let helm = scope.spawn(|| call.capture());
                while !helm.is_finished() {
                    if interrupt::sleep(rollout::PAUSE).is_err() {
                        break; // helm got the signal too and winds up
                    }
                    if !helm.is_finished() {
                        let _ = follower.step(); // helm's own error says more
                    }
                }
                helm.join().unwrap_or_else(|_| Err(Error::failed("helm could not be watched")))
            })?;
            session.ui.raw(out.stderr.as_bytes());
            session.ui.detail(&String::from_utf8_lossy(&out.stdout));
            if !out.ok() {
                show_failed_jobs(session, kubectl, selector);
                return Err(call.failure(out.code, &out.stderr));
            }
        }
        // helm's tests ask the new pods, so these must be ready first.
        let tests = session.app()?.tests.as_ref().is_some_and(|tests| !tests.is_empty());
        if self.wait || tests || session.env.is_ci() || session.ui.surface() == Surface::Terminal {
            let _section = session.ui.section("rollout", &format!("rollout of {release}"));
            follower.until_ready(self.timeout(session)?)?;
        }
        Ok(())
    }

    fn run_tests(&self, session: &Session, helm: &Helm<'_>, release: &str) -> Result<()> {
        let _section = session.ui.section("helm_test", &format!("helm test {release}"));
        let timeout = self.timeout(session)?;
        let tests = session.app()?.tests.as_ref().map_or(1, |tests| tests.len().max(1));
        let out = helm.change(&["test", "--logs"], timeout, timeout * u32::try_from(tests).unwrap_or(1))?.operand(release).capture()?;
        session.ui.raw(&out.stdout);
        if out.ok() {
            return Ok(());
        }
        session.ui.raw(out.stderr.as_bytes());
        Err(Error::failed(format!("release {release} is deployed, but its tests fail")).hint("lain logs"))
    }

    fn tell(&self, session: &Session, app: &App, release: &str, tag: &str) -> Result<()> {
        let cluster = session.cluster()?;
        let urls = links::urls(app, cluster);
        if session.ui.format() != Format::Text {
            return session.ui.answer(&Deployed {
                version: 1,
                release: release.to_owned(),
                cluster: session.cluster_name(),
                image_tag: tag.to_owned(),
                urls,
                executor: session.env.executor(),
            });
        }
        for url in urls {
            session.ui.say(&format!("url: {url}"));
        }
        for (kind, name, _) in app.procs().filter(|(kind, _, _)| matches!(kind, ProcKind::Deployment | ProcKind::StatefulSet)) {
            session.ui.say(&format!("log of {} {name}: lain logs {name}", kind.resource()));
        }
        links::grafana(app, cluster).iter().for_each(|link| session.ui.say(&format!("grafana: {link}")));
        links::kibana(app, cluster).iter().for_each(|link| session.ui.say(&format!("kibana: {link}")));
        if !self.wait && !session.env.is_ci() && session.ui.surface() != Surface::Terminal {
            session.ui.hint("lain wait # until everything is ready");
        }
        Ok(())
    }
}

/// Tells this deploy from every other.
fn run_id() -> String {
    format!("{:x}-{:x}", jiff::Timestamp::now().as_nanosecond(), std::process::id())
}

/// The server's version. kubectl works within one minor version of it; more is said, not refused.
fn warn_of_skew(session: &Session, kubectl: &Kubectl<'_>) -> Result<Option<Version>> {
    let versions = kubectl.versions()?;
    let Some(server) = versions.server else {
        // `version` hides why; any question gives the reason.
        let _: Json = kubectl.answer(&kubectl.question(["get", "--raw", "/version"])).or_else(|_| kubectl.get("namespaces"))?;
        return Ok(None);
    };
    if versions.client.major == server.major && versions.client.minor.abs_diff(server.minor) > 1 {
        session.ui.warn(&format!("kubectl {} and the server's {server} are more than one minor version apart", versions.client));
    }
    Ok(Some(server))
}

/// The Deployments whose replicas the chart leaves to an HPA; an older chart that still writes them leaves none.
fn left_to_hpas(session: &Session, app: &App, release: &str) -> Vec<String> {
    let template = std::fs::read_to_string(session.dir.join("chart/templates/deployment.yaml")).unwrap_or_default();
    if !template.contains("hpa") || template.contains("$deployment.replicaCount") {
        return vec![];
    }
    let autoscaled = app.deployments.iter().flatten().filter(|(_, proc)| proc.as_ref().is_some_and(|proc| proc.hpa.is_some()));
    autoscaled.map(|(name, _)| format!("{release}-{name}")).collect()
}

fn label_nodes(kubectl: &Kubectl<'_>, app: &App, release: &str) -> Result<()> {
    for (_, name, proc) in app.procs() {
        for node in proc.nodes.iter().flatten() {
            kubectl.change(["label", "node", "--overwrite"]).operand(&**node).operand(format!("{release}-{name}=true")).run()?;
        }
    }
    Ok(())
}

/// A Job cannot be changed in place; a finished one of the deploy before makes way. One that still runs is left to helm to refuse.
fn delete_finished_jobs(kubectl: &Kubectl<'_>, app: &App, release: &str) -> Result<()> {
    for (_, name, _) in app.procs().filter(|(kind, _, _)| *kind == ProcKind::Job) {
        let job = format!("{release}-{name}");
        let Some(object) = kubectl.find("job", &job)? else { continue };
        let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
        let finished = conditions
            .into_iter()
            .any(|condition| matches!(condition["type"].as_str(), Some("Complete" | "Failed")) && condition["status"] == "True");
        if finished {
            kubectl.change(["delete", "job", "--ignore-not-found"]).operand(&job).run()?;
        }
    }
    Ok(())
}

/// Which templates the workloads have now: changes when pods will be replaced.
fn generations(kubectl: &Kubectl<'_>, selector: &str) -> Result<Vec<(String, u64)>> {
    let list: Json = kubectl.select("deployments,statefulsets", selector)?;
    let items = list["items"].as_array().into_iter().flatten();
    Ok(items
        .map(|item| {
            (item["metadata"]["name"].as_str().unwrap_or_default().to_owned(), item["metadata"]["generation"].as_u64().unwrap_or(0))
        })
        .collect())
}

fn show_failed_jobs(session: &Session, kubectl: &Kubectl<'_>, selector: &str) {
    let Ok(list) = kubectl.select::<Json>("jobs", selector) else { return };
    for job in list["items"].as_array().into_iter().flatten().filter(|job| job["status"]["failed"].as_u64().unwrap_or(0) > 0) {
        let name = job["metadata"]["name"].as_str().unwrap_or_default();
        if let Ok(out) = kubectl.question(["logs", "--tail", "50"]).operand(format!("job/{name}")).capture()
            && out.ok()
        {
            session.ui.say(&format!("the end of the log of job {name}:"));
            session.ui.say(&crate::ui::printable(&out.text()));
        }
    }
}
