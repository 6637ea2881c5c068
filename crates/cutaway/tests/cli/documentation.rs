//! What `docs/json.md` promises is what the commands print, no more and no less.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::shell::Shell;

/// A command for each section of the page.
const COMMANDS: [(&str, &str); 24] = [
    ("study", "study --data digits --epochs 1 --batch-size 50 --json"),
    ("train", "train --data digits --epochs 1 --batch-size 50 --json"),
    ("evaluate", "evaluate --data digits --json"),
    ("summary", "summary --json"),
    ("check", "check --json"),
    ("filters", "filters --json"),
    ("predict", "predict --data digits --sample 1 --json"),
    ("maps", "maps --data digits --digit 0 --unit 12,3,4 --json"),
    ("units", "units --data digits --classes 0,8 --top 1 --json"),
    (
        "attribute",
        "attribute --data digits --method grad-cam --score --sensitivity 2 --randomise --json",
    ),
    ("attribute --method all", "attribute --data digits --method all --samples 10 --json"),
    ("attribute --images", "attribute --images attributed --method gradient,grad-cam --json"),
    (
        "attribute --bench",
        "attribute --data digits --bench 1 --method gradient,lrp,grad-cam --json",
    ),
    ("visualise", "visualise --data digits --class 3 --steps 2 --json"),
    ("shift", "shift --data digits --digit 1 --range 2 --limit 5 --json"),
    ("occlude", "occlude --data digits --digit 6 --stride 4 --limit 1 --sizes 8 --json"),
    ("transplant", "transplant --data digits --digit 6 --stride 4 --donors 1 --limit 1 --json"),
    ("corrupt", "corrupt --data digits --only stripe --limit 10 --json"),
    ("rnn", "rnn --json"),
    ("attack", "attack --data digits --method pgd --steps 3 --patch 2 --limit 12 --npy --json"),
    ("sequence", SEQUENCE),
    ("data list", "data list --json"),
    ("data show", "data show --data digits --json"),
    ("data export", "data export --data digits --out copy --json"),
];

const SEQUENCE: &str =
    "sequence --epochs 1 --limit 60 --hidden 8 --units 30 --seeds 1 --longest 120 --json";

/// The keys that the page documents, by section: rows of tables that begin with `` | `key` | ``.
/// `a[].b` is the key `b` of each object in the list `a`.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/json.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut sections: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut section = String::new();
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## `cutaway ") {
            section = title.trim_end_matches('`').to_owned();
        }
        if let Some((key, _)) = line.strip_prefix("| `").and_then(|rest| rest.split_once('`')) {
            sections.entry(section.clone()).or_default().insert(key.to_owned());
        }
    }
    sections
}

/// The value at a documented path, of lists the first element's.
fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, step| {
        let (key, lists) = (step.trim_end_matches("[]"), step.matches("[]").count());
        let value = if key.is_empty() { value } else { value.get(key)? };
        (0..lists).try_fold(value, |value, _| value.get(0))
    })
}

#[test]
fn every_documented_json_key_is_there_and_every_key_at_the_top_is_documented() {
    let shell = Shell::new();
    std::fs::create_dir(shell.path("attributed")).unwrap();
    shell.picture("attributed/plain.png", [28, 28, 1]);
    let sections = documented();
    for (section, line) in COMMANDS {
        let keys = sections.get(section).unwrap_or_else(|| panic!("{section} is not documented"));
        let json = shell.run(line).json();
        for key in keys {
            assert!(at(&json, key).is_some(), "{section}: {key} is documented but not printed");
        }
        let (top, prefix) = match json.get(0) {
            Some(first) => (first, "[]."),
            None => (&json, ""),
        };
        for key in top.as_object().unwrap().keys() {
            let known = |path: &String| {
                let path = path.strip_prefix(prefix).unwrap_or(path);
                path.split(['.', '[']).next() == Some(key)
            };
            assert!(keys.iter().any(known), "{section}: {key} is printed but not documented");
        }
    }
}
