//! What the user typed is kept: an editor that crashes, a run that is killed, a text that is refused; and it can be taken back.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::place::{Place, Ran};

/// An app on the cluster whose `EDITOR` is a script; `$1` is the draft.
fn place() -> Place {
    let place = Place::new("3.17.3").with_dummy();
    let editor = place.root.path().join("editor").display().to_string();
    place.with_env("EDITOR", &format!("sh {editor}"))
}

fn editor(place: &Place, script: &str) {
    fs::write(place.root.path().join("editor"), script).expect("the editor");
}

/// The drafts that lie about.
fn drafts(place: &Place) -> Vec<PathBuf> {
    let folders = fs::read_dir(place.tmp()).expect("tmp").map(|entry| entry.expect("an entry").path());
    folders.map(|folder| folder.join(format!("{}-secret.yaml", place.appname))).filter(|draft| draft.exists()).collect()
}

/// The line that lain ends with, run as it stands.
fn follow(place: &Place, ran: &Ran) -> Ran {
    let line = ran.stderr.lines().last().and_then(|line| line.strip_prefix("next: ")).expect("a next step").to_owned();
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!(&words[..4], ["lain", "secret", "apply", "-f"], "{}", ran.stderr);
    place.lain(&words[1..])
}

fn shown(place: &Place) -> String {
    place.lain(&["secret", "show", "topsecret.txt"]).ok().stdout
}

/// lain on a terminal of its own: what is written to its stdin is typed.
fn on_terminal(place: &Place, line: &str) -> Child {
    let words = format!("{} {line}", env!("CARGO_BIN_EXE_lain"));
    let lain = place.lain_command(&[]);
    let mut script = Command::new(which::which("script").expect("this test needs script on PATH"));
    script.args(["-qec", &words, "/dev/null"]).env_clear().current_dir(&place.app);
    script.envs(lain.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("SHELL", "/bin/sh").env("TERM", "xterm");
    script.stdin(Stdio::piped()).stdout(fs::File::create(place.root.path().join("seen")).expect("a file"));
    script.spawn().expect("script runs")
}

/// Until the terminal shows these words.
fn wait_for(place: &Place, words: &str) -> String {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let seen = String::from_utf8_lossy(&fs::read(place.root.path().join("seen")).expect("what is seen")).into_owned();
        if seen.contains(words) {
            return seen;
        }
        assert!(Instant::now() < end, "`{words}` never came:\n{seen}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// an accident: the editor of a Secret crashes after saving, gets HUP, or exits 1 => the text is kept, its path said, and `secret apply -f` takes it back
#[test]
fn an_editor_that_fails_loses_nothing() {
    let place = place();
    for (number, (end, says)) in
        [("kill -9 $$", "was ended by signal 9"), ("kill -HUP $$", "was ended by signal 1"), ("exit 1", "ended with exit code 1")]
            .into_iter()
            .enumerate()
    {
        editor(&place, &format!("sed -i 's/ I$/ I{number}/; s/ I[0-9]$/ I{number}/' \"$1\"; {end}\n"));
        let ran = place.lain(&["secret", "edit"]).exits(1).says(says).says("your text is kept in");
        let kept = drafts(&place);
        assert_eq!(kept.len(), 1, "{kept:?}");
        assert_private(&kept[0]);
        assert!(!shown(&place).starts_with(&format!("I{number}")), "nothing was applied");
        follow(&place, &ran).ok().says("changed topsecret.txt");
        assert!(shown(&place).starts_with(&format!("I{number}\n")), "{}", shown(&place));
        assert_eq!(drafts(&place), Vec::<PathBuf>::new(), "what was taken back is plain text no more");
    }
    // What was only opened is no loss.
    editor(&place, "exit 1\n");
    place.lain(&["secret", "edit"]).exits(1).never_says("kept");
    assert!(fs::read_dir(place.tmp()).expect("tmp").next().is_none(), "no plain text is left on disk");
    // An editor that crashed may have saved the text in a file of its own.
    editor(&place, "cp \"$1\" \"$(dirname \"$1\")/.draft.swp\"; exit 1\n");
    place.lain(&["secret", "edit"]).exits(1).says("your text is kept in");
    assert_eq!(drafts(&place).len(), 1);
}

fn assert_private(draft: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
    let folder = draft.parent().expect("a folder");
    assert_eq!(mode(folder), 0o700);
    for entry in fs::read_dir(folder).expect("the folder") {
        assert_eq!(mode(&entry.expect("an entry").path()), 0o600);
    }
}

/// an accident: what is saved is no text, or the draft's path has a space in it => it is kept, and the line that takes it back can be pasted
#[test]
fn odd_bytes_and_odd_paths_are_kept() {
    let place = place();
    let odd = place.root.path().join("my files");
    fs::create_dir_all(&odd).expect("a folder");
    let place = place.with_env("TMPDIR", &odd.display().to_string());
    editor(&place, "printf '\\377\\376 typed' >\"$1\"\n");
    let ran = place.lain(&["secret", "edit"]).exits(1).says("not UTF-8 text").says("your text is kept in");
    let line = ran.stderr.lines().last().expect("a line").to_owned();
    let path =
        line.strip_prefix("next: lain secret apply -f '").and_then(|rest| rest.strip_suffix('\'')).unwrap_or_else(|| panic!("{line}"));
    assert_eq!(fs::read(path).expect("the draft"), b"\xff\xfe typed");
}

/// an accident: Ctrl-C at "edit again?" => it ends at once, and the text is kept
#[test]
fn ctrl_c_at_the_question_keeps_the_text() {
    let place = place();
    editor(&place, "sed -i 's/^data:/data:\\n  PIN: 48151623/' \"$1\"\n");
    let mut terminal = on_terminal(&place, "secret edit");
    wait_for(&place, "edit again? [Y/n]");
    let asked = Instant::now();
    terminal.stdin.as_mut().expect("a keyboard").write_all(b"\x03").expect("a key");
    let status = terminal.wait().expect("it ends");
    assert!(asked.elapsed() < Duration::from_secs(10), "it waited for Enter");
    assert_eq!(status.code(), Some(130));
    let seen = wait_for(&place, "your text is kept in");
    assert!(!seen.contains("48151623") && seen.contains("next: lain secret apply -f "), "{seen}");
    assert!(fs::read_to_string(&drafts(&place)[0]).expect("the draft").contains("PIN: 48151623"));
}

/// an accident: kill -9 while the editor is open => the next edit tells of the draft; one that somebody still works on is left alone
#[test]
fn a_killed_edit_leaves_a_draft_that_is_found() {
    let place = place();
    // The editor outlives its lain: as long as it runs, the draft is in use.
    let stop = place.root.path().join("stop");
    editor(&place, &format!("sed -i s/BATMAN/ROBIN/ \"$1\"; kill -9 $PPID; while ! [ -e {} ]; do sleep 0.1; done\n", stop.display()));
    let status = place.lain_command(&["secret", "edit"]).stderr(Stdio::null()).status().expect("lain runs");
    assert_eq!(status.code(), None, "it was killed");
    let left = drafts(&place);
    assert_eq!(left.len(), 1);
    let path = left[0].display().to_string();
    let place = place.with_env("EDITOR", "true");
    place.lain(&["secret", "edit"]).ok().never_says("was left");
    assert_eq!(drafts(&place), left);
    fs::write(&stop, "").expect("the sign");
    std::thread::sleep(Duration::from_millis(500));
    // In another app's folder too: the user may not know any more which it was.
    place.lain(&["env", "edit"]).ok().says("was left").says(&format!("lain secret apply -f {path}"));
    assert_eq!(drafts(&place), left, "what may have been typed is never removed");
    place.lain(&["secret", "apply", "-f", &path]).ok().says("changed topsecret.txt");
    assert_eq!(shown(&place), "I\nAM\nROBIN");
    place.lain(&["secret", "edit"]).ok().never_says("was left");

    // A draft in which nothing was typed goes without a word.
    let place = place.with_env("EDITOR", "sh -c 'kill -9 $PPID; true'");
    let _ = place.lain_command(&["secret", "edit"]).stderr(Stdio::null()).status().expect("lain runs");
    assert_eq!(drafts(&place).len(), 1);
    std::thread::sleep(Duration::from_millis(500));
    let place = place.with_env("EDITOR", "true");
    place.lain(&["secret", "edit"]).ok().never_says("was left");
    assert_eq!(drafts(&place), Vec::<PathBuf>::new());
}

/// an accident: somebody else changes the Secret while it is edited, and the draft is taken back later, perhaps with another cluster chosen => both changes stand, of the same key neither is lost, and the other cluster is left alone
#[test]
fn taking_a_draft_back_undoes_nobody() {
    let place = place();
    let kubectl = |words: &str| {
        format!("kubectl --kubeconfig {}/.kube/kubeconfig-test -n {} {words} >/dev/null\n", place.home().display(), place.namespace)
    };
    let patch = |data: &str| kubectl(&format!("patch secret {}-secret -p '{{\"data\":{{{data}}}}}'", place.appname));
    editor(&place, &(patch(r#""theirs":"eA==""#) + "sed -i s/BATMAN/ROBIN/ \"$1\"\n"));
    let both = "nothing was applied; theirs: added theirs; yours: changed topsecret.txt";
    let ran = place.lain(&["secret", "edit"]).exits(3).says(both).says("your text is kept in");
    // The draft is of cluster test.
    fs::copy(place.root.path().join("clusters/values-test.yaml"), place.root.path().join("clusters/values-other.yaml")).expect("values");
    fs::copy(place.home().join(".kube/kubeconfig-test"), place.home().join(".kube/kubeconfig-other")).expect("a kubeconfig");
    let draft = drafts(&place)[0].display().to_string();
    place.lain(&["--cluster", "other", "secret", "apply", "-f", &draft]).exits(3).says("a draft for cluster test").says("--cluster test");
    follow(&place, &ran).ok().says("changed topsecret.txt").never_says("removed");
    assert_eq!(place.field(&format!("secret/{}-secret", place.appname), "{.data.theirs}"), "eA==");
    assert_eq!(shown(&place), "I\nAM\nROBIN");
    // The same key on both sides.
    editor(&place, &(patch(r#""theirs":"eQ==""#) + "sed -i 's/theirs: x/theirs: mine/' \"$1\"\n"));
    let ran = place.lain(&["secret", "edit"]).exits(3).says("your text is kept in");
    follow(&place, &ran).exits(3).says("someone else changed theirs of").says("mine.yaml");
    assert_eq!(drafts(&place).len(), 1);
}

/// another user or program of this machine: a folder in /tmp that looks like a left draft => it is not believed
#[test]
fn a_made_up_draft_is_not_believed() {
    use std::os::unix::fs::PermissionsExt;
    let place = place();
    let folder = place.tmp().join("lain-draft-evil");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join(".lain"), r#"{"secret":"x","cluster":"c","command":"secret","keys":{},"opened":""}"#).expect("a card");
    fs::write(folder.join("x.yaml"), "data: {a: evil}\n").expect("a draft");
    editor(&place, "true\n");
    for (mode, believed) in [(0o755, false), (0o720, false), (0o700, true)] {
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).expect("a mode");
        let ran = place.lain(&["secret", "edit"]).ok();
        assert_eq!(ran.stderr.contains("was left"), believed, "{mode:o}: {}", ran.stderr);
    }
    let elsewhere = place.root.path().join("elsewhere");
    fs::rename(&folder, &elsewhere).expect("a move");
    std::os::unix::fs::symlink(&elsewhere, &folder).expect("a link");
    place.lain(&["secret", "edit"]).ok().never_says("was left");
}
