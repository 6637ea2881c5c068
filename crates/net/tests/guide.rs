//! What the guide promises of files.

use std::collections::BTreeSet;
use std::path::Path;

/// The guide's table of operators is what the reader does.
#[test]
fn the_guide_lists_the_operators_that_are_read() {
    use cutaway_net::onnx::{OPERATORS, Reading};
    let page =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/bringing-your-own-model.md");
    let page = std::fs::read_to_string(page).unwrap();
    for (row, reading) in [
        ("| with gradients |", Reading::Gradient),
        ("| no gradient flows", Reading::Flat),
        ("| of constants only", Reading::Constants),
    ] {
        let line = page.lines().find(|line| line.starts_with(row)).unwrap();
        let cell = line.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let cell = cell.strip_prefix("| ").unwrap_or(cell);
        let written: BTreeSet<String> = cell.split(", ").map(str::to_owned).collect();
        let ours = OPERATORS.iter().filter(|operator| operator.reading == reading);
        let ours: BTreeSet<String> = ours
            .map(|operator| match operator.since {
                7 => format!("`{}`", operator.name),
                since => format!("`{}` {since}", operator.name),
            })
            .collect();
        assert_eq!(written, ours, "{row}");
    }
}
