//! Maximum and mean over windows of each channel.

use cutaway_net::Pool;

/// `x [N, C, H, W]` to `y [N, C, OH, OW]`.
pub(super) struct Pooling {
    pub(super) pool: Pool,
    pub(super) n: usize,
    /// C, H, W.
    pub(super) input: [usize; 3],
    /// C, OH, OW.
    pub(super) output: [usize; 3],
}

/// One window as large as the image.
pub(super) fn whole([_, h, w]: [usize; 3]) -> Pool {
    Pool { kernel: [h, w], stride: [1, 1], padding: [0; 4] }
}

impl Pooling {
    /// `y = max of x over the window`
    pub(super) fn forward_max(&self, x: &[f64]) -> Vec<f64> {
        let mut y = vec![0.0; self.outputs()];
        self.each_window(|at_y, window| y[at_y] = x[first_maximum(x, window)]);
        y
    }

    /// The whole gradient goes to the maximum; of several equal ones to the first, row by row.
    pub(super) fn backward_max(&self, x: &[f64], dy: &[f64]) -> Vec<f64> {
        let mut dx = vec![0.0; x.len()];
        self.each_window(|at_y, window| dx[first_maximum(x, window)] += dy[at_y]);
        dx
    }

    /// `y = Σ x / count`, where padding is not counted
    pub(super) fn forward_mean(&self, x: &[f64]) -> Vec<f64> {
        let mut y = vec![0.0; self.outputs()];
        self.each_window(|at_y, window| {
            y[at_y] = window.iter().map(|&at_x| x[at_x]).sum::<f64>() / window.len() as f64;
        });
        y
    }

    /// Each pixel of the window receives the same share.
    pub(super) fn backward_mean(&self, dy: &[f64]) -> Vec<f64> {
        let mut dx = vec![0.0; self.n * self.input.iter().product::<usize>()];
        self.each_window(|at_y, window| {
            window.iter().for_each(|&at_x| dx[at_x] += dy[at_y] / window.len() as f64);
        });
        dx
    }

    fn outputs(&self) -> usize {
        self.n * self.output.iter().product::<usize>()
    }

    /// Visits every output number with the places in x of its window's pixels, row by row, padding
    /// left out. No window lies in the padding altogether: the network refuses such a padding.
    fn each_window(&self, mut visit: impl FnMut(usize, &[usize])) {
        let Pool { kernel: [kh, kw], stride, padding: [top, left, ..] } = self.pool;
        let [_, h, w] = self.input;
        let [_, oh, ow] = self.output;
        let mut window = Vec::new();
        for at in 0..self.outputs() {
            let (channel, y, x) = (at / (oh * ow), at / ow % oh, at % ow); // channel of all N · C
            window.clear();
            for ky in 0..kh {
                for kx in 0..kw {
                    let row = (y * stride[0] + ky).checked_sub(top).filter(|&row| row < h);
                    let column = (x * stride[1] + kx).checked_sub(left).filter(|&col| col < w);
                    if let (Some(row), Some(column)) = (row, column) {
                        window.push((channel * h + row) * w + column);
                    }
                }
            }
            visit(at, &window);
        }
    }
}

fn first_maximum(x: &[f64], window: &[usize]) -> usize {
    let mut best = window[0];
    for &at in window {
        if x[at] > x[best] {
            best = at;
        }
    }
    best
}
