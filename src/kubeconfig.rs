//! Which cluster: the `~/.kube/config` link, `~/.kube/kubeconfig-CLUSTER`, and what CI brings.

pub(crate) mod aim;
mod login;
pub(crate) mod look;
mod text;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::env::Env;
use crate::error::{Error, Result};
use crate::model::name::{is_harmless, nearest};
use crate::resolved::clusters::{cluster_file, known_clusters};
use crate::ui::{Ui, printable};

const PREFIX: &str = "kubeconfig-";

/// A chosen cluster.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    /// Its name.
    pub name: String,
    /// Its kubeconfig, when it is not what the tools would take anyway.
    pub kubeconfig: Option<PathBuf>,
    /// The namespace of the pod that lain runs in, where its service account is the login.
    pub pod: Option<String>,
}

/// What the cluster is called that a pod finds itself in, where `LAIN_CLUSTER` does not say it: lain's chart does, to all pods.
const OWN: &str = "in-cluster";
/// Where Kubernetes puts the login of a pod's service account, for kubectl and helm too.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The cluster that this pod runs in, where nobody chose another. Not in CI: a runner's pod is no place to deploy to because a variable is missing.
fn own(env: &Env) -> Option<Choice> {
    let is_login = |dir: &Path| dir.join("token").is_file() && env.get("KUBERNETES_SERVICE_HOST").is_some();
    let is_free = !env.is_ci() && env.get("KUBECONFIG").is_none() && !link(env).is_some_and(|link| link.exists());
    let pod = fs::read_to_string(Path::new(ACCOUNT).join("namespace")).ok().filter(|_| is_free && is_login(Path::new(ACCOUNT)))?;
    let name = env.get("LAIN_CLUSTER").unwrap_or(OWN).to_owned();
    Some(Choice { name, kubeconfig: None, pod: Some(pod.trim().to_owned()) })
}

/// Decides which cluster the run acts on.
///
/// # Errors
/// `--cluster` names one that has no kubeconfig.
pub(crate) fn choose(ui: &Ui, env: &Env, named: Option<&str>) -> Result<Option<Choice>> {
    if let Some(name) = named {
        check_known(env, name)?;
        let kubeconfig = match find(ui, env, name) {
            Err(missing) => return own(env).filter(|own| own.name == name).map(Some).ok_or(missing),
            Ok(found) => found,
        };
        return Ok(Some(Choice { name: name.to_owned(), kubeconfig: Some(text::home_of(&kubeconfig)), pod: None }));
    }
    // The link wins over an inherited KUBECONFIG only by being passed on; both tools would read the variable first.
    let passed_on = link(env).and_then(|link| {
        let home = text::home_of(&link);
        (env.get("KUBECONFIG").is_some() || home != link).then_some(home)
    });
    Ok(linked_cluster(env).map(|name| Choice { kubeconfig: passed_on, name, pod: None }).or_else(|| own(env)))
}

fn kube_dir(env: &Env) -> Option<PathBuf> {
    env.home().map(|home| home.join(".kube"))
}

/// `~/.kube/config`.
pub(crate) fn link(env: &Env) -> Option<PathBuf> {
    kube_dir(env).map(|dir| dir.join("config"))
}

/// The cluster that `~/.kube/config` points to.
pub(crate) fn linked_cluster(env: &Env) -> Option<String> {
    let target = fs::read_link(link(env)?).ok()?;
    Some(target.file_name()?.to_str()?.strip_prefix(PREFIX)?.to_owned())
}

/// The kubeconfig of a cluster, as an absolute path: `KUBECONFIG_NAME` (a path, several with `:` between them, or base64), `~/.kube/kubeconfig-NAME`, or
/// in CI `KUBECONFIG`.
///
/// # Errors
/// There is none, or it is a link to nothing; the error says where to put it.
pub(crate) fn find(ui: &Ui, env: &Env, name: &str) -> Result<PathBuf> {
    let home = kube_dir(env)
        .ok_or_else(|| Error::failed("HOME is not set, so ~/.kube cannot be found").hint("export HOME=/home/YOU # where .kube is"))?;
    let path = home.join(format!("{PREFIX}{name}"));
    let variable = format!("KUBECONFIG_{}", name.to_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
    if let Some(value) = env.get(&variable) {
        if let Some(found) = of_paths(&home, name, &path, value)? {
            return Ok(found);
        }
        ui.hide(value);
        let bytes = text::of_base64(value).ok_or_else(|| {
            Error::failed(format!("{variable} is neither a file that is there nor base64 of a kubeconfig"))
                .hint("base64 -w0 < kubeconfig # and store that, masked, as the variable")
        })?;
        return keep(&home, name, &path, &bytes);
    }
    if path.is_file() {
        return Ok(path);
    }
    if let Some(given) = env.get("KUBECONFIG").filter(|_| env.is_ci())
        && let Some(found) = of_paths(&home, name, &path, given)?
    {
        return Ok(found);
    }
    if let Ok(target) = fs::read_link(&path) {
        return Err(Error::failed(format!(
            "cluster {name} has no kubeconfig: {} is a link to {}, which is not there",
            path.display(),
            target.display()
        ))
        .hint(format!("ln -sfn YOUR_KUBECONFIG {} # in CI: a file variable {variable}", path.display())));
    }
    Err(Error::failed(format!("cluster {name} has no kubeconfig: {} does not exist", path.display()))
        .hint(format!("install -m 600 -D YOUR_KUBECONFIG {} # in CI: a file variable {variable}", path.display())))
}

/// The file of a variable that holds a path, or the files of several made one as kubectl merges them; none for what names no file.
fn of_paths(home: &Path, name: &str, own: &Path, value: &str) -> Result<Option<PathBuf>> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(|error| Error::io("find", path, &error));
    if Path::new(value).is_file() {
        return absolute(Path::new(value)).map(Some);
    }
    let paths = std::env::split_paths(value).filter(|path| path.is_file()).map(|path| absolute(&path)).collect::<Result<Vec<_>>>()?;
    match &paths[..] {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        several => keep(home, name, own, text::merged(several)?.as_bytes()).map(Some),
    }
}

/// Writes a kubeconfig that CI brought: at the cluster's usual place, or beside it where a file of the user's own is.
fn keep(home: &Path, name: &str, own: &Path, bytes: &[u8]) -> Result<PathBuf> {
    let is_free =
        fs::symlink_metadata(own).map_or(true, |meta| meta.file_type().is_symlink()) || fs::read(own).is_ok_and(|old| old == bytes);
    let path = if is_free { own.to_path_buf() } else { beside(home, name) };
    write_private(&path, bytes)?;
    Ok(path)
}

/// Where the kubeconfig of a variable, or a link to it, is kept while a file of the user's own has the usual place.
fn beside(home: &Path, name: &str) -> PathBuf {
    home.join("lain").join(format!("{PREFIX}{name}"))
}

/// Refuses a cluster's name that would lead to other folders: it is part of file names.
///
/// # Errors
/// The name has other signs than letters, digits, `.`, `_` and `-`.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if is_harmless(name) {
        return Ok(());
    }
    Err(Error::usage(format!("`{}` cannot be the name of a cluster: letters, digits, `.`, `_` and `-`", printable(name)))
        .hint("lain use # lists the clusters"))
}

/// Refuses a cluster that neither has values nor a kubeconfig, and is not the one that this pod is in.
///
/// # Errors
/// The name is unknown; the error lists the known ones and the nearest.
pub(crate) fn check_known(env: &Env, name: &str) -> Result<()> {
    check_name(name)?;
    let dirs = env.cluster_values_dirs();
    if cluster_file(&dirs, name).is_some() || own(env).is_some_and(|own| own.name == name) {
        return Ok(());
    }
    let known = known_clusters(&dirs);
    let places = dirs.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(", ");
    let error = if known.is_empty() {
        Error::usage(format!("unknown cluster {name}: no values-{name}.yaml in {places}"))
    } else {
        Error::usage(format!("unknown cluster {name} (known: {})", known.join(", ")))
    };
    Err(match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("lain use {near}")),
        None => error.hint(format!(
            "write {}/values-{name}.yaml with at least `registry: HOST/PATH`",
            dirs.last().map_or_else(String::new, |dir| dir.display().to_string())
        )),
    })
}

/// `lain use NAME`: points `~/.kube/config` at the cluster's kubeconfig, atomically. A real file there is kept under another name.
///
/// # Errors
/// The cluster is unknown, has no kubeconfig, or `~/.kube` cannot be written.
pub(crate) fn switch(ui: &Ui, env: &Env, name: &str) -> Result<()> {
    check_known(env, name)?;
    let found = find(ui, env, name)?;
    let dir = kube_dir(env)
        .ok_or_else(|| Error::failed("HOME is not set, so ~/.kube cannot be found").hint("export HOME=/home/YOU # where .kube is"))?;
    fs::create_dir_all(&dir).map_err(|error| Error::io("create", &dir, &error))?;
    let own = dir.join(format!("{PREFIX}{name}"));
    let link = dir.join("config");
    let is_same = |one: &Path, other: &Path| fs::canonicalize(one).is_ok_and(|one| fs::canonicalize(other).is_ok_and(|other| one == other));
    let mut found = found;
    if fs::symlink_metadata(&link).is_ok_and(|meta| !meta.file_type().is_symlink()) {
        let kept = free_name(&dir.join("config.before-lain"));
        let was_it = is_same(&found, &link);
        fs::rename(&link, &kept).map_err(|error| Error::io("move", &link, &error))?;
        ui.say(&format!("{} was a file of yours; it is now {}", link.display(), kept.display()));
        if was_it {
            found = kept;
        }
    }
    // A kubeconfig that CI brought: a link under the cluster's name makes the next command know which one it is.
    let named = if found.file_name() == own.file_name() && found.starts_with(&dir) || is_same(&found, &own) {
        if found == beside(&dir, name) { found } else { own }
    } else {
        let is_file = fs::symlink_metadata(&own).is_ok_and(|meta| !meta.file_type().is_symlink());
        let place = if is_file { beside(&dir, name) } else { own };
        let target = if is_same(&found, &link) { fs::canonicalize(&found).unwrap_or(found) } else { found };
        fs::create_dir_all(place.parent().unwrap_or(&dir)).map_err(|error| Error::io("create", &place, &error))?;
        replace_link(&target, &place)?;
        place
    };
    replace_link(&named, &link)?;
    ui.done(&format!("using cluster {name}: {} -> {}", link.display(), named.display()));
    Ok(())
}

fn free_name(path: &Path) -> PathBuf {
    let with = |n: u32| PathBuf::from(if n == 0 { path.display().to_string() } else { format!("{}.{n}", path.display()) });
    (0..u32::MAX).map(with).find(|candidate| fs::symlink_metadata(candidate).is_err()).unwrap_or_else(|| path.to_path_buf())
}

/// Makes `link` point to `target` in one step: another process sees the old link or the new one, never none.
fn replace_link(target: &Path, link: &Path) -> Result<()> {
    if let Err(error) = fs::metadata(target) {
        return Err(Error::io("link to", target, &error));
    }
    if fs::symlink_metadata(link).is_ok_and(|meta| !meta.file_type().is_symlink()) {
        return Err(Error::failed(format!("{} is a file, not a link; it is left alone", link.display())));
    }
    let new = link.with_file_name(format!(".{}.{}", link.file_name().unwrap_or_default().to_string_lossy(), std::process::id()));
    symlink(target, &new).map_err(|error| Error::io("create", &new, &error))?;
    fs::rename(&new, link).map_err(|error| {
        let _ = fs::remove_file(&new);
        Error::io("replace", link, &error)
    })
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir).map_err(|error| Error::io("create", dir, &error))?;
    let file = crate::files::beside(path, fs::Permissions::from_mode(0o600))?;
    fs::write(file.path(), bytes).map_err(|error| Error::io("write", path, &error))?;
    file.persist(path).map_err(|error| Error::io("write", path, &error.error))?;
    Ok(())
}
