//! What git keeps is what reaches an image: `lain dockerignore` beside real git and real docker.
//!
//! Each case is a set of `.gitignore` files over one tree. docker builds an image of the whole context with the file that lain derives,
//! and the image is compared with `git ls-files --cached --others --exclude-standard`.

mod support;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

use lain::render::dockerignore::{Ignore, Place};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use support::{App, rig};

/// Names that a shell, a regular expression or a translation may stumble over.
const TREE: &[&str] = &[
    "a.pyc",
    "keep.pyc",
    "Makefile",
    "build/out.o",
    "build/keep.txt",
    "dist",
    "docs/build/index.html",
    "docs/a.log",
    "docs/important.log",
    "docs/deep/er/a.txt",
    "docs/deep/er/b.log",
    "node_modules/x/index.js",
    "web/node_modules/y/index.js",
    "web/dist/app.js",
    "web/dist/.gitkeep",
    "web/src/app.js",
    "web/src/dist/app.js",
    "with space/a b.txt",
    "with space/end ",
    "ünïcödé/naïve.txt",
    "ünïcödé/日本語.log",
    "#hash",
    "!bang",
    "plus+(1){2}|^$.txt",
    "br[a]cket",
    "bra",
    "back\\slash",
    "st*r",
    "star",
    "q?",
    "qx",
    "f1",
    "f2",
    "fa",
    "x-y",
    "x.y",
    "xxy",
    ".env",
    ".env.example",
    "secret/.env",
    "a/b",
    "a/c/b",
    "a/c/d/b",
    "c/a/b",
    "foo/bar/baz/one.txt",
    "foo/bar/two.txt",
    "foo/three.txt",
    "vendor/lib/v.so",
    "vendor/lib/w.so",
    "vendor/v.txt",
];

/// `.gitignore` files: where and what. All of the tree is untracked.
type Case = (&'static str, &'static [(&'static str, &'static str)]);

const TABLE: &[Case] = &[
    ("nothing", &[]),
    ("empty", &[("", "")]),
    ("comments and empty lines", &[("", "# *.pyc\n\n   \n#Makefile\n")]),
    ("any depth", &[("", "*.pyc\n*.log\nnode_modules\n")]),
    ("anchored", &[("", "/dist\n/node_modules\n/a.pyc\n")]),
    ("anchored by a slash within", &[("", "a/b\nweb/dist\nsrc/dist\n")]),
    ("folders only", &[("", "dist/\nbuild/\nb/\n")]),
    ("anchored folders only", &[("", "/dist/\n/build/\nweb/dist/\n/c/\n")]),
    ("negation", &[("", "*.pyc\n!keep.pyc\n*.log\n!important.log\n")]),
    ("negation that a later line takes back", &[("", "*.log\n!important.log\ndocs/important.log\n")]),
    ("negation below an ignored folder", &[("", "build/\n!build/keep.txt\nfoo\n!foo/bar\n!one.txt\n")]),
    ("the contents but for one", &[("", "/foo/*\n!/foo/bar\n/foo/bar/*\n!/foo/bar/baz/\n")]),
    ("all but text", &[("", "*\n!*/\n!*.txt\n")]),
    ("all but text, without folders", &[("", "*\n!*.txt\n")]),
    ("all but some at the top", &[("", "/*\n!/web/\n!/Makefile\n/web/*\n!/web/src\n")]),
    ("a folder comes back, its own do not", &[("", "*.log\n*.txt\ndocs\n!docs\n!foo\n")]),
    ("all", &[("", "*\n")]),
    ("all, otherwise", &[("", "**\n")]),
    ("nothing after all", &[("", "*\n!*\n")]),
    ("leading stars", &[("", "**/b\n**/dist/app.js\n")]),
    ("trailing stars", &[("", "a/**\nweb/**/dist/**\n")]),
    ("inner stars", &[("", "a/**/b\n**/deep/**/b.log\n")]),
    ("folders below", &[("", "foo/**/\nweb/**/dist/\n")]),
    ("stars within a name", &[("", "doc**/a.log\nno**les\n**.pyc\nw**b/src\n")]),
    ("one star stays within a name", &[("", "a/*/b\nfoo/*.txt\nd*s\n")]),
    ("question marks", &[("", "f?\nx?y\na?b\n")]),
    ("classes", &[("", "f[0-9]\nx[.-]y\n*.py[co]\n")]),
    ("negated classes", &[("", "f[!0-9]\nx[^x]y\na[!x]b\n")]),
    ("classes with names", &[("", "f[[:digit:]]\n[[:upper:]]akefile\nx[[:punct:]]y\n")]),
    ("classes around the slash", &[("", "x[+-9]y\na[+-9]b\nfoo[!a]bar\n")]),
    ("classes with odd members", &[("", "br[[]a]cket\nq[?]\nst[*]r\nx[]-]y\n[#]hash\n[!]bang\n")]),
    ("broken classes", &[("", "f[1\nbr[a\nx[z-a]y\n[]\n*.pyc\n")]),
    ("escapes", &[("", "\\#hash\n\\!bang\nq\\?\nst\\*r\nbr\\[a\\]cket\nback\\\\slash\n\\M\\akefile\n\\d\\ocs\n")]),
    ("a backslash at the end", &[("", "Makefile\\\n*.pyc\n")]),
    ("characters of regular expressions", &[("", "plus+(1){2}|^$.txt\nx.y\n(a|b)\n.*\n")]),
    ("spaces", &[("", "a b.txt\nend\\ \nMakefile   \n")]),
    ("a folder with a space", &[("", "with space/\n")]),
    ("carriage returns", &[("", "*.pyc\r\n/dist\r\n# no\r\n!keep.pyc\r\n")]),
    ("byte order mark", &[("", "\u{feff}*.pyc\nMakefile\n")]),
    ("unicode", &[("", "ünïcödé/naïve.txt\n日本語.*\n")]),
    ("unicode, one byte is not a letter", &[("", "?n?c?d?\n??nïcödé\nna[ï]ve.txt\n")]),
    ("dots and slashes", &[("", "./Makefile\n../a.pyc\nfoo//bar\n//dist\n/\n.\n..\nfoo/./bar\n")]),
    ("no newline at the end", &[("", "*.pyc\nMakefile")]),
    ("dotfiles", &[("", ".env\n.env.*\n!.env.example\n")]),
    ("git's own", &[("", "!.git\n!**/.git/**\n*.pyc\n")]),
    ("docker's own", &[("", ".dockerignore\n*.pyc\n")]),
    ("nested", &[("", "*.log\n"), ("docs", "!important.log\n/a.log\nbuild/\n"), ("web", "/dist\n")]),
    ("nested, deeper wins", &[("", "app.js\n"), ("web", "!app.js\n"), ("web/src", "app.js\n!dist/app.js\n")]),
    ("nested, relative", &[("web", "/dist\nsrc/dist\n"), ("docs/deep", "*\n!er\n"), ("with space", "*.txt\n")]),
    ("nested in an ignored folder", &[("", "vendor/\n"), ("vendor", "!*\n!lib/v.so\n")]),
    ("a folder that ignores itself", &[("vendor", "*\n"), ("ünïcödé", "*\n!.gitignore\n")]),
    ("a folder with the name of a file", &[("", "dist/\n!web/dist/\nb/\n!a/c/\n")]),
    (
        "a usual one",
        &[(
            "",
            "# Logs\nlogs\n*.log\nnpm-debug.log*\n\nnode_modules/\n.env*\n!.env.example\n\n/build\ndist/*\n!dist/.gitkeep\n*.py[cod]\n*$py.class\n*.so\n",
        )],
    ),
];

/// A folder in git with the tree and these `.gitignore` files; nothing is tracked.
fn app_with(ignores: &[(&str, &str)]) -> App {
    let mut app = App::empty().docker().env("DOCKER_BUILDKIT", "0");
    for path in TREE {
        app = app.file(path, path);
    }
    for (folder, text) in ignores {
        app = app.file(Path::new(folder).join(".gitignore").to_str().expect("text"), text);
    }
    app.git(&["init", "-q"]);
    app
}

/// What git keeps of a folder: files that are there, relative to it.
fn kept_by_git(app: &App, folder: &Path) -> BTreeSet<String> {
    let mut git = app.command(Path::new("git"));
    git.current_dir(folder).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let out = git.output().expect("git runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let paths = out.stdout.split(|byte| *byte == 0).map(OsStr::from_bytes);
    let files = paths.filter(|path| fs::symlink_metadata(folder.join(path)).is_ok_and(|meta| !meta.is_dir()));
    files.map(|path| path.to_string_lossy().into_owned()).collect()
}

/// Derives the file, has docker build an image of all that it lets through, and lists the image's files.
fn sent_by_docker(app: &App, folder: &Path) -> (BTreeSet<String>, String) {
    let mut lain = app.command(Path::new(env!("CARGO_BIN_EXE_lain")));
    let out = lain.current_dir(folder).arg("dockerignore").output().expect("lain runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    fs::write(folder.join(".dockerignore"), format!("{text}.dockerignore\n")).expect("a file");
    // The label makes the image this case's own: another one with the same files may be removed at any time.
    let dockerfile = format!("FROM scratch\nLABEL case={}\nCOPY . /context/\n", app.dir().display());
    let image = docker(app, folder, &["build", "--quiet", "--no-cache", "--file", "-", "."], &dockerfile, &text);
    let archive = app.tmp().join("image.tar");
    docker(app, folder, &["save", "--output", archive.to_str().expect("text"), &image], "", &text);
    docker(app, folder, &["rmi", "--no-prune", &image], "", &text);
    fs::remove_file(folder.join(".dockerignore")).expect("it was there");
    let layer = app.tmp().join("layer.tar");
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--to-stdout", "--wildcards", "*/layer.tar", "--file"]).arg(&archive);
    assert!(tar.stdout(fs::File::create(&layer).expect("a file")).status().expect("tar runs").success());
    let list = Command::new("tar").args(["--quoting-style=literal", "--list", "--file"]).arg(&layer).output().expect("tar runs");
    assert!(list.status.success(), "{}", String::from_utf8_lossy(&list.stderr));
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let files = list.lines().filter(|path| !path.ends_with('/')).filter_map(|path| path.strip_prefix("context/"));
    (files.map(str::to_owned).collect(), text)
}

fn docker(app: &App, folder: &Path, args: &[&str], stdin: &str, about: &str) -> String {
    rig("DOCKER_HOST");
    let file = app.tmp().join("stdin");
    fs::write(&file, stdin).expect("a file");
    let mut docker = app.command(Path::new("docker"));
    docker.current_dir(folder).args(args).stdin(Stdio::from(fs::File::open(file).expect("a file")));
    let out = docker.output().expect("docker runs");
    assert!(out.status.success(), "docker {args:?}: {}\n{about}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

/// What is wrong with a folder, if anything.
fn difference(app: &App, folder: &Path) -> Option<String> {
    let kept = kept_by_git(app, folder);
    let (sent, text) = sent_by_docker(app, folder);
    let lost: Vec<_> = kept.difference(&sent).collect();
    let more: Vec<_> = sent.difference(&kept).collect();
    (!lost.is_empty() || !more.is_empty()).then(|| format!("lost {lost:?}\nsent too {more:?}\n{text}"))
}

#[track_caller]
fn check(cases: &[Case]) {
    let wrong = cases.iter().filter_map(|(name, ignores)| {
        let app = app_with(ignores);
        difference(&app, &app.dir()).map(|what| format!("{name}: {what}"))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn what_git_keeps_is_sent_first_half() {
    check(&TABLE[..TABLE.len() / 2]);
}

#[test]
fn what_git_keeps_is_sent_second_half() {
    check(&TABLE[TABLE.len() / 2..]);
}

/// Lines as people write them, over the tree's names.
fn gitignore() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "*", "**", "*.log", "*.txt", "a", "b", "c", "foo", "bar", "baz", "dist", "build", "web", "docs", "d*", "[a-d]", "[!a-d]*", "x?y",
        "*.js", "vendor",
    ]);
    let line =
        (any::<bool>(), any::<bool>(), prop::collection::vec(name, 1..4), any::<bool>()).prop_map(|(sent, anchored, names, folder)| {
            let (sent, anchored, folder) = (if sent { "!" } else { "" }, if anchored { "/" } else { "" }, if folder { "/" } else { "" });
            format!("{sent}{anchored}{}{folder}\n", names.join("/"))
        });
    prop::collection::vec(line, 1..8).prop_map(|lines| lines.concat())
}

fn each_random(cases: u32, check: impl Fn(&App, &str)) {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 60, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let app = app_with(&[]);
    let run = runner.run(&(gitignore(), gitignore()), |(top, nested)| {
        fs::write(app.dir().join(".gitignore"), &top).expect("a file");
        fs::write(app.dir().join("foo/.gitignore"), &nested).expect("a file");
        check(&app, &nested);
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn what_git_keeps_is_sent_whatever_the_lines() {
    each_random(12, |app, _| assert_eq!(difference(app, &app.dir()), None));
}

/// Without git there is nobody to ask: then a file too many may be sent, but none is lost.
#[test]
fn the_translation_alone_loses_nothing() {
    each_random(150, |app, nested| {
        let mut ignore = Ignore::default();
        ignore.add_gitignore(&fs::read_to_string(app.dir().join(".gitignore")).expect("a file"), Place::Below(""));
        if !ignore.leaves_out_folder("foo").surely() {
            ignore.add_gitignore(nested, Place::Below("foo"));
        }
        ignore.settle_alone();
        for path in kept_by_git(app, &app.dir()) {
            assert!(!ignore.leaves_out(&path).perhaps(), "{path} is lost\n{ignore}");
        }
    });
}

fn same(app: &App, folder: &Path) {
    assert_eq!(difference(app, folder).unwrap_or_default(), "");
}

#[test]
fn a_tracked_file_is_sent_though_it_is_ignored() {
    let app = app_with(&[("", "dist/\n*.log\nvendor\n.env\n")]);
    app.git(&["add", "--force", "web/dist/.gitkeep", "docs/a.log", "vendor/lib", ".env"]);
    same(&app, &app.dir());
    let text = app.run(&["dockerignore"]).exits(0).stdout;
    assert_eq!(text, "**/dist/**\n**/*.log\n**/vendor\n**/.env\n!.env\n!docs/a.log\n!vendor/lib\n!web/dist/.gitkeep\n**/.git\n");
}

#[test]
fn this_clones_own_excludes_count_and_the_users_do_not() {
    let app = app_with(&[("", "*.log\n")]).file(".git/info/exclude", "/a.pyc\nfoo/\n");
    same(&app, &app.dir());
    let app = app.home_file("everywhere", "Makefile\n*.txt\n");
    app.git(&["config", "core.excludesFile", app.home().join("everywhere").to_str().expect("text")]);
    let (sent, text) = sent_by_docker(&app, &app.dir());
    assert!(sent.contains("Makefile") && sent.contains("vendor/v.txt"), "{text}");
    assert!(!sent.contains("a.pyc") && !sent.contains("foo/three.txt") && !sent.contains("docs/a.log"), "{text}");
}

#[test]
fn an_app_in_a_folder_of_its_repository() {
    let above = "*.log\n/docs/build\n/d*/deep/er/a.txt\n/web/dist\n**/docs/a.log\n!docs/important.log\n";
    let app = app_with(&[("", above), ("docs", "deep/er/c.txt\n")]).file(".git/info/exclude", "docs/deep/er/b.log\n/index.html\n");
    same(&app, &app.dir().join("docs"));
    let app = app_with(&[("", "/foo/b*\n!/foo/bar/\n"), ("foo", "baz/\n")]);
    same(&app, &app.dir().join("foo"));
    same(&app, &app.dir().join("foo/bar"));
}

#[test]
fn a_submodule_has_rules_of_its_own() {
    let lib = app_with(&[("", "*.txt\n/web/\n"), ("docs", "build\n")]).committed();
    let app = app_with(&[("", "*.log\n*.js\n")]).tools(&["basename", "sed", "uname", "sh"]); // `git submodule` is a script
    let source = lib.dir().display().to_string();
    app.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &source, "lib"]);
    let folder = app.dir();
    let kept: BTreeSet<String> = kept_by_git(&app, &folder.join("lib")).into_iter().map(|path| format!("lib/{path}")).collect();
    let (sent, text) = sent_by_docker(&app, &folder);
    let expected: BTreeSet<String> = kept_by_git(&app, &folder).into_iter().chain(kept).collect();
    assert!(expected.contains("lib/docs/a.log") && !expected.contains("lib/web/src/app.js"), "the case is one");
    assert_eq!(sent, expected, "{text}");
}

#[test]
fn a_worktree_and_a_path_that_is_no_text() {
    let app = app_with(&[("", "*.log\nfoo\n")]).committed();
    let tree = app.tmp().join("tree");
    app.git(&["worktree", "add", "--quiet", tree.to_str().expect("text")]);
    let odd = OsStr::from_bytes(b"foo/od\xffd");
    fs::create_dir(tree.join("foo")).expect("a folder");
    fs::write(tree.join(odd), "odd").expect("a file");
    fs::write(tree.join("foo/even"), "even").expect("a file");
    fs::write(tree.join("new.log"), "log").expect("a file");
    let mut add = app.command(Path::new("git"));
    assert!(add.current_dir(&tree).args(["add", "--force"]).arg(odd).status().expect("git runs").success());
    same(&app, &tree);
}

#[test]
fn without_git_the_gitignore_files_are_enough() {
    let app = app_with(&[("", "*.log\n!important.log\nnode_modules/\n"), ("web", "/dist\n"), ("node_modules", "!x\n")]);
    let kept = kept_by_git(&app, &app.dir());
    fs::remove_dir_all(app.dir().join(".git")).expect("it was there");
    let (sent, text) = sent_by_docker(&app, &app.dir());
    assert_eq!(sent, kept, "{text}");
    let app = app.without("git");
    app.run(&["dockerignore"]).exits(0).prints(text.trim_end());
}

#[test]
fn ones_own_dockerignore_is_used_as_it_is() {
    let app = app_with(&[("", "*.log\n")]).file(".dockerignore", "mine\n\n# yes\n");
    app.run(&["dockerignore"]).exits(0).changed_nothing().prints("mine\n\n# yes");
}

/// The whole way: `lain build` of an app, and what is in its image.
#[test]
fn a_build_has_what_git_keeps_and_leaves_no_file() {
    let values = "appname: shop\nbuild:\n  base: debian:trixie-slim\n  workdir: /lain/app\n  script: [\"find . -type f >/tmp/list\"]\n";
    let app = app_with(&[("", "*.log\n!important.log\nnode_modules/\n"), ("web", "/dist\n")]);
    let app = app.values(values).cluster("test", &format!("registry: 127.0.0.1:1/none-{}\n", std::process::id())).using("test");
    let kept = kept_by_git(&app, &app.dir());
    let image = app.run(&["build", "--no-pull"]).exits(0).changed_nothing().stdout.trim().to_owned();
    let list = docker(&app, &app.dir(), &["run", "--rm", "--network", "none", &image, "cat", "/tmp/list"], "", "");
    docker(&app, &app.dir(), &["rmi", "--no-prune", &image], "", "");
    let sent: BTreeSet<String> = list.lines().filter_map(|line| line.strip_prefix("./")).map(str::to_owned).collect();
    assert_eq!(sent, kept);
}
