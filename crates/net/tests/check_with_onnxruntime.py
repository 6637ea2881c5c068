"""Checks saved networks with onnx.checker and ONNX Runtime.

Takes a folder with `cases.json`: a list of {"model", "samples", "input", "outputs": [{"name",
"shape"}]}. Beside each MODEL.onnx lie MODEL.input.f32 and, for each output, MODEL.OUTPUT-INDEX.f32:
little-endian float32, the batch first. Says what differs and exits with 1, or prints the largest
difference.
"""

import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime


def check(folder, case):
    path = folder / f"{case['model']}.onnx"
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert model.producer_name == "cutaway"
    assert [node.name for node in model.graph.node] == [node.output[0] for node in model.graph.node]

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    assert entry.shape == ["N", *case["input"]], entry.shape
    batch = np.fromfile(folder / f"{case['model']}.input.f32", "<f4")
    results = session.run(None, {entry.name: batch.reshape(case["samples"], *case["input"])})

    names = [output.name for output in session.get_outputs()]
    assert names == [output["name"] for output in case["outputs"]], names
    largest = 0.0
    for index, (result, output) in enumerate(zip(results, case["outputs"])):
        wanted = np.fromfile(folder / f"{case['model']}.{index}.f32", "<f4")
        wanted = wanted.reshape(case["samples"], *output["shape"])
        assert result.shape == wanted.shape, (output["name"], result.shape, wanted.shape)
        # 1e-4, or for sums of large terms as much in proportion to the largest number.
        scale = max(1.0, float(np.abs(wanted).max()) / 10)
        np.testing.assert_allclose(result, wanted, 0, 1e-4 * scale, err_msg=output["name"])
        largest = max(largest, float(np.abs(result - wanted).max()) / scale)
    return largest


def main():
    folder = pathlib.Path(sys.argv[1])
    cases = json.loads((folder / "cases.json").read_text())
    largest = 0.0
    for case in cases:
        try:
            largest = max(largest, check(folder, case))
        except Exception as error:
            sys.exit(f"{case['model']}: {error}")
    print(f"{len(cases)} models agree, largest difference {largest:.2e}")


main()
