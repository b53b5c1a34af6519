//! One image to the registries of all clusters, side by side.
//!
//! docker compresses a layer anew for each registry it pushes to, at some 10 MB/s and processor: four pushes at once take as long as their
//! processors need. Where processors stand idle meanwhile (the network is the bound), docker pushes to all of them at once. Where they do not,
//! docker pushes to one, and the others get what that one has then, compressed as it is.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::processors;
use crate::error::{Error, Kind, Result};
use crate::http::registry::Registry;
use crate::images::{ImageResult, Plan};
use crate::interrupt;
use crate::model::cluster::Cluster;
use crate::resolved::clusters::known_clusters;
use crate::session::Session;
use crate::tools::docker::Docker;

/// How long the processors are watched before they are judged.
const WATCH: Duration = Duration::from_millis(150);
/// How soon a change is noticed.
const GLANCE: Duration = Duration::from_millis(25);

/// Where a cluster pulls one of the app's images from.
pub(crate) struct Target {
    clusters: Vec<String>,
    /// What the administrator says of its registry.
    authority: Cluster,
    /// `REGISTRY/APP` as the clusters call it.
    pub repository: String,
}

impl Target {
    /// What the administrators say of its registry, and of signatures there.
    pub(crate) fn authority(&self) -> &Cluster {
        &self.authority
    }
}

/// Pushes the built image of a plan to the registry of every configured cluster, each registry once. What a cluster's values call the app
/// and the registry counts, `chart/values-CLUSTER.yaml` included.
///
/// # Errors
/// No cluster has values; the image was not built; one error names every registry that refused, after all of them were tried.
pub(crate) fn publish(session: &Session, plan: &Plan<'_>) -> Result<Vec<ImageResult>> {
    let docker = session.docker()?;
    docker.check()?;
    let built = plan.image(session)?;
    if !docker.has_image(&built)? {
        return Err(Error::failed(format!("{built} is not on this docker daemon")).hint("lain build --publish"));
    }
    let tag = session.image_tag()?;
    let targets = targets(session, plan)?;
    let mut images: Vec<(Target, String)> = targets
        .into_iter()
        .map(|target| {
            let image = format!("{}:{tag}", target.repository);
            (target, image)
        })
        .collect();
    images.sort_by_key(|(_, image)| *image != built); // the chosen cluster's own goes first, and leads
    let _section = session.ui.section("docker_publish", &format!("publish {tag} to {} registries", images.len()));
    let progress = session.ui.progress();
    let still = session.env.patience()?.registry;
    let lead = Lead::default();
    let outcomes: Vec<Result<Option<String>>> = std::thread::scope(|scope| {
        let count = images.len();
        let lead = &lead;
        if count > 1 {
            scope.spawn(move || lead.watch(count));
        }
        let first = &images[0].0;
        let pushes: Vec<_> = images
            .iter()
            .enumerate()
            .map(|(number, (target, image))| {
                let line = progress.add(&format!("push {image}"));
                let (docker, built, ui) = (&docker, &built, &session.ui);
                // Made here: a session stays on its thread.
                let ends = if number == 0 { None } else { ends(session, first, target).ok() };
                scope.spawn(move || {
                    let started = Instant::now();
                    let push = || push_one(docker, built, image);
                    let outcome = match ends {
                        _ if number == 0 => lead.follow(push()),
                        None => push(),
                        Some((from, to)) => lead.wait().and_then(|digest| {
                            let Some(digest) = digest else { return push() };
                            match from.copy(&digest, &to, tag, still) {
                                Ok(()) => Ok(Some(digest)),
                                Err(error) if error.kind() == Kind::Interrupted => Err(error),
                                Err(error) => {
                                    ui.detail(&format!("{image} cannot be copied from {}, so docker pushes it: {error}", first.repository));
                                    push()
                                }
                            }
                        }),
                    };
                    match &outcome {
                        Ok(_) => line.done(&format!(
                            "pushed {image} for {} ({:.1} s)",
                            target.clusters.join(", "),
                            started.elapsed().as_secs_f64()
                        )),
                        Err(error) => {
                            let reason = error.causes().last().map_or(error.message(), String::as_str);
                            line.failed(&format!("{image}: {}", reason.lines().last().unwrap_or_default()));
                        }
                    }
                    outcome
                })
            })
            .collect();
        pushes.into_iter().map(|push| push.join().unwrap_or_else(|_| Err(Error::failed("a push could not be waited for")))).collect()
    });
    gathered(plan, tag, &images, outcomes)
}

/// What was pushed; or one error that names every registry that refused.
fn gathered(plan: &Plan<'_>, tag: &str, images: &[(Target, String)], outcomes: Vec<Result<Option<String>>>) -> Result<Vec<ImageResult>> {
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for ((target, image), outcome) in images.iter().zip(outcomes) {
        match outcome {
            Ok(digest) => results.push(plan.result(image.clone(), tag, digest)),
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            Err(error) => errors.push((target, error)),
        }
    }
    match errors.len() {
        0 => Ok(results),
        1 => Err(errors.remove(0).1),
        count => {
            let reasons: Vec<String> = errors.iter().map(|(target, error)| format!("{}: {error}", target.repository)).collect();
            let hints: Vec<String> = errors.iter().flat_map(|(_, error)| error.hints().to_vec()).collect();
            let error = Error::failed(reasons.join("\n")).context(format!("{count} of {} registries did not take the image", images.len()));
            Err(hints.into_iter().fold(error, Error::hint))
        }
    }
}

fn push_one(docker: &Docker<'_>, built: &str, image: &str) -> Result<Option<String>> {
    if image != built {
        docker.tag(built, image)?;
    }
    docker.push_quietly(image)
}

/// The two registries of a copy, each with what its own cluster says of it.
fn ends<'s>(session: &'s Session, first: &'s Target, target: &'s Target) -> Result<(Registry<'s>, Registry<'s>)> {
    let of = |target: &'s Target| Registry::new(&session.ui, &session.env, &target.authority, &target.repository);
    Ok((of(first)?, of(target)?))
}

/// How the first push stands, as far as the others care.
#[derive(Default, PartialEq)]
enum First {
    #[default]
    GoesOn,
    /// With this digest, which can be copied.
    Pushed(String),
    /// There is nothing to wait for: there is room for all pushes beside it, it failed, or docker did not tell the digest.
    NoLead,
}

/// The first push, and whether the others wait for it.
#[derive(Default)]
struct Lead {
    stands: Mutex<First>,
    changed: Condvar,
}

impl Lead {
    fn stands(&self) -> MutexGuard<'_, First> {
        self.stands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who wait how the first push ended.
    fn follow(&self, outcome: Result<Option<String>>) -> Result<Option<String>> {
        *self.stands() = outcome.as_ref().ok().cloned().flatten().map_or(First::NoLead, First::Pushed);
        self.changed.notify_all();
        outcome
    }

    /// The digest to copy, once it is there; none when docker may as well push.
    fn wait(&self) -> Result<Option<String>> {
        let mut stands = self.stands();
        loop {
            interrupt::check()?;
            match &*stands {
                First::Pushed(digest) => return Ok(Some(digest.clone())),
                First::NoLead => return Ok(None),
                First::GoesOn => {}
            }
            stands = self.changed.wait_timeout(stands, GLANCE).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Lets the others go, once `count` pushes at once are found to have processors enough, for as long as the first goes on.
    fn watch(&self, count: usize) {
        let pushes = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        let (mut before, mut since) = (processors::look(), Instant::now());
        while *self.stands() == First::GoesOn && !interrupt::received() {
            let Some(earlier) = before else { return self.make_room() }; // nobody knows: as many as there are
            if since.elapsed() >= WATCH {
                let now = processors::look();
                if now.is_some_and(|now| now.at_work_since(&earlier) * pushes <= f64::from(now.count)) {
                    return self.make_room();
                }
                (before, since) = (now, Instant::now());
            }
            std::thread::sleep(GLANCE);
        }
    }

    /// Unless the first push has ended meanwhile.
    fn make_room(&self) {
        let mut stands = self.stands();
        if *stands == First::GoesOn {
            *stands = First::NoLead;
        }
        self.changed.notify_all();
    }
}

/// Where an image of a plan goes: each registry once.
///
/// # Errors
/// No cluster has values, or they cannot be read.
pub(crate) fn targets(session: &Session, plan: &Plan<'_>) -> Result<Vec<Target>> {
    let dirs = session.env.cluster_values_dirs();
    let mut targets: Vec<Target> = Vec::new();
    for cluster in known_clusters(&dirs) {
        let resolved = session.resolved_for(&cluster)?;
        let (app, values) = (resolved.app()?, resolved.cluster()?);
        let Some(registry) = values.registry.as_deref() else {
            session.ui.warn(&format!("cluster {cluster} names no registry; it is left out"));
            continue;
        };
        let repository = plan.repository_of(registry, &app.appname);
        let authority = resolved.authority()?;
        match targets.iter_mut().find(|target| target.repository == repository) {
            Some(known) => known.clusters.push(cluster),
            None => targets.push(Target { clusters: vec![cluster], authority, repository }),
        }
    }
    if targets.is_empty() {
        return Err(Error::usage("no cluster is configured, so there is nowhere to publish to")
            .hint("LAIN_CLUSTER_VALUES_DIR=FOLDER # with values-CLUSTER.yaml files"));
    }
    Ok(targets)
}
