//! `lain save`: an image as a file, for places without a registry.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::Command;
use crate::error::{Error, Result};
use crate::images;
use crate::model::image::{ImageReference, repository_in};
use crate::resolved::clusters::known_clusters;
use crate::session::Session;
use crate::ui::{Answer, Format};

/// Save an image as `APP_TAG.tar.gz`
#[derive(Args, Debug)]
#[command(
    after_help = "  lain save                            # this app's image of HEAD\n  lain save --retag prod               # under the name that cluster prod pulls\n  \
                  lain save redis:7 --pull --dir /mnt  # somebody else's\n\nOn the other side: lain push APP_TAG.tar.gz, or docker load -i APP_TAG.tar.gz"
)]
pub struct Save {
    /// Another image than this app's
    image: Option<String>,
    /// The name it gets in the archive: a cluster's registry, or a repository, with or without a tag
    #[arg(long, value_name = "CLUSTER|REPO|REPO:TAG")]
    retag: Option<String>,
    /// Pull it first
    #[arg(long)]
    pull: bool,
    /// Replace an archive that is there
    #[arg(long)]
    force: bool,
    /// Where the archive goes
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    dir: PathBuf,
}

impl Command for Save {
    const FORMATS: &'static [Format] = Saved::FORMATS;

    fn run(self, session: &Session) -> Result<()> {
        let docker = session.docker()?;
        docker.check()?;
        let image = match &self.image {
            Some(image) => image.clone(),
            None => images::plan(session, None)?.image(session)?,
        };
        let reference = ImageReference::parse(&image)?;
        if self.pull {
            docker.pull(&image)?;
        } else if !docker.has_image(&image)? {
            let hint =
                if self.image.is_some() { format!("lain save {image} --pull") } else { "lain build # or: lain save --pull".to_owned() };
            return Err(Error::failed(format!("{image} is not on this docker daemon")).hint(hint));
        }
        let target = match &self.retag {
            Some(name) => retagged(session, &reference, name)?,
            None => image.clone(),
        };
        let named = ImageReference::parse(&target)?;
        let last = named.repository.rsplit('/').next().unwrap_or(&named.repository);
        let file = format!("{last}_{}.tar.gz", named.tag.as_deref().unwrap_or("latest"));
        let path = session.cwd.join(&self.dir).join(&file);
        let shown = if self.dir == Path::new(".") { PathBuf::from(&file) } else { self.dir.join(&file) };
        if path.exists() && !self.force {
            return Err(
                Error::failed(format!("{} is there already; nothing was changed", shown.display())).hint("lain save --force # replaces it")
            );
        }
        fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(|error| Error::io("create", &self.dir, &error))?;
        if target != image {
            docker.tag(&image, &target)?;
        }
        docker.save(&target, &path)?;
        session.ui.answer(&Saved { version: 1, image: target, file: shown })
    }
}

#[derive(Serialize)]
struct Saved {
    version: u32,
    image: String,
    file: PathBuf,
}

impl Answer for Saved {
    fn text(&self) -> String {
        self.file.display().to_string()
    }
}

/// A cluster's name stands for its registry.
fn retagged(session: &Session, image: &ImageReference, name: &str) -> Result<String> {
    let last = image.repository.rsplit('/').next().unwrap_or(&image.repository);
    let tag = image.tag.as_deref().unwrap_or("latest");
    if known_clusters(&session.env.cluster_values_dirs()).iter().any(|known| known == name) {
        let registry = session.cluster_of(name)?.registry;
        let registry = registry.ok_or_else(|| Error::failed(format!("the values of cluster {name} name no registry")))?;
        return Ok(format!("{}:{tag}", repository_in(&registry, last)));
    }
    let given = ImageReference::parse(name)?;
    Ok(if given.tag.is_some() { name.to_owned() } else { format!("{name}:{tag}") })
}
