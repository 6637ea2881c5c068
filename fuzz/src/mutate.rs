//! Makes a hostile input out of honest ones.

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): small, and the same on every machine.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 where `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { (self.next() % bound as u64) as usize }
    }
}

/// The longest input that is made: long enough for every header, short enough to be fast.
const LONGEST: usize = 1 << 20;

/// Numbers at which readers fail: ends of ranges, one beyond, negative when read as signed.
const AWKWARD: [u64; 14] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// A seed, changed in one to eight places.
pub fn mutate(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].clone();
    // One change is as likely as eight: a file with many is refused at the first.
    for _ in 0..1 << random.below(4) {
        change(&mut bytes, seeds, random);
    }
    bytes.truncate(LONGEST);
    bytes
}

fn change(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    // Headers decide most: half of all changes fall into the first 128 bytes.
    let reach = if random.below(2) == 0 { bytes.len().min(128) } else { bytes.len() };
    let at = random.below(reach);
    match random.below(9) {
        0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
        1 if !bytes.is_empty() => bytes[at] = random.below(256) as u8,
        2 => bytes.truncate(at),
        3 => overwrite(bytes, at, awkward(random)),
        4 => insert(bytes, at, awkward(random)),
        5 => {
            let end = (at + 1 + random.below(64)).min(bytes.len());
            bytes.drain(at..end);
        }
        6 => {
            let end = (at + 1 + random.below(64)).min(bytes.len());
            let piece = bytes[at..end].to_vec();
            insert(bytes, random.below(bytes.len() + 1), piece);
        }
        7 => {
            let other = &seeds[random.below(seeds.len())];
            let from = random.below(other.len());
            let tail = other[from..].to_vec();
            bytes.truncate(at);
            bytes.extend(tail);
        }
        _ => {
            let count = random.below(16);
            let noise = (0..count).map(|_| random.below(256) as u8).collect();
            insert(bytes, at, noise);
        }
    }
}

/// An awkward number as 1, 2, 4 or 8 bytes in either order, as a varint, or in decimal (for JSON headers).
fn awkward(random: &mut Random) -> Vec<u8> {
    let number = AWKWARD[random.below(AWKWARD.len())];
    let width = 1 << random.below(4);
    match random.below(4) {
        0 => number.to_le_bytes()[..width].to_vec(),
        1 => number.to_be_bytes()[8 - width..].to_vec(),
        2 => varint(number),
        _ => number.to_string().into_bytes(),
    }
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn overwrite(bytes: &mut [u8], at: usize, piece: Vec<u8>) {
    for (byte, new) in bytes.iter_mut().skip(at).zip(piece) {
        *byte = new;
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: Vec<u8>) {
    bytes.splice(at..at, piece);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_inputs() {
        let seeds = vec![vec![1, 2, 3, 4, 5, 6, 7, 8], Vec::new()];
        let inputs = |seed| {
            let mut random = Random(seed);
            (0..2000).map(|_| mutate(&seeds, &mut random)).collect::<Vec<_>>()
        };
        assert_eq!(inputs(7), inputs(7));
        assert_ne!(inputs(7), inputs(8));
    }
}
