//! `lain admin list-images`: every image of the registry.

use clap::Args;
use serde::Serialize;

use crate::error::Result;
use crate::session::Session;
use crate::ui::{Answer, Format};

/// List every image of the registry, a line each
#[derive(Args, Debug)]
#[command(after_help = "  lain admin list-images\n  lain admin list-images --app shop --app cart")]
pub(super) struct ListImages {
    /// An app, by its name in the registry; may be repeated. All that the registry lists without one
    #[arg(long = "app", value_name = "NAME")]
    apps: Vec<String>,
}

impl ListImages {
    pub(super) fn run(&self, session: &Session) -> Result<()> {
        let registry = session.registry_anywhere()?;
        let repositories = super::repositories(session, registry, &self.apps)?;
        let is_text = session.ui.format() == Format::Text;
        let mut answer = Images { version: 1, images: vec![] };
        let (mut images, mut full, mut lacking) = (0, 0, vec![]);
        for repository in &repositories {
            let mut tags = session.registry_of(repository)?.tags()?;
            if tags.is_empty() && !self.apps.is_empty() {
                lacking.push(repository.rsplit('/').next().unwrap_or_default().to_owned());
            }
            tags.sort_unstable();
            images += tags.len();
            full += usize::from(!tags.is_empty());
            answer.images.extend(tags.into_iter().map(|tag| format!("{repository}:{tag}")));
            // What is known is shown: a registry of thousands of apps takes its time.
            if is_text && !answer.images.is_empty() {
                session.ui.answer(&answer)?;
                answer.images.clear();
            }
        }
        let (images_of, repositories_of) =
            (if images == 1 { "image" } else { "images" }, if full == 1 { "repository" } else { "repositories" });
        session.ui.say(&format!("{images} {images_of} in {full} {repositories_of} of {registry}"));
        if !is_text {
            session.ui.answer(&answer)?;
        }
        super::without_images(registry, &lacking).map_or(Ok(()), Err)
    }
}

#[derive(Serialize)]
struct Images {
    version: u32,
    images: Vec<String>,
}

impl Answer for Images {
    fn text(&self) -> String {
        self.images.join("\n")
    }
}
