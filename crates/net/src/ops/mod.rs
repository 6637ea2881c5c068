//! One file a family of operators: shape rules and counts of multiply-adds.

pub(crate) mod conv;
pub(crate) mod dense;
pub(crate) mod merge;
pub(crate) mod norm;
pub(crate) mod pool;
pub(crate) mod reshape;

/// The optional bias at the end of a node's parameters must be one number an output.
fn check_bias(params: &[&[usize]], outputs: usize) -> Result<(), String> {
    match params.get(1) {
        Some(bias) if **bias != [outputs] => {
            Err(format!("expected a bias of shape [{outputs}], one number an output, got {bias:?}"))
        }
        _ => Ok(()),
    }
}
