//! Random values, merged by lain and by real helms. One call of helm compares hundreds: each pair has keys of its own.

use std::path::{Path, PathBuf};

use lain::resolved::layers::{Layers, Wanted};
use lain::values::write::to_yaml;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use crate::cases;
use crate::probe::{Probe, VERSIONS, ours, read_all, same_numbers};

/// Small trees over few keys, so that files meet each other at every depth.
fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        3 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        2 => (0..9).prop_map(Value::from),
        2 => "[a-z]{1,3}".prop_map(Value::from),
        1 => Just(json!({})),
        1 => Just(json!([])),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            4 => prop::collection::btree_map("[a-d]", inner.clone(), 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
            1 => prop::collection::vec(inner, 0..3).prop_map(Value::Array),
        ]
    })
}

/// A file of such trees under a few top keys.
fn file() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map("[a-d]", tree(), 0..4).prop_map(|map| map.into_iter().collect())
}

/// Samples of a strategy, the same in every run.
fn samples<S: Strategy>(strategy: S, count: usize) -> Vec<S::Value> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).expect("a sample").current()).collect()
}

/// What lain makes of the files in `dir`.
fn merged(dir: &Path, extra: &[PathBuf], set: &[String]) -> Value {
    let wanted = Wanted { extra, set, ..Wanted::default() };
    Layers::load(dir, &wanted).unwrap_or_else(|error| panic!("{error}")).merged.to_json()
}

/// A chart's values without their nulls, as helm 4 takes them.
fn without_own_nulls(values: &Map<String, Value>) -> Map<String, Value> {
    let kept = values.iter().filter(|(_, value)| !value.is_null());
    kept.map(|(key, value)| (key.clone(), value.as_object().map_or_else(|| value.clone(), |map| Value::Object(without_own_nulls(map)))))
        .collect()
}

#[test]
fn files_merge_as_helm_merges_them() {
    let sets: Vec<[Map<String, Value>; 3]> = samples([file(), file(), file()], 600);
    let probe = Probe::new();
    let mut layers: [Map<String, Value>; 3] = Default::default();
    for (at, files) in sets.iter().enumerate() {
        for (layer, file) in layers.iter_mut().zip(files) {
            // Half of them meet at the top, where helm merges by other code than below.
            if at % 2 == 0 {
                layer.extend(file.iter().map(|(key, value)| (format!("t{at}-{key}"), value.clone())));
            } else {
                layer.insert(format!("p{at}"), Value::Object(file.clone()));
            }
        }
    }
    let [chart, first, second] = layers;
    let extra = [("first.yaml", first), ("second.yaml", second)].map(|(name, values)| probe.file(name, &Value::Object(values).to_string()));
    let args: Vec<String> = extra.iter().flat_map(|path| ["-f".to_owned(), path.display().to_string()]).collect();
    let root = probe.chart().parent().expect("a folder").to_path_buf();
    for version in VERSIONS {
        probe.file("chart/values.yaml", &Value::Object(chart.clone()).to_string());
        let seen = probe.seen(version, &args).unwrap_or_else(|error| panic!("helm {version}: {error}"));
        if version.starts_with('4') {
            probe.file("chart/values.yaml", &Value::Object(without_own_nulls(&chart)).to_string());
        }
        let ours = merged(&root, &extra, &[]);
        for (at, files) in sets.iter().enumerate() {
            let own = |values: &Value| -> Value {
                let keys = values.as_object().expect("a map").iter();
                let keys = keys.filter(|(key, _)| **key == format!("p{at}") || key.starts_with(&format!("t{at}-")));
                Value::Object(keys.map(|(key, value)| (key.clone(), same_numbers(value))).collect())
            };
            assert_eq!(own(&ours), own(&seen), "left lain, right helm {version}: {}", serde_json::to_string_pretty(files).expect("JSON"));
        }
        assert_eq!(same_numbers(&ours), same_numbers(&seen), "helm {version}");
    }
}

/// Keys and values as people write them for `--set`, and as nobody should.
fn argument() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        6 => "[a-c]",
        3 => "[a-c]\\.[a-c]",
        1 => "[a-c]\\.[a-c]\\.[a-c]",
        3 => "[a-c]\\[[0-2]\\]",
        1 => "[a-c]\\[[0-2]\\]\\[[0-1]\\]",
        2 => "[a-c]\\[[0-2]\\]\\.[a-c]",
        1 => "[a-c]\\.[a-c]\\[[0-2]\\]",
        1 => "[a-c]\\\\\\.[a-c]",
        1 => "[ab .,=\\[\\]{}\\\\中]{0,5}",
    ];
    let value = prop_oneof![
        4 => "[a-z0-9]{0,4}",
        2 => "(true|false|null|True|NULL|on|~|0|00|007|-0|-1|\\+1|1e3|0x1F|1\\.5|9007199254740992|-12)",
        2 => "\\{[a-z0-9,]{0,5}\\}",
        1 => "(a=b|http://x/\\?a=b|a b| a|a |#a|\"a\"|'a'|a\\\\,b|\\\\\\{a|\\\\\\\\|中文|\\$\\{A\\})",
        1 => "[ab1 .,=\\[\\]{}\\\\中]{0,6}",
    ];
    prop::collection::vec((key, value), 1..4)
        .prop_map(|pairs| pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(","))
}

#[test]
fn set_reads_as_helm_reads_it() {
    // Each argument changes the file `-f` of its own, under a key of its own: `pN.` in front of every part would change the
    // argument, so helm is called once for each; the calls are short.
    let samples = samples((file(), argument()), 400);
    let probe = Probe::new();
    let root = probe.chart().parent().expect("a folder").to_path_buf();
    let (mut alike, mut refused) = (0, 0);
    for (at, (values, argument)) in samples.iter().enumerate() {
        let version = VERSIONS[at % VERSIONS.len()];
        probe.file("chart/values.yaml", "{\"a\": {\"a\": 1, \"d\": 2}, \"b\": [1, 2, 3], \"c\": 1}");
        let extra = [probe.file("given.yaml", &Value::Object(values.clone()).to_string())];
        let args = ["-f", "given.yaml", "--set", argument].map(str::to_owned);
        let seen = probe.seen(version, &args);
        let set = [argument.clone()];
        match (Layers::load(&root, &Wanted { extra: &extra, set: &set, ..Wanted::default() }), seen) {
            (Ok(ours), Ok(seen)) => {
                alike += 1;
                let ours = same_numbers(&ours.merged.to_json());
                assert_eq!(
                    ours,
                    same_numbers(&seen),
                    "left lain, right helm {version}: --set {argument:?} over {}",
                    Value::Object(values.clone())
                );
            }
            (Ok(ours), Err(error)) => {
                panic!("helm {version} refuses --set {argument:?} over {values:?}: {error}\nlain {}", ours.merged.to_json())
            }
            (Err(error), seen) => {
                refused += 1;
                let documented = ["an empty key", "is no index", "to be followed by", "nothing stands behind", "too large a number"];
                let known = documented.iter().any(|words| error.to_string().contains(words));
                assert!(seen.is_err() || known, "lain refuses --set {argument:?} over {values:?}: {error}\nhelm {version} {seen:?}");
            }
        }
    }
    assert!(alike > refused, "{alike} alike, {refused} refused");
}

/// Texts that a writer may get wrong: odd words, odd characters, many lines.
fn text() -> impl Strategy<Value = String> {
    let words: Vec<String> = cases::scalars();
    prop_oneof![
        // Keys of more than 1,024 characters are written another way.
        1 => (180usize..1100, "[a: ]{1,2}").prop_map(|(length, text)| text.repeat(length)),
        3 => prop::sample::select(words),
        2 => "[a-z]{0,3}",
        2 => "[ \\n\\t#:'\"ab|>-]{0,8}",
        2 => "( {0,2}[ab#:-]{0,3}( [ab]{1,2})?\n){1,4}",
        1 => any::<String>(),
        1 => "[a\u{0}-\u{20}\u{7f}-\u{a0}\u{2028}\u{2029}\u{feff}\u{fffd}-\u{ffff}\u{10000}]{0,4}",
    ]
}

fn document() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        (-1000..1000i64).prop_map(Value::from),
        (-9999..9999i32, -250..250i32)
            .prop_map(|(digits, power)| Value::from(format!("{digits}e{power}").parse::<f64>().expect("a float")))
    ];
    let leaf =
        prop_oneof![1 => Just(Value::Null), 1 => any::<bool>().prop_map(Value::from), 2 => number, 8 => text().prop_map(Value::from)];
    let inner = leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::btree_map(text(), inner.clone(), 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
            prop::collection::vec(inner, 0..4).prop_map(Value::Array),
        ]
    });
    prop::collection::btree_map(text(), inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect()))
}

#[test]
fn what_lain_writes_is_read_back_alike() {
    let values = samples(document(), 1500);
    let texts: Vec<String> = values.iter().map(to_yaml).collect();
    for (value, text) in values.iter().zip(&texts) {
        let back = ours(text).unwrap_or_else(|error| panic!("{error}\n{value}\n{text:?}"));
        assert_eq!(same_numbers(&back.to_json()), same_numbers(value), "{text:?}");
    }
    for version in VERSIONS {
        for ((value, text), seen) in values.iter().zip(&texts).zip(read_all(version, &texts)) {
            assert_eq!(seen.as_ref().map(same_numbers), Ok(same_numbers(value)), "helm {version}: {text:?}");
        }
    }
}

/// Lines put together from what values files are made of, right and wrong.
fn lines() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(
        [
            "a",
            "b: ",
            "c:",
            "- ",
            "-",
            ": ",
            "? ",
            "\n",
            "\n",
            "\n",
            "\n  ",
            "\n  ",
            "\n    ",
            " ",
            "  ",
            "\t",
            "[",
            "]",
            "{",
            "}",
            ", ",
            ",",
            "'",
            "\"",
            "#",
            " # c",
            "&x ",
            "*x",
            "|",
            "|-",
            ">",
            ">+",
            "|2",
            "!!str ",
            "<<: ",
            "---\n",
            "1",
            "on",
            "null",
            "中",
            "\\n",
            "a: 1\n",
            "b:\n  - c\n",
            "d: {e: f}\n",
            "e: [g, h]\n",
            "f: |\n  t\n",
            "\r\n",
            "y: &x {k: v}\n",
        ]
        .as_slice(),
    );
    prop::collection::vec(piece, 1..14).prop_map(|pieces| pieces.concat())
}

#[test]
fn random_texts_read_alike() {
    let texts = samples(lines(), 6000);
    crate::compare(&texts, 1000, true);
}
