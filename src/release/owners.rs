//! Who deployed what runs, all over a cluster.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value as Json;

use super::record;
use crate::cluster::everywhere::{self, Seen};
use crate::error::Result;
use crate::tools::kubectl::Kubectl;

/// helm's records of one answer: each may be of 1 MiB.
const RECORDS: u32 = 10;

/// A release: its namespace and its name.
pub(crate) type Release = (String, String);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Secret {
    metadata: Head,
    data: Data,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Head {
    namespace: String,
    labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Data {
    release: String,
}

/// The `user` among the values of these releases, as lain and the older tool write it; those that have none are left out.
///
/// # Errors
/// The server does not answer, or does not let helm's records be read.
pub(crate) fn owners(kubectl: &Kubectl<'_>, wanted: &BTreeSet<Release>) -> Result<(BTreeMap<Release, String>, Seen)> {
    let mut found = BTreeMap::new();
    if wanted.is_empty() {
        return Ok((found, Seen::All));
    }
    let seen = everywhere::each(kubectl, "secrets", "owner=helm,status=deployed", RECORDS, |secret: Secret| {
        let release = (secret.metadata.namespace, secret.metadata.labels.get("name").cloned().unwrap_or_default());
        let text = wanted.contains(&release).then(|| record::text_of_record(&secret.data.release).unwrap_or_default());
        let read: Json = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        if let Some(user) = read["config"]["user"].as_str() {
            found.insert(release, user.to_owned());
        }
    })?;
    Ok((found, seen))
}
