//! Writes every chart, as SVG and PNG, and a demonstration report into a folder.
//!
//! Usage: `cargo run --release -p cutaway-report --example gallery -- [FOLDER]`

use std::path::{Path, PathBuf};

use cutaway_report::{
    Axis, Bar, BarChart, ColorMap, ColorScale, ConfusionMatrix, DiagramNode, Figure, GridAxis,
    HeatMap, Histogram, ImageGrid, LineChart, NetworkDiagram, PixelGrid, ReliabilityBin,
    ReliabilityDiagram, Result, Rgb, Series, Theme, Tile, TileGrid,
};

/// A small generator of repeatable numbers in 0..1 (splitmix64), enough for pictures.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn digits() -> Vec<String> {
    (0..10).map(|d| d.to_string()).collect()
}

fn loss() -> LineChart {
    let mut random = Random(1);
    let train = (1..=12).map(|e| (f64::from(e), 0.35 / f64::from(e) + 0.01 * random.next()));
    let train: Vec<(f64, f64)> = train.collect();
    let mut random = Random(2);
    let validation: Vec<(f64, f64)> =
        train.iter().map(|&(x, y)| (x, 0.8 * y + 0.02 + 0.006 * random.next())).collect();
    let band = validation.iter().map(|&(_, y)| (0.8 * y, 1.25 * y));
    let band: Vec<(f64, f64)> = band.collect();
    LineChart::new("Loss by epoch", Axis::new("epoch"), Axis::new("mean cross-entropy"))
        .series(Series::new("training", train))
        .series(Series::new("validation (5 seeds)", validation).band(band).markers())
}

fn gradients() -> LineChart {
    let axis = Axis::new("‖∂L/∂h(t)‖, logarithmic").log();
    let mut chart = LineChart::new(
        "Gradient norm by step, with a step that is not finite",
        Axis::new("step t"),
        axis,
    );
    for (name, rate) in [("RNN", 0.12), ("LSTM", 0.02), ("GRU", 0.03), ("echo state", 0.3)] {
        let value = |t: i32| {
            if name == "GRU" && t == 40 { f64::NAN } else { (-rate * f64::from(120 - t)).exp() }
        };
        chart = chart.series(Series::new(name, (0..=120).map(|t| (f64::from(t), value(t)))));
    }
    chart.level(1e-7, "smallest normal half precision")
}

fn confusion() -> ConfusionMatrix {
    let mut random = Random(3);
    let count = |i: usize| {
        if i.is_multiple_of(11) {
            970 + (random.next() * 30.0) as u64
        } else {
            (random.next().powi(4) * 9.0) as u64
        }
    };
    ConfusionMatrix::new(
        "Confusion matrix, 10,000 test images",
        digits(),
        (0..100).map(count).collect(),
    )
}

fn garments() -> ConfusionMatrix {
    let labels = [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ];
    let mut random = Random(5);
    let count = |i: usize| {
        if i.is_multiple_of(11) { 900 } else { (random.next().powi(5) * 120.0) as u64 }
    };
    let labels = labels.map(str::to_owned).to_vec();
    ConfusionMatrix::new("Long names, linear colours", labels, (0..100).map(count).collect())
        .linear()
}

fn reliability() -> ReliabilityDiagram {
    let bin = |i: u32| {
        let confidence = (f64::from(i) + 0.6) / 15.0;
        ReliabilityBin {
            lower: f64::from(i) / 15.0,
            upper: f64::from(i + 1) / 15.0,
            count: if i == 14 { 9_650 } else { u64::from(i * i) / 3 },
            accuracy: (confidence - 0.12 * (confidence * 3.0).sin()).clamp(0.0, 1.0),
            confidence,
        }
    };
    ReliabilityDiagram::new("Calibration on the test set", (0..15).map(bin).collect(), 0.0031)
}

/// A blurred stroke that looks a little like a digit.
fn drawing(seed: u64, side: usize) -> Vec<u8> {
    let mut random = Random(seed);
    let points: Vec<(f64, f64)> =
        (0..4).map(|_| (4.0 + 20.0 * random.next(), 4.0 + 20.0 * random.next())).collect();
    let mut pixels = vec![0.0f64; side * side];
    for step in 0..200 {
        let t = f64::from(step) / 199.0;
        let weights =
            [(1.0 - t).powi(3), 3.0 * t * (1.0 - t).powi(2), 3.0 * t * t * (1.0 - t), t.powi(3)];
        let at = |f: fn(&(f64, f64)) -> f64| {
            points.iter().zip(weights).map(|(p, w)| f(p) * w).sum::<f64>()
        };
        let (x, y) = (at(|p| p.0), at(|p| p.1));
        for (i, pixel) in pixels.iter_mut().enumerate() {
            let (dx, dy) = ((i % side) as f64 - x, (i / side) as f64 - y);
            *pixel = pixel.max(255.0 * (-(dx * dx + dy * dy) / 2.0).exp());
        }
    }
    pixels.iter().map(|&v| v as u8).collect()
}

fn mistakes() -> Result<ImageGrid> {
    let mut random = Random(7);
    let tile = |i: u64| {
        let pixels = PixelGrid::from_bytes(28, 28, 1, &drawing(i + 40, 28))?;
        let caption = format!("{} → {}", i % 10, (i * 7 + 3) % 10);
        Ok(Tile::new(pixels).line(caption).line(format!("P = {:.3}", 0.5 + 0.5 * random.next())))
    };
    let tiles: Result<Vec<Tile>> = (0..18).map(tile).collect();
    Ok(ImageGrid::new("The 18 most confident mistakes: true → predicted", tiles?))
}

fn samples() -> Result<ImageGrid> {
    let tile = |i: u64| -> Result<Tile> {
        let bytes = drawing(i, 28);
        let rgb: Vec<u8> = bytes.iter().flat_map(|&v| [v, v / 2, 90 - v / 4]).collect();
        let tile = Tile::new(PixelGrid::from_bytes(28, 28, 3, &rgb)?);
        Ok(if i == 5 { tile.frame(Rgb(0xe0, 0x40, 0x20)) } else { tile })
    };
    let tiles: Result<Vec<Tile>> = (0..40).map(tile).collect();
    let grid = ImageGrid::new("Colour images, four samples a class", tiles?).columns(10).gap(4.0);
    Ok(grid.column_names(digits()).row_names((1..=4).map(|i| format!("sample {i}"))))
}

fn filters() -> TileGrid {
    let mut random = Random(11);
    let tile = |i: usize| {
        let angle = i as f64 * 0.7;
        let value = |k: usize| {
            let (x, y) = ((k % 5) as f64 - 2.0, (k / 5) as f64 - 2.0);
            let wave = (x * angle.cos() + y * angle.sin()).sin() * (-(x * x + y * y) / 6.0).exp();
            (0.3 * wave + 0.05 * (random.next() - 0.5)) as f32
        };
        (0..25).map(value).collect()
    };
    TileGrid::signed("Filters of conv1, all on one scale", (5, 5), (0..32).map(tile).collect())
        .columns(8)
        .coordinates()
}

fn feature_maps() -> TileGrid {
    let tile = |i: usize| {
        let value = |k: usize| {
            let (x, y) = ((k % 8) as f32 - 3.5, (k / 8) as f32 - 3.5);
            (2.0 * ((i as f32 * 0.3 + x).sin() * (y * 0.6 + i as f32).cos())).max(0.0)
        };
        let mut values: Vec<f32> = (0..64).map(value).collect();
        if i == 9 {
            values[20] = f32::NAN;
        }
        values
    };
    let tiles = (0..64).map(tile).collect();
    TileGrid::magnitudes("Feature maps of conv3, one value is NaN", (8, 8), tiles)
        .columns(8)
        .coordinates()
}

fn occlusion() -> HeatMap {
    let value = |i: usize| {
        let (row, column) = ((i / 21) as f64 - 13.0, (i % 21) as f64 - 8.0);
        1.0 - 1.0 / (1.0 + ((row * row + column * column).sqrt() * 1.3 - 4.0).exp())
    };
    let scale = ColorScale::probability().label("P(y = 6 | x) with the window at this place");
    let (rows, columns) = (
        GridAxis::numbers("row of the window", 0.0, 1.0),
        GridAxis::numbers("column of the window", 0.0, 1.0),
    );
    let values = (0..441).map(value).collect();
    HeatMap::new("Occlusion of a 6 by a black 8×8 window", rows, columns, (21, 21), values, scale)
        .outline((11, 6), (5, 5), "critical region")
        .width(460.0)
}

fn predicted() -> HeatMap {
    let class = |i: usize| {
        let (row, column) = ((i / 21) as f64 - 13.0, (i % 21) as f64 - 8.0);
        let distance = row.hypot(column);
        if distance > 3.5 {
            6
        } else if column > 0.0 {
            5
        } else {
            1
        }
    };
    let classes: Vec<usize> = (0..441).map(class).collect();
    let (rows, columns) = (
        GridAxis::numbers("row of the window", 0.0, 1.0),
        GridAxis::numbers("column of the window", 0.0, 1.0),
    );
    HeatMap::classes(
        "Predicted class by place of the window",
        rows,
        columns,
        (21, 21),
        &classes,
        digits(),
    )
    .print(1)
    .width(460.0)
}

fn transplant() -> Result<HeatMap> {
    let mut random = Random(21);
    let values = (0..100).map(|i| if i % 11 == 0 { 0.0 } else { 0.4 * (random.next() - 0.4) });
    let scale = ColorScale::symmetric(0.3)?.label("difference of success rates");
    let (rows, columns) =
        (GridAxis::names("true class", digits()), GridAxis::names("donor", digits()));
    Ok(HeatMap::new(
        "Signed values, some beyond the scale",
        rows,
        columns,
        (10, 10),
        values.collect(),
        scale,
    )
    .print(2))
}

fn gradient_map() -> Result<HeatMap> {
    let value = |i: usize| {
        let (epoch, step) = ((i / 200) as f64, (i % 200) as f64);
        (-(200.0 - step) * 0.15 / (1.0 + 0.3 * epoch)).exp()
    };
    let scale = ColorScale::new(ColorMap::Sequential, 1e-10, 1.0)?.log()?.label("‖∂L/∂h(t)‖");
    let (rows, columns) =
        (GridAxis::numbers("epoch", 1.0, 1.0), GridAxis::numbers("step t", 0.0, 1.0));
    let values = (0..12 * 200).map(value).collect();
    Ok(HeatMap::new("Gradient flow by epoch", rows, columns, (12, 200), values, scale)
        .stretched(170.0))
}

fn histogram() -> Histogram {
    let mut random = Random(31);
    let mut values: Vec<f64> =
        (0..20_000).map(|_| (0..6).map(|_| random.next() - 0.5).sum::<f64>() * 0.1).collect();
    values.push(f64::NAN);
    Histogram::of_values("Weights of conv2", Axis::new("weight"), values, 50)
}

fn bars() -> BarChart {
    let names = [
        "shot noise",
        "impulse noise",
        "glass blur",
        "motion blur",
        "shear",
        "scale",
        "rotate",
        "brightness",
        "translate",
        "stripe",
        "fog",
        "spatter",
        "dotted line",
        "zigzag",
        "canny edges",
    ];
    let mut random = Random(41);
    let mut chart =
        BarChart::new("Accuracy under corruption (MNIST-C)", Axis::new("accuracy").percent());
    for name in names {
        chart = chart.bar(Bar::new(name, [1.0 - 0.7 * random.next().powi(2)]));
    }
    chart
}

fn grouped_bars() -> BarChart {
    let mut chart = BarChart::new(
        "Precision and recall by class",
        Axis::new("share").percent().range(0.97, 1.0),
    )
    .series(["precision", "recall"]);
    let mut random = Random(43);
    for digit in digits() {
        let values = [1.0 - 0.02 * random.next(), 1.0 - 0.02 * random.next()];
        chart =
            chart.bar(Bar::new(digit, values).intervals(values.map(|v| (v - 0.003, v + 0.001))));
    }
    chart
}

fn reference_cnn() -> NetworkDiagram {
    let layers = [
        ("input", "Input", "1 × 28 × 28", 0),
        ("conv1", "Conv 5×5", "32 × 24 × 24", 832),
        ("relu1", "ReLU", "32 × 24 × 24", 0),
        ("conv2", "Conv 5×5", "32 × 20 × 20", 25_632),
        ("relu2", "ReLU", "32 × 20 × 20", 0),
        ("pool1", "MaxPool 2×2, stride 2", "32 × 10 × 10", 0),
        ("conv3", "Conv 3×3", "64 × 8 × 8", 18_496),
        ("relu3", "ReLU", "64 × 8 × 8", 0),
        ("conv4", "Conv 3×3", "64 × 6 × 6", 36_928),
        ("relu4", "ReLU", "64 × 6 × 6", 0),
        ("pool2", "MaxPool 2×2, stride 2", "64 × 3 × 3", 0),
        ("flatten", "Flatten", "576", 0),
        ("dense1", "Dense", "100", 57_700),
        ("relu5", "ReLU", "100", 0),
        ("logits", "Dense", "10", 1_010),
        ("probabilities", "Softmax", "10", 0),
    ];
    let node = |(i, (name, kind, shape, params)): (usize, (&str, &str, &str, u64))| {
        DiagramNode::new(name, kind, shape, i.checked_sub(1)).params(params)
    };
    NetworkDiagram::new(
        "The reference CNN: 140,598 parameters",
        layers.into_iter().enumerate().map(node).collect(),
    )
}

fn branches() -> NetworkDiagram {
    let node = |name: &str, kind: &str, shape: &str, inputs: &[usize]| {
        DiagramNode::new(name, kind, shape, inputs.iter().copied())
    };
    let nodes = vec![
        node("input", "Input", "3 × 32 × 32", &[]),
        node("stem", "Conv 3×3", "32 × 32 × 32", &[0]).params(896),
        node("branch1", "Conv 1×1", "16 × 32 × 32", &[1]).params(528),
        node("branch2a", "Conv 1×1", "16 × 32 × 32", &[1]).params(528),
        node("branch2b", "Conv 3×3", "16 × 32 × 32", &[3]).params(2_320),
        node("branch3", "AvgPool 3×3", "32 × 32 × 32", &[1]),
        node("concat", "Concat", "64 × 32 × 32", &[2, 4, 5]),
        node("project", "Conv 1×1", "32 × 32 × 32", &[6]).params(2_080),
        node("add", "Add", "32 × 32 × 32", &[1, 7]),
        node("pool", "GlobalAvgPool", "32 × 1 × 1", &[8]),
        node("logits", "Dense", "10", &[9]).params(330),
    ];
    NetworkDiagram::new("Branches and a shortcut", nodes)
}

fn figures() -> Result<Vec<(&'static str, Figure)>> {
    Ok(vec![
        ("loss", loss().draw()?),
        ("gradients", gradients().draw()?),
        ("confusion", confusion().draw()?),
        ("garments", garments().draw()?),
        ("reliability", reliability().draw()?),
        ("mistakes", mistakes()?.draw()?),
        ("samples", samples()?.draw()?),
        ("filters", filters().draw()?),
        ("feature-maps", feature_maps().draw()?),
        ("occlusion", occlusion().draw()?),
        ("predicted", predicted().draw()?),
        ("transplant", transplant()?.draw()?),
        ("gradient-map", gradient_map()?.draw()?),
        ("histogram", histogram().draw()?),
        ("bars", bars().draw()?),
        ("grouped-bars", grouped_bars().draw()?),
        ("network", reference_cnn().draw()?),
        ("branches", branches().draw()?),
        ("empty", ImageGrid::new("The worst mistakes", Vec::new()).draw()?),
    ])
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let folder: PathBuf = std::env::args().nth(1).unwrap_or_else(|| "gallery".to_owned()).into();
    std::fs::create_dir_all(&folder)?;
    write_figures(&folder)?;
    Ok(())
}

fn write_figures(folder: &Path) -> Result<()> {
    for (name, figure) in figures()? {
        for problem in figure.illegible() {
            eprintln!("{name}: {problem}");
        }
        figure.save_svg(folder.join(format!("{name}.svg")))?;
        figure.save_png(folder.join(format!("{name}.png")))?;
        let dark = figure.to_png(1.0, Theme::Dark)?;
        cutaway_report::write_atomic(folder.join(format!("{name}-dark.png")), &dark)?;
    }
    Ok(())
}
