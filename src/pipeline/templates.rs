//! lain's own templates, as they are in the binary.

use include_dir::{Dir, include_dir};

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/ci-templates");

/// Behind the name of a template's file.
pub const ENDING: &str = ".gitlab-ci.yml";

/// The name that messages give the file of a template in the binary.
pub(crate) fn path_of(name: &str) -> String {
    format!("ci-templates/{name}{ENDING}")
}

/// The text of a template: `deploy`, `lain`.
pub fn text(name: &str) -> Option<&'static str> {
    TEMPLATES.get_file(format!("{name}{ENDING}"))?.contents_utf8()
}

/// The template that a path, a URL or a component is a copy of: `ci-templates/NAME.gitlab-ci.yml`, `templates/NAME.yml`, or `HOST/PATH/NAME@VERSION` of a component
/// project that is called lain.
pub(crate) fn named(target: &str) -> Option<&str> {
    let path = target.split(['?', '#']).next().unwrap_or(target);
    let (path, version) = path.rsplit_once('@').unwrap_or((path, ""));
    let file = path.rsplit('/').next().unwrap_or(path);
    let folder = path.strip_suffix(file).unwrap_or_default().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let name = match file.strip_suffix(ENDING) {
        Some(name) if matches!(folder, "ci-templates" | "") => name,
        Some(_) => return None,
        None => match file.strip_suffix(".yml") {
            Some(name) if folder == "templates" && path.contains("lain") => name,
            None if !version.is_empty() && folder.starts_with("lain") => file,
            _ => return None,
        },
    };
    text(name).map(|_| name)
}

/// The names of all of them.
pub fn all() -> Vec<&'static str> {
    TEMPLATES.files().filter_map(|file| file.path().to_str()?.strip_suffix(ENDING)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_known_by_their_path() {
        for own in [
            "/ci-templates/lain.gitlab-ci.yml",
            "https://git.example.com/infra/lain/-/raw/v5.0.0/ci-templates/lain.gitlab-ci.yml?inline=false",
            "/lain/templates/lain.yml",
            "git.example.com/infra/lain/lain@5.0.0",
            "$CI_SERVER_FQDN/infra/lain-ci/lain@~latest",
        ] {
            assert_eq!(named(own), Some("lain"), "{own}");
        }
        for other in [
            "/templates/deploy.yml",
            "/ci/lain.gitlab-ci.yml",
            "git.example.com/infra/docker/build@1",
            ".gitlab-ci.yml",
            "/ci-templates/nobody.gitlab-ci.yml",
        ] {
            assert_eq!(named(other), None, "{other}");
        }
        assert!(all().contains(&"lain"));
    }
}
