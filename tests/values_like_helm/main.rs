//! lain and helm must see the same data. Real helms say what they see; lain sees that, or refuses and says where.

mod cases;
mod layouts;
mod probe;
mod random;

use probe::{Probe, VERSIONS, ours, read_all, refusals, same_numbers, without_nulls};

/// Every text of the tables, under a name of its own.
fn texts() -> Vec<String> {
    let mut all = Vec::new();
    for scalar in cases::scalars() {
        all.push(format!("s: {scalar}\nz: 1\n"));
        all.push(format!("s:\n  {scalar}: v\n  z: 1\n"));
        all.push(format!("s:\n- {scalar}\n- z\n"));
        all.push(format!("s: [{scalar}, z]\n"));
        all.push(format!("s: {{k: {scalar}, z: 1}}\n"));
        all.push(format!("s: {{{scalar}: v, z: 1}}\n"));
    }
    all.extend(cases::FILES.iter().enumerate().map(|(at, text)| text.replace('§', &format!("f{at}k"))));
    all
}

/// Each text reads alike in lain and in every helm, or lain refuses it: because helm does, or as docs/values.md says.
/// At least so many are to be read. Random texts may also be refused as broken where helm has stopped reading.
fn compare(texts: &[String], at_least: usize, random: bool) {
    let refusals = refusals();
    let documented =
        |said: &str| refusals.iter().any(|refusal| said.contains(refusal.words.split('`').max_by_key(|part| part.len()).unwrap_or("")));
    let known = |said: &str| documented(said) || (random && said.contains("not valid YAML"));
    let mut differences = Vec::new();
    let (mut alike, mut refused) = (0, 0);
    for version in VERSIONS {
        for (text, theirs) in texts.iter().zip(read_all(version, texts)) {
            match (ours(text), theirs) {
                (Ok(ours), Ok(theirs)) if same_numbers(&ours.to_json()) == same_numbers(&theirs) => alike += 1,
                (Ok(ours), theirs) => differences.push(format!("helm {version}: {text:?}\n  helm {theirs:?}\n  lain {}", ours.to_json())),
                (Err(error), theirs) => {
                    refused += 1;
                    let placed = error.location().is_some_and(|at| at.line > 0 && at.column > 0) && !error.hints().is_empty();
                    if !placed || (theirs.is_ok() && !known(&error.to_string())) {
                        differences.push(format!("helm {version}: {text:?}\n  helm {theirs:?}\n  lain {error}, {:?}", error.hints()));
                    }
                }
            }
        }
    }
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
    assert!(alike >= at_least, "{alike} alike, {refused} refused");
}

#[test]
fn every_text_reads_alike() {
    let texts = texts();
    assert!(texts.len() > 2500, "{} texts", texts.len());
    compare(&texts, 5000, false);
}

#[test]
fn every_refusal_is_as_documented() {
    let refusals = refusals();
    let files: Vec<String> = refusals.iter().flat_map(|refusal| [refusal.file.clone(), refusal.instead.clone()]).collect();
    for version in VERSIONS {
        let seen = read_all(version, &files);
        for (refusal, seen) in refusals.iter().zip(seen.chunks(2)) {
            let error = ours(&refusal.file).expect_err(&refusal.file);
            assert!(error.to_string().contains(&refusal.words), "{:?}: {error}", refusal.file);
            assert!(!error.hints().is_empty() && error.location().is_some(), "{error}");
            if let Some(helm) = &refusal.helm {
                assert_eq!(seen[0].as_ref(), Ok(helm), "helm {version}: {:?}", refusal.file);
            }
            let instead = ours(&refusal.instead).unwrap_or_else(|error| panic!("{:?}: {error}", refusal.instead));
            assert_eq!(seen[1].as_ref().map(same_numbers), Ok(same_numbers(&instead.to_json())), "helm {version}: {:?}", refusal.instead);
        }
    }
}

/// The texts that lain reads go through helm's own doors as well: all of them by `-f`, the scalars as the chart's values.
#[test]
fn the_chart_and_its_files_read_alike() {
    let scalars: Vec<String> = cases::scalars().into_iter().filter(|scalar| ours(&format!("s: {scalar}\n")).is_ok()).collect();
    let chart: String = scalars.iter().enumerate().map(|(at, scalar)| format!("s{at}: {scalar}\n")).collect::<Vec<_>>().concat();
    let probe = Probe::new();
    probe.file("chart/values.yaml", &chart);
    let mut ours_merged = ours(&chart).expect("one file of all scalars").to_json();
    // helm 4 reads a file that ends without a line end as if it had one.
    let mut with_line_ends = ours_merged.clone();
    let mut args = Vec::new();
    for (at, text) in cases::FILES.iter().enumerate() {
        let text = text.replace('§', &format!("f{at}k"));
        let Ok(node) = ours(&text) else { continue };
        let name = format!("file{at}.yaml");
        args.extend(["-f".to_owned(), probe.file(&name, &text).display().to_string()]);
        for (key, value) in node.to_json().as_object().expect("a map") {
            assert!(ours_merged.get(key).is_none(), "{key} is in one file alone: {text:?}");
            ours_merged[key] = value.clone();
        }
        for (key, value) in
            ours(&if text.ends_with('\n') { text } else { text + "\n" }).expect("a line end").to_json().as_object().expect("a map")
        {
            with_line_ends[key] = value.clone();
        }
    }
    assert!(args.len() > 300 && scalars.len() > 300, "{} files, {} scalars", args.len() / 2, scalars.len());
    for version in VERSIONS {
        let seen = probe.seen(version, &args).unwrap_or_else(|error| panic!("helm {version}: {error}"));
        let (seen, ours) =
            if version.starts_with('4') { (without_nulls(&seen), without_nulls(&with_line_ends)) } else { (seen, ours_merged.clone()) };
        let (seen, ours) = (same_numbers(&seen), same_numbers(&ours));
        for (key, ours) in ours.as_object().expect("a map") {
            assert_eq!(seen.get(key), Some(ours), "helm {version}: {key}");
        }
        assert_eq!(seen, ours, "helm {version}");
    }
}
