//! Every check of a pipeline: its id, which never changes its meaning, and one line of why. `docs/ci-lint.md` says more.

use crate::model::check::{Check, check};

/// All checks, in the order of their ids.
pub const CHECKS: &[Check] = &[
    check("C001", "files can be read", "GitLab makes no pipeline of a file that it cannot read"),
    check("C002", "misspelt keyword", "GitLab refuses the whole file for one word that it does not know"),
    check("C003", "key twice", "the second one replaces the first, and nobody says so"),
    check("C004", "inputs of an include", "GitLab refuses the whole file when an input is missing, unknown or of another type"),
    check("C005", "stage that is not there", "GitLab refuses the whole file; without `stages` there are build, test and deploy"),
    check("C006", "needs a job that cannot come before", "GitLab refuses the whole file"),
    check("C007", "needs a job that is not in the same pipeline", "GitLab makes no pipeline at all, and a push goes unchecked"),
    check(
        "C008",
        "tests beside merge request pipelines",
        "the merge button looks at the merge request's own pipeline alone: red tests of the branch are hidden",
    ),
    check("C009", "two pipelines for one push", "each job runs twice: in the branch and in its merge request"),
    check("C010", "rules beside only or except", "GitLab refuses the whole file"),
    check("C011", "rules of lain's job replaced", "a list of rules is replaced as a whole: what it kept out comes in"),
    check(
        "C012",
        "name of an environment or a resource group",
        "GitLab refuses such an environment, and drops such a group in silence: then nothing is locked",
    ),
    check("C013", "on_stop and its job", "an environment whose stop job is missing, different or not manual is never stopped, or at once"),
    check("C014", "deploy by a schedule", "a nightly schedule would deploy too"),
    check("C015", "changes where GitLab knows of none", "`changes` is true for new branches, tags, schedules and what is started by hand"),
    check("C016", "secret in the file", "who can read the repository can read it, for ever"),
    check("C017", "variable beside an input", "what is written is not what lain's jobs get"),
    check("C018", "artifacts that go before a manual deploy", "whoever presses the button later gets a failure"),
    check("C019", "deploy that may be interrupted", "the next push kills it half way"),
    check("C020", "deploy that is tried again", "a deploy that failed is repeated before anybody looked"),
    check("C021", "template twice under the same names", "the jobs of the second include replace those of the first"),
    check("C022", "more variables than a dotenv report holds", "GitLab refuses the report from the 21st variable on, and the job fails"),
    check("C023", "lain's image without a version", "`latest` is another program tomorrow"),
    check("C024", "condition that cannot be read", "GitLab refuses the whole file"),
    check("C025", "extends or !reference to nothing", "GitLab refuses the whole file"),
    check("C026", "no job", "GitLab refuses the whole file"),
];
