//! Another image for single processes, and `IMAGE_TAG` where the chart has set it by the old one: nothing else of the release changes.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::announce::{self, DeployMessage};
use super::deadline;
use super::handle::Handle;
use super::image::require_tag;
use super::lease::Doing;
use super::lock::{Busy, hold};
use super::rollout;
use super::signature::Guard;
use crate::error::{Error, Result};
use crate::images::{self, tags};
use crate::model::app::{App, ProcKind};
use crate::model::image::{ImageReference, repository_in};
use crate::model::name::nearest;
use crate::session::Session;
use crate::tools::helm::USUAL;
use crate::ui::printable;

/// The variable that the chart tells a container its tag by.
const IMAGE_TAG: &str = "IMAGE_TAG";

/// What is to be updated, and how.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// The processes.
    pub procs: Vec<String>,
    /// The newest tag in the registry, in place of HEAD's.
    pub deduce: bool,
    /// Follow until everything is ready, for so long; none: end once the cluster took it.
    pub wait: Option<Duration>,
}

/// A process in the cluster, and what of it gets another image.
struct Goal {
    /// `deployment/dummy-web`
    object: String,
    /// Each container with its image after the change.
    images: Vec<(String, String)>,
    /// The tag before.
    before: Option<String>,
    /// The change, where a container is told its tag too: `kubectl set image` alone would leave that as it was, and a second change would start all pods twice.
    patch: Option<Json>,
}

/// Gives the processes another image.
///
/// # Errors
/// There is no such process, or none of its containers runs the app's image; the registry does not have the image; another run is at work; the server
/// refuses; or what is waited for does not become ready.
pub(crate) fn update(session: &Session, wanted: &Wanted) -> Result<()> {
    let app = session.app()?;
    let kinds = wanted.procs.iter().map(|name| kind_of(app, name)).collect::<Result<Vec<_>>>()?;
    let handle = Handle::of_app(session)?;
    let most = wanted.wait.unwrap_or(USUAL.timeout);
    hold(&handle, Doing::Image, most, Busy::usual(&handle, deadline::within(session, most)), |lock| {
        lock.enter()?;
        update_locked(&handle, wanted, &kinds)
    })
}

fn update_locked(handle: &Handle<'_>, wanted: &Wanted, kinds: &[ProcKind]) -> Result<()> {
    let session = handle.session;
    let (ui, app) = (&session.ui, session.app()?);
    let history = handle.history()?;
    let newest = history.last().ok_or_else(|| Error::failed(format!("release {} is not deployed", handle.name)).hint("lain deploy"))?;
    handle.refuse_others(newest)?;
    let selector = handle.selector(app);
    let list: Json = handle.kubectl.select("deployments,statefulsets,cronjobs", &selector)?;
    let found = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut tag = if wanted.deduce { None } else { Some(session.image_tag()?.to_owned()) };
    let guard = Guard::of(session, false)?;
    let mut goals = vec![];
    for (name, kind) in wanted.procs.iter().zip(kinds.iter().copied()) {
        let full = format!("{}-{name}", handle.name);
        let pushed = pushed(session, app, name)?;
        let tag = match &tag {
            Some(tag) => tag.clone(),
            None => tag.insert(newest_in(session, &pushed)?).clone(),
        };
        require_tag(session, &pushed, &tag, &format!("lain deploy --set {}.{name}.imageTag=", kind.key()))?;
        let is_it = |object: &&Json| {
            object["metadata"]["name"] == full.as_str()
                && object["kind"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(kind.resource()))
        };
        let missing = || Error::failed(format!("{} {full} is not deployed", kind.resource())).hint("lain deploy");
        let object = found.iter().find(is_it).ok_or_else(missing)?;
        let image = ImageReference { tag: Some(tag.clone()), ..ImageReference::parse(&pushed)? };
        let image = guard.as_ref().map_or_else(|| Ok(image.clone()), |guard| guard.verified(&image))?;
        goals.push(goal(session, object, &format!("{}/{full}", kind.resource()), &pushed, &tag, image.digest)?);
    }
    let mut follower = rollout::follower(session, &handle.kubectl, &selector)?;
    follower.start_from_now()?;
    let mut changed = false;
    for goal in &goals {
        if goal.before.as_deref() == tag.as_deref() {
            ui.say(&format!("{} runs that image already", goal.object));
            continue;
        }
        match &goal.patch {
            Some(patch) => handle.kubectl.patch(&goal.object, patch)?,
            None => handle.kubectl.set_image(&goal.object, goal.images.clone())?,
        }
        changed = true;
        for (container, image) in &goal.images {
            ui.say(&printable(&format!("{}: {container} runs {image} from now on", goal.object)));
        }
    }
    if !changed {
        ui.done("nothing changed");
        return Ok(());
    }
    let message = DeployMessage {
        action: "update-image",
        release: format!("{} ({})", handle.name, wanted.procs.join(", ")),
        tag: tag.unwrap_or_default(),
        previous_tag: goals.iter().find_map(|goal| goal.before.clone()),
        ..DeployMessage::default()
    };
    announce::tell(session, &message)?;
    if let Some(timeout) = wanted.wait {
        rollout::until_ready(session, &mut follower, timeout)?;
    }
    ui.done(&format!("updated {}", wanted.procs.join(", ")));
    ui.hint("lain deploy # sets all processes to one image again");
    Ok(())
}

/// The kind of a process that runs for ever, or again and again.
fn kind_of(app: &App, name: &str) -> Result<ProcKind> {
    let fits = |kind: &ProcKind| matches!(kind, ProcKind::Deployment | ProcKind::StatefulSet | ProcKind::CronJob);
    let known: Vec<&str> = app.procs().filter(|(kind, _, _)| fits(kind)).map(|(_, known, _)| known).collect();
    match app.procs().find(|(_, known, _)| *known == name) {
        Some((kind, _, _)) if fits(&kind) => Ok(kind),
        Some((kind, _, _)) => Err(Error::usage(format!("`{name}` is a {}: it has run, and its image does not change", kind.resource()))
            .hint("lain deploy # runs it again")),
        None => {
            let error = Error::usage(format!("there is no proc `{name}`; there are {}", known.join(", ")));
            Err(error.hint(format!("lain update-image {}", nearest(name, known.iter().copied()).unwrap_or("PROC"))))
        }
    }
}

/// Where the image of a process is pushed to.
fn pushed(session: &Session, app: &App, name: &str) -> Result<String> {
    let proc = app.procs().find(|(_, known, _)| *known == name).map(|(_, _, proc)| proc);
    match proc.and_then(|proc| proc.build.as_deref()) {
        Some(build) => images::plan(session, Some(build))?.repository(session),
        None => session.repository(),
    }
}

fn newest_in(session: &Session, repository: &str) -> Result<String> {
    let newest = tags::newest(session, repository, 1)?;
    newest.into_iter().next().ok_or_else(|| Error::failed(format!("{repository} has no image of a commit")).hint("lain build --push"))
}

/// What of an object runs the app's own image, and is to run another tag of it, by this digest where there is one.
fn goal(session: &Session, object: &Json, name: &str, pushed: &str, tag: &str, digest: Option<String>) -> Result<Goal> {
    let inner = session.cluster()?.internal_registry.as_deref().map(|inner| {
        let last = pushed.rsplit('/').next().unwrap_or(pushed);
        repository_in(inner, last)
    });
    let scheduled = object.pointer("/spec/jobTemplate/spec/template/spec");
    let pod = scheduled.or_else(|| object.pointer("/spec/template/spec")).unwrap_or(&Json::Null);
    let mut goal = Goal { object: name.to_owned(), images: vec![], before: None, patch: None };
    let (mut changes, mut is_told) = (json!({}), false);
    for (key, container) in
        ["initContainers", "containers"].into_iter().flat_map(|key| pod[key].as_array().into_iter().flatten().map(move |it| (key, it)))
    {
        let (Some(called), Some(image)) = (container["name"].as_str(), container["image"].as_str()) else { continue };
        let Ok(image) = ImageReference::parse(image) else { continue };
        if image.name() == pushed || inner.as_ref().is_some_and(|inner| image.name() == *inner) {
            // One that has the tag already does not hide another that has not.
            if goal.before.is_none() || image.tag.as_deref() != Some(tag) {
                goal.before = Some(image.tag.clone().or_else(|| image.digest.clone()).unwrap_or_default());
            }
            let mut change = json!({"name": called});
            let tells =
                |it: &Json| it["name"] == IMAGE_TAG && it["value"].as_str().is_some_and(|value| image.tag.as_deref() == Some(value));
            if container["env"].as_array().into_iter().flatten().any(tells) {
                is_told = true;
                change["env"] = json!([{"name": IMAGE_TAG, "value": tag}]);
            }
            let new = ImageReference { tag: Some(tag.to_owned()), digest: digest.clone(), ..image };
            change["image"] = new.to_string().into();
            if let Some(list) = changes.as_object_mut().and_then(|all| all.entry(key).or_insert(json!([])).as_array_mut()) {
                list.push(change);
            }
            goal.images.push((called.to_owned(), new.to_string()));
        }
    }
    if goal.images.is_empty() {
        let why = format!("no container of {name} runs {pushed}: an image of others is not lain's to update");
        return Err(Error::refused(why)
            .hint("lain version # what runs")
            .hint("lain deploy # after a change of `image` in chart/values.yaml"));
    }
    let template = json!({"spec": {"template": {"spec": changes}}});
    goal.patch = is_told.then(|| if scheduled.is_some() { json!({"spec": {"jobTemplate": template}}) } else { template });
    Ok(goal)
}
