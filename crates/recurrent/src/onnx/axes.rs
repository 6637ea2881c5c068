//! What a value in a file stands for: which axes it has, and where in the network it is.

/// What an axis runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    Batch,
    Step,
    Direction,
    /// Values of an input, state or answer.
    Value,
}

/// Where in the network a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The input as it comes: indices of symbols.
    Symbols,
    /// What the first layer reads.
    Read,
    /// The states of a layer at all steps.
    States(usize),
    /// The states of a layer after its last step.
    End(usize),
    /// The mean or maximum over all steps of the last layer's states.
    Mean,
    Max,
    /// The head's product without its bias.
    Product,
    /// The answer.
    Logits,
}

/// A value that is computed from the input.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Flow {
    pub(super) place: Place,
    pub(super) axes: Vec<Axis>,
    /// Whether the head's answer is at every step.
    pub(super) every_step: bool,
}

impl Flow {
    pub(super) fn new(place: Place, axes: &[Axis]) -> Flow {
        Flow { place, axes: axes.to_vec(), every_step: false }
    }

    /// With the axes in another order.
    pub(super) fn transposed(&self, order: &[i64]) -> Result<Flow, String> {
        let reversed: Vec<i64> = (0..self.axes.len() as i64).rev().collect();
        let order = if order.is_empty() { &reversed } else { order };
        let mut sorted: Vec<i64> = order.to_vec();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..self.axes.len() as i64) {
            return Err(format!("perm {order:?} is no order of {} axes", self.axes.len()));
        }
        let axes = order.iter().map(|&k| self.axes[k as usize]).collect();
        Ok(Flow { axes, ..self.clone() })
    }

    /// The place of an axis that may be counted from the end.
    pub(super) fn at(&self, axis: i64) -> Result<usize, String> {
        let count = self.axes.len() as i64;
        let at = if axis < 0 { axis + count } else { axis };
        match (0..count).contains(&at) {
            true => Ok(at as usize),
            false => Err(format!("axis {axis} of {count}")),
        }
    }

    /// Without one axis.
    pub(super) fn without(&self, at: usize) -> Flow {
        let mut axes = self.axes.clone();
        axes.remove(at);
        Flow { axes, ..self.clone() }
    }

    /// Reshaped to `shape`: only what puts directions and values together, or changes nothing.
    pub(super) fn reshaped(&self, shape: &[i64], directions: usize) -> Result<Flow, String> {
        let refuse = || {
            Err(format!(
                "a shape of {shape:?} from axes {:?} is not what joins two directions",
                self.axes
            ))
        };
        let joins = self.axes.ends_with(&[Axis::Direction, Axis::Value]);
        let kept = self.axes.len() - usize::from(joins);
        let front = shape.len().saturating_sub(1);
        // Sizes of batch and steps must be taken over, since they are free.
        if shape.len() != kept || shape[..front].iter().any(|&size| size != 0) {
            return refuse();
        }
        match shape.last() {
            Some(-1) | Some(1..) => {}
            _ => return refuse(),
        }
        match joins || directions == 1 {
            true if joins => Ok(self.without(kept - 1)),
            _ => Ok(self.clone()),
        }
    }
}
