//! helm's record of a release, where the cluster or the chart has moved on from it.
//!
//! Two things in it stand in the way of people who come from an older chart, both seen with helm 3.9 to 4.3:
//!
//! - An API version that the server no longer serves (`batch/v1beta1` from Kubernetes 1.25). helm cannot upgrade, roll back or uninstall:
//!   "unable to build kubernetes objects from current release manifest". helm's own documentation and its `mapkubeapis` plugin write the
//!   newer version into the record; the object itself is long served under it.
//! - `replicas` beside an HPA. The newer chart leaves it out, helm takes that for a removal, and the server reads none as 1: seen as
//!   3, 1, 3 pods within 15 seconds. Without it in the record, helm leaves the number alone. Where the server merges (helm 4), the field goes
//!   with its last owner: a second owner keeps it, as Kubernetes' documentation of server-side apply has it for just this case.

use std::collections::BTreeMap;

use serde_json::json;

use super::record::Record;
use crate::error::{Error, Result};
use crate::model::api_versions::Api;
use crate::model::manifest::{Document, Object, documents, objects};
use crate::model::version::Version;
use crate::tools::helm::Revision;
use crate::tools::kubectl::Kubectl;
use crate::ui::Ui;

/// What is written into `helm history`.
const NOTE: &str = "record mended by lain";

/// The revision that helm compares an upgrade with: the newest deployed one, or the newest of all when none is.
pub(crate) fn current(history: &[Revision]) -> Option<u32> {
    let newest = history.last()?;
    let deployed = history.iter().rev().find(|revision| revision.status == "deployed");
    Some(deployed.unwrap_or(newest).revision)
}

/// What the record of a revision tells; nothing where helm keeps its records elsewhere.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The image tag that was deployed.
    pub image_tag: Option<String>,
    /// The server merges changes into what is there.
    pub is_server_side: bool,
    /// The values hold credentials.
    pub holds_credentials: bool,
}

impl Known {
    /// What helm must be told when somebody else changed a field that the chart sets (`kubectl set image`, `kubectl edit`): that the chart wins, as it
    /// did in helm 3. Otherwise helm 4 ends with "Apply failed with 1 conflict"; it refuses the flag where it merges itself.
    pub(crate) fn flags(&self) -> &'static [&'static str] {
        if self.is_server_side { &["--force-conflicts"] } else { &[] }
    }
}

/// Mends the record of a revision where it must be, saying so; nothing where there is none. `server` spares questions; `autoscaled` are the Deployments whose `replicas` the chart
/// leaves to an HPA from now on; `credentials` the ways to values that helm is not to have.
///
/// # Errors
/// The server does not answer or refuses.
pub(crate) fn mend(
    ui: &Ui,
    kubectl: &Kubectl<'_>,
    release: &str,
    record: Option<Record>,
    server: Option<Version>,
    autoscaled: &[String],
    credentials: &[Vec<String>],
) -> Result<Known> {
    let Some(record) = record else { return Ok(Known::default()) };
    let known =
        Known { image_tag: record.image_tag(), is_server_side: record.is_server_side(), holds_credentials: record.holds(credentials) };
    let autoscaled = if known.is_server_side {
        keep_replicas(ui, kubectl, &record, autoscaled)?;
        &[]
    } else {
        autoscaled
    };
    let mut asked = BTreeMap::new();
    let mut lacking = None;
    let mended = mended(record.manifest(), autoscaled, |version, kind| {
        let sure = server.is_some_and(|server| Api::find(version, kind).is_some_and(|api| (api.from..api.removed).contains(&server.minor)));
        if sure || lacking.is_some() {
            return true;
        }
        match asked.entry(version.to_owned()).or_insert_with(|| kubectl.kinds_of(version)) {
            Ok(kinds) => kinds.iter().any(|known| known == kind),
            Err(error) => {
                lacking = Some(Error::failed(error.to_string()).context(format!("cannot tell whether the server knows {version}")));
                true
            }
        }
    });
    if let Some(error) = lacking {
        return Err(error);
    }
    if !mended.lines.is_empty() {
        let revision = record.revision().unwrap_or_default();
        ui.warn(&format!("helm's record of release {release}, revision {revision}, is mended first; what runs is not touched"));
        mended.lines.iter().for_each(|line| ui.say(&format!("  {line}")));
        kubectl.send(&["replace"], &record.with_manifest(&mended.manifest, NOTE)?)?;
    }
    Ok(known)
}

/// Takes credentials out of all records that helm kept of a release, once the current or the newest one holds some: an older lain handed helm the
/// whole cluster file. What helm reads in them otherwise stays as it is. A record that cannot be written is a warning: the deploy goes on.
///
/// # Errors
/// The server does not answer.
pub(crate) fn forget_credentials(ui: &Ui, kubectl: &Kubectl<'_>, release: &str, suspect: bool, ways: &[Vec<String>]) -> Result<()> {
    if !suspect {
        return Ok(());
    }
    // Oldest first: one that was cut off is begun again, as the newest still tells.
    let mut cleaned = 0;
    for record in Record::all(kubectl, release)? {
        let Some(secret) = record.without(ways)? else { continue };
        match kubectl.send(&["replace"], &secret) {
            Ok(_) => cleaned += 1,
            Err(error) => {
                ui.warning(&error.context(format!("credentials of the cluster values stay in helm's records of release {release}")));
                break;
            }
        }
    }
    if cleaned > 0 {
        let revisions = if cleaned == 1 { "1 revision".to_owned() } else { format!("{cleaned} revisions") };
        ui.warn(&format!("helm's records of {revisions} of release {release} held credentials of the cluster values: they are taken out; what runs is not touched"));
    }
    Ok(())
}

/// Becomes the second owner of `replicas` where helm is about to let go of it.
fn keep_replicas(ui: &Ui, kubectl: &Kubectl<'_>, record: &Record, autoscaled: &[String]) -> Result<()> {
    // What cannot be read helm cannot read either, and says so.
    let documents = documents(record.manifest());
    let objects = documents.iter().filter_map(|document| objects(document.text).ok()).flatten();
    for object in objects.filter(|object| is_left_to_hpa(object, autoscaled)) {
        let name = object.name();
        let Some(live) = kubectl.find("deployment", name)? else { continue };
        let replicas = &live["spec"]["replicas"];
        ui.say(&format!("Deployment {name}: its {replicas} replicas are kept for the hpa; helm would go back to 1 on the way"));
        let claim = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {"replicas": replicas}});
        // The claim is no whole Deployment, which kubectl's own validation asks for.
        kubectl.send(&["apply", "--server-side", "--field-manager=lain-keeps-replicas", "--validate=false"], &claim)?;
    }
    Ok(())
}

struct Mended {
    manifest: String,
    /// What was changed, a line each.
    lines: Vec<String>,
}

fn mended(manifest: &str, autoscaled: &[String], mut serves: impl FnMut(&str, &str) -> bool) -> Mended {
    let mut lines: Vec<Option<String>> = manifest.lines().map(|line| Some(line.to_owned())).collect();
    let mut said = vec![];
    for document in documents(manifest) {
        // What cannot be read helm cannot read either, and says so.
        let Ok(found) = objects(document.text) else { continue };
        let [object] = &found[..] else { continue };
        let (version, kind) = (object.api_version(), object.kind());
        let what = format!("{kind} {}", object.name());
        if let Some(at) = line_of(&document, "apiVersion:", None)
            && Api::find(version, kind).is_some()
            && !serves(version, kind)
        {
            // Without any other, helm's own words say what is missing.
            if let Some(other) = Api::others(version, kind).into_iter().find(|other| serves(other, kind)) {
                lines[at] = Some(format!("apiVersion: {other}"));
                said.push(format!("{what}: {other} instead of {version}, which this server does not serve"));
            }
        }
        if let Some(at) = line_of(&document, "  replicas:", Some("spec:")).filter(|_| is_left_to_hpa(object, autoscaled)) {
            lines[at] = None;
            said.push(format!("{what}: without replicas, which are the hpa's; helm would go back to 1 on the way"));
        }
    }
    let manifest = lines.into_iter().flatten().map(|line| line + "\n").collect();
    Mended { manifest, lines: said }
}

/// A Deployment whose record says how many pods it has, where that is the HPA's to say.
fn is_left_to_hpa(object: &Object, autoscaled: &[String]) -> bool {
    object.kind() == "Deployment" && !object.spec()["replicas"].is_null() && autoscaled.iter().any(|name| name == object.name())
}

/// The line of the manifest that starts so, below the key at the left margin if one is given: helm keeps what the templates of either chart write, an
/// object's own keys at the margin and those of `spec` two spaces in.
fn line_of(document: &Document<'_>, start: &str, below: Option<&str>) -> Option<usize> {
    let mut above = "";
    for (number, line) in document.text.lines().enumerate() {
        if !line.starts_with([' ', '#', '-']) {
            above = line;
        }
        if line.starts_with(start) && below.is_none_or(|key| above.starts_with(key)) {
            return Some(document.first + number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "---\n# Source: a/templates/cronjob.yaml\napiVersion: batch/v1beta1\nkind: CronJob\nmetadata:\n  name: a-nightly\n  labels:\n    name: x\nspec:\n  schedule: \"0 1 * * *\"\n---\napiVersion: \"extensions/v1beta1\"\nkind: Ingress\nmetadata:\n  name: 'a-web'\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: a-web\nspec:\n  replicas: 3\n  template:\n    spec:\n      replicas: 4\n---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: a-store\nspec:\n  replicas: 2\n";

    #[test]
    fn api_versions_that_the_server_has() {
        let of = |served: &[&str]| {
            let mended = mended(OLD, &[], |version, _| served.contains(&version));
            let versions: Vec<String> =
                mended.manifest.lines().filter_map(|line| line.strip_prefix("apiVersion: ").map(str::to_owned)).collect();
            (versions, mended.lines.len())
        };
        let (versions, changes) = of(&["batch/v1", "networking.k8s.io/v1"]);
        assert_eq!((versions, changes), (["batch/v1", "networking.k8s.io/v1", "apps/v1", "apps/v1"].map(str::to_owned).into(), 2));
        // Between 1.14 and 1.18 there was no networking.k8s.io/v1 Ingress.
        let (versions, _) = of(&["batch/v1beta1", "networking.k8s.io/v1beta1"]);
        assert_eq!(versions[..2], ["batch/v1beta1", "networking.k8s.io/v1beta1"]);
        // The server has none of them: nothing is made up.
        assert_eq!(of(&[]).1, 0);
    }

    #[test]
    fn all_else_stays_byte_for_byte() {
        let mended = mended(OLD, &[], |_, _| true);
        assert_eq!((mended.manifest.as_str(), mended.lines.len()), (OLD, 0));
    }

    #[test]
    fn however_an_object_is_written() {
        let manifest = "--- # a\nkind: \"CronJob\" # nightly\nmetadata: {name: a}\napiVersion: batch/v1beta1 # old\n---\nkind: [\napiVersion: batch/v1beta1\n---\napiVersion: apps/v1\nmetadata: {labels: {x: y}, name: 'b'}\nkind: !!str Deployment\nspec:\n  paused: false\n  replicas: 3 # three\n";
        let mended = mended(manifest, &["b".into()], |version, _| version != "batch/v1beta1");
        let wanted = manifest.replacen("batch/v1beta1 # old", "batch/v1", 1).replace("  replicas: 3 # three\n", "");
        assert_eq!(mended.manifest, wanted, "{:?}", mended.lines);
        assert_eq!(mended.lines.len(), 2);
    }

    #[test]
    fn replicas_of_autoscaled_deployments_alone() {
        let mended = mended(OLD, &["a-web".into(), "a-store".into()], |_, _| true);
        assert_eq!(mended.manifest, OLD.replace("  replicas: 3\n", ""));
        assert_eq!(mended.lines.len(), 1, "{:?}", mended.lines);
    }

    #[test]
    fn the_revision_that_helm_compares_with() {
        let history = |statuses: &[&str]| -> Vec<Revision> {
            let revision = |(status, revision): (&&str, u32)| Revision {
                revision,
                status: (*status).to_owned(),
                updated: String::new(),
                description: String::new(),
            };
            statuses.iter().zip(1..).map(revision).collect()
        };
        assert_eq!(current(&history(&["superseded", "deployed", "failed"])), Some(2));
        assert_eq!(current(&history(&["failed", "failed"])), Some(2));
        assert_eq!(current(&[]), None);
    }
}
