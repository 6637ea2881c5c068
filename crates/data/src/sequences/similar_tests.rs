use super::*;
use crate::random::Random;
use crate::sequences::protein_like::ProteinLike;

fn set(proteins: Vec<(Vec<u8>, usize)>) -> Sequences {
    let (sequences, labels): (Vec<_>, Vec<_>) = proteins.into_iter().unzip();
    Sequences {
        name: "set".into(),
        ids: (0..labels.len()).map(|i| format!("p{i}")).collect(),
        inputs: Inputs::Symbols { alphabet: PROTEIN.to_vec(), sequences },
        targets: Targets::Classes { names: vec!["a".into(), "b".into()], labels },
    }
}

/// Random proteins with the composition of real ones.
fn random_proteins(count: usize, seed: u64) -> Vec<Vec<u8>> {
    let made = ProteinLike { count: 2 * count, seed, difficulty: 0.0, ..ProteinLike::default() };
    let Inputs::Symbols { sequences, .. } = made.generate().unwrap().inputs else { panic!() };
    // Without the signals, which are alike.
    sequences.into_iter().skip(1).step_by(2).collect()
}

/// Keeps each residue with probability `identity`, else takes another of those that come; now and then a few are inserted or
/// taken out.
fn mutant(protein: &[u8], identity: f32, random: &mut Random) -> Vec<u8> {
    let mut mutant = Vec::new();
    for &residue in protein {
        if random.unit() < 0.005 {
            let inserted = 1 + random.below(4);
            mutant.extend((0..inserted).map(|_| protein[random.below(protein.len())]));
        }
        if random.unit() < 0.99 {
            let other = protein[random.below(protein.len())];
            mutant.push(if random.unit() < identity { residue } else { other });
        }
    }
    mutant
}

fn removed(proteins: Vec<(Vec<u8>, usize)>, identity: f64) -> SimilarityReport {
    let similarity = Similarity { identity, ..Similarity::default() };
    remove_similar(&set(proteins), &similarity).unwrap().1
}

#[test]
fn mutants_are_found_and_strangers_of_the_same_composition_are_not() {
    let mut random = Random::new(5, 1);
    let strangers = random_proteins(400, 1);
    let report = removed(strangers.iter().cloned().zip([0, 1].into_iter().cycle()).collect(), 0.4);
    assert_eq!(report.kept, 400, "{report:?}");
    for (kept, found) in [(0.9, 1.0), (0.7, 1.0), (0.5, 0.97)] {
        let mutants = strangers.iter().map(|protein| mutant(protein, kept, &mut random));
        let both = strangers.iter().cloned().chain(mutants);
        let report = removed(both.zip([0, 1].into_iter().cycle()).collect(), 0.4);
        assert!(report.same_class as f64 >= 400.0 * found, "{kept}: {report:?}");
        assert!(report.kept >= 400, "{kept}: {report:?}");
    }
}

#[test]
fn what_is_less_similar_than_the_threshold_stays() {
    let mut random = Random::new(6, 1);
    let strangers = random_proteins(100, 2);
    let mutants = strangers.iter().map(|protein| mutant(protein, 0.5, &mut random));
    let both = strangers.iter().cloned().chain(mutants);
    let report = removed(both.zip([0, 1].into_iter().cycle()).collect(), 0.75);
    assert_eq!(report.kept, 200, "{report:?}");
}

#[test]
fn a_fragment_is_similar_to_its_protein_and_a_shared_domain_is_not_enough() {
    let strangers = random_proteins(40, 3);
    let long: Vec<_> = strangers.into_iter().filter(|p| p.len() >= 300).collect();
    let (whole, other) = (long[0].clone(), long[1].clone());
    let fragment = whole[100..180].to_vec();
    let domain = [&whole[..80], &other[..220]].concat();
    let proteins = vec![(whole, 0), (fragment, 0), (domain, 1)];
    let (kept, _) = remove_similar(&set(proteins), &Similarity::default()).unwrap();
    assert_eq!(kept, [0, 2]);
}

#[test]
fn what_is_kept_does_not_depend_on_the_order_given() {
    let mut random = Random::new(7, 1);
    let mut proteins: Vec<(Vec<u8>, usize)> = Vec::new();
    for (number, protein) in random_proteins(60, 4).into_iter().enumerate() {
        for identity in [1.0, 0.95, 0.6, 0.45] {
            proteins.push((mutant(&protein, identity, &mut random), (number + proteins.len()) % 2));
        }
        proteins.push((protein, number % 2));
    }
    let of = |proteins: &[(Vec<u8>, usize)]| {
        let (kept, report) = remove_similar(&set(proteins.to_vec()), &<_>::default()).unwrap();
        let mut kept: Vec<_> = kept.into_iter().map(|i| proteins[i].clone()).collect();
        kept.sort();
        (kept, report)
    };
    let first = of(&proteins);
    for _ in 0..3 {
        random.shuffle(&mut proteins);
        assert_eq!(of(&proteins), first);
    }
}

#[test]
fn the_same_protein_in_two_classes_is_a_contradiction_and_goes_altogether() {
    let mut random = Random::new(8, 1);
    let strangers = random_proteins(6, 5);
    let like = mutant(&strangers[1], 0.6, &mut random);
    let proteins = vec![
        (strangers[0].clone(), 0),
        (strangers[0].clone(), 1),
        (strangers[1].clone(), 0),
        (like, 1),
        (strangers[2].clone(), 1),
        (strangers[2].clone(), 1),
        (strangers[3].clone(), 0),
    ];
    let (kept, report) = remove_similar(&set(proteins.clone()), &Similarity::default()).unwrap();
    assert_eq!((report.contradictory, report.other_class, report.same_class), (2, 1, 1));
    assert_eq!(kept.len(), 3);
    assert_eq!(report.kept + 2 + 1 + 1, report.before);

    let tolerant = Similarity { contradiction: 1.1, ..Similarity::default() };
    let (_, report) = remove_similar(&set(proteins), &tolerant).unwrap();
    assert_eq!((report.contradictory, report.other_class, report.kept), (0, 2, 4));
}

#[test]
fn short_peptides_and_unknown_residues_are_no_relatives_by_chance() {
    let mut random = Random::new(9, 1);
    let peptides = (0..300).map(|_| (0..12).map(|_| random.below(20) as u8).collect::<Vec<_>>());
    let mut proteins: Vec<(Vec<u8>, usize)> = peptides.zip([0, 1].into_iter().cycle()).collect();
    proteins.push((vec![OTHER; 50], 0));
    proteins.push((vec![OTHER; 50], 1));
    assert_eq!(removed(proteins, 0.4).kept, 302);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let task = crate::sequences::tasks::recall(5, 3, 4, 0).unwrap();
    let found = remove_similar(&task, &Similarity::default()).unwrap_err().to_string();
    assert!(found.contains("'recall-3-4' has no proteins with classes"), "{found}");
    let proteins = set(vec![(vec![0; 9], 0), (vec![1; 9], 1)]);
    for identity in [0.2, 1.1, f64::NAN] {
        let similarity = Similarity { identity, ..Similarity::default() };
        remove_similar(&proteins, &similarity).unwrap_err();
    }
    let strangers = random_proteins(1, 6);
    let same = set(vec![(strangers[0].clone(), 0), (strangers[0].clone(), 1)]);
    let found = remove_similar(&same, &Similarity::default()).unwrap_err().to_string();
    assert!(found.contains("the class 'a' has nothing left"), "{found}");
}
