"""ONNX Runtime's forward pass: ort_infer.py MODEL BATCH SECONDS [THREADS] prints one JSON object like the example onnx_forward.

A model that was exported for a batch of 1 gets its images one after the other, since it takes no more at once."""

import json
import sys
import time

import numpy as np
import onnxruntime

model, batch, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
onnxruntime.set_default_logger_severity(3)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(sys.argv[4]) if len(sys.argv) > 4 else 2
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
(entry,) = session.get_inputs()
images = np.random.default_rng(0).random([batch, *entry.shape[1:]]).astype(np.float32)
pieces = np.split(images, batch) if entry.shape[0] == 1 else [images]


def one_pass():
    start = time.perf_counter()
    for piece in pieces:
        session.run(None, {entry.name: piece})
    return (time.perf_counter() - start) * 1e3


one_pass()
times, begin = [], time.perf_counter()
while len(times) < 3 or time.perf_counter() - begin < seconds:
    times.append(one_pass())
times.sort()
result = {"batch": batch, "fastest_ms": times[0], "median_ms": times[len(times) // 2], "passes": len(times)}
print(json.dumps(result | {"version": onnxruntime.__version__}))
