//! What a deploy tells those who come after it: `lain deploy -o json` writes it, `lain-notify deploy` reads it.

use serde::{Deserialize, Serialize};

use crate::model::dotenv;
use crate::ui::{Answer, Format};

/// A release that was deployed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeployAnswer {
    /// Shape of this result.
    pub version: u32,
    /// The release.
    pub release: String,
    /// The cluster it went to.
    #[serde(default)]
    pub cluster: Option<String>,
    /// The tag of its image.
    pub image_tag: String,
    /// Where it can be reached.
    #[serde(default)]
    pub urls: Vec<String>,
    /// Who deployed it.
    #[serde(default)]
    pub executor: String,
}

impl Answer for DeployAnswer {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json, Format::Dotenv];

    /// People are told as it goes, on stderr.
    fn text(&self) -> String {
        String::new()
    }

    fn dotenv(&self) -> Option<String> {
        let url = self.urls.first().map_or("", String::as_str);
        Some(dotenv::lines([("LAIN_RELEASE", self.release.as_str()), ("LAIN_IMAGE_TAG", &self.image_tag), ("LAIN_URL", url)]))
    }
}
