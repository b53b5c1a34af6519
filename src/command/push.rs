//! `lain push`: images to the cluster's registry.

use std::path::Path;

use clap::Args;

use super::Command;
use super::build::Seal;
use crate::error::{Error, Result};
use crate::images::promote::promote;
use crate::images::publish::publish;
use crate::images::{self, Goal, ImageResult, Images, push_image};
use crate::model::image::{ImageReference, repository_in};
use crate::session::Session;
use crate::tools::docker::Docker;
use crate::ui::{Answer, Format};

/// Push the app's image, or retag and push others into the cluster's registry
#[derive(Args, Debug)]
#[command(
    after_help = "  lain push                     # this app's image, also as :latest\n  lain push redis:7 nginx:1.29  # as REGISTRY/redis:7, REGISTRY/nginx:1.29\n  \
                  lain push shop_1.2.tar.gz     # what lain save or docker save made\n  lain push --from test         # the image that cluster test has, to this one's registry"
)]
pub struct Push {
    /// Other images, or archives of docker save; without any, this app's
    images: Vec<String>,
    /// One of `builds` alone
    #[arg(long, value_name = "BUILD", conflicts_with = "images")]
    name: Option<String>,
    /// Pull them first
    #[arg(long)]
    pull: bool,
    /// Push other images as :latest too
    #[arg(long)]
    overwrite_latest: bool,
    /// Another registry than the cluster's
    #[arg(long, value_name = "REGISTRY")]
    registry: Option<String>,
    /// This app's image to the registry of every configured cluster, side by side
    #[arg(long, conflicts_with_all = ["images", "registry", "overwrite_latest", "pull"])]
    publish: bool,
    /// This app's image of HEAD from another cluster's registry, the same digest; needs no docker
    #[arg(long, value_name = "CLUSTER", conflicts_with_all = ["images", "registry", "overwrite_latest", "pull", "publish"])]
    from: Option<String>,
    #[command(flatten)]
    seal: Seal,
}

impl Command for Push {
    const FORMATS: &'static [Format] = Images::FORMATS;

    fn run(mut self, session: &Session) -> Result<()> {
        let mut results = Vec::new();
        let wish = std::mem::take(&mut self.seal).wish();
        let is_of_app = self.images.is_empty() && self.registry.is_none();
        if is_of_app {
            let goal = if self.publish { Goal::Publish } else { Goal::Push };
            let plans = self.plans(session)?;
            if self.from.is_some() {
                session.require_cluster()?;
            }
            let sealer = wish.prepare(session, goal, &plans, "lain push")?;
            for plan in plans {
                let made = match &self.from {
                    Some(from) => vec![promote(session, &plan, from)?],
                    None if self.publish => publish(session, &plan)?,
                    None => vec![plan.push(session)?],
                };
                sealer.seal(&wish, &plan, goal, &made)?;
                results.extend(made);
            }
            return images::print(session, &results);
        }
        let sealer = wish.prepare(session, Goal::Push, &[], "lain push")?;
        let docker = session.docker()?;
        docker.check()?;
        let registry = match &self.registry {
            Some(registry) => registry,
            None => session.registry()?,
        };
        let images = match &self.images[..] {
            [] => self.plans(session)?.iter().map(|plan| plan.image(session)).collect::<Result<_>>()?,
            given => Self::named(&docker, &session.cwd, given)?,
        };
        for image in images {
            let reference = ImageReference::parse(&image)?;
            if self.pull {
                docker.pull(&image)?;
            } else if !docker.has_image(&image)? {
                return Err(Error::failed(format!("{image} is not on this docker daemon")).hint(format!("lain push {image} --pull")));
            }
            let name = reference.repository.rsplit('/').next().unwrap_or(&reference.repository);
            let repository = repository_in(registry, name);
            let tag = reference.tag.clone().unwrap_or_else(|| "latest".to_owned());
            let push = |tag: &str| -> Result<(String, Option<String>)> {
                let target = format!("{repository}:{tag}");
                docker.tag(&image, &target)?;
                let digest = push_image(session, &docker, &target)?;
                Ok((target, digest))
            };
            let (target, digest) = push(&tag)?;
            if self.overwrite_latest && tag != "latest" {
                push("latest")?;
            }
            let made = ImageResult { version: 1, build: None, image: target, tag, digest };
            sealer.seal_one(&wish, session.authority()?, &repository, &made)?;
            results.push(made);
        }
        images::print(session, &results)
    }
}

impl Push {
    /// This app's images that are meant.
    fn plans<'s>(&self, session: &'s Session) -> Result<Vec<images::Plan<'s>>> {
        match self.name.as_deref() {
            Some(name) => images::plan(session, Some(name)).map(|plan| vec![plan]),
            None => images::plans(session),
        }
    }

    /// What was given, archives by the images in them.
    fn named(docker: &Docker<'_>, dir: &Path, given: &[String]) -> Result<Vec<String>> {
        let mut images = Vec::new();
        for name in given {
            let is_archive = [".tar", ".tar.gz", ".tgz"].iter().any(|end| name.ends_with(end));
            if is_archive && dir.join(name).is_file() {
                images.extend(docker.load(&dir.join(name))?);
            } else if is_archive {
                return Err(Error::usage(format!("there is no file {name}")).hint("ls *.tar*"));
            } else {
                images.push(name.clone());
            }
        }
        Ok(images)
    }
}
