"""PyTorch's side of an occlusion sweep over the reference CNN: an 8x8 patch at all 441 places of one 28x28 image. One
measurement a process; prints one line of JSON.

    torch_sweep.py batched --layout nchw|nhwc --batch N --threads T --passes N
    torch_sweep.py captum  --batch N --threads T --passes N

batched: what a careful user writes by hand. The 441 edited images are made (inside the clock, as for anyone who sweeps)
and run to probabilities `batch` at a time under `inference_mode`.
captum: `captum.attr.Occlusion` with `perturbations_per_eval` = batch; 1 is the library's default.
The median pass counts.
"""

import argparse
import json
import statistics
import sys

import torch

from torch_cnn import memory_format, reference_cnn, timed

SIDE, PATCH = 28, 8
PLACES = SIDE - PATCH + 1


def edited(image):
    images = image.repeat(PLACES * PLACES, 1, 1, 1)
    for window in range(PLACES * PLACES):
        row, col = divmod(window, PLACES)
        images[window, 0, row : row + PATCH, col : col + PATCH] = 0
    return images


def batched(arguments):
    layout = memory_format(arguments.layout)
    model = reference_cnn().eval().to(memory_format=layout)
    image = torch.rand(1, 1, SIDE, SIDE)

    def sweep():
        images = edited(image).contiguous(memory_format=layout)
        for first in range(0, len(images), arguments.batch):
            model(images[first : first + arguments.batch]).softmax(1)

    with torch.inference_mode():
        timed(sweep, 2)
        return timed(sweep, arguments.passes)


def captum(arguments):
    from captum.attr import Occlusion

    occlusion = Occlusion(reference_cnn().eval())
    image = torch.rand(1, 1, SIDE, SIDE)

    def sweep():
        with torch.no_grad():
            occlusion.attribute(
                image, sliding_window_shapes=(1, PATCH, PATCH), strides=(1, 1, 1), target=6, baselines=0,
                perturbations_per_eval=arguments.batch,
            )  # fmt: skip

    timed(sweep, 1)
    return timed(sweep, arguments.passes)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["batched", "captum"])
    parser.add_argument("--layout", choices=["nchw", "nhwc"], default="nchw")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--passes", type=int, default=5)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    times = {"batched": batched, "captum": captum}[arguments.mode](arguments)
    result = {"mode": arguments.mode, "torch": torch.__version__, "layout": arguments.layout, "batch": arguments.batch}
    json.dump(result | {"median_ms": 1e3 * statistics.median(times)}, sys.stdout)
    print()


if __name__ == "__main__":
    main()
