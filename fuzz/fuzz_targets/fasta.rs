//! Sequences in FASTA, plain and gzip: no bytes may panic, hang or take memory out of proportion; what is accepted has
//! residues, and written plainly it is read as the same.

#![cfg_attr(feature = "libfuzzer", no_main)]

use std::path::Path;

use cutaway_data::sequences::fasta::{Limits, Record, from_bytes};
use cutaway_data::sequences::{LabelRule, PROTEIN};

cutaway_fuzz::target!("fasta", |bytes| {
    let limits = Limits { length: 10_000, ..Limits::default() };
    let Ok(records) = from_bytes(Path::new("fuzz"), bytes, &limits) else { return };
    let mut text = String::new();
    for record in &records {
        assert!(!record.residues.is_empty() && record.residues.len() <= limits.length);
        for rule in [LabelRule::Auto, LabelRule::Bracket, LabelRule::Key("class".into())] {
            assert_ne!(rule.class(&record.header), Some(""));
        }
        let residues: String = record.residues.iter().map(|&symbol| PROTEIN[usize::from(symbol)]).collect();
        text += &format!(">{}\n{residues}\n", record.id());
    }
    let again = from_bytes(Path::new("fuzz"), text.as_bytes(), &limits).expect("what was written can be read");
    let residues = |records: Vec<Record>| records.into_iter().map(|record| record.residues).collect::<Vec<_>>();
    assert_eq!(residues(again), residues(records));
});
