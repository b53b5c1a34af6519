//! What is in a kubeconfig: <https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/>.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};

use crate::error::{Error, Result};

/// Files that a kubeconfig names, from its own folder on where they are relative (`ResolveLocalPaths` of kubectl): list, what it is in, key.
const PATHS: [(&str, &str, &str); 4] = [
    ("clusters", "cluster", "certificate-authority"),
    ("users", "user", "client-certificate"),
    ("users", "user", "client-key"),
    ("users", "user", "tokenFile"),
];
/// Links behind links that are looked through.
const MAX_LINKS: usize = 8;

/// The path of a kubeconfig by which the files that it names are found: itself, or, where it is a link and they are not beside it, where that leads.
pub(super) fn home_of(path: &Path) -> PathBuf {
    let Ok(text) = fs::read(path) else { return path.to_path_buf() };
    let relative: Vec<PathBuf> = read(&text)
        .map(|mut config| {
            let mut found = vec![];
            each_path(&mut config, |file| found.push(PathBuf::from(file.as_str())));
            found.into_iter().filter(|file| file.is_relative()).collect()
        })
        .unwrap_or_default();
    let mut at = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        let folder = at.parent().unwrap_or(Path::new("."));
        if relative.iter().all(|file| folder.join(file).exists()) {
            return at;
        }
        let Ok(target) = fs::read_link(&at) else { break };
        at = folder.join(target);
    }
    path.to_path_buf()
}

/// Several kubeconfigs as one, as kubectl merges them: what an earlier one says counts; entries by their names.
///
/// # Errors
/// One cannot be read, or is none.
pub(super) fn merged(paths: &[PathBuf]) -> Result<String> {
    let mut all = Map::new();
    for path in paths {
        let text = fs::read(path).map_err(|error| Error::io("read", path, &error))?;
        let mut config = read(&text).ok_or_else(|| {
            Error::failed(format!("{} is no kubeconfig", path.display()))
                .hint(format!("kubectl config view --kubeconfig {}", path.display()))
        })?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        each_path(&mut config, |file| *file = folder.join(&*file).display().to_string());
        for (key, value) in config {
            match (all.get_mut(&key), value) {
                (Some(Json::Array(known)), Json::Array(more)) => {
                    let is_new = |one: &Json| !known.iter().any(|other| other["name"] == one["name"]);
                    let more: Vec<Json> = more.into_iter().filter(is_new).collect();
                    known.extend(more);
                }
                (Some(known), value) if known.is_null() || known == "" => *known = value,
                (Some(_), _) => {}
                (None, value) => drop(all.insert(key, value)),
            }
        }
    }
    Ok(Json::Object(all).to_string())
}

/// A kubeconfig in base64, with or without line ends; none for what is no such thing, as the path of a file that is missing.
pub(super) fn of_base64(value: &str) -> Option<Vec<u8>> {
    let text: String = value.split_whitespace().collect();
    STANDARD.decode(text).ok().filter(|bytes| read(bytes).is_some())
}

/// A map with clusters in it.
fn read(text: &[u8]) -> Option<Map<String, Json>> {
    match serde_yaml::from_slice(text).ok()? {
        Json::Object(map) if map.get("clusters").is_some_and(|clusters| clusters.is_array() || clusters.is_null()) => Some(map),
        _ => None,
    }
}

/// All files that a kubeconfig names; a login program counts where it is named by a path.
fn each_path(config: &mut Map<String, Json>, mut act: impl FnMut(&mut String)) {
    for (list, inside, key) in PATHS {
        for one in config.get_mut(list).and_then(Json::as_array_mut).into_iter().flatten() {
            if let Some(Json::String(file)) = one.get_mut(inside).and_then(|inside| inside.get_mut(key)).filter(|file| *file != "") {
                act(file);
            }
        }
    }
    for user in config.get_mut("users").and_then(Json::as_array_mut).into_iter().flatten() {
        if let Some(Json::String(program)) =
            user.pointer_mut("/user/exec/command").filter(|program| program.as_str().is_some_and(|text| text.contains('/')))
        {
            act(program);
        }
    }
}
