"""Checks saved networks that read sequences with onnx.checker and ONNX Runtime.

Takes a folder with `cases.json`: a list of {"model", "symbols", "sequences", "answers"}; beside it lie the models. Says what differs and
exits with 1, or prints the largest difference.
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
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    batch = np.array(case["sequences"], np.int64 if case["symbols"] else np.float32)
    assert entry.shape[:2] == ["N", "T"], entry.shape
    (found,) = session.run(None, {entry.name: batch})
    wanted = np.array(case["answers"], np.float32)
    assert found.shape[0] == len(wanted), found.shape
    found = found.reshape(wanted.shape)
    np.testing.assert_allclose(found, wanted, 0, 1e-5)
    return float(np.abs(found - wanted).max())


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
