//! Apps that docker or a builder builds, on the rig's engines.

#![allow(dead_code)] // each test file uses its own part

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;

use crate::support::{App, rig};

/// An app that is new in every run: its images go when it is dropped.
pub struct Shop {
    pub app: App,
    pub name: String,
}

impl Shop {
    /// `build` is what stands below `build:`, `cluster` the cluster's values.
    pub fn new(build: &str, cluster: &str) -> Self {
        let unique = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_nanos();
        let name = format!("engine-{unique}");
        let app = App::empty()
            .docker()
            .file("hello.txt", "hello\n")
            .values(&format!("appname: {name}\nbuild:\n{build}"))
            .cluster("test", cluster)
            .using("test")
            .committed();
        Self { app, name }
    }

    /// With docker's buildx plugin, and so with `BuildKit`.
    pub fn buildx(self) -> Self {
        let plugins = self.app.home().join(".docker/cli-plugins");
        fs::create_dir_all(&plugins).expect("a folder");
        let plugin = Path::new(&rig("LAIN_RIG_TOOLS")).join("docker-buildx/docker-buildx");
        assert!(plugin.is_file(), "{} is missing: tests/rig/rig up", plugin.display());
        symlink(plugin, plugins.join("docker-buildx")).expect("a link");
        self
    }

    /// With a builder `far`: the rig's `BuildKit`, which knows nothing of the docker daemon.
    pub fn far(self) -> Self {
        let shop = self.buildx();
        shop.docker(&["buildx", "create", "--name", "far", "--driver", "remote", &rig("LAIN_RIG_BUILDKIT")]);
        shop
    }

    /// With this in its environment.
    pub fn env(self, name: &str, value: &str) -> Self {
        self.with(|app| app.env(name, value))
    }

    /// Changed.
    pub fn with(mut self, change: impl FnOnce(App) -> App) -> Self {
        self.app = change(std::mem::replace(&mut self.app, App::empty()));
        self
    }

    /// docker in the app's own environment; what it prints.
    #[track_caller]
    pub fn docker(&self, args: &[&str]) -> String {
        let ran = self.try_docker(args);
        ran.unwrap_or_else(|error| panic!("docker {args:?}: {error}"))
    }

    /// docker's words either way.
    pub fn try_docker(&self, args: &[&str]) -> Result<String, String> {
        let out = self.app.command(Path::new("docker")).args(args).output().expect("docker runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if out.status.success() { Ok(text(&out.stdout)) } else { Err(text(&out.stderr)) }
    }

    /// What a registry has under a name, as it came.
    #[track_caller]
    pub fn manifest(&self, image: &str) -> Json {
        serde_json::from_str(&self.docker(&["buildx", "imagetools", "inspect", "--raw", image])).expect("JSON")
    }

    /// The image and the digest that lain tells.
    #[track_caller]
    pub fn build(&self, args: &[&str]) -> (String, String) {
        let ran = self.app.run(&[&["build", "-o", "json"], args].concat()).exits(0).leaves_nothing();
        let json: Json = serde_json::from_str(&ran.stdout).expect("JSON");
        let digest = json["digest"].as_str().unwrap_or_default().to_owned();
        (json["image"].as_str().expect("an image").to_owned(), digest)
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        for host in ["DOCKER_HOST", "LAIN_RIG_ENGINE"].map(|name| std::env::var(name).unwrap_or_default()) {
            let list = self.try_docker(&["--host", &host, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).unwrap_or_default();
            for image in list.lines().filter(|image| image.contains(&self.name)) {
                let _ = self.try_docker(&["--host", &host, "image", "rm", "--force", image]);
            }
        }
    }
}

/// As registries tell it.
pub fn is_digest(text: &str) -> bool {
    text.len() == 71 && text.starts_with("sha256:")
}
