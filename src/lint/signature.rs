//! Whose signatures a cluster asks for.

use super::Input;
use crate::model::cluster::Signature;

/// L033 whose signature counts. Such words stand in the administrators' file alone.
pub(super) fn check(input: &mut Input<'_>) {
    let said: Option<Signature> = input.root.get("signature").and_then(|node| serde_json::from_value(node.to_json()).ok());
    if let Some(wrong) = said.as_ref().and_then(Signature::wrong) {
        let span = input.key_span(&["signature"]);
        input.error("L033", &span, format!("`signature` {wrong}"), "signature: {key: cosign.pub}");
    } else if input.root.get("require_signature").is_some_and(|node| node.to_json() == true)
        && !said.is_some_and(|said| said.names_somebody())
    {
        let span = input.key_span(&["require_signature"]);
        let message = "`require_signature` without a `signature` that names a key or an identity: nothing could run";
        input.error("L033", &span, message, "signature: {key: cosign.pub}");
    }
}
