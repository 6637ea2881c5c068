//! Fully connected layer.

/// `x [N, I]`, `w [O, I]`, `b [O]` to `y [N, O]`.
pub(super) struct Dense {
    pub(super) n: usize,
    pub(super) outputs: usize,
    pub(super) inputs: usize,
}

impl Dense {
    /// `y[n, o] = b[o] + Σ w[o, i] · x[n, i]`
    pub(super) fn forward(&self, x: &[f64], w: &[f64], b: Option<&[f64]>) -> Vec<f64> {
        let mut y = vec![0.0; self.n * self.outputs];
        for n in 0..self.n {
            for o in 0..self.outputs {
                let mut sum = b.map_or(0.0, |b| b[o]);
                for i in 0..self.inputs {
                    sum += w[o * self.inputs + i] * x[n * self.inputs + i];
                }
                y[n * self.outputs + o] = sum;
            }
        }
        y
    }

    /// `dx = Wᵀ dy`, `dW = Σ dy xᵀ`, `db = Σ dy`
    pub(super) fn backward(
        &self,
        x: &[f64],
        w: &[f64],
        dy: &[f64],
    ) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let mut dx = vec![0.0; x.len()];
        let mut dw = vec![0.0; w.len()];
        let mut db = vec![0.0; self.outputs];
        for n in 0..self.n {
            for o in 0..self.outputs {
                let dy = dy[n * self.outputs + o];
                db[o] += dy;
                for i in 0..self.inputs {
                    dx[n * self.inputs + i] += w[o * self.inputs + i] * dy;
                    dw[o * self.inputs + i] += x[n * self.inputs + i] * dy;
                }
            }
        }
        (dx, dw, db)
    }
}
