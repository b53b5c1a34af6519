//! Edits in place: the one scalar changes, every other byte stays.

use std::path::Path;

use lain::values::edit::{Refused, set};
use lain::values::parse::parse;
use serde_json::{Value as Json, json};

fn path(dotted: &str) -> Vec<String> {
    dotted.split('.').map(str::to_owned).collect()
}

fn data(text: &str) -> Json {
    parse(Path::new("values.yaml"), text.to_owned()).unwrap_or_else(|error| panic!("{error}\n{text}")).to_json()
}

#[track_caller]
fn edited(text: &str, at: &str, value: &str) -> String {
    set(text, &path(at), value).unwrap_or_else(|refused| panic!("line {}: {}\n{text}", refused.line, refused.why))
}

#[track_caller]
fn refused(text: &str, at: &str, value: &str) -> Refused {
    match set(text, &path(at), value) {
        Err(refused) => refused,
        Ok(text) => panic!("it was edited:\n{text}"),
    }
}

const FILE: &str = "\u{feff}# 应用\r
appname: shop   # é\r
deployments: # long-running\r
    web:\r
        resources:\r
            requests: {cpu: \"10m\", memory: '80Mi'}   # both\r
            # limits\r
            limits:\r
                memory:   80Mi# not a comment\r
                cpu: 1000m\t# a tab\r
\r
    worker: {resources: {limits: {cpu: 1, memory: 1Gi}}}\r
z: [1, \"é\"]";

#[test]
fn only_the_scalar_changes() {
    for (at, old, value, new) in [
        ("appname", "appname: shop ", "mall", "appname: mall "),
        ("deployments.web.resources.requests.cpu", "\"10m\"", "50m", "\"50m\""),
        ("deployments.web.resources.requests.memory", "'80Mi'", "450Mi", "'450Mi'"),
        ("deployments.web.resources.limits.memory", "80Mi# not a comment", "1Gi", "1Gi"),
        ("deployments.web.resources.limits.cpu", "cpu: 1000m\t# a", "1500m", "cpu: 1500m\t# a"),
        ("deployments.worker.resources.limits.cpu", "cpu: 1,", "1500m", "cpu: 1500m,"),
        ("deployments.worker.resources.limits.memory", "1Gi}", "2Gi", "2Gi}"),
        ("appname", "shop ", "a: b", "\"a: b\" "),
        ("deployments.web.resources.requests.memory", "'80Mi'", "it's", "'it''s'"),
        ("deployments.web.resources.requests.memory", "'80Mi'", "a\nb", "\"a\\nb\""),
        ("deployments.web.resources.requests.cpu", "\"10m\"", "\"\\", "\"\\\"\\\\\""),
    ] {
        assert_eq!(FILE.matches(old).count(), 1, "{old}");
        assert_eq!(edited(FILE, at, value), FILE.replace(old, new), "{at}");
    }
}

#[test]
fn a_missing_key_stands_behind_its_neighbours() {
    for (text, at, new) in [
        ("a:\n  b: 1 # x\n\n# about c\nc: 2\n", "a.new", "a:\n  b: 1 # x\n  new: 5Mi\n\n# about c\nc: 2\n"),
        ("a:\n    b: 1", "a.new", "a:\n    b: 1\n    new: 5Mi"),
        ("a:\r\n  b:\r\n    - x\r\nc: 1\r\n", "a.new", "a:\r\n  b:\r\n    - x\r\n  new: 5Mi\r\nc: 1\r\n"),
        ("a:\n    b: {c: 1}\n", "a.new.max", "a:\n    b: {c: 1}\n    new:\n        max: 5Mi\n"),
        ("a: {b: 1} # x\n", "a.new", "a: {b: 1, new: 5Mi} # x\n"),
        ("a: {b: 1,\n    c: 2,\n}\n", "a.new.max", "a: {b: 1,\n    c: 2, new: {max: 5Mi},\n}\n"),
        ("a: {}\n", "a.new", "a: {new: 5Mi}\n"),
        ("a:\n  b: |\n    x\n\nc: 1\n", "a.new", "a:\n  new: 5Mi\n  b: |\n    x\n\nc: 1\n"),
        ("a:\n  b: \"x\n    y\" # z\nc: 1\n", "a.new", "a:\n  b: \"x\n    y\" # z\n  new: 5Mi\nc: 1\n"),
        ("a:\n  b:\n# end\n", "a.new", "a:\n  b:\n  new: 5Mi\n# end\n"),
        ("{ }\n", "new", "{ new: 5Mi}\n"),
        ("{ # c\n  a: 1\n}\n", "new", "{ # c\n  a: 1, new: 5Mi\n}\n"),
        ("a: &m { } # x\n", "a.new", "a: &m { new: 5Mi} # x\n"),
        ("a: 1\n", "on", "a: 1\n'on': 5Mi\n"),
        ("b: &b {x: 1}\na:\n  <<: *b\n", "a.new", "b: &b {x: 1}\na:\n  <<: *b\n  new: 5Mi\n"),
    ] {
        if at == "on" {
            // What helm calls "true" and what is written 'on' are two keys.
            assert_eq!(data(&edited(text, at, "5Mi")), json!({"a": 1, "on": "5Mi"}));
        }
        assert_eq!(edited(text, at, "5Mi"), new, "{text}");
    }
}

#[test]
fn what_is_shared_is_refused() {
    for (text, at, line, words) in [
        ("b: &b {m: 1}\na: *b\n", "a.m", 2, "`a` is an alias"),
        ("b: &b {m: 1}\na: *b\n", "b.m", 1, "`b` is anchored and used again on line 2"),
        ("b: &b {m: {x: 1}}\na:\n  <<: *b\n", "a.m.x", 3, "`m` may come from elsewhere"),
        ("b: &m 1\na: *m\n", "b", 1, "used again on line 2"),
        ("b: &m 1\na: *m\n", "a", 2, "`a` is an alias"),
        ("a:\n  m: |\n    1\n", "a.m", 3, "a block of lines"),
        ("a: [1]\n", "a.0", 1, "`a` is no map"),
        ("a: {b: 1}\n", "a", 1, "no single value"),
        ("a: 5\n", "a.b", 1, "`a` is no map"),
        ("x: 1\na:\n", "a", 2, "no value"),
        ("a: 1\na: 2\n", "a", 1, "stands twice"),
        ("a: [\n", "a", 1, "not valid YAML"),
        ("# nothing\n", "a", 2, "no map"),
        ("0x10: x\n", "16", 1, "would change more"),
    ] {
        let why = refused(text, at, "5Mi");
        assert!(why.line == line && why.why.contains(words), "{text}: {why:?}");
    }
    // An anchor that nobody uses is no reason, and it stays.
    assert_eq!(edited("a: &m 1 # x\n", "a", "5Mi"), "a: &m 5Mi # x\n");
    assert_eq!(edited("a: !!str &m 1 # x\n", "a", "5Mi"), "a: !!str &m 5Mi # x\n");
    assert_eq!(edited("a: &m {b: '1'}\n", "a.b", "5Mi"), "a: &m {b: '5Mi'}\n");
}

/// Small steps of a linear congruence: the same texts in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.roll(words.len())]
    }
}

const SCALARS: &[&str] =
    &["1", "80Mi", "'it''s'", "\"a\\\"é\"", "plain words", "中文", "!!str 5", "&q 7", "1e3", "0x1F", "\"\"", "on", "a:b#c"];
const TAILS: &[&str] = &["", " # note: {x", "   ", "\t# é中"];

/// A random map; `paths` gets the path of each scalar.
fn map(dice: &mut Dice, depth: usize, step: usize, above: &[String], paths: &mut Vec<Vec<String>>, out: &mut String) {
    for index in 0..=dice.roll(4) {
        let key = format!("{}{index}", dice.of(&["k", "键", "with space", "'q'"])).replace("'q'", "q-");
        let here = [above, std::slice::from_ref(&key)].concat();
        let pad = " ".repeat(depth * step);
        if dice.roll(4) == 0 {
            *out += &format!("{pad}# about {key}: '\n");
        }
        match dice.roll(if depth < 4 { 6 } else { 4 }) {
            0 => {
                *out +=
                    &format!("{pad}{key}: {{a: {}, \"b\" : [1, 2], c: {{d: '{}'}}}}{}\n", dice.of(SCALARS), dice.roll(9), dice.of(TAILS));
                paths.push([&here[..], &["a".into()]].concat());
                paths.push([&here[..], &["c".into(), "d".into()]].concat());
            }
            1 => *out += &format!("{pad}{key}:\n{pad}- x: 1\n{pad}  y: |\n{pad}     text # no\n{pad}- 2\n"),
            2 | 3 => {
                *out += &format!("{pad}{key}: {}{}\n", dice.of(SCALARS), dice.of(TAILS));
                paths.push(here);
            }
            _ => {
                *out += &format!("{pad}{key}:{}\n", dice.of(TAILS));
                map(dice, depth + 1, step, &here, paths, out);
            }
        }
    }
}

/// What both texts have in common at either end is all but one stretch; that stretch, before and after.
fn changed<'a>(before: &'a str, after: &'a str) -> (&'a str, &'a str) {
    let same = |(a, b): &(char, char)| a == b;
    let head: usize = before.chars().zip(after.chars()).take_while(same).map(|(a, _)| a.len_utf8()).sum();
    let (before, after) = (&before[head..], &after[head..]);
    let tail: usize = before.chars().rev().zip(after.chars().rev()).take_while(same).map(|(a, _)| a.len_utf8()).sum();
    (&before[..before.len() - tail], &after[..after.len() - tail])
}

#[test]
fn random_files_change_in_one_place() {
    let mut dice = Dice(7);
    let (mut edits, mut inserts) = (0, 0);
    for round in 0..400 {
        let (mut text, mut paths) = (String::new(), vec![]);
        let step = 1 + dice.roll(4);
        map(&mut dice, 0, step, &[], &mut paths, &mut text);
        if round % 3 == 0 {
            text = text.replace('\n', "\r\n");
        }
        if round % 5 == 0 {
            text.insert(0, '\u{feff}');
        }
        let before = data(&text);
        for place in paths {
            let value = dice.of(&["450Mi", "1000m", "7", "a b", "it's", "x: y", "é#"]);
            let after = set(&text, &place, value).unwrap_or_else(|refused| panic!("{place:?}: {refused:?}\n{text}"));
            let mut expected = before.clone();
            let leaf = place.iter().fold(&mut expected, |node, key| &mut node[key]);
            *leaf =
                if *value == *"7" && data(&after).pointer(&pointer(&place)).is_some_and(Json::is_number) { json!(7) } else { json!(value) };
            assert_eq!(data(&after), expected, "{place:?}\n{text}");
            let (old, new) = changed(&text, &after);
            assert!(!old.contains(['\n', '#', '{', '}']) || old.contains("#c"), "{old:?} became {new:?}\n{text}");
            assert!(!new.contains('\n'), "{old:?} became {new:?}");
            edits += 1;

            let (_, parents) = place.split_last().expect("a key");
            let fresh = [parents, &["fresh".to_owned(), "key".to_owned()]].concat();
            let after = set(&text, &fresh, "5Mi").unwrap_or_else(|refused| panic!("{fresh:?}: {refused:?}\n{text}"));
            let mut expected = before.clone();
            *fresh.iter().fold(&mut expected, |node, key| &mut node[key]) = json!("5Mi");
            assert_eq!(data(&after), expected, "{fresh:?}\n{text}");
            assert_eq!(changed(&text, &after).0, "", "an insertion takes nothing away: {text}\n---\n{after}");
            inserts += 1;
        }
    }
    assert!(edits > 1000 && inserts > 1000, "{edits} edits, {inserts} insertions");
}

fn pointer(path: &[String]) -> String {
    path.iter().fold(String::new(), |pointer, key| pointer + "/" + key)
}

#[test]
fn lines_left_of_their_key_stay_where_they_are() {
    let text = "a:\n  b: [\n1,\n\t中\n]\n  c: {\nd: 1,\n  e: 'x\ny'}\n  f: 2\n";
    assert_eq!(edited(text, "a.c.d", "5"), text.replace("d: 1", "d: 5"));
    assert_eq!(edited(text, "a.c.e", "z"), text.replace("'x\ny'", "'z'"));
    assert_eq!(edited(text, "a.f", "3"), text.replace("f: 2", "f: 3"));
    assert_eq!(edited(text, "a.c.g", "3"), text.replace("y'}", "y', g: 3}"));
}
