//! What reading values costs. `cargo bench --bench values` prints it; nothing is asserted.

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use lain::values::parse::parse;
use saphyr_parser::Parser;

fn best_of<T>(rounds: usize, mut run: impl FnMut() -> T) -> (Duration, T) {
    let mut best: Option<(Duration, T)> = None;
    for _ in 0..rounds {
        let started = Instant::now();
        let result = run();
        let took = started.elapsed();
        if best.as_ref().is_none_or(|(earlier, _)| took < *earlier) {
            best = Some((took, result));
        }
    }
    best.expect("a round")
}

/// Peak memory of this process so far, in MiB; Linux says so.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok()).unwrap_or(0) / 1024
}

fn main() {
    let values = Path::new("values.yaml");
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let alias = format!("*a{}, ", level - 1).repeat(10);
        let _ = writeln!(laughs, "a{level}: &a{level} [{}]", alias.trim_end_matches(", "));
    }
    let (took, said) = best_of(3, || parse(values, laughs.clone()).expect_err("is refused").to_string());
    println!("a billion laughs: refused after {:.1} ms, {} MiB at most: {said}", took.as_secs_f64() * 1000.0, peak());

    let deep = format!("a: {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let (took, said) = best_of(3, || parse(values, deep.clone()).expect_err("is refused").to_string());
    println!("100,000 brackets: refused after {:.1} ms, {} MiB at most: {said}", took.as_secs_f64() * 1000.0, peak());

    let mut text = String::new();
    let mut number = 0;
    while text.len() < 10 * 1024 * 1024 - 200 {
        let _ =
            write!(text, "key-{number}:\n  name: \"value {number}\"\n  list: [1, 2, {number}]\n  text: some plain words # and a comment\n");
        number += 1;
    }
    let (bare, events) = best_of(3, || Parser::new_from_str(&text).flatten().count());
    let (ours, keys) = best_of(3, || parse(values, text.clone()).expect("values").as_map().map_or(0, lain::values::node::Map::len));
    println!(
        "10 MiB, {keys} keys: {:.0} ms against {:.0} ms for its {events} bare events, ratio {:.2}, {} MiB at most",
        ours.as_secs_f64() * 1000.0,
        bare.as_secs_f64() * 1000.0,
        ours.as_secs_f64() / bare.as_secs_f64(),
        peak()
    );
}
