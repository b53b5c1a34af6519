//! A rollout on a terminal: drawn in place, whatever its width, and left as lines. The terminal is `script`'s; what it shows is worked out here.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use console::measure_text_width;

use crate::support::Place;

const SLEEPER: &str = "image: \"python:3.13-slim\", imagePullPolicy: IfNotPresent, terminationGracePeriodSeconds: 0, \
                       resources: {limits: {cpu: 1000m, memory: 80Mi}, requests: {cpu: 1m, memory: 8Mi}}";
/// What rows begin with while they are drawn.
const SIGNS: [&str; 13] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", "!", "✓", "✗"];

fn values() -> String {
    format!(
        "deployments:\n  web: {{{SLEEPER}, command: [sh, -c, \"sleep 2; touch /tmp/up; sleep 1000\"], \
         readinessProbe: {{exec: {{command: [test, -e, /tmp/up]}}, periodSeconds: 1}}}}\njobs:\n  migrate: {{{SLEEPER}, \
         annotations: {{\"helm.sh/hook\": \"pre-install,pre-upgrade\", \"helm.sh/hook-delete-policy\": \"before-hook-creation,hook-succeeded\"}}, \
         command: [sh, -c, \"for i in 1 2 3 4 5 6 7; do echo 迁移第 $i 步, 一共七步, 正在改动三千四百五十六行记录 请稍等; sleep 0.4; done\"]}}\n"
    )
}

/// A screen of so many columns, and of as many rows as it takes.
struct Screen {
    width: usize,
    rows: Vec<Vec<String>>,
    x: usize,
    y: usize,
}

impl Screen {
    /// What a terminal shows of all that was written to it. Whenever a picture is complete, none of its rows goes on in the next one.
    fn of(text: &str, width: usize) -> Self {
        let mut screen = Self { width, rows: vec![vec![]], x: 0, y: 0 };
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                '\x1b' => {
                    assert_eq!(rest.next(), Some('['), "a sequence that moves the cursor");
                    let word: String = rest.by_ref().take_while(|c| !c.is_ascii_alphabetic()).collect();
                    // `take_while` has eaten the last one: it is looked up.
                    let at = text.len() - rest.as_str().len() - 1;
                    screen.obey(&word, text.as_bytes()[at]);
                }
                '\r' => screen.x = 0,
                '\n' => screen.go_down(1),
                c => screen.put(c),
            }
        }
        screen
    }

    fn obey(&mut self, word: &str, what: u8) {
        let count = word.parse().unwrap_or(1);
        match what {
            b'A' => self.y -= count,
            b'B' => self.go_down(count),
            b'K' if word == "2" => self.rows[self.y].clear(),
            b'K' => {
                self.rows[self.y].truncate(self.x);
                self.check();
            }
            b'J' => {
                self.rows.truncate(self.y + 1);
                self.rows[self.y].truncate(self.x);
            }
            what => panic!("ESC [ {word} {}", char::from(what)),
        }
    }

    fn go_down(&mut self, count: usize) {
        self.y += count;
        self.rows.resize(self.rows.len().max(self.y + 1), vec![]);
    }

    fn put(&mut self, c: char) {
        let cells = measure_text_width(&c.to_string());
        if self.x + cells > self.width {
            self.x = 0;
            self.go_down(1);
        }
        let row = &mut self.rows[self.y];
        row.resize(row.len().max(self.x + cells), " ".to_owned());
        row[self.x] = c.to_string();
        row[self.x + 1..self.x + cells].fill(String::new());
        self.x += cells;
    }

    fn text(&self) -> Vec<String> {
        self.rows.iter().map(|row| row.concat().trim_end().to_owned()).collect()
    }

    fn check(&self) {
        let text = self.text();
        let is_row = |row: &String| SIGNS.iter().any(|sign| row.starts_with(&format!("{sign} ")));
        if let Some(first) = text.iter().position(is_row) {
            let wrong: Vec<&String> = text[first..].iter().filter(|row| !row.is_empty() && !is_row(row)).collect();
            assert!(wrong.is_empty(), "rows go on in the next ones: {wrong:?}\n{}", text.join("\n"));
        }
    }
}

/// lain on a terminal; once it shows these words, Ctrl-C. Its exit code and all that was written.
fn on_a_terminal(place: &Place, width: usize, term: &str, args: &[&str], until: Option<&str>) -> (i32, String) {
    let lain = place.lain_command(args);
    let words = std::iter::once(lain.get_program()).chain(lain.get_args()).map(|word| word.to_string_lossy().into_owned());
    let line = format!("stty cols {width} rows 40; exec {}", shell_words::join(words));
    let said = place.root.path().join("terminal");
    let mut script = Command::new(which::which("script").expect("this test needs script on PATH"));
    script.args(["-qefc", &line, "/dev/null"]).current_dir(&place.app).env_clear();
    script.envs(lain.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", term).env("SHELL", "/bin/sh");
    script.stdin(Stdio::piped()).stdout(File::create(&said).expect("a file")).stderr(Stdio::null());
    let mut child = script.spawn().expect("script runs");
    let mut keys = child.stdin.take().expect("a keyboard");
    let (end, mut until) = (Instant::now() + Duration::from_secs(240), until);
    let code = loop {
        if let Some(status) = child.try_wait().expect("a state") {
            break status.code().unwrap_or(-1);
        }
        if until.is_some_and(|words| read(&said).contains(words)) {
            until = None;
            keys.write_all(b"\x03").expect("a key");
        }
        if Instant::now() > end {
            let _ = child.kill();
            panic!("it does not end:\n{}", read(&said));
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    (code, read(&said))
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).expect("what was shown")).into_owned()
}

/// The last screen; nothing of what was drawn is left on it, and the cursor was never hidden.
fn last_screen(said: &str, width: usize) -> String {
    assert!(!said.contains("\x1b[?25l"), "the cursor stays");
    let text = Screen::of(said, width).text();
    assert!(!text.iter().any(|row| SIGNS.iter().any(|sign| row.starts_with(&format!("{sign} ")))), "{}", text.join("\n"));
    text.join("\n")
}

#[test]
fn a_rollout_is_drawn_in_place() {
    let place = Place::new("3.17.3").with_values(&values());
    let app = place.appname.clone();
    let deploy = ["deploy", "--ignore-lint", "--timeout", "200"];

    // It stays as lines, with what the Job said last; helm has taken that away by then.
    let (code, said) = on_a_terminal(&place, 60, "xterm-256color", &[&deploy[..], &["--wait"]].concat(), None);
    let screen = last_screen(&said, 60);
    assert_eq!(code, 0, "{screen}");
    assert!(said.contains("\x1b["), "it is drawn: {said}");
    for words in [
        &format!("the end of the log of job {app}-migrate:\n"),
        "\n  迁移第 3 步, 一共七步",
        "\n  迁移第 7 步, 一共七步",
        &format!("\ndeployment/{app}-web: 1/1 ready, "),
        "\ndeployed ",
    ] {
        assert!(screen.contains(words), "`{words}` in\n{screen}");
    }
    assert!(!screen.contains("迁移第 2 步") && !screen.contains("new pods ready"), "{screen}");

    // Ctrl-C leaves it clean, and says what is left.
    let never = ["--set", "deployments.web.readinessProbe.exec.command={test,-e,/never}", "--set", "jobs=null"];
    let (code, said) = on_a_terminal(&place, 80, "xterm-256color", &[&deploy[..], &never].concat(), Some("0/1"));
    let screen = last_screen(&said, 80);
    assert_eq!(code, 130, "{screen}");
    assert!(
        screen.contains(&format!("\ndeployment/{app}-web: 0/1 ready, ")) && screen.trim_end().ends_with("error: interrupted"),
        "{screen}"
    );

    // A terminal that cannot be drawn on gets lines; a hook that fails is told as any Job is.
    let fails = ["--set", "jobs.migrate.command={sh,-c,echo table is locked; exit 4}"];
    let (code, said) = on_a_terminal(&place, 80, "dumb", &[&deploy[..], &fails].concat(), None);
    assert_eq!(code, 1, "{said}");
    assert!(!said.contains('\x1b'), "{said}");
    for words in [
        &format!("job/{app}-migrate: failed"),
        "table is locked",
        &format!("error: job {app}-migrate failed: "),
        "ended with exit code 4",
        "next: ",
    ] {
        assert!(said.contains(words), "`{words}` in\n{said}");
    }
}
