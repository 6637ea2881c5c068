"""What is measured. Each section is a function of the two sides and the effort, and returns plain numbers for JSON."""

import os
import pathlib
import statistics
import struct
import tempfile
import zlib

from .sides import Skipped

LAYOUTS = ("nchw", "nhwc")
TRAIN_BATCHES = (32, 64, 128, 256)
INFER_BATCHES = (441, 1000)
SWEEP_BATCHES = (49, 64, 147, 441)
CELLS = ("tanh", "lstm", "gru")
LENGTHS = (128, 512, 1024)
ONNX_MODELS = ("mobilenet_v2_f32_from_int8", "light_resnet50", "light_squeezenet", "light_vgg19")
ONNX_BATCHES = (1, 32)
SWEEP_MODELS = {"light_vgg19": "vgg19", "light_resnet50": "resnet50"}

ATTRIBUTE_MODEL = "mobilenet_v2_f32_from_int8"
# Counts by the names that the command's flags have, the same on both sides.
ATTRIBUTIONS = {
    "gradient": {},
    "integrated-gradients": {"steps": 50},
    "smooth-grad": {"samples": 50},
    "guided-backprop": {},
    "deeplift": {},
    "grad-cam": {},
    "score-cam": {},
    "occlusion": {},
    "lime": {"samples": 500},
    "kernel-shap": {"samples": 500},
}
# All of the layer's 1,280 maps; the peers' scripts hold the same window.
OURS_ALONE = {"score-cam": {"maps": 1280}, "occlusion": {"patch": 64, "stride": 16}}
ATTRIBUTE_PEERS = {"score-cam": "pytorch-grad-cam"}
# Methods of which one chooses how many perturbed images go through the network at once; the better counts.
ATTRIBUTE_BATCHED = ("integrated-gradients", "smooth-grad", "score-cam", "occlusion", "lime", "kernel-shap")
ATTRIBUTE_BATCHES = (1, 16)

# Multiply-adds of one image, layer by layer: output height * width * channels * weights that feed one output.
MACS = (24 * 24 * 32 * 25, 20 * 20 * 32 * 800, 8 * 8 * 64 * 288, 6 * 6 * 64 * 576, 576 * 100, 100 * 10)
INFER_FLOPS = 2 * sum(MACS)
# Backward costs the forward twice over, except that nobody asks for the gradient of the pixels.
TRAIN_FLOPS = 2 * (3 * sum(MACS) - MACS[0])


class Effort:
    """How long to measure: `full` for figures to quote, `quick` to see that everything works."""

    def __init__(self, quick, repetitions):
        self.repetitions = repetitions or (1 if quick else 5)
        self.train_images = 512 if quick else 12800
        self.passes = 4 if quick else 12
        self.startups = 3 if quick else 20
        self.train_batches = (64,) if quick else TRAIN_BATCHES
        self.lengths = (128,) if quick else LENGTHS
        self.tokens = 50_000 if quick else 260_000
        self.onnx_batches = ONNX_BATCHES[:1] if quick else ONNX_BATCHES
        self.onnx_seconds = 0.5 if quick else 3
        # Of the 729 of a grid; 0 takes all.
        self.model_windows, self.full_windows, self.torch_windows = (16, 4, 8) if quick else (0, 32, 32)
        self.quick = quick


def alternate(runs, repetitions):
    """Run every candidate once a round, in turn, the order turned round each time, so that a machine that warms up or
    slows down is fair to all. `runs` maps a key to a function that returns one measurement."""
    results = {key: [] for key in runs}
    for round_number in range(repetitions):
        order = list(runs) if round_number % 2 == 0 else list(runs)[::-1]
        for key in order:
            results[key].append(runs[key]())
    return results


def throughputs(results):
    """Median, lowest and highest images per second of each candidate, with what it said of itself."""
    table = []
    for measured in results.values():
        speeds = [one["images_per_second"] for one in measured]
        kept = {key: value for key, value in measured[0].items() if key not in ("images_per_second", "median_ms")}
        table.append(kept | {"images_per_second": statistics.median(speeds), "lowest": min(speeds), "highest": max(speeds)})
    return table


def our_training(sides, effort, **options):
    return sides.cutaway("train", **{"isa": "auto", "images": effort.train_images, "repeats": 1} | options)


def our_inference(sides, effort, **options):
    # bench_cnn makes four passes a repeat.
    return sides.cutaway("infer", **{"isa": "auto", "batch": 1000, "repeats": effort.passes // 4} | options)


def best(rows):
    return max(rows, key=lambda row: row["images_per_second"])


def versus(ours, theirs, runs, repetitions):
    """Measure the candidates of both sides together; their rows, told apart again."""
    results = alternate(runs, repetitions)
    return (
        throughputs({key: results[key] for key in ours}),
        throughputs({key: results[key] for key in theirs}),
    )


def train(sides, effort):
    """Training on the reference CNN: ours at every batch size against PyTorch's best of layouts and batch sizes."""
    ours = {("cutaway", None): lambda: our_training(sides, effort)}
    for batch in effort.train_batches:
        ours["cutaway", batch] = lambda batch=batch: our_training(sides, effort, batch=batch)
    theirs = {
        (layout, batch): lambda layout=layout, batch=batch: sides.torch(
            "train", layout=layout, batch=batch, images=effort.train_images
        )
        for layout in LAYOUTS
        for batch in effort.train_batches
    }
    our_rows, their_rows = versus(ours, theirs, ours | theirs, effort.repetitions)
    default, their_best, peak = our_rows[0], best(their_rows), sides.peak()
    return {
        "cutaway": our_rows[1:],
        "torch": their_rows,
        "default_batch": default["batch"],
        "cutaway_default": default,
        "torch_best": their_best,
        "ratio": default["images_per_second"] / their_best["images_per_second"],
        "peak": peak,
        "share_of_peak": default["images_per_second"] * TRAIN_FLOPS / 1e9 / peak["gflops"],
        "torch_share_of_peak": their_best["images_per_second"] * TRAIN_FLOPS / 1e9 / peak["gflops"],
    }


def infer(sides, effort):
    """Inference on 441 images (an occlusion sweep) and on 1,000, against PyTorch's better layout."""
    rows, peak = [], sides.peak()
    for batch in INFER_BATCHES:
        ours = {"cutaway": lambda: our_inference(sides, effort, batch=batch)}
        theirs = {
            layout: lambda layout=layout: sides.torch("infer", layout=layout, batch=batch, passes=effort.passes)
            for layout in LAYOUTS
        }
        (our_row,), their_rows = versus(ours, theirs, ours | theirs, effort.repetitions)
        their_best = best(their_rows)
        rows.append(
            {
                "batch": batch,
                "cutaway": our_row,
                "torch": their_rows,
                "torch_best": their_best,
                "ratio": our_row["images_per_second"] / their_best["images_per_second"],
                "share_of_peak": our_row["images_per_second"] * INFER_FLOPS / 1e9 / peak["gflops"],
            }
        )
    return {"batches": rows, "peak": peak}


def sweep(sides, effort, data):
    """441 windows over one image: ours by both strategies on noise and on a digit, PyTorch batched by hand, Captum."""
    ours = {
        (image, strategy): lambda image=image, strategy=strategy: sides.cutaway(
            "sweep", isa="auto", image=image, strategy=strategy, repeats=effort.passes
        )
        for image in ("noise", "digit")
        for strategy in ("incremental", "full")
    }
    theirs = {
        (layout, batch): lambda layout=layout, batch=batch: sides.torch_sweep(
            "batched", layout=layout, batch=batch, passes=effort.passes
        )
        for layout in LAYOUTS
        for batch in ((441,) if effort.quick else SWEEP_BATCHES)
    }
    captum = {
        ("captum", batch): lambda batch=batch: sides.torch_sweep("captum", batch=batch, passes=max(3, effort.passes // 4))
        for batch in (1, 441)
    }
    results = alternate(ours | theirs | captum, effort.repetitions)
    median = {key: statistics.median(one["median_ms"] for one in measured) for key, measured in results.items()}
    torch_best = min(theirs, key=median.get)
    rows = [{"image": image, "strategy": strategy, "ms": median[image, strategy]} for image, strategy in ours]
    result = {
        "cutaway": [
            row | {"against_torch": median[torch_best] / row["ms"], "against_captum": median["captum", 1] / row["ms"]}
            for row in rows
        ],
        "torch": [{"layout": layout, "batch": batch, "ms": median[layout, batch]} for layout, batch in theirs],
        "torch_best_ms": median[torch_best],
        "captum": [{"batch": batch, "ms": median["captum", batch]} for batch in (1, 441)],
    }
    return result if effort.quick else result | {"test_set": test_set_sweep(sides, data)}


def test_set_sweep(sides, data):
    """Every window over every test image, by the program itself."""
    with tempfile.TemporaryDirectory() as out:
        run = sides.program("occlude", "--data", data, "--all", "--threads", sides.threads, "--out", out, "--json")
        many = run.json()["many"]
    return {"data": data, "images": many["images"], "windows": many["windows"], "seconds": many["seconds"]}


def isa(sides, effort):
    """Our narrower instruction sets, and PyTorch held to AVX2 by its own switches (training at batch 128)."""
    held = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    rows = []
    # The portable path may be many times slower: fewer images time it as well.
    fewer = {"portable": {"images": max(effort.train_images // 8, 256)}}
    for mode, measure, torch in (
        ("train", our_training, {"batch": 128, "images": effort.train_images}),
        ("infer", our_inference, {"batch": 1000, "passes": effort.passes}),
    ):
        names = ("auto", "avx2", "portable")
        ours = {name: lambda name=name: measure(sides, effort, isa=name, **fewer.get(name, {})) for name in names}
        theirs = {
            f"torch {layout}": lambda layout=layout: sides.torch(mode, environment=held, layout=layout, **torch)
            for layout in LAYOUTS
        }
        our_rows, their_rows = versus(ours, theirs, ours | theirs, effort.repetitions)
        rows.append({"mode": mode, "cutaway": dict(zip(names, our_rows)), "torch_avx2_best": best(their_rows)})
    return {"modes": rows}


def scaling(sides, effort):
    """One thread against all of them, each pinned to as many processors."""
    modes = []
    for mode, measure in (("train", our_training), ("infer", our_inference)):
        ours = {
            threads: lambda threads=threads: measure(sides, effort, threads=threads) for threads in (1, sides.threads)
        }
        one, all_of_them = throughputs(alternate(ours, effort.repetitions))
        ratio = all_of_them["images_per_second"] / one["images_per_second"]
        modes.append({"mode": mode, "one": one, "all": all_of_them, "ratio": ratio})
    return {"threads": sides.threads, "modes": modes}


def kernels(sides, effort):
    """Every layer with multiply-adds, forward and both gradients, as a share of the machine's multiply-add peak."""
    runs = {"cutaway": lambda: sides.cutaway("kernels", isa="auto", repeats=effort.passes)}
    for layout in LAYOUTS:
        runs[layout] = lambda layout=layout: sides.torch("kernels", layout=layout, passes=effort.passes)
    runs["peak"] = sides.peak
    results = alternate(runs, effort.repetitions)
    peak = statistics.median(one["gflops"] for one in results.pop("peak"))
    speeds = {side: kernel_medians(measured) for side, measured in results.items()}
    rows = []
    for name, gflops in speeds.pop("cutaway").items():
        torch_best = max((one[name] for one in speeds.values() if name in one), default=None)
        rows.append({"name": name, "gflops": gflops, "share_of_peak": gflops / peak, "torch_best_gflops": torch_best})
    return {"peak_gflops": peak, "isa": results["cutaway"][0].get("isa"), "kernels": rows}


def kernel_medians(measured):
    names = [kernel["name"] for kernel in measured[0]["kernels"]]
    return {
        name: statistics.median(k["gflops"] for one in measured for k in one["kernels"] if k["name"] == name)
        for name in names
    }


def memory(sides, effort, data):
    """The most memory a training run holds, data set included: our whole program, and PyTorch with 60,000 images."""
    with tempfile.TemporaryDirectory() as out:
        arguments = ["train", "--data", data, "--epochs", "1", "--threads", sides.threads, "--out", out, "--json"]
        ours = sides.program(*arguments)
        result = ours.json()
    theirs = sides.torch_process("train", images=512 if effort.quick else 60000, layout="nhwc", batch=128)
    return {
        "data": result.get("dataset", data),
        "cutaway_bytes": ours.peak_bytes,
        "torch_bytes": theirs.peak_bytes,
        "cutaway_seconds": ours.seconds,
    }


def startup(sides, effort):
    """From the start of the process to the answer for one image."""
    with tempfile.TemporaryDirectory() as folder:
        image = pathlib.Path(folder) / "digit.png"
        image.write_bytes(one_png())
        command = ["predict", image, "--model", "builtin", "--json"]
        runs = {"cutaway": lambda: sides.program(*command).seconds}
        if not effort.quick:
            runs["torch"] = lambda: sides.torch_process("predict").seconds
        for function in runs.values():
            function()  # files into the page cache
        results = alternate(runs, effort.startups)
    return {
        "processes": effort.startups,
        "cutaway_ms": 1e3 * statistics.median(results["cutaway"]),
        "torch_ms": 1e3 * statistics.median(results["torch"]) if "torch" in results else None,
    }


def reservoir(sides, effort):
    """States of an echo state network of 500 units, ours in either precision, ReservoirPy as it comes and over workers."""
    size = {"units": 500, "density": 0.1, "inputs": 21, "sequences": 40 if effort.quick else 200, "steps": 300}
    ours = {
        (precision, states): lambda precision=precision, states=states: sides.reservoir(
            precision, isa="auto", states=states, repeats=3, **size
        )
        for precision in ("f64", "f32")
        for states in ("pooled", "all")
    }
    theirs = {
        ("reservoirpy", workers): lambda workers=workers: sides.reservoirpy(workers=workers, **size)
        for workers in (0, sides.threads)
    }
    rows = []
    for (side, kind), measured in alternate(ours | theirs, effort.repetitions).items():
        speeds = [one["steps_per_second"] for one in measured]
        row = {"side": side, "kind": kind, "lowest": min(speeds), "highest": max(speeds)}
        rows.append(row | {"steps_per_second": statistics.median(speeds), "version": measured[0].get("version")})
    best_theirs = max(row["steps_per_second"] for row in rows if row["side"] == "reservoirpy")
    rows = [row | {"ratio": row["steps_per_second"] / best_theirs} for row in rows]
    return {"size": size, "rows": rows}


def sequence(sides, effort):
    """A step of training on sequences (forward, backward, Adam): one layer of every cell, every length, both sides."""
    rows = []
    for cell in CELLS:
        for length in effort.lengths:
            # As many tokens for every length, and at least sixteen steps.
            options = {"cell": cell, "length": length, "steps": max(16, effort.tokens // (32 * length))}
            runs = {
                "cutaway": lambda options=options: sides.sequence(**options),
                "torch": lambda options=options: sides.torch_sequence(**options, flush=0),
                "torch_flush": lambda options=options: sides.torch_sequence(**options, flush=1),
            }
            results = alternate(runs, effort.repetitions)
            speeds = {side: [one["tokens_per_second"] for one in measured] for side, measured in results.items()}
            median = {side: statistics.median(values) for side, values in speeds.items()}
            rows.append(
                {"cell": cell, "length": length, "isa": results["cutaway"][0]["isa"], "ratio": median["cutaway"] / max(median["torch"], median["torch_flush"])}
                | {side: {"tokens_per_second": median[side], "lowest": min(v), "highest": max(v)} for side, v in speeds.items()}
            )
    return {"hidden": 64, "embedding": 16, "batch": 32, "rows": rows}


# What stands in a row, our flags, the peer and its name for it; images, of which a quick run takes a part. Within an ε that fools
# hardly any image both sides take every step of every image; within one that fools some we leave those alone.
ATTACKS = [
    ("PGD, 40 steps, L∞, ε = 0.01", "foolbox", "pgd", 500, {"method": "pgd", "epsilon": 0.01, "steps": 40, "step-size": 0.000625}),
    ("PGD, 40 steps, L∞, ε = 0.1", "foolbox", "pgd", 500, {"method": "pgd", "epsilon": 0.1, "steps": 40, "step-size": 0.00625}),
    ("APGD-CE, 100 steps, L∞, ε = 0.01", "torchattacks", "apgd-ce", 200, {"method": "apgd-ce", "epsilon": 0.01, "steps": 100}),
    ("Square, 1,000 queries, L∞, ε = 0.01", "torchattacks", "square", 100, {"method": "square", "epsilon": 0.01, "queries": 1000}),
    ("DeepFool, 50 steps, L2, at 1.5", "foolbox", "deepfool", 500, {"method": "deepfool", "norm": "l2", "epsilon": 1.5}),
    ("Carlini–Wagner, 6 × 200 steps, L2, at 1", "foolbox", "cw", 50, {"method": "cw", "norm": "l2", "epsilon": 1.0}),
]


def attack(sides, effort, data):
    """Attacks on test images against Foolbox and torchattacks, the same parameters on both sides."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        out, idx = pathlib.Path(folder) / "out", pathlib.Path(folder) / "idx"
        sides.program("data", "export", "--data", data, "--out", idx, "--json")
        for label, package, name, images, settings in ATTACKS:
            images = max(10, images // 10) if effort.quick else images
            flags = [part for key, value in settings.items() for part in (f"--{key}", value)]
            flags += ["--data", idx, "--limit", images, "--threads", sides.threads, "--out", out, "--json"]
            options = {key: value for key, value in settings.items() if key not in ("method", "norm")}
            runs = {"cutaway": lambda flags=flags: our_attack(sides, flags)}
            for layout in LAYOUTS:
                runs[layout] = lambda layout=layout, options=options: sides.attack_peer(
                    package, name, data=idx, images=images, layout=layout, **options
                )
            results = alternate(runs, effort.repetitions)
            rows.append(attack_row(label, package, images, results))
    return {"data": data, "rows": rows}


def attack_row(label, package, images, results):
    median = {key: statistics.median(one["ms"] for one in measured) for key, measured in results.items()}
    ours, theirs = results["cutaway"][0], results["nchw"][0]
    return {
        "attack": label,
        "peer": f"{package} {theirs[package]}",
        "torch": theirs["torch"],
        "images": images,
        "cutaway_ms": median["cutaway"],
        "cutaway_passes": [ours["gradients"], ours["queries"]],
        "peer_ms": {layout: median[layout] for layout in LAYOUTS},
        "ratio": min(median[layout] for layout in LAYOUTS) / median["cutaway"],
        "robust_accuracy": [ours["robust_accuracy"], theirs["robust_accuracy"]],
    }


def our_attack(sides, flags):
    """The attack alone, as the program clocks it."""
    result = sides.program("attack", *flags).json()
    method = result["methods"][0]
    return {
        "ms": 1e3 * method["seconds"],
        "gradients": method["gradients"],
        "queries": method["queries"],
        "robust_accuracy": result["robust_accuracy"],
    }


def onnx(sides, effort, folder):
    """Forward passes of real ONNX models beside ONNX Runtime: the median pass of a batch in milliseconds. `folder` holds the
    models; without one it is the folder `onnx` in CUTAWAY_DATA."""
    models = onnx_models(folder)
    if not sides.has("onnxruntime", "numpy"):
        raise Skipped("the Python of CUTAWAY_BENCH_PYTHON needs onnxruntime and numpy")
    rows = []
    for model in models:
        for batch in effort.onnx_batches:
            runs = {
                side: lambda measure=measure: measure(model, batch, effort.onnx_seconds)
                for side, measure in (("cutaway", sides.onnx), ("onnxruntime", sides.onnxruntime))
            }
            results = alternate(runs, effort.repetitions)
            ms = {side: [one["median_ms"] for one in measured] for side, measured in results.items()}
            median = {side: statistics.median(values) for side, values in ms.items()}
            row = {side: {"ms": median[side], "lowest": min(ms[side]), "highest": max(ms[side])} for side in runs}
            ratio = median["cutaway"] / median["onnxruntime"]
            rows.append({"model": model.stem, "batch": batch, "ratio": ratio} | row)
    return {"onnxruntime": results["onnxruntime"][0]["version"], "rows": rows}


def sweep_models(sides, effort, folder):
    """Windows of 16x16 at stride 8 over 224x224 and a real model: ours by all strategies, PyTorch batched by hand, Captum as it
    comes; milliseconds a window. Ours runs the ONNX file, PyTorch torchvision's model of that name."""
    models = onnx_models(folder, SWEEP_MODELS)
    if not sides.has("torchvision", "captum"):
        raise Skipped("the Python of CUTAWAY_BENCH_PYTHON needs torchvision and captum")
    rows = []
    for path in models:
        name = SWEEP_MODELS[path.stem]
        windows = {"windows": effort.model_windows, "full-windows": effort.full_windows}
        runs = {"cutaway": lambda path=path, windows=windows: sides.sweep_model(path, isa="auto", **windows)}
        for layout in LAYOUTS:
            for batch in (8,) if effort.quick else (8, 32):
                runs[layout, batch] = lambda name=name, layout=layout, batch=batch: sides.torch_sweep_model(
                    "batched", model=name, layout=layout, batch=batch, windows=effort.torch_windows
                )
        runs["captum"] = lambda name=name: sides.torch_sweep_model("captum", model=name)
        results = alternate(runs, effort.repetitions)
        ours = results.pop("cutaway")
        ms = {key: statistics.median(one["ms"] for one in measured) for key, measured in results.items()}
        captum = ms.pop("captum")
        torch_best = min(ms, key=ms.get)
        full = statistics.median(one["full_ms"] for one in ours)
        for strategy in ("rounded", "incremental", "full"):
            own = statistics.median(one[f"{strategy}_ms"] for one in ours)
            count = ours[0]["full_windows" if strategy == "full" else "windows"]
            rows.append(
                {"model": name, "side": "cutaway", "strategy": strategy, "windows": count, "ms": own}
                | {"full": full / own, "against_torch": ms[torch_best] / own, "against_captum": captum / own}
            )
        layout, batch = torch_best
        rows.append({"model": name, "side": "torch", "layout": layout, "batch": batch, "windows": results[torch_best][0]["windows"], "ms": ms[torch_best]})
        rows.append({"model": name, "side": "captum", "windows": results["captum"][0]["windows"], "ms": captum})
    return {"grid": ours[0]["grid"], "torch": results["captum"][0]["torch"], "rows": rows}


def attribute(sides, effort, folder):
    """Methods of attribution on MobileNetV2 beside Captum and pytorch-grad-cam: seconds for one image of 224x224, with the same
    counts. Ours is the ONNX file, theirs torchvision's network of the same graph with random weights, which the time does not
    depend on; their ReLU6 is a ReLU, since Captum's rules know no other."""
    model = next((path for path in onnx_models(folder, (ATTRIBUTE_MODEL,)) if path.stem == ATTRIBUTE_MODEL), None)
    if model is None:
        raise Skipped(f"the section needs {ATTRIBUTE_MODEL}.onnx")
    if not sides.has("torchvision", "captum", "pytorch_grad_cam"):
        raise Skipped("the Python of CUTAWAY_BENCH_PYTHON needs torchvision, captum and grad-cam")
    rows, quick = [], {"steps": 4, "samples": 4}
    for name, counts in ATTRIBUTIONS.items():
        counts = {key: min(value, quick[key]) if effort.quick else value for key, value in counts.items()}
        if effort.quick and name == "lime":
            counts["samples"] = 8
        ours = counts | OURS_ALONE.get(name, {})
        batches = ATTRIBUTE_BATCHES if name in ATTRIBUTE_BATCHED else (1,)
        runs = {"cutaway": lambda name=name, ours=ours: our_attribution(sides, model, name, ours)}
        for batch in batches:
            runs[batch] = lambda batch=batch: sides.torch_attribute(name, batch=batch, **counts)["seconds"]
        results = alternate(runs, effort.repetitions)
        median = {key: statistics.median(values) for key, values in results.items()}
        best = min(batches, key=lambda batch: median[batch])
        rows.append(
            {"method": name, "counts": counts, "cutaway_s": median["cutaway"], "lowest": min(results["cutaway"]), "highest": max(results["cutaway"])}
            | {"peer": ATTRIBUTE_PEERS.get(name, "Captum"), "peer_s": median[best], "batch": best, "ratio": median[best] / median["cutaway"]}
        )
    return {"model": model.stem, "rows": rows, "peer": "torchvision"}


def our_attribution(sides, model, name, counts):
    """The second of two images, for which everything is prepared, as the program clocks it."""
    with tempfile.TemporaryDirectory() as folder:
        picture = pathlib.Path(folder) / "stroke.png"
        picture.write_bytes(one_png())
        flags = [part for key, value in counts.items() for part in (f"--{key}", value)]
        result = sides.program(
            "attribute", "--model", model, "--preprocess", "imagenet-torch", "--image", picture, "--image", picture, "--method", name, *flags,
            "--npy", "--threads", sides.threads, "--out", pathlib.Path(folder) / "out", "--json",
        )  # fmt: skip
        return result.json()["attributions"][1]["seconds"]


def onnx_models(folder, names=ONNX_MODELS):
    """The models of a section that are there; says which are not."""
    home = os.environ.get("CUTAWAY_DATA")
    folder = pathlib.Path(folder) if folder else pathlib.Path(home) / "onnx" if home else None
    if folder is None:
        raise Skipped("no models: name their folder with --onnx, or the folder above it with CUTAWAY_DATA")
    found = [folder / f"{name}.onnx" for name in names if (folder / f"{name}.onnx").is_file()]
    for name in names:
        if folder / f"{name}.onnx" not in found:
            print(f"skipped: {folder} has no {name}.onnx", flush=True)
    if not found:
        raise Skipped(f"none of the models is in {folder}")
    return [path.resolve() for path in found]


def one_png():
    """A 28x28 grey PNG with a vertical stroke in it, something like a 1."""
    rows = b"".join(
        b"\0" + bytes(255 if 12 <= x <= 15 and 4 <= y <= 23 else 0 for x in range(28)) for y in range(28)
    )

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


SECTIONS = {
    "train": train,
    "infer": infer,
    "sweep": sweep,
    "sweep-models": sweep_models,
    "isa": isa,
    "scaling": scaling,
    "kernels": kernels,
    "memory": memory,
    "startup": startup,
    "reservoir": reservoir,
    "sequence": sequence,
    "attack": attack,
    "onnx": onnx,
    "attribute": attribute,
}
