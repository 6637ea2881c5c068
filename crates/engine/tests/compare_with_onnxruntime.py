"""Compares with ONNX Runtime, for onnx_models.rs.

compare MODEL FOLDER      FOLDER/input.f32 through MODEL against FOLDER/0.f32, 1.f32 …: 1e-4 of the largest number
written FOLDER            the same for FOLDER/*/model.onnx, each checked and run as it stands
randomise MODEL RESULT    writes the model with random weights where it fills them with one number
"""

import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper


def compare(model, folder):
    onnxruntime.set_default_logger_severity(3)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    shape = [size if isinstance(size, int) else 1 for size in entry.shape]
    batch = np.fromfile(pathlib.Path(folder, "input.f32"), "<f4").reshape(shape)
    worst = 0.0
    for index, wanted in enumerate(session.run(None, {entry.name: batch})):
        found = np.fromfile(pathlib.Path(folder, f"{index}.f32"), "<f4").reshape(wanted.shape)
        difference = float(np.abs(found - wanted).max() / np.abs(wanted).max())
        if not difference < 1e-4:
            sys.exit(f"output {index} differs by {difference:.1e} of the largest number")
        worst = max(worst, difference)
    print(f"{pathlib.Path(model).stem}: {worst:.1e}")


def written(folder):
    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    problems, count = [], 0
    for path in sorted(pathlib.Path(folder).glob("*/model.onnx")):
        count += 1
        try:
            onnx.checker.check_model(str(path), full_check=True)
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            (entry,) = session.get_inputs()
            batch = np.fromfile(path.with_name("input.f32"), "<f4").reshape(-1, *entry.shape[1:])
            for index, wanted in enumerate(session.run(None, {entry.name: batch})):
                found = np.fromfile(path.with_name(f"{index}.f32"), "<f4").reshape(wanted.shape)
                difference = float(np.abs(found - wanted).max() / max(np.abs(wanted).max(), 1e-3))
                if not difference < 1e-4:
                    problems.append(f"{path.parent.name}: output {index} differs by {difference:.1e}")
        except Exception as error:
            problems.append(f"{path.parent.name}: {str(error)[:300]}")
    if problems:
        sys.exit("\n".join(problems))
    print(f"{count} written models agree")


def randomise(model, result):
    model = onnx.load(model)
    rng = np.random.default_rng(1)
    graph = model.graph
    shapes = {w.name: numpy_helper.to_array(w) for w in graph.initializer}
    variances = {n.input[4] for n in graph.node if n.op_type == "BatchNormalization"}
    kept = []
    for node in graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        shape = shapes[node.input[0]]
        fan_in = max(1, int(np.prod(shape[1:])))
        if len(shape) > 1:
            values = rng.normal(0, (2 / fan_in) ** 0.5, shape)
        else:
            values = rng.uniform(0.5, 1.5, shape) if node.output[0] in variances else rng.uniform(-0.2, 0.6, shape)
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), node.output[0]))
    del graph.node[:]
    graph.node.extend(kept)
    model.ir_version = 8  # weights need not be among the inputs
    onnx.save(model, result)


{"compare": compare, "randomise": randomise, "written": written}[sys.argv[1]](*sys.argv[2:])
