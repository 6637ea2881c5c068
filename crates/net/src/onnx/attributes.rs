//! Attributes of a node: read with their types checked, and made for writing.

use std::cell::RefCell;

use super::proto::{AttributeProto, TensorProto, attribute_type};

/// A node's attributes. Which ones were asked for is remembered: one that nobody knows might change
/// what the operator means, so it is an error and not ignored.
pub(crate) struct Attributes<'a> {
    list: &'a [AttributeProto],
    known: RefCell<Vec<bool>>,
}

impl<'a> Attributes<'a> {
    pub(crate) fn new(list: &'a [AttributeProto]) -> Self {
        Self { list, known: RefCell::new(vec![false; list.len()]) }
    }

    fn find(&self, name: &str) -> Option<&'a AttributeProto> {
        let index = self.list.iter().position(|entry| entry.name.as_deref() == Some(name))?;
        self.known.borrow_mut()[index] = true;
        Some(&self.list[index])
    }

    /// Takes note of an attribute that has no influence here.
    pub(crate) fn ignore(&self, name: &str) {
        let _ = self.find(name);
    }

    /// Whether the attribute is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// A whole number, or `default` where the attribute is missing.
    pub(crate) fn int(&self, name: &str, default: i64) -> Result<i64, String> {
        let Some(entry) = self.find(name) else { return Ok(default) };
        entry.i.ok_or_else(|| format!("attribute {name:?} should be a whole number"))
    }

    /// A number, or `default` where the attribute is missing.
    pub(crate) fn float(&self, name: &str, default: f32) -> Result<f32, String> {
        let Some(entry) = self.find(name) else { return Ok(default) };
        entry.f.ok_or_else(|| format!("attribute {name:?} should be a number"))
    }

    /// A word, or `default` where the attribute is missing.
    pub(crate) fn text(&self, name: &str, default: &str) -> Result<String, String> {
        let Some(entry) = self.find(name) else { return Ok(default.to_owned()) };
        let bytes = entry.s.clone().unwrap_or_default();
        String::from_utf8(bytes).map_err(|_| format!("attribute {name:?} is not UTF-8 text"))
    }

    /// A list of whole numbers, empty where the attribute is missing.
    pub(crate) fn ints(&self, name: &str) -> &'a [i64] {
        self.find(name).map_or(&[], |entry| &entry.ints)
    }

    /// A list of numbers, empty where the attribute is missing.
    pub(crate) fn floats(&self, name: &str) -> &'a [f32] {
        self.find(name).map_or(&[], |entry| &entry.floats)
    }

    /// A tensor, where the attribute is there.
    pub(crate) fn tensor(&self, name: &str) -> Option<&'a TensorProto> {
        self.find(name).and_then(|entry| entry.t.as_deref())
    }

    /// A graph, where the attribute is there.
    pub(crate) fn graph(&self, name: &str) -> Option<&'a super::proto::GraphProto> {
        self.find(name).and_then(|entry| entry.g.as_deref())
    }

    /// `N` sizes, all `default` where the attribute is missing.
    pub(crate) fn sizes<const N: usize>(
        &self,
        name: &str,
        default: usize,
    ) -> Result<[usize; N], String> {
        let ints = self.ints(name);
        if ints.is_empty() {
            return Ok([default; N]);
        }
        let sizes: Vec<usize> =
            ints.iter().filter_map(|&size| usize::try_from(size).ok()).collect();
        match <[usize; N]>::try_from(&sizes[..]) {
            Ok(sizes) if ints.len() == N => Ok(sizes),
            _ => Err(format!(
                "attribute {name:?} is {ints:?}; expected {N} numbers from 0 up (images have two \
                 axes)"
            )),
        }
    }

    /// Refuses anything but `wanted` (also where the attribute is missing, which means `default`).
    pub(crate) fn require(&self, name: &str, default: i64, wanted: i64) -> Result<(), String> {
        match self.int(name, default)? {
            value if value == wanted => Ok(()),
            value => Err(format!("{name} = {value} is not supported; expected {wanted}")),
        }
    }

    /// Refuses attributes that nobody asked for.
    pub(crate) fn finish(&self) -> Result<(), String> {
        let known = self.known.borrow();
        let unknown = self.list.iter().zip(known.iter()).find(|(_, known)| !**known);
        match unknown {
            None => Ok(()),
            Some((entry, _)) => Err(format!(
                "attribute {:?} is not supported",
                entry.name.as_deref().unwrap_or_default()
            )),
        }
    }
}

/// An attribute that is a list of sizes.
pub(crate) fn ints(name: &str, values: &[usize]) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        ints: values.iter().map(|&value| value as i64).collect(),
        r#type: Some(attribute_type::INTS),
        ..AttributeProto::default()
    }
}

/// An attribute that is a whole number.
pub(crate) fn int(name: &str, value: usize) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        i: Some(value as i64),
        r#type: Some(attribute_type::INT),
        ..AttributeProto::default()
    }
}

/// An attribute that is a number.
pub(crate) fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        f: Some(value),
        r#type: Some(attribute_type::FLOAT),
        ..AttributeProto::default()
    }
}

impl AttributeProto {
    /// A whole number.
    #[must_use]
    pub fn from_int(name: &str, value: usize) -> AttributeProto {
        int(name, value)
    }

    /// A list of sizes.
    #[must_use]
    pub fn from_ints(name: &str, values: &[usize]) -> AttributeProto {
        ints(name, values)
    }

    /// A word.
    #[must_use]
    pub fn from_text(name: &str, value: &str) -> AttributeProto {
        AttributeProto {
            name: Some(name.to_owned()),
            s: Some(value.as_bytes().to_vec()),
            r#type: Some(attribute_type::STRING),
            ..AttributeProto::default()
        }
    }

    /// A list of words.
    #[must_use]
    pub fn from_texts(name: &str, values: &[&str]) -> AttributeProto {
        AttributeProto {
            name: Some(name.to_owned()),
            strings: values.iter().map(|value| value.as_bytes().to_vec()).collect(),
            r#type: Some(attribute_type::STRINGS),
            ..AttributeProto::default()
        }
    }
}

/// An attribute that is a word.
pub(crate) fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        s: Some(value.as_bytes().to_vec()),
        r#type: Some(attribute_type::STRING),
        ..AttributeProto::default()
    }
}
