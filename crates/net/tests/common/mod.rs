//! What the tests share: random networks, a network with every operator, and a forward pass that is
//! as plain as can be.
#![allow(dead_code)] // each test file uses its part

use std::path::PathBuf;
use std::sync::Arc;

use cutaway_net::{
    AUTO, Conv, ConvSpec, DenseSpec, Init, Network, NetworkBuilder, NodeId, Op, Pool, PoolSpec,
};

/// A network from a list of choices, whatever they are: each adds a layer that fits.
pub(crate) fn network_from(choices: &[u8], seed: u64) -> Network {
    let mut b = NetworkBuilder::new("random");
    b.input("x", &[2, 9, 8]);
    let mut shape = vec![2, 9, 8];
    let mut layers = vec![(b.last(), shape.clone())];
    for (index, &choice) in choices.iter().enumerate() {
        if index % 5 == 4 {
            let (back, earlier) = layers[choice as usize % layers.len()].clone();
            (shape, _) = (earlier, b.at(back));
        }
        let size = 1 + (choice as usize / 16) % 4;
        match (choice % 16, shape.len()) {
            (0..=3, 3) if shape[1] >= size && shape[2] >= 2 => conv(&mut b, choice, size, shape[0]),
            (4, 3) if shape[1] >= 2 && shape[2] >= 2 => {
                _ = b.max_pool(AUTO, PoolSpec::new(2).stride(1))
            }
            (5, 3) => _ = b.avg_pool(AUTO, PoolSpec::new([3, 2]).stride([1, 2]).same()),
            (6, 3) => _ = b.global_avg_pool(AUTO),
            (7, _) => _ = b.flatten(AUTO),
            (8, 1) => _ = b.dense(AUTO, DenseSpec::new(size + 1).init(Init::HeNormal)),
            (9, 1) => _ = b.dense(AUTO, DenseSpec::new(size).no_bias()),
            (10, _) => _ = b.batch_norm_with(AUTO, 1e-3, 0.1 * size as f32),
            (11, _) => _ = b.dropout(AUTO, 0.2 * size as f32),
            (12, _) => {
                let total = shape.iter().product();
                let to = if size.is_multiple_of(2) { vec![total] } else { vec![1, total, 1] };
                _ = b.reshape(AUTO, &to);
            }
            (13, _) => join(&mut b, &layers, &shape),
            (14, _) => _ = b.softmax(AUTO),
            (15, _) => _ = b.log_softmax(AUTO),
            _ => _ = b.relu(AUTO),
        }
        if choice.is_multiple_of(7) {
            b.output();
        }
        shape = b.clone().build(0).map(|net| net.shape(b.last()).to_vec()).unwrap_or(shape);
        layers.push((b.last(), shape.clone()));
    }
    if choices.is_empty() {
        b.relu(AUTO);
    }
    b.build(seed).unwrap_or_else(|error| panic!("{error}"))
}

fn conv(b: &mut NetworkBuilder, choice: u8, size: usize, channels: usize) {
    let spec = ConvSpec::new(channels * 2, [size, 2]);
    let spec = match choice % 4 {
        0 => spec.same(),
        1 => spec.groups(channels).no_bias(),
        2 => spec.padding([0, 1, 2, 0]).stride([2, 1]),
        _ => spec.same().dilation([1, 2]).init(Init::HeNormal),
    };
    b.conv(AUTO, spec);
}

fn join(b: &mut NetworkBuilder, layers: &[(NodeId, Vec<usize>)], shape: &[usize]) {
    let last = b.last();
    let alike: Vec<NodeId> =
        layers.iter().filter(|(_, other)| other == shape).map(|(id, _)| *id).collect();
    match alike.len() {
        0 => _ = b.relu(AUTO),
        1 => _ = b.concat(AUTO, &[last, last]),
        count => _ = b.add(AUTO, &alike[..count.min(4)]),
    }
}

/// The same network with all values drawn from ±1, running statistics too (variances positive).
pub(crate) fn with_random_values(network: &Network, seed: u64) -> Network {
    let mut state = seed;
    let values = network.params().iter().map(|param| {
        let positive = param.name.ends_with(".var");
        let draw = |_: &f32| {
            let value = next(&mut state);
            if positive { value.abs() + 0.5 } else { value }
        };
        param.values.iter().map(draw).collect::<Arc<[f32]>>()
    });
    network.with_values(values.collect()).unwrap()
}

/// Numbers in ±1 (SplitMix64; also in the Python scripts, so that both sides draw the same).
pub(crate) fn next(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    (z >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
}

/// `count` numbers in ±1.
pub(crate) fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    (0..count).map(|_| next(&mut state)).collect()
}

/// Activations of every node for one sample, in f64, by the definitions of the operators.
pub(crate) fn forward(network: &Network, input: &[f32]) -> Vec<Vec<f64>> {
    let mut activations: Vec<Vec<f64>> = Vec::new();
    for (index, node) in network.nodes().iter().enumerate() {
        let from: Vec<&[f64]> = node.inputs.iter().map(|id| &activations[id.0][..]).collect();
        let shapes: Vec<&[usize]> = node.inputs.iter().map(|&id| network.shape(id)).collect();
        let params: Vec<&[f32]> =
            node.params.iter().map(|&id| &network.param(id).values[..]).collect();
        let out = network.shape(NodeId(index));
        let channel = |i: usize| i / out[1..].iter().product::<usize>();
        let result: Vec<f64> = match &node.op {
            Op::Input { .. } => input.iter().map(|&x| f64::from(x)).collect(),
            Op::Conv(conv) => {
                let weight = network.param(node.params[0]);
                convolve(
                    conv,
                    from[0],
                    shapes[0],
                    &weight.values,
                    &weight.shape,
                    params.get(1),
                    out,
                )
            }
            Op::MaxPool(pool) => pooled(pool, from[0], shapes[0], out, |window| {
                window.iter().copied().fold(f64::NEG_INFINITY, f64::max)
            }),
            Op::AvgPool(pool) => pooled(pool, from[0], shapes[0], out, mean),
            Op::GlobalAvgPool => from[0].chunks(shapes[0][1] * shapes[0][2]).map(mean).collect(),
            Op::Dense => {
                let row = |(index, row): (usize, &[f32])| {
                    let sum: f64 = row.iter().zip(from[0]).map(|(w, x)| f64::from(*w) * x).sum();
                    sum + params.get(1).map_or(0.0, |bias| f64::from(bias[index]))
                };
                params[0].chunks(from[0].len()).enumerate().map(row).collect()
            }
            Op::Relu => from[0].iter().map(|x| x.max(0.0)).collect(),
            Op::Softmax => softmax(from[0], out[0]),
            Op::LogSoftmax => softmax(from[0], out[0]).into_iter().map(f64::ln).collect(),
            Op::Add => (0..from[0].len()).map(|i| from.iter().map(|x| x[i]).sum()).collect(),
            Op::Concat => from.concat(),
            Op::BatchNorm { epsilon, .. } => {
                let normalise = |(i, x): (usize, &f64)| {
                    let p = |k: usize| f64::from(params[k][channel(i)]);
                    p(0) * (x - p(2)) / (p(3) + f64::from(*epsilon)).sqrt() + p(1)
                };
                from[0].iter().enumerate().map(normalise).collect()
            }
            Op::Flatten | Op::Reshape { .. } | Op::Dropout { .. } => from[0].to_vec(),
            // The others are defined in the engine, and compared there.
            other => panic!("{} is not computed here", other.kind()),
        };
        activations.push(result);
    }
    activations
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn softmax(values: &[f64], channels: usize) -> Vec<f64> {
    let inner = values.len() / channels;
    let total = |i: usize| (0..channels).map(|c| values[c * inner + i % inner].exp()).sum::<f64>();
    values.iter().enumerate().map(|(i, x)| x.exp() / total(i)).collect()
}

/// Input index of a tap, where it is not in the padding.
fn tap(
    out: usize,
    stride: usize,
    tap: usize,
    dilation: usize,
    pad: usize,
    size: usize,
) -> Option<usize> {
    (out * stride + tap * dilation).checked_sub(pad).filter(|&at| at < size)
}

fn convolve(
    conv: &Conv,
    input: &[f64],
    shape: &[usize],
    weight: &[f32],
    dims: &[usize],
    bias: Option<&&[f32]>,
    out: &[usize],
) -> Vec<f64> {
    let [top, left, ..] = conv.padding;
    let mut result = Vec::new();
    for o in 0..out[0] {
        let group = o / (out[0] / conv.groups);
        for y in 0..out[1] {
            for x in 0..out[2] {
                let mut sum = bias.map_or(0.0, |bias| f64::from(bias[o]));
                for i in 0..dims[1] {
                    for ky in 0..dims[2] {
                        for kx in 0..dims[3] {
                            let row = tap(y, conv.stride[0], ky, conv.dilation[0], top, shape[1]);
                            let column =
                                tap(x, conv.stride[1], kx, conv.dilation[1], left, shape[2]);
                            if let (Some(row), Some(column)) = (row, column) {
                                let channel = group * dims[1] + i;
                                let w = weight[((o * dims[1] + i) * dims[2] + ky) * dims[3] + kx];
                                sum += f64::from(w)
                                    * input[(channel * shape[1] + row) * shape[2] + column];
                            }
                        }
                    }
                }
                result.push(sum);
            }
        }
    }
    result
}

fn pooled(
    pool: &Pool,
    input: &[f64],
    shape: &[usize],
    out: &[usize],
    reduce: impl Fn(&[f64]) -> f64,
) -> Vec<f64> {
    let [top, left, ..] = pool.padding;
    let mut result = Vec::new();
    for c in 0..out[0] {
        for y in 0..out[1] {
            for x in 0..out[2] {
                let rows =
                    (0..pool.kernel[0]).filter_map(|k| tap(y, pool.stride[0], k, 1, top, shape[1]));
                let window: Vec<f64> = rows
                    .flat_map(|row| {
                        (0..pool.kernel[1])
                            .filter_map(move |k| tap(x, pool.stride[1], k, 1, left, shape[2]))
                            .map(move |column| (row, column))
                    })
                    .map(|(row, column)| input[(c * shape[1] + row) * shape[2] + column])
                    .collect();
                result.push(reduce(&window));
            }
        }
    }
    result
}

/// The folder of shared test data, where there is one.
pub(crate) fn test_data() -> Option<PathBuf> {
    let folder = std::env::var_os("CUTAWAY_TEST_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    folder.is_dir().then_some(folder)
}

/// Fails where two lists differ by more than `tolerance`, relative to 1 or the larger number.
pub(crate) fn assert_close(found: &[f64], wanted: &[f32], tolerance: f64, what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (index, (a, &b)) in found.iter().zip(wanted).enumerate() {
        let b = f64::from(b);
        let far = (a - b).abs() > tolerance * a.abs().max(b.abs()).max(1.0);
        assert!(!far, "{what}: number {index} is {a}, expected {b}");
    }
}
