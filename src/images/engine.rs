//! Who builds: docker itself, or a buildx builder.

use crate::error::{Error, Result};
use crate::session::Session;
use crate::tools::docker::{Docker, INSTALL_BUILDX};

/// Who builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    /// `docker build`: with `BuildKit` or without, as docker itself decides (`DOCKER_BUILDKIT`, its version, its plugins).
    Docker,
    /// `docker buildx build --builder NAME`. It may be anywhere, and may have neither this daemon's images nor a place here to put its own.
    Builder(String),
}

/// Where what was built goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// The docker daemon.
    Daemon,
    /// The registries in the image's names, straight from the builder.
    Registry,
}

impl Engine {
    /// `BUILDX_BUILDER`, which docker reads too, else the cluster's `buildx_builder`, else docker itself.
    ///
    /// # Errors
    /// The values cannot be read.
    pub(super) fn of(session: &Session) -> Result<Self> {
        let own = session.env.get("BUILDX_BUILDER");
        let named = own.or(session.cluster()?.buildx_builder.as_deref()).filter(|name| !name.is_empty());
        Ok(named.map_or(Self::Docker, |name| Self::Builder(name.to_owned())))
    }

    /// Fails with the reason when it cannot build, so that a build does not fail later with a riddle.
    ///
    /// # Errors
    /// docker is missing, its daemon is needed and does not answer, or there is no such builder.
    pub(super) fn check(&self, docker: &Docker<'_>, to: Destination) -> Result<()> {
        if let Self::Builder(name) = self {
            docker.check_builder(name)?;
            if to == Destination::Registry {
                return Ok(()); // no daemon takes part
            }
        }
        docker.check()
    }

    /// Fails where it cannot mount secrets.
    ///
    /// # Errors
    /// There is no `BuildKit`, or `DOCKER_BUILDKIT` says that there be none.
    pub(super) fn check_secrets(&self, session: &Session, docker: &Docker<'_>) -> Result<()> {
        if *self != Self::Docker {
            return Ok(());
        }
        let without = session.env.get("DOCKER_BUILDKIT").filter(|flag| ["0", "f", "false"].contains(&flag.to_ascii_lowercase().as_str()));
        if let Some(flag) = without {
            return Err(Error::failed(format!("`build.secrets` needs BuildKit, and DOCKER_BUILDKIT={flag} forbids it"))
                .hint("unset DOCKER_BUILDKIT"));
        }
        if docker.has_buildkit()? {
            return Ok(());
        }
        Err(Error::failed("`build.secrets` needs BuildKit, and this docker builds without: its buildx plugin is not installed")
            .hint(INSTALL_BUILDX)
            .hint("buildx_builder: NAME # in the cluster values, to build elsewhere"))
    }

    /// Fails where it cannot build for these platforms.
    ///
    /// # Errors
    /// There are several, and the builder or the destination has room for one.
    pub(super) fn check_platforms(&self, platforms: &[String], to: Destination) -> Result<()> {
        let (first, list) = match platforms {
            [] | [_] => return Ok(()),
            [first, ..] => (first, platforms.join(", ")),
        };
        match (self, to) {
            (Self::Docker, _) => Err(Error::usage(format!("docker itself builds for one platform, and these are asked for: {list}"))
                .hint("buildx_builder: NAME # in the cluster values; docker buildx create --name NAME makes one")
                .hint(format!("lain build --platform {first} # for that one alone"))),
            (Self::Builder(_), Destination::Daemon) => {
                Err(Error::usage(format!("a docker daemon has room for one platform, and these are asked for: {list}"))
                    .hint("lain build --push # straight to the registry")
                    .hint(format!("lain build --platform {first} # for that one alone")))
            }
            (Self::Builder(_), Destination::Registry) => Ok(()),
        }
    }
}
