"""PyTorch's side of an occlusion sweep over a real model: torchvision's VGG-19 or ResNet-50 with random weights, one image of
224x224. One measurement a process; prints one line of JSON.

    torch_sweep_models.py batched --model vgg19|resnet50 --layout nchw|nhwc --batch N --windows N --threads T
    torch_sweep_models.py captum  --model vgg19|resnet50 --threads T

batched: what a careful user writes by hand. `windows` edited images (16x16 windows at stride 8, the first ones of the grid)
are made, inside the clock, and run to probabilities `batch` at a time under `inference_mode`.
captum: `captum.attr.Occlusion` as it comes, one window at a time. It cannot take a part of a grid, and a window's time does
not depend on its size, so it gets 49 windows of 32x32 side by side in place of the 729 of 16x16.
`ms` is milliseconds a window.
"""

import argparse
import json
import sys
import time

import torch
import torchvision

SIDE, PATCH, STRIDE = 224, 16, 8
PLACES = (SIDE - PATCH) // STRIDE + 1
FORMATS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}


def edited(image, first, count):
    images = image.repeat(count, 1, 1, 1)
    for window in range(count):
        row, col = (STRIDE * place for place in divmod(first + window, PLACES))
        images[window, :, row : row + PATCH, col : col + PATCH] = 0
    return images


def batched(model, image, arguments):
    layout = FORMATS[arguments.layout]
    model = model.to(memory_format=layout)
    with torch.inference_mode():
        model(edited(image, 0, arguments.batch).contiguous(memory_format=layout))
        start = time.perf_counter()
        for first in range(0, arguments.windows, arguments.batch):
            count = min(arguments.batch, arguments.windows - first)
            model(edited(image, first, count).contiguous(memory_format=layout)).softmax(1)
        return arguments.windows, time.perf_counter() - start


def captum(model, image, _):
    from captum.attr import Occlusion

    occlusion, window = Occlusion(model), 32
    with torch.no_grad():
        model(image)
        start = time.perf_counter()
        occlusion.attribute(image, sliding_window_shapes=(3, window, window), strides=(3, window, window), target=0, baselines=0)
        return (SIDE // window) ** 2, time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["batched", "captum"])
    parser.add_argument("--model", choices=["vgg19", "resnet50"], required=True)
    parser.add_argument("--layout", choices=list(FORMATS), default="nchw")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--windows", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    model = getattr(torchvision.models, arguments.model)(weights=None).eval()
    image = torch.rand(1, 3, SIDE, SIDE)
    windows, seconds = {"batched": batched, "captum": captum}[arguments.mode](model, image, arguments)
    result = {"mode": arguments.mode, "model": arguments.model, "torch": torch.__version__, "windows": windows}
    json.dump(result | {"ms": 1e3 * seconds / windows}, sys.stdout)
    print()


if __name__ == "__main__":
    main()
