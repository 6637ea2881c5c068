//! Classes named on the command line.

use cutaway::Model;

use crate::error::{Error, Result};

/// Names that an error lists.
const NEAR: usize = 5;

/// A class by its label or its number from 0, as `flag` has named it. A label may be written without
/// regard to capitals, or be one of the synonyms that a label lists between commas, where that names
/// one class only.
///
/// # Errors
/// If there is no such class, with the labels that come near, or if the name fits several.
pub(crate) fn named(model: &Model, flag: &str, name: &str) -> Result<usize> {
    find(&model.network().metadata().labels, model.network().classes(), name)
        .map_err(|why| Error::Usage(format!("{flag} {name}: {why}")))
}

fn find(labels: &[String], count: usize, name: &str) -> std::result::Result<usize, String> {
    let wanted = name.to_lowercase();
    let all = |fits: &dyn Fn(&str) -> bool| -> Vec<usize> {
        (0..labels.len()).filter(|&i| fits(&labels[i])).collect()
    };
    let mut fitting = all(&|label| label == name);
    if fitting.is_empty()
        && let Ok(class) = name.parse::<usize>()
    {
        return match class < count {
            true => Ok(class),
            false => Err(format!("the model has classes 0 to {}", count - 1)),
        };
    }
    if fitting.is_empty() {
        fitting = all(&|label| {
            let label = label.to_lowercase();
            label == wanted || label.split(',').any(|synonym| synonym.trim() == wanted)
        });
    }
    match fitting[..] {
        [class] => Ok(class),
        [] => Err(unknown(labels, count, &wanted)),
        _ => {
            let which: Vec<String> =
                fitting.iter().map(|&i| format!("{i} ({})", labels[i])).collect();
            Err(format!("several classes are called so, give a number: {}", which.join(", ")))
        }
    }
}

fn unknown(labels: &[String], count: usize, wanted: &str) -> String {
    let mut text = format!("expected one of the model's labels or a class from 0 to {}", count - 1);
    if labels.is_empty() {
        return text + "; the model has no labels, --labels gives some";
    }
    let near = near(labels, wanted);
    if !near.is_empty() {
        let names: Vec<String> = near.iter().map(|&i| format!("{i} ({})", labels[i])).collect();
        text += &format!("; near it are {}", names.join(", "));
    }
    text
}

/// Classes whose labels hold the name, or are spelled much like it: the best first.
fn near(labels: &[String], wanted: &str) -> Vec<usize> {
    let distance = |label: &str| {
        let label = label.to_lowercase();
        let synonyms = label.split(',').map(|s| edits(s.trim(), wanted));
        match label.contains(wanted) && !wanted.is_empty() {
            true => 0,
            false => synonyms.min().unwrap_or(usize::MAX),
        }
    };
    let most = wanted.chars().count() / 3;
    let all = labels.iter().enumerate().map(|(i, label)| (distance(label), i));
    let mut near: Vec<(usize, usize)> = all.filter(|&(d, _)| d <= most).collect();
    near.sort_unstable();
    near.into_iter().take(NEAR).map(|(_, i)| i).collect()
}

/// Characters to insert, delete or replace to make one word of the other (Levenshtein's distance).
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<String> {
        let names =
            ["tench, Tinca tinca", "goldfish", "tabby, tabby cat", "tiger cat", "crane", "crane"];
        names.map(str::to_owned).to_vec()
    }

    #[test]
    fn classes_are_found_by_label_synonym_and_number() {
        let find = |name| find(&labels(), 6, name);
        assert_eq!(find("goldfish"), Ok(1));
        assert_eq!(find("Tabby Cat"), Ok(2));
        assert_eq!(find("tinca tinca"), Ok(0));
        assert_eq!(find("5"), Ok(5));
        let several = find("crane").unwrap_err();
        assert!(several.contains("4 (crane), 5 (crane)"), "{several}");
        assert_eq!(find("6").unwrap_err(), "the model has classes 0 to 5");
    }

    #[test]
    fn an_unknown_class_is_told_what_comes_near() {
        let error = find(&labels(), 6, "cat").unwrap_err();
        assert!(error.ends_with("near it are 2 (tabby, tabby cat), 3 (tiger cat)"), "{error}");
        let error = find(&labels(), 6, "goldfsih").unwrap_err();
        assert!(error.ends_with("near it are 1 (goldfish)"), "{error}");
        let error = find(&labels(), 6, "zebra crossing").unwrap_err();
        assert!(error.ends_with("a class from 0 to 5"), "{error}");
        assert!(find(&[], 3, "cat").unwrap_err().contains("--labels"));
    }
}
