//! One image to the registries of all clusters, side by side.

use std::time::Instant;

use crate::error::{Error, Kind, Result};
use crate::images::{ImageResult, Plan};
use crate::model::aliases::canonical;
use crate::model::app::App;
use crate::model::cluster::Cluster;
use crate::session::Session;
use crate::tools::docker::Docker;
use crate::values::layers::{Layers, Wanted, known_clusters, typed};

/// Where a cluster pulls one of the app's images from.
pub struct Target {
    clusters: Vec<String>,
    /// `REGISTRY/APP` as the clusters call it.
    pub repository: String,
}

/// Pushes the built image of a plan to the registry of every configured cluster, each registry once. What a cluster's values call the app
/// and the registry counts, `chart/values-CLUSTER.yaml` included.
///
/// # Errors
/// No cluster has values; the image was not built; one error names every registry that refused, after all of them were tried.
pub fn publish(session: &Session, plan: &Plan<'_>) -> Result<Vec<ImageResult>> {
    let docker = session.docker()?;
    docker.check()?;
    let built = plan.image(session)?;
    if !docker.has_image(&built)? {
        return Err(Error::failed(format!("{built} is not on this docker daemon")).hint("lain build --publish"));
    }
    let tag = session.image_tag()?;
    let targets = targets(session, plan)?;
    let images: Vec<(Target, String)> = targets
        .into_iter()
        .map(|target| {
            let image = format!("{}:{tag}", target.repository);
            (target, image)
        })
        .collect();
    let _section = session.ui.section("docker_publish", &format!("publish {tag} to {} registries", images.len()));
    let progress = session.ui.progress();
    let outcomes: Vec<Result<ImageResult>> = std::thread::scope(|scope| {
        let pushes: Vec<_> = images
            .iter()
            .map(|(target, image)| {
                let line = progress.add(&format!("push {image}"));
                let (docker, built) = (&docker, &built);
                scope.spawn(move || {
                    let started = Instant::now();
                    let outcome = push_one(docker, plan, built, image, tag);
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
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for ((target, _), outcome) in images.iter().zip(outcomes) {
        match outcome {
            Ok(result) => results.push(result),
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            Err(error) => errors.push((target, error)),
        }
    }
    match errors.len() {
        0 => {
            results.sort_by_key(|result| result.image != built); // the chosen cluster's own first
            Ok(results)
        }
        1 => Err(errors.remove(0).1),
        count => {
            let reasons: Vec<String> = errors.iter().map(|(target, error)| format!("{}: {error}", target.repository)).collect();
            let hints: Vec<String> = errors.iter().flat_map(|(_, error)| error.hints().to_vec()).collect();
            let error = Error::failed(reasons.join("\n")).context(format!("{count} of {} registries did not take the image", images.len()));
            Err(hints.into_iter().fold(error, Error::hint))
        }
    }
}

fn push_one(docker: &Docker<'_>, plan: &Plan<'_>, built: &str, image: &str, tag: &str) -> Result<ImageResult> {
    if image != built {
        docker.tag(built, image)?;
    }
    let digest = docker.push_quietly(image)?;
    Ok(plan.result(image.to_owned(), tag, digest))
}

/// Where an image of a plan goes: each registry once.
///
/// # Errors
/// No cluster has values, or they cannot be read.
pub fn targets(session: &Session, plan: &Plan<'_>) -> Result<Vec<Target>> {
    let dirs = session.env.cluster_values_dirs();
    let mut targets: Vec<Target> = Vec::new();
    for cluster in known_clusters(&dirs) {
        let wanted = Wanted { cluster: Some(&cluster), cluster_dirs: &dirs, extra: &session.globals.values, ..Wanted::default() };
        let layers = Layers::load(&session.dir, &wanted)?;
        let root = canonical(&layers.merged);
        let (app, values): (App, Cluster) = (typed(&root)?, typed(&root)?);
        let Some(registry) = values.registry.as_deref() else {
            session.ui.warn(&format!("cluster {cluster} names no registry; it is left out"));
            continue;
        };
        let repository = plan.repository_of(registry, &app.appname);
        match targets.iter_mut().find(|target| target.repository == repository) {
            Some(known) => known.clusters.push(cluster),
            None => targets.push(Target { clusters: vec![cluster], repository }),
        }
    }
    if targets.is_empty() {
        return Err(Error::usage("no cluster is configured, so there is nowhere to publish to")
            .hint("LAIN_CLUSTER_VALUES_DIR=FOLDER # with values-CLUSTER.yaml files"));
    }
    Ok(targets)
}
