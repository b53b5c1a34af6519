//! Backups of the app's Secrets: Secrets beside them, labelled with what they are a backup of.

use serde_json::{Value as Json, json};

use super::secret_data::{Data, decoded, wipe};
use crate::error::{Error, Result};
use crate::tools::kubectl::Kubectl;
use crate::ui::Ui;

/// Label of backups; its value is the Secret they were taken of.
const LABEL: &str = "lain.dev/backup-of";
/// Annotation of backups: who made the change that they were taken before.
const BY: &str = "lain.dev/backup-by";
/// Backups kept of each Secret.
const BACKUPS: usize = 10;

/// One backup.
#[derive(Debug)]
pub(crate) struct Backup {
    /// The Secret that holds it.
    pub name: String,
    /// When it was taken, as the server writes times: `2026-11-26T10:00:00Z`.
    pub taken: String,
    /// Who made the change that it was taken before, when known.
    pub by: Option<String>,
    object: Json,
}

impl Drop for Backup {
    fn drop(&mut self) {
        wipe(&mut self.object["data"]);
    }
}

impl Backup {
    /// Keys and raw values.
    pub(crate) fn data(&self) -> Data {
        decoded(&self.object["data"])
    }

    /// What to call it on the command line: the end of its name, which is a time.
    pub(crate) fn short(&self) -> &str {
        self.name.rsplit_once("-backup-").map_or(&self.name, |(_, time)| time)
    }
}

/// The backups of a Secret, newest first.
///
/// # Errors
/// The server does not answer or refuses.
pub(crate) fn list(kubectl: &Kubectl<'_>, secret: &str) -> Result<Vec<Backup>> {
    let mut list: Json = kubectl.select("secrets", &format!("{LABEL}={secret}"))?;
    let items = list["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
    let mut found: Vec<Backup> = items
        .into_iter()
        .filter_map(|object| {
            let text = |value: &Json| value.as_str().map(str::to_owned);
            let metadata = &object["metadata"];
            let (name, taken) = (text(&metadata["name"])?, text(&metadata["creationTimestamp"]).unwrap_or_default());
            let by = text(&metadata["annotations"][BY]);
            Some(Backup { name, taken, by, object })
        })
        .collect();
    // The server counts seconds, the name thousandths of the clock of whoever made it.
    found.sort_by(|a, b| (&b.taken, &b.name).cmp(&(&a.taken, &a.name)));
    Ok(found)
}

/// What was found and made by [`keep`].
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Backups that may go once the change is made.
    spare: Vec<String>,
}

/// Makes sure that there is a backup of a Secret as it is. One that holds the same already is not made again.
///
/// # Errors
/// The server refuses; no backup was lost.
pub(super) fn keep(ui: &Ui, kubectl: &Kubectl<'_>, secret: &str, object: &Json, by: &str) -> Result<Kept> {
    let data = decoded(&object["data"]);
    if data.is_empty() {
        return Ok(Kept::default());
    }
    let known = list(kubectl, secret)?;
    let same = |backup: &&Backup| backup.data() == data;
    let newest_is_same = known.first().as_ref().is_some_and(same);
    if !newest_is_same {
        let stamp = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S-%3f").to_string();
        let name = format!("{secret}-backup-{stamp}");
        let mut copy = json!({
            "apiVersion": "v1", "kind": "Secret", "type": object["type"], "data": object["data"],
            "metadata": {"name": name, "labels": {LABEL: secret}, "annotations": {BY: by}}
        });
        let made = kubectl.send(&["create"], &copy);
        wipe(&mut copy["data"]);
        made?;
        ui.detail(&format!("backed up as Secret {name}"));
    }
    let room = if newest_is_same { BACKUPS } else { BACKUPS - 1 };
    let older = known.iter().skip(usize::from(newest_is_same));
    let equal: Vec<&str> = older.filter(same).map(|backup| backup.name.as_str()).collect();
    let different: Vec<&str> = known.iter().map(|backup| backup.name.as_str()).filter(|name| !equal.contains(name)).collect();
    Ok(Kept { spare: equal.iter().chain(different.iter().skip(room)).map(|name| (*name).to_owned()).collect() })
}

/// Removes the backups that a new one stands for, and those beyond the number that is kept. The change is made: a failure is a warning.
pub(super) fn prune(ui: &Ui, kubectl: &Kubectl<'_>, kept: &Kept) {
    for name in &kept.spare {
        if let Err(error) = kubectl.delete_own_secret(name) {
            ui.warn(&format!(
                "the old backup {name} cannot be removed: {}",
                error.causes().first().map_or(error.message(), String::as_str)
            ));
            return;
        }
    }
}

/// The backup with this name or time, or the newest that differs from `now`; `word` is the command of this kind of Secret.
///
/// # Errors
/// There is none.
pub(crate) fn choose<'a>(backups: &'a [Backup], wanted: Option<&str>, word: &str, secret: &str, now: &Data) -> Result<&'a Backup> {
    match wanted {
        Some(wanted) => backups.iter().find(|backup| backup.name == wanted || backup.short() == wanted).ok_or_else(|| {
            Error::failed(format!("Secret {secret} has no backup `{}`", crate::ui::printable(wanted))).hint(format!("lain {word} backups"))
        }),
        None => backups.iter().find(|backup| backup.data() != *now).ok_or_else(|| {
            Error::failed(format!("Secret {secret} has no backup that differs from what it is now")).hint(format!("lain {word} backups"))
        }),
    }
}
