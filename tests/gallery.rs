//! `docs/errors.md` is what lain says in `tests/bad_input.rs`, word for word; `docs/errors.zh-CN.md` says in Chinese what that means.
//!
//! `UPDATE_DOCS=1 cargo test --test gallery` writes both anew. A test that is new there needs a line in `CHINESE`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

const HEAD: &str = "# What lain says when something is wrong\n\n[中文](errors.zh-CN.md)\n\nEvery error has a reason, the place if it is in a file of yours, and what to type next. This page is made from the tests \
     (`UPDATE_DOCS=1 cargo test --test gallery`); what `lain lint` finds in values has [a page for each check](lint/L012.md).\n";

const CHINESE_HEAD: &str = "# 出错的时候 lain 怎么说\n\n[English](errors.md)\n\n每个报错都有原因 (`error:`, `because:`), 出错的位置 (如果问题在你的文件里), 和下一步该输入什么 (`next:`, # 后面是注释). 本页由测试生成 \
     (`UPDATE_DOCS=1 cargo test --test gallery`); `lain lint` 会在 values 里发现哪些问题, [每个检查都有单独的一页](lint/L012.md).\n";

/// For each test that shows something: the heading, and what the messages below it mean.
const CHINESE: &[(&str, &str, &str)] = &[
    ("a_cluster_that_names_no_registry", "集群没有写镜像仓库", "集群的 values 里缺 `registry`, 不知道镜像在哪里. 按提示补上一行."),
    (
        "a_cluster_without_a_kubeconfig",
        "集群没有 kubeconfig",
        "找不到这个集群的 kubeconfig. 把它放到提示的位置; 在 CI 里, 设置一个 File 类型的变量.",
    ),
    (
        "a_price_that_is_none",
        "写错的价格",
        "集群 values 里的 `price` 是每核和每 GiB 的价钱: `cpu` 和 `memory` 是不小于 0 的数, `per` 是 hour, day, month 或 year.",
    ),
    (
        "a_failing_build_leaves_the_users_files_alone",
        "构建失败, 你的文件原样不动",
        "`docker build` 失败了, 上面的输出里有出错的那一步; 你自己的 Dockerfile 和 `.dockerignore` 都没有改动. 想看完整的构建步骤, 就执行提示的命令.",
    ),
    (
        "a_count_that_is_no_number",
        "数量不是数字",
        "`replicaCount` 这类 key 只能写整数. 写成别的, helm 会把应用悄悄缩到 0 个 pod, 所以 lain 拒绝部署; 按提示查看这个值来自哪个文件.",
    ),
    ("a_full_disk_leaves_what_was_there", "磁盘满了, 原有的文件还在", "没有写进去, 原来的内容也没有丢. 腾出空间以后再来一遍."),
    ("a_key_given_twice", "同一个 key 写了两次", "同一个 map 里有两个相同的 key, helm 会默默采用后一个. 只留一个."),
    (
        "a_kubeconfig_whose_login_program_is_missing",
        "kubeconfig 用到的登录程序没有安装",
        "kubeconfig 靠一个外部程序登录 (`users: exec: command:`), 但是这台机器上没有. 装上它, 或者要一份带 token 的 kubeconfig.",
    ),
    ("a_kubeconfig_without_credentials", "kubeconfig 里没有登录凭据", "kubeconfig 里没有能用的 token 或者证书. 找管理员要一份新的."),
    ("a_missing_key", "缺少必需的 key", "values 里少了一个必须写的 key, 提示里是该补的那一行."),
    (
        "a_refused_use_moves_no_kubeconfig",
        "切换集群失败, 原来的 kubeconfig 不动",
        "`lain use` 没有成功, 你原来的 `~/.kube/config` 还在原处.",
    ),
    ("a_registry_that_does_not_answer", "镜像仓库没有响应", "连不上镜像仓库. 先用提示的命令看看它是否在运行, 地址对不对."),
    ("a_secret_is_never_repeated", "报错里不会出现密码", "命令失败了, 打印出来的内容里, 密码一律换成 `***`."),
    ("a_shape_that_a_result_does_not_have", "结果没有这种格式", "`-o` 要的格式, 这个命令给不了; 报错里列出了它能给的格式."),
    (
        "a_value_of_the_wrong_type",
        "值的类型不对",
        "这里应该是另一种类型, 比如整数, 却写成了文本. 值若来自别的文件, 提示的命令会说明是哪一个.",
    ),
    ("a_word_without_a_name_is_not_repeated", "没写变量名", "环境变量要写成 NAME=VALUE. 写错的那个词可能就是密码, 所以报错里不重复它."),
    (
        "an_api_server_that_does_not_answer",
        "Kubernetes API server 没有响应",
        "连不上集群. 先确认选对了集群, 再检查 VPN, 代理和 kubeconfig 里的 `server:`.",
    ),
    ("an_unknown_cluster_names_the_nearest", "没有这个集群", "集群名写错了, 提示里是最接近的那个. 如果是新集群, 先写好它的 values 文件."),
    ("an_unknown_command_names_the_nearest", "没有这个命令", "命令写错了, 提示里是最接近的那个; PATH 里也没有同名的扩展程序."),
    ("broken_yaml", "YAML 写坏了", "YAML 语法有误, 报错里有行号和列号: 引号没有闭合, 或者用了 tab 缩进."),
    (
        "compose_leaves_an_existing_file_alone",
        "compose 不覆盖已有的文件",
        "`docker-compose.yaml` 已经存在, 里边可能有你的改动, 所以没有动它. 确定要覆盖就加 `--force`.",
    ),
    ("ctrl_c_ends_with_130", "按 Ctrl-C, 退出码是 130", "被你中断了, 不算出错, 所以没有下一步."),
    ("docker_is_not_installed", "没有安装 docker", "PATH 里找不到 docker."),
    ("extra_values_that_are_not_there", "额外的 values 文件不存在", "`-f` 指定的文件读不到. 看看是不是文件名写错了."),
    ("git_is_not_installed", "没有安装 git", "PATH 里找不到 git. 镜像 tag 取自 git commit, 所以需要它."),
    (
        "helm_is_another_than_the_cluster_asks_for",
        "helm 不是集群要的版本",
        "values 里的 `helm_version` 要求另一个大版本. 把它装成 `helm3` 或 `helm4`, 或者改 values; 镜像里两个都有.",
    ),
    ("helm_is_broken", "helm 运行不起来", "helm 装了, 但是连版本都问不出来. 先单独运行它试试."),
    ("helm_is_not_installed", "没有安装 helm", "PATH 里找不到 helm. 需要 3.8 或更新的版本."),
    ("helm_is_too_old", "helm 版本太旧", "需要 3.8 或更新的版本."),
    (
        "init_in_a_folder_that_cannot_be_written",
        "init 没有写权限",
        "当前目录写不进去: 没有权限, 或者文件系统是只读的. 检查一下, 或者换一个目录.",
    ),
    (
        "init_leaves_an_existing_chart_alone",
        "init 不覆盖已有的 chart",
        "`chart/values.yaml` 已经存在, 什么都没有改. 只更新模板用 `--template-only`; 整个重来用 `--force`, values 也会被替换.",
    ),
    ("init_refuses_an_impossible_name", "应用名不合法", "应用名只能用小写字母, 数字和横线, 最长 63 个字符. 提示里是一个可用的名字."),
    ("init_where_chart_is_a_file", "chart 不是目录, 而是文件", "lain 的 chart 要放在这个名字的目录里. 先把那个文件改名."),
    (
        "init_without_helm_writes_a_whole_chart",
        "没有 helm, init 也会写完整的 chart",
        "chart 已经写好, 只是没有 helm 就没法检查. 装好 helm 以后执行 `lain lint`.",
    ),
    ("kubectl_is_not_installed", "没有安装 kubectl", "PATH 里找不到 kubectl. 它和集群最多差一个小版本."),
    ("no_cluster_is_chosen", "没有选择集群", "先用 `lain use` 选一个集群; 只用一次的话加 `--cluster`, 在 CI 里设置 `LAIN_CLUSTER`."),
    (
        "no_docker_daemon_answers",
        "docker daemon 没有响应",
        "docker 装了, 但是 daemon 没有运行, 或者 DOCKER_HOST 不对. 在 GitLab CI 里, 要把 docker 的 socket 挂载给 job.",
    ),
    ("no_values_file", "没有 values 文件", "这个目录里没有 `chart/values.yaml`. 新应用用 `lain init` 生成; 已有的应用, 请先进到它的目录."),
    ("values_that_are_no_text", "values 不是文本文件", "给的是目录, 或者文件不是 UTF-8 编码. 提示里是转换编码的命令."),
    ("what_was_never_closed", "括号或者引号没有闭合", "报错指向开头的那一个, 并说明在哪里发现它没有闭合."),
    ("wide_characters_before_the_place", "前面有中文, 位置也准", "列号按字符算, 行太长就只显示出错位置的前后, `^` 照样指得准."),
    (
        "variables_that_cannot_be_are_refused_before_anything_is_sent",
        "不能用的环境变量, 在发送之前就拒绝",
        "变量名不能以数字开头; 同一个名字不能出现两次而值不同; 引号要成对. 文件里的错误会给出行号, 集群里什么都没有改动.",
    ),
];

/// What differs from run to run, and says nothing.
fn steady(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let words: Vec<String> = line
            .split(' ')
            .map(|word| {
                let port = word.split_once("127.0.0.1:").map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
                match port {
                    Some(port) if port.len() > 4 || port == "1" => word.replacen(&format!("127.0.0.1:{port}"), "127.0.0.1:PORT", 1),
                    _ => word.to_owned(),
                }
            })
            .collect();
        out += &words.join(" ");
        out.push('\n');
    }
    out
}

#[test]
fn the_gallery_is_what_the_tests_saw() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a folder");
    let ran = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
        .args(["test", "--quiet", "--locked", "--test", "bad_input"])
        .current_dir(root)
        .env("LAIN_GALLERY", folder.path())
        .output()
        .expect("cargo runs");
    assert!(ran.status.success(), "{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let mut shown: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut files: Vec<_> = fs::read_dir(folder.path()).expect("the gallery").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    for path in files {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let (test, _) = name.rsplit_once('-').expect("a number");
        let said = steady(&fs::read_to_string(&path).expect("text"));
        let last = said.lines().last().expect("words");
        assert!(
            last.starts_with("next: ") || last.starts_with("tip: ") || last == "error: interrupted",
            "{test}: every error ends with what to type next\n{said}"
        );
        let texts = shown.entry(test.to_owned()).or_default();
        if !texts.contains(&said) {
            texts.push(said);
        }
    }
    assert!(shown.len() > 20, "{} tests", shown.len());
    let title = |test: &str| {
        let words = test.replace('_', " ");
        words.chars().take(1).flat_map(char::to_uppercase).chain(words.chars().skip(1)).collect::<String>()
    };
    let chinese = |test: &str| CHINESE.iter().find(|(name, _, _)| *name == test);
    let missing: Vec<&String> = shown.keys().filter(|test| chinese(test).is_none()).collect();
    let left: Vec<&str> = CHINESE.iter().map(|(name, _, _)| *name).filter(|name| !shown.contains_key(*name)).collect();
    assert!(missing.is_empty() && left.is_empty(), "CHINESE lacks {missing:?} and has {left:?} of no test");
    write_or_compare("docs/errors.md", &page(HEAD, &shown, |test| format!("{}\n", title(test))));
    let explained = |test: &str| chinese(test).map(|(_, heading, meaning)| format!("{heading}\n{meaning}\n\n")).unwrap_or_default();
    write_or_compare("docs/errors.zh-CN.md", &page(CHINESE_HEAD, &shown, explained));
}

/// A section for each test: its heading and what stands below it, then what lain said.
fn page(head: &str, shown: &BTreeMap<String, Vec<String>>, top: impl Fn(&str) -> String) -> String {
    let mut page = head.to_owned();
    for (test, texts) in shown {
        page += &format!("\n## {}", top(test));
        texts.iter().for_each(|text| page += &format!("```text\n{text}```\n"));
    }
    page
}

fn write_or_compare(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, page).expect("a page");
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), page, "{name}: UPDATE_DOCS=1 cargo test --test gallery");
}
