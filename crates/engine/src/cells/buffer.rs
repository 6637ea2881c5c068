//! Memory that is kept from batch to batch.

use std::ops::{Deref, DerefMut};

/// Numbers in a line of the cache.
const LINE: usize = 16;

/// Numbers that begin where a line of the cache does: a vector as long as a line is then read from one line
/// instead of from two.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    values: Vec<f32>,
    first: usize,
    len: usize,
}

impl Buffer {
    /// Room for `len` numbers of any value; memory is only taken where there is too little.
    pub(super) fn prepare(&mut self, len: usize) -> &mut [f32] {
        if self.values.len() < len + LINE && len > 0 {
            self.values = vec![0.0; len + LINE];
            self.first = self.values.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        }
        self.len = len;
        self
    }

    /// Likewise, all of it 0.
    pub(super) fn zeros(&mut self, len: usize) -> &mut [f32] {
        self.prepare(len).fill(0.0);
        self
    }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.values[self.first..self.first + self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.first..self.first + self.len]
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Buffer {
        let mut copy = Buffer::default();
        copy.prepare(self.len).copy_from_slice(self);
        copy
    }
}
