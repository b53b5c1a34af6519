//! `lain meta` beside real git: the tag of what is checked out, or a clear word.

mod support;

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;
use std::process::Command;

use support::{App, Ran};

/// An app in git with two commits.
fn two_commits() -> App {
    let app = App::new().committed().file("more", "2");
    app.git(&["add", "-A"]);
    app.git(&["commit", "-q", "-m", "two"]);
    app
}

/// What the tag is to be, by git's plumbing.
fn tag_at(app: &App, folder: &Path, revision: &str) -> String {
    let folder = folder.to_str().expect("text");
    let sha = app.git(&["-C", folder, "rev-parse", revision]);
    let commit = app.git(&["-C", folder, "cat-file", "commit", &sha]);
    let committer = commit.lines().find(|line| line.starts_with("committer ")).expect("a committer");
    format!("{}-{sha}", committer.rsplit(' ').nth(1).expect("a time"))
}

fn meta_in(app: &App, folder: &Path) -> Ran {
    let mut lain = app.command(Path::new(env!("CARGO_BIN_EXE_lain")));
    lain.current_dir(folder).arg("meta");
    app.run_command(lain)
}

/// The tag of HEAD and not a word more.
#[track_caller]
fn is_head(app: &App, folder: &Path) {
    let ran = meta_in(app, folder).exits(0).prints(&tag_at(app, folder, "HEAD"));
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_clean_tree() {
    let app = two_commits();
    is_head(&app, &app.dir());
    app.git(&["tag", "HEAD"]); // a name that git finds ambiguous
    meta_in(&app, &app.dir()).exits(0).prints(&tag_at(&app, &app.dir(), "refs/heads/master"));
}

#[test]
fn a_dirty_tree_has_the_tag_of_head_and_a_word() {
    for change in [&["rm", "-q", "--cached", "more"][..], &["mv", "more", "less"]] {
        let app = two_commits();
        app.git(change);
        app.run(&["meta"]).exits(0).prints(&tag_at(&app, &app.dir(), "HEAD")).says("changes that are not committed").changed_nothing();
    }
    let app = two_commits().file("new", "");
    app.run(&["meta"]).exits(0).prints(&tag_at(&app, &app.dir(), "HEAD")).says("changes that are not committed");
    let app = app.file(".git/info/exclude", "new\n");
    app.run(&["meta"]).exits(0).never_says("not committed");
}

#[test]
fn a_shallow_clone_and_a_detached_head() {
    let app = two_commits();
    let (source, clone) = (format!("file://{}", app.dir().display()), app.tmp().join("clone"));
    app.git(&["clone", "-q", "--depth", "1", &source, clone.to_str().expect("text")]);
    assert_eq!(app.git(&["-C", clone.to_str().expect("text"), "rev-parse", "--is-shallow-repository"]), "true");
    is_head(&app, &clone);
    assert_eq!(tag_at(&app, &clone, "HEAD"), tag_at(&app, &app.dir(), "HEAD"));
    app.git(&["checkout", "-q", "--detach", "HEAD~1"]);
    is_head(&app, &app.dir());
}

#[test]
fn a_worktree_has_its_own_head() {
    let app = two_commits();
    let tree = app.tmp().join("tree");
    app.git(&["worktree", "add", "-q", "-b", "side", tree.to_str().expect("text"), "HEAD~1"]);
    is_head(&app, &tree);
    assert_ne!(tag_at(&app, &tree, "HEAD"), tag_at(&app, &app.dir(), "HEAD"));
}

#[test]
fn in_a_submodule_the_tag_is_the_submodules() {
    let lib = two_commits();
    let app = two_commits().tools(&["basename", "sed", "uname", "sh"]); // `git submodule` is a script
    let source = lib.dir().display().to_string();
    app.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &source, "lib"]);
    assert!(app.dir().join("lib/.git").is_file());
    is_head(&app, &app.dir().join("lib"));
    assert_eq!(tag_at(&app, &app.dir().join("lib"), "HEAD"), tag_at(&lib, &lib.dir(), "HEAD"));
    // A job that has the submodule's folder alone.
    fs::remove_dir_all(app.dir().join(".git/modules")).expect("it was there");
    meta_in(&app, &app.dir().join("lib")).exits(1).reason("not a git repository: ").next("points to a repository that is not here");
}

#[test]
fn an_app_in_a_folder_of_its_repository_or_behind_a_link() {
    let app = two_commits().file("apps/shop/chart/values.yaml", support::VALUES);
    app.git(&["add", "-A"]);
    app.git(&["commit", "-q", "-m", "three"]);
    is_head(&app, &app.dir().join("apps/shop"));
    symlink(app.dir().join("apps/shop"), app.tmp().join("link")).expect("a link");
    is_head(&app, &app.tmp().join("link"));
}

#[test]
fn outside_git_and_before_the_first_commit_it_is_latest() {
    let app = App::new();
    app.run(&["meta"]).exits(0).prints("latest").never_says("warning");
    app.git(&["init", "-q"]);
    app.run(&["meta"]).exits(0).prints("latest").says("there is no commit yet");
}

#[test]
fn a_repository_that_git_was_told_not_to_find_is_none() {
    let app = two_commits().file("apps/shop/x", "");
    let ceiling = app.dir().join("apps").display().to_string();
    let app = app.env("GIT_CEILING_DIRECTORIES", &ceiling);
    meta_in(&app, &app.dir().join("apps/shop")).exits(0).prints("latest");
}

#[test]
fn gitlabs_merged_result() {
    let app = two_commits();
    let own = app.git(&["rev-parse", "HEAD"]);
    app.git(&["checkout", "-q", "-b", "base", "HEAD~1"]);
    app.git(&["commit", "-q", "--allow-empty", "-m", "meanwhile"]);
    app.git(&["merge", "-q", "--no-ff", "-m", "Merge", &own]);
    app.git(&["checkout", "-q", "--detach"]);
    let merge = app.git(&["rev-parse", "HEAD"]);
    let app = [
        ("CI", "true"),
        ("GITLAB_CI", "true"),
        ("CI_COMMIT_SHA", &merge),
        ("CI_MERGE_REQUEST_EVENT_TYPE", "merged_result"),
        ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "feature"),
        ("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", &own),
        ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "base"),
    ]
    .into_iter()
    .fold(app, |app, (name, value)| app.env(name, value));
    let words = format!("HEAD is GitLab's merge of feature ({own}) into base: the tag names a commit that lives only in this pipeline");
    app.run(&["meta"]).exits(0).prints(&tag_at(&app, &app.dir(), "HEAD")).says(&words);
    let app = app.env("CI_MERGE_REQUEST_EVENT_TYPE", "merge_train");
    app.run(&["meta"]).exits(0).says("lives only in this pipeline");
    // A job that checks out the branch itself, and a pipeline of the branch.
    app.git(&["checkout", "-q", &own]);
    app.run(&["meta"]).exits(0).prints(&tag_at(&app, &app.dir(), &own)).never_says("pipeline");
    let app = app.env("CI_MERGE_REQUEST_EVENT_TYPE", "detached").env("CI_COMMIT_SHA", &own).env("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "");
    app.run(&["meta"]).exits(0).never_says("pipeline");
}

/// Only root can give a folder away: without that there is no such case to test.
#[test]
fn a_repository_of_another_user() {
    let app = two_commits().file("apps/the shop/x", "");
    let git = app.dir();
    for path in [git.clone(), git.join(".git")] {
        chown(&path, Some(12345), None).expect("this test needs root: it gives a folder to another user");
    }
    let advice = format!("git config --global --add safe.directory {}", git.display());
    for folder in [git.clone(), git.join("apps/the shop")] {
        meta_in(&app, &folder).exits(1).reason("git does not trust").next(&advice);
    }
    let words = shell_words::split(&advice).expect("a line to type");
    let mut typed = app.command(Path::new(&words[0]));
    assert!(typed.args(&words[1..]).status().expect("git runs").success());
    app.run(&["meta"]).exits(0).prints(&tag_at(&app, &git, "HEAD"));
}

#[test]
fn a_bare_repository_has_a_head_too() {
    let app = two_commits();
    let bare = app.tmp().join("bare.git");
    app.git(&["clone", "-q", "--bare", ".", bare.to_str().expect("text")]);
    is_head(&app, &bare);
}

#[test]
fn a_damaged_repository_has_no_tag() {
    type Damage = fn(&Path);
    let faults: &[(&str, Damage)] = &[
        ("finds no repository in it", |git| fs::write(git.join("HEAD"), "garbage\n").expect("a file")),
        ("finds no repository in it", |git| fs::remove_file(git.join("HEAD")).expect("it was there")),
        ("finds no repository in it", |git| fs::remove_dir_all(git.join("objects")).expect("it was there")),
        ("bad object HEAD", |git| fs::write(git.join("refs/heads/master"), format!("{}\n", "1".repeat(40))).expect("a file")),
        ("bad config line 1", |git| fs::write(git.join("config"), "[core\n").expect("a file")),
        ("is corrupt", |git| {
            let head = fs::read_to_string(git.join("refs/heads/master")).expect("a branch");
            let object = git.join("objects").join(&head[..2]).join(head[2..].trim());
            fs::remove_file(&object).expect("it was there");
            fs::write(object, "xx").expect("a file");
        }),
    ];
    for (words, damage) in faults {
        let app = two_commits();
        damage(&app.dir().join(".git"));
        app.run(&["meta"]).exits(1).reason(words).next("a fresh clone mends it").changed_nothing();
    }
}

#[test]
fn a_repository_with_sha_256() {
    let app = App::new();
    app.git(&["init", "-q", "--object-format=sha256"]);
    let app = app.committed();
    is_head(&app, &app.dir());
    let tag = app.run(&["meta"]).stdout.trim().to_owned();
    assert_eq!(lain::model::tag::sha_of_tag(&tag).map(str::len), Some(64));
    assert!(lain::model::tag::time_of_tag(&tag).is_some());
}

#[test]
fn gits_own_variables() {
    let (app, other) = (two_commits(), App::new().committed());
    let elsewhere = other.dir().join(".git").display().to_string();
    let app = app.env("GIT_DIR", &elsewhere);
    app.run(&["meta"]).exits(0).prints(&tag_at(&other, &other.dir(), "HEAD")).says("GIT_DIR is set");
    let app = app.env("GIT_DIR", "/nowhere");
    app.run(&["meta"]).exits(1).reason("not a git repository: '/nowhere'").next("env | grep ^GIT_");
}

#[test]
fn what_one_clone_says_of_a_commit_does_not_change_its_tag() {
    let app = two_commits();
    let tag = tag_at(&app, &app.dir(), "HEAD");
    let mut replacing = app.command(Path::new("git"));
    replacing.args(["-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "-q", "--amend", "-m", "other", "--date", "@1"]);
    let set = |command: &mut Command| assert!(command.env("GIT_COMMITTER_DATE", "@1000000000 +0000").status().expect("git runs").success());
    let before = app.git(&["rev-parse", "HEAD"]);
    set(&mut replacing);
    let after = app.git(&["rev-parse", "HEAD"]);
    app.git(&["reset", "-q", "--hard", &before]);
    app.git(&["replace", &before, &after]);
    app.git(&["config", "log.showSignature", "true"]);
    app.git(&["config", "log.date", "relative"]);
    app.git(&["config", "color.ui", "always"]);
    app.run(&["meta"]).exits(0).prints(&tag);
}
