use tempfile::TempDir;

use super::*;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn opened(files: &[(&str, &str)], options: &ProteinOptions) -> Result<Proteins> {
    open_proteins(folder(files).path(), options)
}

fn one_file(text: &str, options: &ProteinOptions) -> Result<Proteins> {
    let folder = folder(&[("set.fasta", text)]);
    open_proteins(&folder.path().join("set.fasta"), options)
}

fn classes(names: &[&str]) -> ProteinOptions {
    let classes = names.iter().map(|&name| name.to_owned()).collect();
    ProteinOptions { classes, ..Default::default() }
}

fn labels(proteins: &Proteins) -> (&[String], &[usize]) {
    match &proteins.sequences.targets {
        Targets::Classes { names, labels } => (names, labels),
        other => panic!("{other:?}"),
    }
}

const TWO: [(&str, &str); 2] =
    [("Secreted.fasta", ">s1\nMKVL\n>s2\nMKVLLLLA\n"), ("Nucleus.fa", ">n1\nMDDD\n")];

#[test]
fn a_folder_has_a_class_a_file() {
    let mut files = TWO.to_vec();
    files.push(("README.md", "no sequences"));
    let proteins = opened(&files, &ProteinOptions::default()).unwrap();
    assert_eq!(labels(&proteins), (&["Nucleus".into(), "Secreted".into()][..], &[0, 1, 1][..]));
    assert_eq!(proteins.sequences.ids, ["n1", "s1", "s2"]);
    assert_eq!(proteins.report.records, 3);
    assert_eq!(proteins.report.dropped, Dropped::default());
}

#[test]
fn classes_come_in_the_order_asked_for() {
    let proteins = opened(&TWO, &classes(&["Secreted", "Nucleus"])).unwrap();
    assert_eq!(labels(&proteins), (&["Secreted".into(), "Nucleus".into()][..], &[0, 0, 1][..]));
}

#[test]
fn one_file_has_its_classes_in_the_headers() {
    let text = ">1 [A\\x]\nMKV\n>2 [B]\nMDD\n>3 none\nMMM\n>4 class=A\nMKK\n>5 [C]\nMKV\n";
    let proteins = one_file(text, &classes(&["B", "A"])).unwrap();
    assert_eq!(proteins.sequences.ids, ["2", "1", "4"]);
    assert_eq!(proteins.sequences.name, "set");
    let dropped = Dropped { unlabelled: 1, other_classes: 1, ..Default::default() };
    assert_eq!(proteins.report.dropped, dropped);

    let all = one_file(text, &ProteinOptions::default()).unwrap();
    assert_eq!(labels(&all).0, ["A", "B", "C"]);
    let counts: Vec<usize> = all.report.kept.iter().map(|class| class.count).collect();
    assert_eq!(counts, [2, 1, 1]);
}

#[test]
fn lengths_are_limited_and_what_is_dropped_is_counted() {
    let options = ProteinOptions { min_length: 4, max_length: 6, ..Default::default() };
    let files = [TWO[0], TWO[1], ("Lysosome.fas", ">l1\nMK\n>l2\nMKVVL\n")];
    let proteins = opened(&files, &options).unwrap();
    assert_eq!(proteins.sequences.ids, ["l2", "n1", "s1"]);
    let dropped = proteins.report.dropped;
    assert_eq!((dropped.too_short, dropped.too_long), (1, 1));
}

#[test]
fn too_many_are_thinned_out_by_the_seed_whatever_their_order() {
    let record = |i: usize| format!(">p{i}\nM{}\n", "KVL".repeat(1 + i % 7));
    let forwards: String = (0..3000).map(record).collect();
    let backwards: String = (0..3000).rev().map(record).collect();
    let ids = |text: &str, seed| {
        let options = ProteinOptions { max_per_class: Some(100), seed, ..Default::default() };
        let proteins = opened(&[("A.fa", text), ("B.fa", ">b\nMD\n")], &options).unwrap();
        assert_eq!(proteins.report.dropped.over_maximum, 2900);
        let mut ids = proteins.sequences.ids;
        ids.sort();
        ids
    };
    let chosen = ids(&forwards, 1);
    assert_eq!(chosen, ids(&backwards, 1));
    assert_ne!(chosen, ids(&forwards, 2));
    // From everywhere in the file: about as many of the first half as of the second.
    let first = chosen.iter().filter(|id| id[1..].parse().is_ok_and(|i: usize| i < 1500));
    assert!((30..70).contains(&first.count()));
}

#[test]
fn one_class_only_is_refused() {
    for files in [&TWO[..1], &[("A.fa", ">a\nMK\n"), ("A.fasta", ">b\nMK\n")]] {
        let found = opened(files, &ProteinOptions::default()).unwrap_err().to_string();
        assert!(found.contains("one class only") && found.contains("at least two"), "{found}");
    }
    let found = opened(&TWO, &classes(&["Secreted"])).unwrap_err().to_string();
    assert!(found.contains("one class only, 'Secreted'"), "{found}");
    let found = one_file(">1 [A]\nMK\n", &ProteinOptions::default()).unwrap_err().to_string();
    assert!(found.contains("one class only, 'A'"), "{found}");
}

#[test]
fn a_class_that_is_not_there_is_named_with_those_that_are() {
    for found in [
        opened(&TWO, &classes(&["Secreted", "Golgi"])),
        one_file(">1 [Nucleus]\nMK\n>2 [Secreted]\nMK\n", &classes(&["Golgi", "Lysosome"])),
    ] {
        let found = found.unwrap_err().to_string();
        assert!(
            found.contains("no class 'Golgi'") && found.contains("Nucleus, Secreted"),
            "{found}"
        );
    }
}

#[test]
fn a_class_of_which_nothing_is_left_is_named() {
    let options = ProteinOptions { min_length: 5, ..Default::default() };
    let found = opened(&TWO, &options).unwrap_err().to_string();
    assert!(found.contains("nothing is left of the class 'Nucleus'"), "{found}");
}

#[test]
fn headers_without_classes_are_refused_with_the_rule() {
    let rule = LabelRule::Key("location".into());
    let options = ProteinOptions { label: rule, ..Default::default() };
    let found = one_file(">1 [A]\nMK\n", &options).unwrap_err().to_string();
    assert!(found.contains("no header names a class, expected 'location=NAME'"), "{found}");
}

#[test]
fn a_folder_without_fasta_and_a_path_that_leads_nowhere_are_refused() {
    let found = opened(&[("a.txt", "x")], &ProteinOptions::default()).unwrap_err().to_string();
    assert!(found.contains("no FASTA files (.fasta, .fa, .faa, .fas)"), "{found}");
    let nowhere = folder(&[]).path().join("nowhere");
    let found = open_proteins(&nowhere, &ProteinOptions::default()).unwrap_err().to_string();
    assert!(found.starts_with("cannot read") && found.contains("nowhere"), "{found}");
}

#[test]
fn more_than_the_limits_is_refused() {
    let limits = Limits { records: 2, ..Limits::default() };
    let options = ProteinOptions { limits, ..Default::default() };
    let found = opened(&TWO, &options).unwrap_err().to_string();
    assert!(found.contains("more than 2 proteins") && found.contains("raise the limit"), "{found}");
    let limits = Limits { residues: 13, ..Limits::default() };
    let options = ProteinOptions { limits, ..Default::default() };
    let found = opened(&TWO, &options).unwrap_err().to_string();
    assert!(found.contains("more than 13 residues"), "{found}");
}

#[test]
fn nucleotides_are_refused() {
    let dna = format!(">g\n{}\n", "ACGTNACGT".repeat(20));
    let files = [("A.fa", dna.as_str()), ("B.fa", dna.as_str())];
    let found = opened(&files, &ProteinOptions::default()).unwrap_err().to_string();
    assert!(found.contains("nucleotides, expected proteins"), "{found}");
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let options = ProteinOptions { min_length: 9, max_length: 8, ..Default::default() };
    let found = opened(&TWO, &options).unwrap_err().to_string();
    assert!(found.contains("at least 9 and at most 8"), "{found}");
    let found = opened(&TWO, &classes(&["Nucleus", "Nucleus"])).unwrap_err().to_string();
    assert!(found.contains("asked for twice"), "{found}");
    let options = ProteinOptions { max_per_class: Some(0), ..Default::default() };
    opened(&TWO, &options).unwrap_err();
}

#[test]
fn damage_in_a_file_is_told_with_its_place() {
    let files = [TWO[0], ("Nucleus.fasta", ">n\nMK7\n")];
    let found = opened(&files, &ProteinOptions::default()).unwrap_err().to_string();
    assert!(found.contains("Nucleus.fasta: line 2, column 3"), "{found}");
}
