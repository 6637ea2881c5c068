//! Convolution with stride, padding, dilation and groups.

use cutaway_net::Conv;

/// `x [N, C, H, W]`, `w [O, C / groups, KH, KW]`, `b [O]` to `y [N, O, OH, OW]`.
pub(super) struct Convolution {
    pub(super) conv: Conv,
    pub(super) n: usize,
    /// C, H, W.
    pub(super) input: [usize; 3],
    /// KH, KW.
    pub(super) kernel: [usize; 2],
    /// O, OH, OW.
    pub(super) output: [usize; 3],
}

impl Convolution {
    /// `y[n, o, ·] = b[o] + Σ w · x`
    pub(super) fn forward(&self, x: &[f64], w: &[f64], b: Option<&[f64]>) -> Vec<f64> {
        let mut y = vec![0.0; self.outputs()];
        if let Some(b) = b {
            self.each_output(|o, at_y| y[at_y] = b[o]);
        }
        self.each_product(|at_y, at_w, at_x| y[at_y] += w[at_w] * x[at_x]);
        y
    }

    /// Every product `y += w · x` of the forward pass gives `dx += w · dy` and `dw += x · dy`.
    pub(super) fn backward(
        &self,
        x: &[f64],
        w: &[f64],
        dy: &[f64],
    ) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let mut dx = vec![0.0; x.len()];
        let mut dw = vec![0.0; w.len()];
        let mut db = vec![0.0; self.output[0]];
        self.each_output(|o, at_y| db[o] += dy[at_y]);
        self.each_product(|at_y, at_w, at_x| {
            dx[at_x] += w[at_w] * dy[at_y];
            dw[at_w] += x[at_x] * dy[at_y];
        });
        (dx, dw, db)
    }

    fn outputs(&self) -> usize {
        self.n * self.output.iter().product::<usize>()
    }

    /// Visits every output number with its channel.
    fn each_output(&self, mut visit: impl FnMut(usize, usize)) {
        let [o, oh, ow] = self.output;
        for at in 0..self.outputs() {
            visit(at / (oh * ow) % o, at);
        }
    }

    /// Visits every product that the convolution sums, by its places in y, w and x. Products with
    /// padding are zero and left out.
    fn each_product(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let Conv { stride, padding: [top, left, ..], dilation, groups } = self.conv;
        let [c, h, w] = self.input;
        let [o, oh, ow] = self.output;
        let [kh, kw] = self.kernel;
        let (group_in, group_out) = (c / groups, o / groups);
        for n in 0..self.n {
            for o_ in 0..o {
                let first_channel = o_ / group_out * group_in; // of the filter's group
                for y in 0..oh {
                    for x in 0..ow {
                        let at_y = ((n * o + o_) * oh + y) * ow + x;
                        for i in 0..group_in {
                            let channel = n * c + first_channel + i;
                            for ky in 0..kh {
                                let Some(row) = place(y, ky, stride[0], dilation[0], top, h) else {
                                    continue;
                                };
                                for kx in 0..kw {
                                    let Some(column) =
                                        place(x, kx, stride[1], dilation[1], left, w)
                                    else {
                                        continue;
                                    };
                                    let at_w = ((o_ * group_in + i) * kh + ky) * kw + kx;
                                    visit(at_y, at_w, (channel * h + row) * w + column);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Row (or column) of the input that tap `k` of window `o` reads, unless that is padding.
fn place(
    o: usize,
    k: usize,
    stride: usize,
    dilation: usize,
    before: usize,
    size: usize,
) -> Option<usize> {
    (o * stride + k * dilation).checked_sub(before).filter(|&place| place < size)
}
