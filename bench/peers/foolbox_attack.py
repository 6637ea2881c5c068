"""Foolbox's side of adversarial attacks on the built-in model: the weights of crates/cutaway/models/mnist.onnx in PyTorch,
the first N test images of a folder of IDX files. One measurement a process; prints one line of JSON.

    foolbox_attack.py NAME --data DIR --images N --epsilon E [--steps S --step-size X] [--layout nchw|nhwc]
                      [--batch B] --threads T

NAME: fgsm, pgd (random start), pgd-fixed (none), mi-fgsm, deepfool (L2), cw. The robust accuracy is the share of images that
are right and stay so within E: for deepfool and cw, which look for the nearest image that fools, those whose nearest is farther.
`ms` is the time of the attack alone, images and model being in memory.
"""

import argparse
import gzip
import json
import pathlib
import sys
import time

import foolbox
import numpy as np
import onnx
import torch
from foolbox.attacks.base import MinimizationAttack
from onnx import numpy_helper

from torch_cnn import memory_format, reference_cnn

MODEL = pathlib.Path(__file__).resolve().parents[2] / "crates/cutaway/models/mnist.onnx"


def builtin():
    """The reference CNN with the built-in weights, up to its logits: parameters stand in one order in both files."""
    model = reference_cnn().eval()
    values = [numpy_helper.to_array(one).copy() for one in onnx.load(MODEL).graph.initializer]
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), values, strict=True):
            parameter.copy_(torch.from_numpy(value).reshape(parameter.shape))
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model


def idx(folder, stem):
    for name in (stem, stem + ".gz"):
        path = pathlib.Path(folder) / name
        if path.exists():
            raw = path.read_bytes()
            raw = gzip.decompress(raw) if name.endswith(".gz") else raw
            dimensions = raw[3]
            shape = np.frombuffer(raw, ">u4", dimensions, 4).astype(int)
            return np.frombuffer(raw, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    raise SystemExit(f"{folder} has no {stem}")


def attack(arguments):
    options = {"steps": arguments.steps, "abs_stepsize": arguments.step_size} if arguments.steps else {}
    attacks = foolbox.attacks
    return {
        "fgsm": lambda: attacks.LinfFastGradientAttack(random_start=False),
        "pgd": lambda: attacks.LinfPGD(**options),
        "pgd-fixed": lambda: attacks.LinfPGD(random_start=False, **options),
        "pgd-l2": lambda: attacks.L2PGD(**options),
        "mi-fgsm": lambda: attacks.LinfMomentumIterativeFastGradientMethod(random_start=False, **options),
        "deepfool": lambda: attacks.L2DeepFoolAttack(steps=50, candidates=10, overshoot=0.02),
        "cw": lambda: attacks.L2CarliniWagnerAttack(
            binary_search_steps=6, steps=200, stepsize=0.02, initial_const=0.1
        ),
    }[arguments.name]()


def foolbox_run(arguments):
    """The attack as a function of the model, images and labels, that says which are fooled within E."""
    runner = attack(arguments)

    def within(model, x, y):
        wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
        return runner(wrapped, x, y, epsilons=arguments.epsilon)[2]

    def nearest(model, x, y):
        # Given E, Foolbox would judge what it has found after shrinking it to E, which may fool all the same.
        wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
        found, _, fooled = runner(wrapped, x, y, epsilons=None)
        return fooled & (runner.distance(x, found) <= arguments.epsilon * (1 + 1e-6))

    return nearest if isinstance(runner, MinimizationAttack) else within


def main(make=foolbox_run, package=foolbox, description=__doc__):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--data", required=True)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--epsilon", type=float, default=0.1)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--step-size", type=float)
    parser.add_argument("--queries", type=int)
    parser.add_argument("--layout", choices=["nchw", "nhwc"], default="nchw")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    layout = memory_format(arguments.layout)
    model = builtin().to(memory_format=layout)
    images = idx(arguments.data, "t10k-images-idx3-ubyte")[: arguments.images, None]
    images = (torch.from_numpy(images.astype(np.float32)) / 255).contiguous(memory_format=layout)
    labels = torch.from_numpy(idx(arguments.data, "t10k-labels-idx1-ubyte")[: arguments.images].astype(np.int64))
    run, robust, correct, seconds = make(arguments), 0, 0, 0.0
    model(images[:8])
    for first in range(0, len(images), arguments.batch):
        x, y = images[first : first + arguments.batch], labels[first : first + arguments.batch]
        right = model(x).argmax(1) == y
        start = time.perf_counter()
        success = run(model, x, y)
        seconds += time.perf_counter() - start
        correct += int(right.sum())
        robust += int((right & ~success).sum())
    result = {"name": arguments.name, "torch": torch.__version__, package.__name__: package.__version__, "layout": arguments.layout}
    count = len(images)
    result |= {"images": count, "clean_accuracy": correct / count, "robust_accuracy": robust / count, "ms": 1e3 * seconds}
    json.dump(result, sys.stdout)
    print()


if __name__ == "__main__":
    main()
