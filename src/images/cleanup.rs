//! Which images of an app a registry may lose: what is old, and nothing that runs, that a rollback could want, or that another image is made of.
//!
//! A registry deletes an image by its digest, and with it every tag of that digest, so all of a repository is known before anything goes.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use glob::Pattern;
use regex::Regex;

use super::prepared::{PREPARE_TAG, is_own_tag};
use crate::error::{Error, Result};
use crate::http::registry::{Held, Registry};
use crate::model::image::is_tag;
use crate::model::tag::{is_dirty_tag, time_of_tag};
use crate::session::Session;

/// Manifests that are read at a time.
const READERS: usize = 4;

/// A tag of lain's own form, or a digest, wherever in a text it stands; a digest with the name before it, where it has one.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:([a-z0-9][a-z0-9._/:-]*)@)?(sha256:[0-9a-f]{64})|[0-9]+-[0-9a-f]{40}(?:[0-9a-f]{24})?(?:-dirty-[0-9a-f]+)?")
        .expect("a pattern")
});

/// What clusters name: it stays, in whatever repository it is. Hosts do not count: one registry has many names.
#[derive(Clone, Debug, Default)]
pub(crate) struct InUse {
    tags: BTreeSet<String>,
    digests: BTreeSet<String>,
    /// The names that digests stand behind.
    pinned: BTreeSet<(String, String)>,
    /// What could not be looked at, in words.
    pub unseen: Vec<String>,
}

impl InUse {
    /// Takes up all that a text names: objects of a cluster as JSON, a manifest, values.
    pub(crate) fn read(&mut self, text: &str) {
        for found in NAMED.captures_iter(text) {
            match (found.get(2), found.get(1)) {
                (Some(digest), name) => {
                    self.digests.insert(digest.as_str().to_owned());
                    if let Some(name) = name {
                        // `NAME:TAG@DIGEST`
                        self.tags.extend(name.as_str().rsplit_once(':').map(|(_, tag)| tag).filter(|tag| is_tag(tag)).map(str::to_owned));
                        self.pinned.insert((name.as_str().to_owned(), digest.as_str().to_owned()));
                    }
                }
                (None, _) => drop(self.tags.insert(found[0].to_owned())),
            }
        }
    }

    /// Digests that something runs of a repository, by the path of its name.
    fn pinned_of(&self, repository: &str) -> BTreeSet<&str> {
        let path = |name: &str| {
            let name = name.rsplit("//").next().unwrap_or(name); // `docker-pullable://NAME`
            name.split_once('/').map_or(name, |(_, path)| path).split(':').next().unwrap_or_default().to_owned()
        };
        let own = path(repository);
        self.pinned.iter().filter(|(name, _)| path(name) == own || *name == own).map(|(_, digest)| digest.as_str()).collect()
    }
}

/// What always stays.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// So many of the newest commits, and what is not older than they are.
    pub keep: usize,
    /// Tags of these forms.
    pub protect: Vec<Pattern>,
}

/// One tag, and what it stands for.
#[derive(Clone, Debug)]
pub(crate) struct Tagged {
    /// The tag.
    pub tag: String,
    /// The image.
    pub held: Held,
}

/// Why a tag stays; in the order in which they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// One of the newest.
    Newest,
    /// Something runs it, or a release may return to it.
    InUse,
    /// `--protect`.
    Protected,
    /// Not a commit's: `latest`, `prepare`, a release's.
    Other,
    /// Its image is that of another tag that stays, or a part of one.
    Shared,
}

/// An image that goes, with all of its tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Going {
    /// Its digest.
    pub digest: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its layers and its configuration; none of an index.
    pub bytes: Option<u64>,
    /// The image that it signs or describes, where that goes too.
    pub about: Option<String>,
}

/// What becomes of a repository.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decision {
    /// Oldest first, signatures last.
    pub goes: Vec<Going>,
    /// How many tags stay, by reason.
    pub stays: BTreeMap<Why, usize>,
}

impl Decision {
    /// Without what another look would keep.
    pub(crate) fn and(&mut self, again: &Self) {
        self.goes.retain(|going| again.goes.iter().any(|other| other.digest == going.digest && other.tags == going.tags));
    }
}

/// Decides. `pinned` are images without a tag that something runs.
pub(crate) fn decide(found: &[Tagged], pinned: &[Held], in_use: &InUse, rules: &Rules) -> Decision {
    let limit = oldest_kept(found.iter().map(|it| it.tag.as_str()), rules.keep);
    let reasons: Vec<Option<Why>> = found.iter().map(|it| why_stays(&it.tag, limit, in_use, rules)).collect();
    let mut going: HashSet<&str> = found.iter().map(|it| it.held.digest.as_str()).collect();
    // What is about an image goes with it, and stays with it: which go is known when no more come to stay.
    loop {
        let mut stays: HashSet<&str> = in_use.digests.iter().map(String::as_str).collect();
        let mut roots: Vec<&Held> = pinned.iter().collect();
        for (it, why) in found.iter().zip(&reasons) {
            let goes_with = subject(&it.tag).is_some_and(|subject| going.contains(subject.as_str()));
            if why.is_some_and(|why| why != Why::Other || !goes_with) {
                roots.push(&it.held);
            }
        }
        roots.into_iter().for_each(|held| stays.extend(parts(held)));
        // An index stays whose part something runs; then all of its parts do.
        loop {
            let before = stays.len();
            for it in found {
                if stays.contains(&*it.held.digest) || parts(&it.held).any(|part| in_use.digests.contains(part)) {
                    stays.extend(parts(&it.held));
                }
            }
            if stays.len() == before {
                break;
            }
        }
        let left: HashSet<&str> = going.iter().copied().filter(|digest| !stays.contains(digest)).collect();
        if left.len() == going.len() {
            break;
        }
        going = left;
    }
    decision(found, &reasons, &going)
}

fn decision(found: &[Tagged], reasons: &[Option<Why>], going: &HashSet<&str>) -> Decision {
    let mut decision = Decision::default();
    let mut goes: BTreeMap<&str, Going> = BTreeMap::new();
    for (it, why) in found.iter().zip(reasons) {
        let digest = it.held.digest.as_str();
        if !going.contains(digest) {
            *decision.stays.entry(why.unwrap_or(Why::Shared)).or_default() += 1;
            continue;
        }
        let new = || Going { digest: digest.to_owned(), tags: vec![], bytes: it.held.bytes, about: None };
        let entry = goes.entry(digest).or_insert_with(new);
        entry.tags.push(it.tag.clone());
        entry.about = entry.about.take().or_else(|| subject(&it.tag));
    }
    decision.goes = goes.into_values().collect();
    decision.goes.iter_mut().for_each(|going| going.tags.sort());
    decision.goes.sort_by_cached_key(|going| {
        let oldest = going.tags.iter().filter_map(|tag| time_of_tag(tag)).min();
        (going.about.is_some(), oldest, going.tags.clone())
    });
    decision
}

/// An image and all that it is made of.
fn parts(held: &Held) -> impl Iterator<Item = &str> {
    std::iter::once(held.digest.as_str()).chain(held.parts.iter().map(String::as_str))
}

fn why_stays(tag: &str, limit: Option<i64>, in_use: &InUse, rules: &Rules) -> Option<Why> {
    let time = time_of_tag(tag);
    if rules.protect.iter().any(|form| form.matches(tag)) {
        return Some(Why::Protected);
    }
    let Some(time) = time else { return Some(Why::Other) };
    if limit.is_none_or(|limit| time >= limit) {
        return Some(Why::Newest);
    }
    in_use.tags.contains(tag).then_some(Why::InUse)
}

/// The time of the last of the newest commits; none where there are no more than are kept. Of a commit's changes that were built without being
/// committed, none counts as one.
fn oldest_kept<'t>(tags: impl Iterator<Item = &'t str>, keep: usize) -> Option<i64> {
    let mut times: Vec<i64> = tags.filter(|tag| !is_dirty_tag(tag)).filter_map(time_of_tag).collect();
    times.sort_unstable_by(|a, b| b.cmp(a));
    times.get(keep.max(1) - 1).copied().filter(|_| keep > 0)
}

/// The image that a tag's image signs or describes: cosign's `sha256-HEX.sig`, and `sha256-HEX` of registries that do not know referrers.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema>
fn subject(tag: &str) -> Option<String> {
    let rest = tag.strip_prefix("sha256-")?;
    let hex = rest.split('.').next()?;
    (hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit())).then(|| format!("sha256:{hex}"))
}

/// True where some tag could go by its name and its age alone: else nothing more need be known.
pub(crate) fn may_lose(tags: &[String], rules: &Rules) -> bool {
    let limit = oldest_kept(tags.iter().map(String::as_str), rules.keep);
    tags.iter().any(|tag| why_stays(tag, limit, &InUse::default(), rules).is_none() && !is_own_tag(tag) && tag != PREPARE_TAG)
}

/// What the tags of a repository stand for; those that the registry lists and does not have are left out.
///
/// # Errors
/// The registry refuses, does not answer, or answers something else: who does not know all may delete nothing.
pub(crate) fn read_all(session: &Session, repository: &str, tags: &[String]) -> Result<Vec<Tagged>> {
    let (ui, env, cluster) = (&session.ui, &session.env, session.authority()?);
    let next = AtomicUsize::new(0);
    let read = || -> Result<Vec<Tagged>> {
        let registry = Registry::new(ui, env, cluster, repository)?;
        let mut found = vec![];
        while let Some(tag) = tags.get(next.fetch_add(1, Ordering::SeqCst)) {
            match registry.held(tag) {
                Ok(held) => found.extend(held.map(|held| Tagged { tag: tag.clone(), held })),
                Err(error) => {
                    next.store(tags.len(), Ordering::SeqCst); // the others need not go on
                    return Err(error.context(format!("{repository}:{tag} cannot be read, so nothing of {repository} may go")));
                }
            }
        }
        Ok(found)
    };
    let parts: Vec<Result<Vec<Tagged>>> = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS.min(tags.len())).map(|_| scope.spawn(read)).collect();
        readers.into_iter().map(|reader| reader.join().unwrap_or_else(|_| Err(Error::failed("a reader ended")))).collect()
    });
    let mut found: Vec<Tagged> = parts.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    found.sort_by(|a, b| a.tag.cmp(&b.tag));
    Ok(found)
}

/// Images of a repository that something runs by a digest that has no tag.
///
/// # Errors
/// As [`read_all`].
pub(crate) fn read_pinned(registry: &Registry<'_>, repository: &str, found: &[Tagged], in_use: &InUse) -> Result<Vec<Held>> {
    let known: HashSet<&str> = found.iter().map(|it| it.held.digest.as_str()).collect();
    let unknown = in_use.pinned_of(repository).into_iter().filter(|digest| !known.contains(digest));
    Ok(unknown.map(|digest| registry.held(digest)).collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn commit(time: i64) -> String {
        format!("{time}-{time:040x}")
    }

    fn digest(number: usize) -> String {
        format!("sha256:{number:064x}")
    }

    fn held(number: usize, parts: &[usize]) -> Held {
        Held { digest: digest(number), parts: parts.iter().map(|part| digest(*part)).collect(), bytes: Some(1) }
    }

    fn tagged(tag: &str, number: usize, parts: &[usize]) -> Tagged {
        Tagged { tag: tag.to_owned(), held: held(number, parts) }
    }

    fn rules(keep: usize, protect: &[&str]) -> Rules {
        Rules { keep, protect: protect.iter().map(|form| Pattern::new(form).expect("a form")).collect() }
    }

    fn gone(decision: &Decision) -> Vec<&str> {
        decision.goes.iter().flat_map(|going| going.tags.iter().map(String::as_str)).collect()
    }

    #[test]
    fn what_a_text_names() {
        let mut in_use = InUse::default();
        let (tag, sha) = (commit(1_700_000_000), format!("{:064x}", 7));
        in_use.read(&format!(r#"{{"image":"r.io/team/shop:{tag}","imageID":"docker-pullable://r.io:5000/team/shop@sha256:{sha}"}}"#));
        in_use.read(&format!("image: r.io/team/shop:{}@sha256:{sha}", commit(1_700_000_009)));
        in_use.read(&format!("image: x:1-{}-dirty-0a1b", "b".repeat(40)));
        assert_eq!(in_use.tags, BTreeSet::from([tag, commit(1_700_000_009), format!("1-{}-dirty-0a1b", "b".repeat(40))]));
        assert_eq!(in_use.digests, BTreeSet::from([digest(7)]));
        assert_eq!(in_use.pinned_of("other.example.com/team/shop"), BTreeSet::from([&*digest(7)]), "whatever the registry is called");
        assert!(in_use.pinned_of("r.io/team/other").is_empty());
    }

    #[test]
    fn the_newest_stay_and_those_as_old_as_the_last_of_them() {
        let dirty = format!("{}-dirty-0a", commit(4));
        let mut found: Vec<Tagged> = [1, 2, 3, 4].iter().enumerate().map(|(at, time)| tagged(&commit(*time), at, &[])).collect();
        found.push(tagged(&format!("3-{}", "f".repeat(40)), 10, &[]));
        found.push(tagged(&dirty, 11, &[]));
        found.push(tagged(&format!("{}-dirty-0a", commit(1)), 12, &[]));
        let decision = decide(&found, &[], &InUse::default(), &rules(2, &[]));
        assert_eq!(gone(&decision), [&*commit(1), &format!("{}-dirty-0a", commit(1)), &commit(2)]);
        assert_eq!(decision.stays, BTreeMap::from([(Why::Newest, 4)]));
    }

    #[test]
    fn signatures_go_with_what_they_sign() {
        let signature = |number: usize| format!("sha256-{number:064x}.sig");
        let found = [
            tagged(&commit(1), 1, &[]),
            tagged(&commit(2), 2, &[]),
            tagged(&signature(1), 11, &[]),
            tagged(&signature(2), 12, &[]),
            tagged(&signature(11), 21, &[]),
            tagged(&signature(99), 13, &[]),
        ];
        let decision = decide(&found, &[], &InUse::default(), &rules(1, &[]));
        assert_eq!(
            gone(&decision),
            [&*commit(1), &signature(1), &signature(11)],
            "also a signature of a signature, never one of what stays"
        );
        assert_eq!(decision.goes[1].about.as_deref(), Some(&*digest(1)));
        let protected = decide(&found, &[], &InUse::default(), &rules(1, &["*.sig"]));
        assert_eq!(gone(&protected), [&*commit(1)]);
    }

    /// One tag of a made-up repository: which kind of name, which image of ten, what that is made of.
    fn any_repository() -> impl Strategy<Value = Vec<Tagged>> {
        let names = prop_oneof![
            6 => (1_i64..40).prop_map(commit),
            1 => (1_i64..40).prop_map(|time| format!("{}-dirty-0a", commit(time))),
            1 => prop::sample::select(vec!["latest", "prepare", "buildcache", "v1.2", "1700000000-short", "prepare-0123456789ab"]).prop_map(str::to_owned),
            1 => (0_usize..12).prop_map(|number| format!("sha256-{number:064x}.sig")),
        ];
        // An image holds images with higher numbers alone, so none is a part of itself; what it is made of is the same for all of its tags.
        let images = prop::collection::vec(prop::collection::vec(1_usize..12, 0..3), 12);
        (prop::collection::btree_map(names, 0_usize..12, 0..40), images).prop_map(|(tags, images)| {
            let parts = |number: usize| {
                let mut all = BTreeSet::new();
                let mut todo = vec![number];
                while let Some(one) = todo.pop() {
                    for part in images[one].iter().map(|step| one + step).filter(|part| *part < 12) {
                        if all.insert(part) {
                            todo.push(part);
                        }
                    }
                }
                all.into_iter().collect::<Vec<usize>>()
            };
            tags.into_iter().map(|(tag, number)| tagged(&tag, number, &parts(number))).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn nothing_goes_that_must_stay(
            found in any_repository(),
            running in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), any::<bool>()), 0..6),
            pinned in prop::collection::vec((20_usize..24, 0_usize..12), 0..3),
            keep in 1_usize..8,
        ) {
            let rules = rules(keep, &["v*", "3?-*"]);
            let mut in_use = InUse::default();
            for (which, by_tag, by_part) in &running {
                if found.is_empty() { break }
                let it = which.get(&found);
                if *by_tag {
                    in_use.read(&format!("r/x:{}", it.tag));
                } else {
                    let part = it.held.parts.first().filter(|_| *by_part).unwrap_or(&it.held.digest);
                    in_use.read(&format!("r/x@{part}"));
                }
            }
            let pinned: Vec<Held> = pinned.iter().map(|(number, part)| held(*number, &[*part])).collect();
            let decision = decide(&found, &pinned, &in_use, &rules);
            let goes: HashSet<&str> = decision.goes.iter().map(|going| going.digest.as_str()).collect();
            let gone: HashSet<&str> = gone(&decision).into_iter().collect();

            let mut times: Vec<i64> = found.iter().filter(|it| !is_dirty_tag(&it.tag)).filter_map(|it| time_of_tag(&it.tag)).collect();
            times.sort_unstable();
            let newest: Vec<i64> = times.iter().rev().take(keep).copied().collect();
            for it in &found {
                let tag = it.tag.as_str();
                let goes_by_digest = goes.contains(it.held.digest.as_str());
                prop_assert_eq!(goes_by_digest, gone.contains(tag), "a digest takes all of its tags along, and they are told");
                if goes_by_digest {
                    prop_assert!(!in_use.tags.contains(tag) && parts(&it.held).all(|part| !in_use.digests.contains(part)), "{} runs", tag);
                    prop_assert!(!tag.starts_with('v') && !tag.starts_with("prepare") && !tag.starts_with("buildcache") && tag != "latest");
                    prop_assert!(!rules.protect.iter().any(|form| form.matches(tag)), "{} is protected", tag);
                    match (time_of_tag(tag), subject(tag)) {
                        (Some(time), _) => prop_assert!(!newest.contains(&time), "{} is one of the newest", tag),
                        (None, Some(subject)) => prop_assert!(goes.contains(&*subject), "{} is about what stays", tag),
                        (None, None) => prop_assert!(false, "{} is no commit's", tag),
                    }
                } else {
                    for part in &it.held.parts {
                        prop_assert!(!goes.contains(&**part), "{} is a part of {}, which stays", part, tag);
                    }
                }
            }
            for it in &pinned {
                prop_assert!(parts(it).all(|part| !goes.contains(part)));
            }
            // And what need not stay goes: the command is of use.
            let plain = found.iter().filter(|it| time_of_tag(&it.tag).is_some_and(|time| newest.iter().all(|kept| time < *kept)));
            let alone = |it: &&Tagged| running.is_empty() && pinned.is_empty() && it.held.parts.is_empty()
                && !rules.protect.iter().any(|form| form.matches(&it.tag))
                && found.iter().all(|other| other.tag == it.tag || !parts(&other.held).any(|part| part == it.held.digest));
            if newest.len() == keep {
                for it in plain.filter(alone) {
                    prop_assert!(gone.contains(&*it.tag), "{} is old and of no use", it.tag);
                }
            }
        }
    }
}
