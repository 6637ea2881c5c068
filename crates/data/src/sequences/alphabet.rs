//! The letters of proteins.

/// The symbols of a protein, in the order of their numbers: the twenty residues by letter, then `X`,
/// anything else.
///
/// `B` (D or N), `Z` (E or Q), `J` (I or L) and `X` (unknown) name no residue. `U` (selenocysteine) and
/// `O` (pyrrolysine) do, but are so rare (38 `U` and no `O` among 7 million residues of the sets that
/// this was written with) that a network could learn nothing about a symbol of their own; they become
/// `X` too, and how many did is counted.
pub const PROTEIN: [char; 21] = [
    'A', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'K', 'L', 'M', 'N', 'P', 'Q', 'R', 'S', 'T', 'V', 'W',
    'Y', 'X',
];

/// The number of `X` in [`PROTEIN`].
pub const OTHER: u8 = 20;

/// What a byte of a sequence's line means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Letter {
    /// A residue's number in [`PROTEIN`].
    Residue(u8),
    /// `B`, `J`, `O`, `U`, `X`, `Z`: becomes [`OTHER`].
    Other,
    /// `-` or `.`, from an alignment.
    Gap,
    /// `*`, the end of a translation.
    Stop,
    /// Blank or tab.
    Space,
    /// Nothing that belongs there.
    Foreign,
}

pub(crate) fn letter(byte: u8) -> Letter {
    const TABLE: [Letter; 256] = table();
    TABLE[byte as usize]
}

const fn table() -> [Letter; 256] {
    let mut table = [Letter::Foreign; 256];
    // All letters first: those that are residues are put in below.
    let mut byte = b'A';
    while byte <= b'Z' {
        table[byte as usize] = Letter::Other;
        table[byte.to_ascii_lowercase() as usize] = Letter::Other;
        byte += 1;
    }
    let mut symbol = 0;
    while symbol < OTHER {
        let byte = PROTEIN[symbol as usize] as u8;
        table[byte as usize] = Letter::Residue(symbol);
        table[byte.to_ascii_lowercase() as usize] = Letter::Residue(symbol);
        symbol += 1;
    }
    table[b'-' as usize] = Letter::Gap;
    table[b'.' as usize] = Letter::Gap;
    table[b'*' as usize] = Letter::Stop;
    table[b' ' as usize] = Letter::Space;
    table[b'\t' as usize] = Letter::Space;
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_is_a_residue_or_other_in_either_case() {
        let mut others = String::new();
        for byte in b'A'..=b'Z' {
            assert_eq!(letter(byte), letter(byte.to_ascii_lowercase()));
            match letter(byte) {
                Letter::Residue(symbol) => assert_eq!(PROTEIN[symbol as usize], byte as char),
                found => {
                    assert_eq!(found, Letter::Other);
                    others.push(byte as char);
                }
            }
        }
        assert_eq!(others, "BJOUXZ");
        assert_eq!(PROTEIN[OTHER as usize], 'X');
    }
}
