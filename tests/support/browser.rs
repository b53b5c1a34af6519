//! Debian's Chromium, without a screen and without a network.

use std::fs;
use std::path::Path;
use std::process::Command;

/// A page as a browser shows it on a phone, at first and after a click on each of these (CSS selectors): its text from top to bottom, and how wide it is.
/// Another origin is out of reach, so the page goes into a frame.
pub fn on_a_phone(folder: &Path, page: &str, clicks: &[&str]) -> Vec<(String, u64)> {
    let escape = |text: &str| text.replace('&', "&amp;").replace('"', "&quot;");
    let clicks = serde_json::to_string(clicks).expect("JSON");
    // What is moved by its style alone stands elsewhere in the text: rows are read where they are seen.
    let script = format!(
        "const page = document.querySelector('iframe').contentDocument; \
         const look = () => {{ const rows = [...page.querySelectorAll('.rows > .row')].sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top); \
         return [rows.length ? rows.map(row => row.innerText).join('\\n') : page.body.innerText, page.scrollingElement.scrollWidth]; }}; \
         const seen = [look()]; for (const click of {clicks}) {{ page.querySelector(click).click(); seen.push(look()); }} \
         document.title = JSON.stringify([seen, getComputedStyle(page.querySelector('.bar')).position]);"
    );
    let file = folder.join("phone.html");
    let text = format!("<body onload=\"{}\"><iframe width=390 height=800 srcdoc=\"{}\"></iframe></body>", escape(&script), escape(page));
    fs::write(&file, text).expect("a page");
    let ran = Command::new("chromium-headless-shell")
        .args(["--no-sandbox", "--disable-gpu", "--dump-dom", "--virtual-time-budget=3000", "--proxy-server=127.0.0.1:9"])
        .arg(format!("--user-data-dir={}", folder.join("browser").display()))
        .arg(format!("file://{}", file.display()))
        .output()
        .expect("a browser");
    let dom = String::from_utf8_lossy(&ran.stdout).into_owned();
    let title = dom.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next());
    let title = title.unwrap_or_else(|| panic!("{dom}\n{}", String::from_utf8_lossy(&ran.stderr)));
    let title = title.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", " ").replace("&amp;", "&");
    let (seen, position): (Vec<(String, u64)>, String) = serde_json::from_str(&title).expect("what the page says");
    assert_eq!(position, "absolute", "its styles are in force");
    seen
}
