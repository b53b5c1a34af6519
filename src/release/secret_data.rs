//! What a Secret holds: keys and raw values, and how much of them Kubernetes takes.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;
use zeroize::{Zeroize, Zeroizing};

use crate::error::{Error, Result};

/// Keys and raw values, wiped from memory in the end.
pub(crate) type Data = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// What stands for a value that is not text.
pub(crate) const BINARY: &str = "<binary, kept as it is>";
/// What stands for any value where values are not to be seen.
pub(crate) const MASK: &str = "***";
/// All values of a Secret together, in bytes (`MaxSecretSize` of the API server).
const MAX_BYTES: usize = 1024 * 1024;

/// Data as the server has it.
pub(super) fn decoded(data: &Json) -> Data {
    let data = data.as_object().into_iter().flatten();
    data.map(|(key, value)| (key.clone(), Zeroizing::new(STANDARD.decode(value.as_str().unwrap_or_default()).unwrap_or_default())))
        .collect()
}

/// What the API server would refuse, found before anything is written.
///
/// # Errors
/// The Secret is immutable, or would hold more than a Secret may.
pub(crate) fn check_whole(name: &str, object: &Json, data: &Data) -> Result<()> {
    if object["immutable"] == true {
        return Err(Error::refused(format!("Secret {name} is immutable: it can only be deleted and made anew"))
            .hint(format!("kubectl get secret {name} --output yaml # who made it so?")));
    }
    let size: usize = data.values().map(|value| value.len()).sum();
    if size > MAX_BYTES {
        let largest = data.iter().max_by_key(|(_, value)| value.len()).map(|(key, value)| format!("; {key} has {}", value.len()));
        return Err(Error::refused(format!(
            "Secret {name} would hold {size} bytes, {MAX_BYTES} are the most that Kubernetes takes{}",
            largest.unwrap_or_default()
        ))
        .hint("keep what is not secret in the image or on a volume"));
    }
    Ok(())
}

/// Wipes every text of a JSON value from memory.
pub(crate) fn wipe(json: &mut Json) {
    match json {
        Json::String(text) => text.zeroize(),
        Json::Array(items) => items.iter_mut().for_each(wipe),
        Json::Object(map) => map.iter_mut().for_each(|(_, value)| wipe(value)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}
