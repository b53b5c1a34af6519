//! What helm rendered: YAML documents, each an object or a list of objects.

use serde::Deserialize;
use serde_json::Value as Json;

/// One document of a manifest, as it is written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Document<'m> {
    /// Its first line, counted from 0.
    pub first: usize,
    /// Its lines, from the `---` that it starts with.
    pub text: &'m str,
}

/// Takes a manifest apart where helm does.
pub(crate) fn documents(manifest: &str) -> Vec<Document<'_>> {
    let mut starts = vec![(0, 0)];
    let mut at = 0;
    for (number, line) in manifest.split_inclusive('\n').enumerate() {
        if at > 0 && (line.trim_end() == "---" || line.starts_with("--- ")) {
            starts.push((number, at));
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).map(|(_, start)| *start).chain([manifest.len()]);
    starts.iter().zip(ends).map(|((first, start), end)| Document { first: *first, text: &manifest[*start..end] }).collect()
}

impl<'m> Document<'m> {
    /// The file below the chart that helm says it is from: `templates/cronjob.yaml`.
    pub(crate) fn template(&self) -> Option<&'m str> {
        let source = self.text.lines().find_map(|line| line.strip_prefix("# Source: "))?;
        Some(source.split_once('/').map_or(source, |(_, rest)| rest).trim())
    }
}

/// One object of a manifest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object(Json);

/// Reads a manifest; empty documents are left out, lists are taken apart.
///
/// # Errors
/// A document is no YAML, or no object; the words say which, counted from 1.
pub(crate) fn objects(manifest: &str) -> Result<Vec<Object>, String> {
    let mut found = Vec::new();
    for (document, number) in serde_yaml::Deserializer::from_str(manifest).zip(1..) {
        let value = Json::deserialize(document).map_err(|error| format!("document {number} of the manifest cannot be read: {error}"))?;
        match value {
            Json::Null => {}
            Json::Object(_) => add(value, &mut found),
            _ => return Err(format!("document {number} of the manifest is no object")),
        }
    }
    Ok(found)
}

fn add(mut value: Json, found: &mut Vec<Object>) {
    let is_list = value["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    match value.get_mut("items").map(Json::take) {
        Some(Json::Array(items)) if is_list => items.into_iter().for_each(|item| add(item, found)),
        Some(items) => {
            value["items"] = items;
            found.push(Object(value));
        }
        None => found.push(Object(value)),
    }
}

impl Object {
    /// `batch/v1`; empty where it is missing.
    pub(crate) fn api_version(&self) -> &str {
        self.0["apiVersion"].as_str().unwrap_or_default()
    }

    /// `PersistentVolumeClaim`; empty where it is missing.
    pub(crate) fn kind(&self) -> &str {
        self.0["kind"].as_str().unwrap_or_default()
    }

    /// Its name; empty where it is missing.
    pub(crate) fn name(&self) -> &str {
        self.0["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// The namespace that it names; empty where it is the release's.
    pub(crate) fn namespace(&self) -> &str {
        self.0["metadata"]["namespace"].as_str().unwrap_or_default()
    }

    /// An annotation.
    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        self.0["metadata"]["annotations"][key].as_str()
    }

    /// All of it.
    pub(crate) fn json(&self) -> &Json {
        &self.0
    }

    /// Its `metadata`.
    pub(crate) fn metadata(&self) -> &Json {
        &self.0["metadata"]
    }

    /// Its `spec`.
    pub(crate) fn spec(&self) -> &Json {
        &self.0["spec"]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(manifest: &str) -> Vec<(String, String)> {
        let found = objects(manifest).expect(manifest);
        found.iter().map(|object| (object.kind().to_owned(), object.name().to_owned())).collect()
    }

    #[test]
    fn however_it_is_written() {
        let wanted = [("PersistentVolumeClaim".to_owned(), "data".to_owned())];
        for manifest in [
            "kind: PersistentVolumeClaim\nmetadata:\n  name: data\n",
            "---\n# Source: a.yaml\nkind:  \"PersistentVolumeClaim\" # x\nmetadata: {name: 'data'}\n---\n# nothing\n---\n",
            "{\"kind\": \"PersistentVolumeClaim\", \"metadata\": {\"name\": \"data\"}}",
            "metadata: &m\n  name: data\n? kind\n: >-\n  PersistentVolumeClaim\n",
            "kind: List\nitems:\n- kind: !!str PersistentVolumeClaim\n  metadata: {name: data}\n",
            "\"k\\u0069nd\": PersistentVolumeClaim\nmetadata: {name: data}\n...\n",
            "kind: PersistentVolumeClaim\r\nmetadata:\r\n  name: data\r\n",
        ] {
            assert_eq!(read(manifest), wanted, "{manifest}");
        }
        assert_eq!(read(""), []);
        assert_eq!(read("kind: ConfigMap\ndata:\n  x: |\n    kind: PersistentVolumeClaim\n"), [("ConfigMap".to_owned(), String::new())]);
    }

    #[test]
    fn documents_are_told_apart() {
        let manifest = "---\n# Source: shop/templates/a.yaml\nx: |\n  ---\n--- # b\ny: 1\n---\n";
        let found = documents(manifest);
        assert_eq!(
            found.iter().map(|one| (one.first, one.template())).collect::<Vec<_>>(),
            [(0, Some("templates/a.yaml")), (4, None), (6, None)]
        );
        assert_eq!(found.iter().map(|one| one.text).collect::<String>(), manifest);
        assert_eq!(documents("a: 1\n---\nb: 1").iter().map(|one| one.first).collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        assert!(objects("kind: A\n---\nkind: [").expect_err("broken").starts_with("document 2 of the manifest cannot be read"));
        assert!(objects("- a\n").expect_err("a list").contains("is no object"));
        let bomb = (0..30).fold("a0: &a0 [x]\n".to_owned(), |text, n| text + &format!("a{}: &a{} [*a{n}, *a{n}]\n", n + 1, n + 1));
        assert!(objects(&bomb).is_err(), "an alias bomb ends");
    }
}
