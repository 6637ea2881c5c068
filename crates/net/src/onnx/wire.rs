//! A first look at a file's bytes, before anything is allocated.
//!
//! Protobuf is a tree of fields, each with its length in front. This walk follows the tree as far as
//! [`super::proto`] knows it and checks that every length fits into what is there, so that a file
//! that was cut off is reported with its place and byte, and that the number of fields is bounded, so
//! that a small file cannot unfold into a large structure.

use super::MAX_FIELDS;

/// What a length-delimited field contains.
#[derive(Copy, Clone)]
enum Kind {
    Model,
    Opset,
    Entry,
    Graph,
    Node,
    Attribute,
    Tensor,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    Dimension,
    /// Text, bytes, packed numbers, or something unknown.
    Leaf,
}

/// Name and content of a field of a message.
fn field(kind: Kind, number: u64) -> (&'static str, Kind) {
    match (kind, number) {
        (Kind::Model, 7) => ("graph", Kind::Graph),
        (Kind::Model, 8) => ("opset_import", Kind::Opset),
        (Kind::Model, 14) => ("metadata_props", Kind::Entry),
        (Kind::Graph, 1) => ("node", Kind::Node),
        (Kind::Graph, 5) => ("initializer", Kind::Tensor),
        (Kind::Graph, 11) => ("input", Kind::ValueInfo),
        (Kind::Graph, 12) => ("output", Kind::ValueInfo),
        (Kind::Graph, 13) => ("value_info", Kind::ValueInfo),
        (Kind::Node, 1) => ("input", Kind::Leaf),
        (Kind::Node, 2) => ("output", Kind::Leaf),
        (Kind::Node, 5) => ("attribute", Kind::Attribute),
        (Kind::Attribute, 5) => ("t", Kind::Tensor),
        (Kind::Attribute, 6) => ("g", Kind::Graph),
        (Kind::Tensor, 4) => ("float_data", Kind::Leaf),
        (Kind::Tensor, 9) => ("raw_data", Kind::Leaf),
        (Kind::Tensor, 13) => ("external_data", Kind::Entry),
        (Kind::ValueInfo, 2) => ("type", Kind::Type),
        (Kind::Type, 1) => ("tensor_type", Kind::TensorType),
        (Kind::TensorType, 2) => ("shape", Kind::Shape),
        (Kind::Shape, 1) => ("dim", Kind::Dimension),
        (Kind::Model, 2 | 3 | 4 | 6) | (Kind::Graph, 2 | 10) => ("text", Kind::Leaf),
        _ => ("field", Kind::Leaf),
    }
}

/// How deep messages may lie in each other. Branches of an `If` hold graphs of their own; a model
/// without them is nine deep.
const MAX_DEPTH: usize = 48;

/// Checks the structure of a whole file.
pub(crate) fn check(bytes: &[u8]) -> Result<(), String> {
    let mut walk = Walk { bytes, fields: 0, path: Vec::new() };
    walk.message(Kind::Model, 0, bytes.len())
}

struct Walk<'a> {
    bytes: &'a [u8],
    /// Fields with content of their own, so far.
    fields: usize,
    /// The messages around the present place.
    path: Vec<&'static str>,
}

impl Walk<'_> {
    fn message(&mut self, kind: Kind, from: usize, to: usize) -> Result<(), String> {
        let mut at = from;
        while at < to {
            let start = at;
            let key = self.varint(&mut at, to)?;
            match (key >> 3, key & 7) {
                (0, _) => return Err(self.no_field(start)),
                (_, 0) => _ = self.varint(&mut at, to)?,
                (_, 1) => self.skip(&mut at, to, 8)?,
                (_, 5) => self.skip(&mut at, to, 4)?,
                (number, 2) => self.content(kind, number, &mut at, to)?,
                _ => return Err(self.no_field(start)),
            }
        }
        Ok(())
    }

    /// A field with a length in front.
    fn content(
        &mut self,
        kind: Kind,
        number: u64,
        at: &mut usize,
        to: usize,
    ) -> Result<(), String> {
        self.fields += 1;
        if self.fields > MAX_FIELDS {
            return Err(format!("has more than {MAX_FIELDS} fields, the most that is supported"));
        }
        let length = self.varint(at, to)?;
        let begin = *at;
        let (name, content) = field(kind, number);
        self.path.push(name);
        if self.path.len() > MAX_DEPTH {
            return Err(format!("has messages more than {MAX_DEPTH} deep in each other"));
        }
        self.skip(at, to, length)?;
        if !matches!(content, Kind::Leaf) {
            self.message(content, begin, *at)?;
        }
        self.path.pop();
        Ok(())
    }

    fn skip(&self, at: &mut usize, to: usize, length: u64) -> Result<(), String> {
        let left = to - *at;
        match usize::try_from(length) {
            Ok(length) if length <= left => {
                *at += length;
                Ok(())
            }
            _ => Err(format!(
                "is cut off or damaged: at byte {at}{} {length} bytes are announced but {left} are \
                 left",
                self.place()
            )),
        }
    }

    /// A number of seven bits a byte, the lowest first.
    fn varint(&self, at: &mut usize, to: usize) -> Result<u64, String> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            if *at >= to {
                return Err(format!(
                    "is cut off or damaged: a number ends at byte {at}{}",
                    self.place()
                ));
            }
            let byte = self.bytes[*at];
            *at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(format!("is damaged: a number before byte {at}{} has no end", self.place()))
    }

    fn no_field(&self, start: usize) -> String {
        format!("is damaged or something else: byte {start}{} begins no field", self.place())
    }

    fn place(&self) -> String {
        if self.path.is_empty() { String::new() } else { format!(" (in {})", self.path.join(".")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_message_passes_and_a_cut_one_is_located() {
        // graph { node { op_type: "Relu" } }
        let bytes = [0x3a, 0x08, 0x0a, 0x06, 0x22, 0x04, b'R', b'e', b'l', b'u'];
        assert_eq!(check(&bytes), Ok(()));
        let error = check(&bytes[..7]).unwrap_err();
        assert!(error.contains("at byte 2 (in graph) 8 bytes are announced but 5"), "{error}");
        let error = check(&[0x3a, 0x02, 0x0a, 0x06]).unwrap_err();
        assert!(error.contains("(in graph.node) 6 bytes are announced but 0"), "{error}");
    }

    #[test]
    fn numbers_without_end_and_field_zero_are_refused() {
        assert!(check(&[0xff; 12]).unwrap_err().contains("has no end"));
        assert!(check(&[0xff]).unwrap_err().contains("ends at byte 1"));
        assert!(check(&[0x00, 0x01]).unwrap_err().contains("begins no field"));
        assert!(check(&[0x0b]).unwrap_err().contains("begins no field"));
    }

    #[test]
    fn a_small_file_cannot_unfold_into_a_large_structure() {
        let nodes: Vec<u8> = [0x0a, 0x00].repeat(MAX_FIELDS + 1);
        let mut bytes = vec![0x3a];
        let mut length = nodes.len();
        while length >= 0x80 {
            bytes.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend(nodes);
        assert!(check(&bytes).unwrap_err().contains("fields"));
    }
}
