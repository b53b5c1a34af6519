//! `lain history`: who did what to a release, from which pipeline and commit, and how it ended.

use serde_json::Value as Json;

use crate::support::Place;

const VALUES: &str = "\
deployments:
  web: {image: python:3.13-slim, imagePullPolicy: IfNotPresent, command: [sleep, \"1000\"], replicaCount: 1, terminationGracePeriodSeconds: 1}
";
const JOB_URL: &str = "https://git.example.com/team/shop/-/jobs/7";

#[test]
fn what_was_done_by_whom_and_how_it_ended() {
    for helm in ["3.17.3", "4.3.1"] {
        let place = Place::new(helm).with_values(VALUES);
        let app = place.appname.clone();
        place.lain(&["history"]).exits(1).says(&format!("there is no release {app} in namespace ")).says("next: lain deploy");
        place.lain(&["history", "--", "--evil"]).exits(2).says("is no release name");
        place.lain(&["deploy", "--ignore-lint"]).ok();
        let in_ci = |args: &[&str]| {
            let variables = [("CI", "true"), ("GITLAB_CI", "true"), ("GITLAB_USER_LOGIN", "ada"), ("CI_JOB_URL", JOB_URL)];
            let output = place.lain_command(args).envs(variables).output().expect("lain runs");
            crate::support::Ran::of(&output).ok()
        };
        place.git(&["commit", "-q", "--allow-empty", "-m", "Shop: two,\u{202e} \"quoted\" words"]);
        in_ci(&["deploy", "--ignore-lint", "--use", "test", "--set", "deployments.web.env.WORD=two"]);
        place.lain(&["redeploy"]).ok();
        let refused = "deployments.web.resources.requests.cpu=2,deployments.web.resources.limits.cpu=1";
        place.lain(&["deploy", "--ignore-lint", "--set", refused]).exits(1);
        // helm calls it deployed; its pods never became ready.
        let never = ["deploy", "--ignore-lint", "--wait", "--set", "deployments.web.image=No:Name:AtAll"];
        place.lain(&never).exits(1).says("InvalidImageName");
        in_ci(&["--use", "test", "rollback"]);

        let json = place.lain(&["history", "-o", "json"]).ok().stdout;
        let json: Json = serde_json::from_str(&json).expect("JSON");
        assert_eq!((&json["version"], &json["release"], &json["cluster"]), (&1.into(), &app.clone().into(), &"test".into()));
        let rows = json["revisions"].as_array().expect("rows");
        let row = |at: usize| {
            let row = &rows[at];
            let text = |key: &str| row[key].as_str().unwrap_or("-").to_owned();
            [row["revision"].to_string(), text("kind"), text("ended"), text("user"), row["runs"].to_string()].join(" ")
        };
        let all: Vec<String> = (0..rows.len()).map(row).collect();
        let wanted = [
            "6 rollback good ada true",
            "5 deploy failed tester false",
            "4 deploy failed tester false",
            "3 redeploy good tester false",
            "2 deploy good ada false",
            "1 install good tester false",
        ];
        assert_eq!(all, wanted, "helm {helm}: {json:#}");
        assert_eq!((&rows[0]["jobUrl"], &rows[4]["jobUrl"]), (&JOB_URL.into(), &JOB_URL.into()));
        assert!(rows[3].get("jobUrl").is_none(), "{}", rows[3]);
        assert_eq!(rows[4]["commit"]["subject"], "Shop: two,\u{202e} \"quoted\" words");
        assert_eq!(rows[5]["commit"]["subject"], "the app");
        assert!(rows[5]["imageTag"].as_str().is_some_and(|tag| tag.ends_with(rows[5]["commit"]["sha"].as_str().expect("a commit"))));

        // A line a revision, where there is no checkout as well; helm still reads what lain wrote.
        let text = place
            .lain(&["-C", "/", "history", &app, "--use", "test", "-n", "2"])
            .ok()
            .says("2 of 6 revisions; lain history -n 6 lists all")
            .stdout;
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(
            text.lines()
                .nth(1)
                .is_some_and(|line| line.starts_with("* 6 ") && line.contains("rollback to") && line.contains(&format!("ada ({JOB_URL})"))),
            "{text}"
        );
        assert!(text.lines().nth(2).is_some_and(|line| line.starts_with("  5 ") && line.contains("failed")), "{text}");
        println!("{}", place.lain(&["history"]).ok().stdout);
        assert!(place.helm(&["history", &app]).ok().stdout.contains("; by ada-via-https://"));
        place.lain(&["rollback"]).exits(3).says("was just rolled back");
    }
}
