//! What is known of objects: as they were listed, and as a watch has told since.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value as Json;

use super::objects::Object;
use crate::error::{Error, Result};
use crate::tools::kubectl::News;

/// A watch that ends sooner is none: its kind is asked for at each look.
const SHORT: Duration = Duration::from_secs(5);

/// The objects of one kind.
#[derive(Debug)]
pub(super) struct Shelf {
    /// As kubectl takes it.
    pub(super) kind: &'static str,
    objects: BTreeMap<String, Object>,
    /// Which watch may tell of it, and since when: of one before nothing is heard any more.
    watch: Option<(u32, Instant)>,
    turn: u32,
    /// No watch of it lasts.
    is_asked: bool,
}

impl Shelf {
    /// Nothing is known of the kind yet.
    pub(super) fn new(kind: &'static str) -> Self {
        Self { kind, objects: BTreeMap::new(), watch: None, turn: 0, is_asked: false }
    }

    /// A watch tells of it: it need not be asked for.
    pub(super) fn is_live(&self) -> bool {
        self.watch.is_some()
    }

    /// A watch of it may be begun.
    pub(super) fn may_be_watched(&self) -> bool {
        !self.is_asked
    }

    /// This is all that there is of the kind.
    ///
    /// # Errors
    /// An object is not as it should be.
    pub(super) fn put(&mut self, objects: Vec<Json>) -> Result<()> {
        self.watch = None;
        self.objects = objects.into_iter().map(read).collect::<Result<_>>()?;
        Ok(())
    }

    /// A watch begins; returns its number.
    pub(super) fn begin(&mut self, now: Instant) -> u32 {
        self.turn += 1;
        self.watch = Some((self.turn, now));
        self.turn
    }

    /// The watch of this number could not be begun.
    pub(super) fn never_began(&mut self) {
        (self.watch, self.is_asked) = (None, true);
    }

    /// Hears what the watch of this number tells.
    pub(super) fn hear(&mut self, number: u32, news: News, now: Instant) {
        let Some((_, since)) = self.watch.filter(|(known, _)| *known == number) else { return };
        match news {
            News::Is(object) => match read(object) {
                Ok((name, object)) => drop(self.objects.insert(name, object)),
                Err(_) => self.watch = None, // whoever asks for it says what is wrong
            },
            News::Gone(object) => drop(self.objects.remove(&name_of(&object))),
            News::Nothing => {}
            News::Ended => {
                self.is_asked |= now.duration_since(since) < SHORT;
                self.watch = None;
            }
        }
    }

    /// All that is known.
    pub(super) fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.values()
    }
}

fn name_of(object: &Json) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

fn read(object: Json) -> Result<(String, Object)> {
    let name = name_of(&object);
    let object = Object::deserialize(object).map_err(|error| Error::failed(format!("{name} is no object as it should be: {error}")))?;
    Ok((name, object))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(name: &str, phase: &str) -> Json {
        json!({"kind": "Pod", "metadata": {"name": name}, "status": {"phase": phase}})
    }

    fn seen(shelf: &Shelf) -> String {
        let words = shelf.objects().map(|object| match object {
            Object::Pod(pod) => format!("{} {}", pod.metadata.name, pod.status.phase),
            _ => "?".to_owned(),
        });
        words.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn what_is_told_is_known() {
        let now = Instant::now();
        let mut shelf = Shelf::new("pods");
        shelf.put(vec![pod("b", "Pending"), pod("a", "Running")]).expect("objects");
        assert!(!shelf.is_live() && seen(&shelf) == "a Running, b Pending");
        let first = shelf.begin(now);
        shelf.hear(first, News::Is(pod("b", "Running")), now);
        shelf.hear(first, News::Is(pod("c", "Pending")), now);
        shelf.hear(first, News::Gone(pod("a", "Running")), now);
        shelf.hear(first, News::Nothing, now);
        assert!(shelf.is_live() && seen(&shelf) == "b Running, c Pending");
        // It ends after a while: the kind is asked for once, and watched again.
        shelf.hear(first, News::Ended, now + SHORT);
        assert!(!shelf.is_live() && shelf.may_be_watched());
        shelf.put(vec![pod("c", "Running")]).expect("objects");
        let second = shelf.begin(now);
        shelf.hear(first, News::Is(pod("z", "Pending")), now);
        shelf.hear(first, News::Ended, now);
        assert!(shelf.is_live() && seen(&shelf) == "c Running", "of a watch before nothing is heard");
        // One that ends at once is none.
        shelf.hear(second, News::Ended, now + Duration::from_millis(20));
        assert!(!shelf.is_live() && !shelf.may_be_watched());
    }

    #[test]
    fn what_cannot_be_read_is_asked_for() {
        let now = Instant::now();
        let mut shelf = Shelf::new("pods");
        let number = shelf.begin(now);
        shelf.hear(number, News::Is(json!({"kind": "Pod", "metadata": {"name": "a"}, "status": 7})), now);
        assert!(!shelf.is_live() && shelf.may_be_watched());
        assert!(shelf.put(vec![json!({"kind": "Pod", "metadata": {"name": "a"}, "status": 7})]).is_err());
    }
}
