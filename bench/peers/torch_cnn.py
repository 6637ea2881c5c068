"""PyTorch's side of the reference CNN. One measurement a process; prints one line of JSON.

    torch_cnn.py train   --layout nchw|nhwc --batch N --threads T --images N
    torch_cnn.py infer   --layout nchw|nhwc --batch N --threads T --passes N
    torch_cnn.py kernels --layout nchw|nhwc --batch N --threads T --passes N
    torch_cnn.py predict --threads T

train: forward, cross-entropy, backward and an SGD step with momentum on `images` random images, after a warm-up of
2,048. The conversion to channels_last is inside the clock, as it is for a user who loads NCHW images; the random images
are ready in memory on both sides. infer: forward to the logits under `inference_mode`, the same batch `passes` times; the
median pass counts.
kernels: the second convolution alone (32 to 32 channels, 5x5, on 24x24), forward and its two gradients.
predict: one image, to be timed from outside, from the start of the process.
"""

import argparse
import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

WARM_UP_IMAGES = 2048


def reference_cnn():
    return nn.Sequential(
        nn.Conv2d(1, 32, 5), nn.ReLU(),
        nn.Conv2d(32, 32, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ReLU(),
        nn.Conv2d(64, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(576, 100), nn.ReLU(), nn.Linear(100, 10),
    )  # fmt: skip


def memory_format(layout):
    return torch.channels_last if layout == "nhwc" else torch.contiguous_format


def timed(function, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return times


def train(arguments):
    batch, layout = arguments.batch, memory_format(arguments.layout)
    model = reference_cnn().to(memory_format=layout)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    steps = max(1, arguments.images // batch)
    images = torch.rand(steps * batch, 1, 28, 28)
    labels = torch.randint(0, 10, (steps * batch,))
    position = 0

    def step():
        nonlocal position
        x = images[position : position + batch].contiguous(memory_format=layout)
        y = labels[position : position + batch]
        position = (position + batch) % (steps * batch)
        optimiser.zero_grad(set_to_none=True)
        F.cross_entropy(model(x), y).backward()
        optimiser.step()

    timed(step, max(2, min(WARM_UP_IMAGES, arguments.images) // batch))
    times = timed(step, steps)
    return {"images": steps * batch, "images_per_second": steps * batch / sum(times), "median_ms": 1e3 * sum(times)}


def infer(arguments):
    layout = memory_format(arguments.layout)
    model = reference_cnn().eval().to(memory_format=layout)
    x = torch.rand(arguments.batch, 1, 28, 28).contiguous(memory_format=layout)
    with torch.inference_mode():
        timed(lambda: model(x), 3)
        median = statistics.median(timed(lambda: model(x), arguments.passes))
    return {"images": arguments.batch, "images_per_second": arguments.batch / median, "median_ms": 1e3 * median}


def kernels(arguments):
    layout, batch = memory_format(arguments.layout), arguments.batch
    x = torch.rand(batch, 32, 24, 24).contiguous(memory_format=layout)
    w = torch.rand(32, 32, 5, 5).contiguous(memory_format=layout)
    b = torch.rand(32)
    seed = torch.rand(batch, 32, 20, 20).contiguous(memory_format=layout)

    def backward(*wanted):
        one = [1, 1]
        torch.ops.aten.convolution_backward(seed, x, w, [32], one, [0, 0], one, False, [0, 0], 1, list(wanted))

    flops = 2 * batch * 20 * 20 * 32 * 32 * 25
    measured = []
    for name, function in (
        ("conv2 forward", lambda: F.conv2d(x, w, b)),
        ("conv2 input gradient", lambda: backward(True, False, False)),
        ("conv2 weight gradient", lambda: backward(False, True, True)),
    ):
        timed(function, 3)
        median = statistics.median(timed(function, arguments.passes))
        measured.append({"name": name, "median_ms": 1e3 * median, "gflops": flops / median / 1e9})
    return {"kernels": measured}


def predict(_):
    with torch.inference_mode():
        probabilities = reference_cnn().eval()(torch.rand(1, 1, 28, 28)).softmax(1)
    return {"predicted": int(probabilities.argmax())}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["train", "infer", "kernels", "predict"])
    parser.add_argument("--layout", choices=["nchw", "nhwc"], default="nchw")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--images", type=int, default=12800)
    parser.add_argument("--passes", type=int, default=12)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    result = {"mode": arguments.mode, "torch": torch.__version__, "cpu_capability": torch.backends.cpu.get_cpu_capability()}
    result |= {"layout": arguments.layout, "batch": arguments.batch, "threads": arguments.threads}
    result |= {"train": train, "infer": infer, "kernels": kernels, "predict": predict}[arguments.mode](arguments)
    json.dump(result, sys.stdout)
    print()


if __name__ == "__main__":
    main()
