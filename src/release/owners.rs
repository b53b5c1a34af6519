//! Who deployed what runs, all over a cluster.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::record::{self, Packed};
use crate::cluster::everywhere::{self, Seen};
use crate::error::Result;
use crate::tools::kubectl::Kubectl;

/// A release: its namespace and its name.
pub(crate) type Release = (String, String);

/// The `user` among the values of these releases, as lain and the older tool write it; those that have none are left out.
///
/// # Errors
/// The server does not answer, or does not let helm's records be read.
pub(crate) fn owners(kubectl: &Kubectl<'_>, wanted: &BTreeSet<Release>) -> Result<(BTreeMap<Release, String>, Seen)> {
    let mut found = BTreeMap::new();
    if wanted.is_empty() {
        return Ok((found, Seen::All));
    }
    let seen = everywhere::each(kubectl, "secrets", &format!("{},status=deployed", record::OF_ALL), record::PAGE, |secret: Packed| {
        let release = (secret.metadata.namespace.clone(), secret.metadata.label("name").to_owned());
        let text = wanted.contains(&release).then(|| secret.text().unwrap_or_default());
        let read: Json = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        if let Some(user) = read["config"]["user"].as_str() {
            found.insert(release, user.to_owned());
        }
    })?;
    Ok((found, seen))
}
