//! Images: which one runs, and how it is made.

use std::rc::Rc;

use super::Input;
use crate::model::builds;
use crate::model::image::ImageReference;
use crate::model::name::nearest;

/// L014 one image, L020 nothing to build, L028 builds that are not there, L040 `latest`.
pub(super) fn check(input: &mut Input<'_>) {
    let app = Rc::clone(&input.app);
    let named: Vec<&str> = app.builds.iter().flatten().map(|(name, _)| name.as_str()).collect();
    for (kind, name, proc) in app.procs() {
        let path = [kind.key(), name];
        let given = [("image", proc.image.is_some()), ("imageTag", proc.image_tag.is_some()), ("build", proc.build.is_some())];
        let given: Vec<&str> = given.iter().filter(|(_, given)| *given).map(|(key, _)| *key).collect();
        if let [first, second, ..] = given[..] {
            let span = input.key_span(&[path[0], path[1], second]);
            let hint = "keep one: image is a whole reference, imageTag a tag of this app's image, build one of `builds`";
            input.error("L014", &span, format!("`{}.{name}` has both `{first}` and `{second}`", kind.key()), hint);
        }
        if let Some(build) = proc.build.as_deref().filter(|build| !named.contains(build)) {
            let span = input.span(&[path[0], path[1], "build"]);
            let hint = match nearest(build, named.iter().copied()).or(named.first().copied()) {
                Some(near) => format!("build: {near}"),
                None => format!("builds: {{{build}: {{base: IMAGE, script: [COMMAND]}}}}"),
            };
            input.error("L028", &span, format!("`{build}` is none of `builds`"), hint);
        }
        let is_latest = match (&proc.image, &proc.image_tag) {
            (Some(image), _) => match ImageReference::parse(image) {
                Ok(image) => image.digest.is_none() && image.tag.as_deref().is_none_or(|tag| tag == "latest"),
                Err(error) => {
                    let span = input.span(&[path[0], path[1], "image"]);
                    input.error("L006", &span, error.message(), "image: registry.example.com/team/name:1.2");
                    false
                }
            },
            (None, Some(tag)) => tag.0 == "latest",
            _ => false,
        };
        if is_latest {
            let key = if proc.image.is_some() { "image" } else { "imageTag" };
            let span = input.span(&[path[0], path[1], key]);
            let message = format!("`{}.{name}` runs an image without a version", kind.key());
            let hint = proc.image.as_deref().map_or_else(
                || "imageTag: TAG # lain tags".to_owned(),
                |image| format!("image: {}:1.2 # which version runs now?", image.strip_suffix(":latest").unwrap_or(image)),
            );
            input.warning("L040", &span, message, hint);
        }
    }
    for wrong in builds::wrong(&app) {
        let way: Vec<&str> = wrong.way.iter().map(String::as_str).collect();
        let span = input.key_span(&way);
        input.error(wrong.id, &span, wrong.message, wrong.hint);
    }
    if app.build.as_ref().is_some_and(|build| build.release.is_some()) {
        let span = input.key_span(&["build", "release"]);
        let hint = "release: # at the left, as `build`; in `builds` each has its own";
        input.error("L004", &span, "`build.release` is not read: `release` stands beside `build`", hint);
    }
    if app.release.is_some() && app.build.is_none() && input.root.get("build").is_none() {
        let span = input.key_span(&["release"]);
        input.error("L028", &span, "`release` copies out of a `build`, and there is none", "build: {base: IMAGE, script: [COMMAND]}");
    }
    let needs_image = app.procs().any(|(_, _, proc)| proc.image.is_none());
    if needs_image && input.root.get("build").is_none() && input.root.get("builds").is_none() {
        let span = input.key_span(&["appname"]);
        let message = "the values have no `build`, but not every proc names an `image`";
        input.warning("L020", &span, message, "build: {base: IMAGE, script: [COMMAND]}");
    }
}
