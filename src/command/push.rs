//! `lain push`: images to the cluster's registry.

use clap::Args;

use crate::error::Result;
use crate::images::{self, ImageResult, push_image};
use crate::model::image::{ImageReference, repository_in};
use crate::session::Session;

/// Push the app's image, or retag and push others into the cluster's registry
#[derive(Args, Debug)]
#[command(
    after_help = "  lain push                     # this app's image, also as :latest\n  lain push redis:7 nginx:1.29  # as REGISTRY/redis:7, REGISTRY/nginx:1.29"
)]
pub struct Push {
    /// Other images; without any, this app's
    images: Vec<String>,
    /// Pull them first
    #[arg(long)]
    pull: bool,
    /// Another registry than the cluster's
    #[arg(long, value_name = "REGISTRY")]
    registry: Option<String>,
}

impl Push {
    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
        let mut results = Vec::new();
        if self.images.is_empty() {
            for plan in images::plans(session)? {
                results.push(plan.push(session)?);
            }
            return images::print(session, &results);
        }
        let docker = session.docker()?;
        docker.check()?;
        let registry = match &self.registry {
            Some(registry) => registry,
            None => session.registry()?,
        };
        for image in &self.images {
            let reference = ImageReference::parse(image)?;
            if self.pull {
                docker.pull(image)?;
            }
            let name = reference.repository.rsplit('/').next().unwrap_or(&reference.repository);
            let repository = repository_in(registry, name);
            let tag = reference.tag.clone().unwrap_or_else(|| "latest".to_owned());
            let target = format!("{repository}:{tag}");
            docker.tag(image, &target)?;
            push_image(session, &docker, &target)?;
            let digest = docker.digest(&target, &repository)?;
            results.push(ImageResult { version: 1, image: target, tag, digest });
        }
        images::print(session, &results)
    }
}
