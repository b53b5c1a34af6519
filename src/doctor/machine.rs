//! What is on this machine: values, git, docker, room.

use std::path::{Path, PathBuf};

use super::{ANSWER, Finding, app_here};
use crate::error::{Error, Result, describe_io};
use crate::files;
use crate::images;
use crate::session::Session;
use crate::tools::git::Head;

/// In bytes.
const MIB: u64 = 1 << 20;

/// The values of the app and of the cluster.
pub(super) fn values(session: &Session) -> Result<Vec<Finding>> {
    session.authority()?;
    if !session.has_app() {
        return Ok(vec![Finding::unseen("no chart/values.yaml here")]);
    }
    session.cluster()?;
    Ok(vec![Finding::good(session.app()?.appname.to_string())])
}

/// The repository.
pub(super) fn git(session: &Session) -> Result<Vec<Finding>> {
    let git = session.git();
    let head = git.head()?;
    if head == Head::NoRepository && !session.has_app() {
        return Ok(vec![Finding::unseen("no repository here")]);
    }
    let mut amiss = Vec::new();
    let author = if session.env.is_ci() || git.has_author()? {
        None
    } else {
        let error = Error::failed("git does not know who commits here, so that it makes no commit");
        Some(error.hint("git config --global user.name NAME && git config --global user.email ADDRESS"))
    };
    let (before, after) = if matches!(head, Head::Commit(_)) { (None, author) } else { (author, None) };
    amiss.extend(before);
    match head {
        Head::NoRepository => {
            let error = Error::failed("the app is in no git repository: its images are tagged `latest`, one like the other");
            amiss.push(error.hint("git init && git add -A && git commit -m 'the app'"));
            return Ok(amiss.iter().map(Finding::warning).collect());
        }
        Head::NoCommit => {
            let error = Error::failed("there is no commit yet: images are tagged `latest`, one like the other");
            amiss.push(error.hint("git add -A && git commit -m 'the app'"));
        }
        Head::Commit(_) => {}
    }
    if git.is_shallow()? {
        let error = Error::failed("this clone has only the newest commits: `lain cherry`, `--refuse-older` and messages lack the others");
        let is_job = session.env.is_ci();
        amiss.push(error.hint(if is_job { "GIT_DEPTH: 0 # in `variables` of the job" } else { "git fetch --unshallow" }));
    }
    if git.remote_url()?.is_empty() {
        let error = Error::failed("there is no remote `origin`: releases do not say which repository they are of");
        amiss.push(error.hint("git remote add origin URL"));
    }
    amiss.extend(after);
    Ok(if amiss.is_empty() { vec![Finding::good("")] } else { amiss.iter().map(Finding::warning).collect() })
}

/// Who builds. An app that builds nothing can do without.
pub(super) fn docker(session: &Session) -> Result<Vec<Finding>> {
    if session.has_app()
        && let Err(unseen) = app_here(session)
    {
        return Ok(vec![unseen]);
    }
    let docker = session.docker()?.hurried(ANSWER);
    match images::can_build(session, &docker) {
        Ok(who) => Ok(vec![Finding::good(who)]),
        Err(error) if session.has_app() && !images::builds_nothing(session)? => Err(error),
        Err(error) => {
            let what = if session.has_app() { "the app builds nothing" } else { "no app is here" };
            Ok(vec![Finding::warning(&error.context(format!("{what}, and docker is not at hand")))])
        }
    }
}

/// Where there has to be room: a place, what it is for, and below how many bytes it is bad or worth a warning.
struct Need {
    path: PathBuf,
    what: &'static str,
    least: u64,
    little: u64,
    hint: String,
}

/// Room on the disks that commands write to.
pub(super) fn disk(session: &Session) -> Result<Vec<Finding>> {
    let df = |path: &Path| format!("df -h {} # and make room", shell_words::quote(&path.to_string_lossy()));
    let temporary = std::env::temp_dir();
    let mut needs = vec![
        Need { hint: df(&temporary), path: temporary.clone(), what: "temporary files", least: 20 * MIB, little: 200 * MIB },
        Need { hint: df(&session.dir), path: session.dir.clone(), what: "this folder", least: 5 * MIB, little: 50 * MIB },
    ];
    // A daemon elsewhere has its disk elsewhere.
    if let Some(path) = session.docker()?.hurried(ANSWER).root().filter(|path| path.is_dir()) {
        let hint = "docker system df # docker system prune makes room".to_owned();
        needs.push(Need { path, what: "docker's images", least: 300 * MIB, little: 2048 * MIB, hint });
    }
    if !temporary.is_dir() {
        let place = shell_words::quote(&temporary.to_string_lossy()).into_owned();
        let error = Error::failed(format!("TMPDIR is {}, and no such folder is there", temporary.display()));
        return Err(error.hint(format!("mkdir -p {place} # or unset TMPDIR")));
    }
    let mut found = Vec::new();
    let mut least = u64::MAX;
    let words = |bytes: u64| if bytes < 1024 * MIB { format!("{} MiB", bytes / MIB) } else { format!("{} GiB", bytes / MIB / 1024) };
    for need in needs {
        let room = files::room_at(&need.path)?;
        let place = need.path.display();
        let short = || Error::failed(format!("{place}, for {}, has {} left", need.what, words(room.bytes))).hint(&*need.hint);
        least = least.min(room.bytes);
        if room.has_no_more_files {
            let error = Error::failed(format!("{place}, for {}, has no room for more files (inodes), however small", need.what));
            found.push(Finding::bad(&error.hint(need.hint.replacen("df -h", "df -i", 1))));
        } else if room.bytes < need.least {
            found.push(Finding::bad(&short()));
        } else if room.bytes < need.little {
            found.push(Finding::warning(&short()));
        }
    }
    if found.is_empty()
        && let Err(error) = tempfile::tempfile_in(&temporary)
    {
        let error = Error::failed(describe_io(&error)).context(format!("no temporary file can be made in {}", temporary.display()));
        found.push(Finding::bad(&error.hint(format!("ls -ld {} # and give yourself write access, or export TMPDIR", temporary.display()))));
    }
    Ok(if found.is_empty() { vec![Finding::good(format!("{} or more", words(least)))] } else { found })
}
