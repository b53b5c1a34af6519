//! What a chat room is told of a release and of its Secrets, in English or Chinese.

use crate::model::app::Language;
use crate::model::card::{Card, Tone};

/// A word of lain's own. What has no other word in Chinese stays: names of kinds and commands.
fn translated(language: Language, word: &'static str) -> &'static str {
    const ZH: [(&str, &str); 22] = [
        ("done", "成功"),
        ("failed", "失败"),
        ("refused", "被拒绝"),
        ("interrupted", "被中断"),
        ("cluster", "集群"),
        ("executor", "操作者"),
        ("version", "版本"),
        ("rolled back to revision", "回滚到 revision"),
        ("took", "耗时"),
        ("changes", "变更"),
        ("commit", "提交"),
        ("since the last version", "自上一版本以来"),
        ("reason", "原因"),
        ("next", "下一步"),
        ("pipeline", "流水线"),
        ("environment", "环境"),
        ("merge request", "合并请求"),
        ("waits for", "等待手动执行"),
        ("added", "新增"),
        ("removed", "删除"),
        ("changed", "修改"),
        ("on cluster", "在集群"),
    ];
    match language {
        Language::En => word,
        Language::Zh => ZH.iter().find(|(english, _)| *english == word).map_or(word, |(_, chinese)| chinese),
    }
}

/// What happened to a release. Texts of others are printable already.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    /// `deploy`, `rollback`, ...
    pub action: &'static str,
    /// The release.
    pub release: String,
    /// How it ended: `done`, `failed`, `refused`, `interrupted`.
    pub outcome: &'static str,
    /// The cluster.
    pub cluster: String,
    /// Who did it.
    pub executor: String,
    /// The image tag that runs now.
    pub tag: String,
    /// The revision gone back to.
    pub rollback_revision: Option<u32>,
    /// How long it took, in seconds.
    pub seconds: Option<u64>,
    /// Objects that were made, changed, deleted.
    pub counts: Option<[usize; 3]>,
    /// The commit that the tag is of.
    pub commit: Option<Commit>,
    /// Subjects of the commits since the last version.
    pub log: Vec<String>,
    /// The error, when it failed.
    pub failure: Option<String>,
    /// What to do then.
    pub next: Vec<String>,
    /// Where to look.
    pub links: Vec<Link>,
}

/// A commit, as people know it.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    /// The first line of its message.
    pub subject: String,
    /// Its author.
    pub author: String,
}

/// Where to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// What it leads to: `pipeline`, `environment`, `merge request`, `waits for`.
    pub to: &'static str,
    /// More about it: the name of the job that waits.
    pub name: Option<String>,
    /// The address.
    pub url: String,
}

impl Message {
    /// The message in its parts.
    pub(crate) fn card(&self, language: Language) -> Card {
        let word = |word| translated(language, word);
        let tone = if self.outcome == "done" { Tone::Good } else { Tone::Bad };
        let title = format!("{} {}: {}", self.action, self.release, word(self.outcome));
        let mut card = Card { title, tone, ..Card::default() };
        card.fact(word("cluster"), &self.cluster);
        card.fact(word("executor"), &self.executor);
        card.fact(word("version"), &self.tag);
        if let Some(revision) = self.rollback_revision {
            card.fact("", &format!("{} {revision}", word("rolled back to revision")));
        }
        if let Some(seconds) = self.seconds {
            card.fact(word("took"), &format!("{seconds} s"));
        }
        if let Some([create, update, delete]) = self.counts {
            card.fact(word("changes"), &format!("+{create} ~{update} -{delete}"));
        }
        if let Some(Commit { subject, author }) = &self.commit {
            card.fact(word("commit"), &format!("{subject} ({author})"));
        }
        if !self.log.is_empty() {
            card.lists.push((word("since the last version").to_owned(), self.log.clone()));
        }
        card.list(word("reason"), self.failure.iter().cloned().collect());
        card.list(word("next"), self.next.clone());
        for Link { to, name, url } in &self.links {
            let label = name.as_ref().map_or_else(|| word(to).to_owned(), |name| format!("{} {name}", word(to)));
            card.link(&label, url);
        }
        card
    }
}

/// What happened to a Secret, in keys alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct SecretMessage {
    /// The Secret.
    pub name: String,
    /// Where it is.
    pub cluster: String,
    /// Who did it.
    pub executor: String,
    /// Keys that came, went, and have another value.
    pub keys: [Vec<String>; 3],
}

impl SecretMessage {
    /// The message in its parts.
    pub(crate) fn card(&self, language: Language) -> Card {
        let word = |word| translated(language, word);
        let part = |(what, keys): (&'static str, &Vec<String>)| (!keys.is_empty()).then(|| format!("{} {}", word(what), keys.join(", ")));
        let summary: Vec<String> = ["added", "removed", "changed"].into_iter().zip(&self.keys).filter_map(part).collect();
        let place = if self.cluster.is_empty() { String::new() } else { format!(" {} {}", word("on cluster"), self.cluster) };
        let mut card = Card { title: format!("{}{place}: {}", self.name, summary.join("; ")), ..Card::default() };
        card.fact(word("executor"), &self.executor);
        card
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        let text = |text: &str| text.to_owned();
        Message {
            action: "deploy",
            release: text("shop"),
            outcome: "done",
            cluster: text("test"),
            executor: text("ada"),
            tag: text("v1"),
            ..Message::default()
        }
    }

    #[test]
    fn says_what_there_is() {
        assert_eq!(message().card(Language::En).text(), "deploy shop: done\ncluster: test\nexecutor: ada\nversion: v1");
        let full = Message {
            outcome: "failed",
            rollback_revision: Some(3),
            seconds: Some(83),
            counts: Some([1, 2, 0]),
            commit: Some(Commit { subject: "修复 <b> {{ x }}".into(), author: "王".into() }),
            log: vec!["one".into(), "two".into()],
            failure: Some("helm failed".into()),
            next: vec!["lain logs web".into()],
            links: vec![
                Link { to: "pipeline", name: None, url: "https://git.example.com/p/1".into() },
                Link { to: "waits for", name: Some("promote".into()), url: "https://git.example.com/j/2".into() },
            ],
            ..message()
        };
        assert_eq!(
            full.card(Language::En).text(),
            "deploy shop: failed\ncluster: test\nexecutor: ada\nversion: v1\nrolled back to revision 3\ntook: 83 s\nchanges: +1 ~2 -0\n\
             commit: 修复 <b> {{ x }} (王)\nsince the last version:\n  one\n  two\nreason: helm failed\nnext: lain logs web\n\
             pipeline: https://git.example.com/p/1\nwaits for promote: https://git.example.com/j/2"
        );
        assert_eq!(
            full.card(Language::Zh).text(),
            "deploy shop: 失败\n集群: test\n操作者: ada\n版本: v1\n回滚到 revision 3\n耗时: 83 s\n变更: +1 ~2 -0\n\
             提交: 修复 <b> {{ x }} (王)\n自上一版本以来:\n  one\n  two\n原因: helm failed\n下一步: lain logs web\n\
             流水线: https://git.example.com/p/1\n等待手动执行 promote: https://git.example.com/j/2"
        );
    }

    #[test]
    fn secrets_are_told_of_by_keys() {
        let keys = [vec!["A".to_owned(), "B".to_owned()], vec![], vec!["C".to_owned()]];
        let message = SecretMessage { name: "shop-env".into(), cluster: "test".into(), executor: "ada".into(), keys };
        assert_eq!(message.card(Language::En).text(), "shop-env on cluster test: added A, B; changed C\nexecutor: ada");
        assert_eq!(message.card(Language::Zh).text(), "shop-env 在集群 test: 新增 A, B; 修改 C\n操作者: ada");
    }
}
