//! Real models of the shared test data against ONNX Runtime, output by output, and their gradients against
//! finite differences. Needs `CUTAWAY_TEST_DATA` and a Python with `onnx` and `onnxruntime`, named by
//! `CUTAWAY_PYTHON`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cutaway_engine::{Engine, Options};
use cutaway_net::{Network, onnx};
use ndarray::{ArrayD, IxDyn};

const MODELS: [&str; 8] = [
    "light_inception_v1",
    "light_resnet50",
    "light_squeezenet",
    "light_vgg19",
    "mnist-burn",
    "mnist-cntk-8",
    "mobilenet_v2_f32_from_int8",
    "ultraface-rfb-320",
];

fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("CUTAWAY_TEST_DATA")?).join("onnx");
    folder.is_dir().then_some(folder)
}

/// An image that is the same everywhere: waves of different lengths, between 0 and 1.
fn image(network: &Network) -> ArrayD<f32> {
    let shape = [&[1], network.shape(network.input())].concat();
    let count: usize = shape.iter().product();
    let value = |i: usize| 0.5 + 0.25 * (i as f32 * 0.37).sin() + 0.25 * (i as f32 * 0.011).cos();
    ArrayD::from_shape_vec(IxDyn(&shape), (0..count).map(value).collect()).unwrap()
}

fn write(path: &Path, values: &ArrayD<f32>) {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    fs::write(path, bytes).unwrap();
}

fn engine(network: &Network) -> Engine {
    Engine::compile(network, &Options { threads: 2, ..Options::default() }).unwrap()
}

#[test]
fn real_models_compute_what_onnx_runtime_computes() {
    let (Some(models), Some(python)) = (folder(), std::env::var_os("CUTAWAY_PYTHON")) else {
        println!("skipped: CUTAWAY_TEST_DATA or CUTAWAY_PYTHON is not set");
        return;
    };
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("onnx-models");
    fs::create_dir_all(&scratch).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/compare_with_onnxruntime.py");
    // With weights as they are, and with random ones where the file has one number for all of them: those
    // give the same probability to every class, whatever one computes.
    let random = ["light_inception_v1", "light_resnet50", "light_squeezenet"];
    let cases = MODELS.iter().map(|name| (*name, false)).chain(random.map(|name| (name, true)));
    for (name, random) in cases {
        let path = models.join(format!("{name}.onnx"));
        let path = if random {
            let made = scratch.join(format!("{name}-random.onnx"));
            let mut run = Command::new(&python);
            run.args([script, "randomise"]).arg(&path).arg(&made);
            assert!(run.status().unwrap().success(), "{name}");
            made
        } else {
            path
        };
        let network = onnx::load(&path).unwrap_or_else(|error| panic!("{error}"));
        let batch = image(&network);
        write(&scratch.join("input.f32"), &batch);
        let found = engine(&network).forward(batch.view(), network.outputs()).unwrap();
        for (index, &output) in network.outputs().iter().enumerate() {
            write(&scratch.join(format!("{index}.f32")), found.get(output).unwrap());
        }
        let run =
            Command::new(&python).arg(script).arg("compare").arg(&path).arg(&scratch).output();
        let run = run.unwrap();
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&run.stderr));
        print!("{said}");
    }
    fs::remove_dir_all(scratch).unwrap();
}

/// Along one direction, in f32: coarse, but of the whole chain.
#[test]
fn real_models_have_gradients_that_finite_differences_confirm() {
    let Some(models) = folder() else {
        println!("skipped: CUTAWAY_TEST_DATA is not set");
        return;
    };
    for name in ["mnist-burn", "mobilenet_v2_f32_from_int8", "ultraface-rfb-320"] {
        let network = onnx::load(models.join(format!("{name}.onnx"))).unwrap();
        let (engine, batch) = (engine(&network), image(&network));
        let output = network.logits();
        let value = engine.forward(batch.view(), &[output]).unwrap().take(output).unwrap();
        let seed = value.mapv(|v| v / value.len() as f32);
        let input = network.input();
        let gradients =
            engine.backward(batch.view(), &[(output, seed.clone())], &[input], false).unwrap();
        let gradient = gradients.node(input).unwrap();
        // Downhill and uphill along the gradient itself, so that the slope is not lost in rounding.
        let length = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let step = 0.02 / length;
        let loss = |by: f64| -> f64 {
            let moved = &batch + &gradient.mapv(|g| (f64::from(g) * by) as f32);
            let values = engine.forward(moved.view(), &[output]).unwrap().take(output).unwrap();
            values.iter().zip(&seed).map(|(v, s)| f64::from(*v) * f64::from(*s)).sum()
        };
        let slope = (loss(step) - loss(-step)) / (2.0 * step);
        let wanted = length.powi(2);
        assert!((slope - wanted).abs() < 0.03 * wanted, "{name}: slope {slope}, gradient {wanted}");
    }
}

/// Every operator as we write it, through ONNX's checker and ONNX Runtime.
#[test]
fn what_is_written_is_valid_and_means_the_same_to_onnx_runtime() {
    let Some(python) = std::env::var_os("CUTAWAY_PYTHON") else {
        println!("skipped: CUTAWAY_PYTHON names no Python with onnx and onnxruntime");
        return;
    };
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("onnx-written");
    for fixture in ["onnx_operators", "onnx_networks"] {
        let path = format!("{}/tests/fixtures/{fixture}.safetensors", env!("CARGO_MANIFEST_DIR"));
        let bytes = fs::read(path).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        for name in file.names().into_iter().filter_map(|name| name.strip_suffix("/model")) {
            let model = file.tensor(&format!("{name}/model")).unwrap();
            let network = onnx::from_bytes(model.data()).unwrap();
            let folder = scratch.join(name);
            fs::create_dir_all(&folder).unwrap();
            onnx::save(&network, folder.join("model.onnx")).unwrap();
            fs::write(folder.join("input.f32"), file.tensor(&format!("{name}/x")).unwrap().data())
                .unwrap();
            let view = file.tensor(&format!("{name}/x")).unwrap();
            let values = view.data().as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b));
            let batch = ArrayD::from_shape_vec(IxDyn(view.shape()), values.collect()).unwrap();
            let found = engine(&network).forward(batch.view(), network.outputs()).unwrap();
            for (index, &output) in network.outputs().iter().enumerate() {
                write(&folder.join(format!("{index}.f32")), found.get(output).unwrap());
            }
        }
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/compare_with_onnxruntime.py");
    let run = Command::new(python).args([script, "written"]).arg(&scratch).output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    println!("{said}");
    fs::remove_dir_all(scratch).unwrap();
}
