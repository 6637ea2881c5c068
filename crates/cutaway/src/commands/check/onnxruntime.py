"""Runs a model in ONNX Runtime for `cutaway check`: python -c THIS MODEL FOLDER

FOLDER holds request.json ({"shape": [...], "values": [names]}) and input.f32 (little-endian). Written beside them:
a file of numbers for each output and, where the package onnx is there, for each of the values inside, and
result.json, which names them or says what went wrong.
"""

import json
import pathlib
import sys


def main(model, folder):
    folder = pathlib.Path(folder)
    result = {"outputs": [], "inside": [], "problem": None, "inside_problem": None, "version": None}
    try:
        try:
            import numpy as np
            import onnxruntime as ort
        except ImportError as error:
            result["problem"] = f"{sys.executable} has no onnxruntime ({error})"
            return result
        result["version"] = ort.__version__
        ort.set_default_logger_severity(4)
        request = json.loads((folder / "request.json").read_text())
        batch = np.fromfile(folder / "input.f32", "<f4").reshape(request["shape"])
        kinds = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}

        def run(path, options, wanted, kind):
            session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            weights = {entry.name for entry in session.get_overridable_initializers()}
            entry = [entry for entry in session.get_inputs() if entry.name not in weights][0]
            names = [out.name for out in session.get_outputs() if wanted is None or out.name in wanted]
            found = session.run(names, {entry.name: batch.astype(kinds.get(entry.type, np.float32))})
            for name, values in zip(names, found):
                values = np.asarray(values)
                if values.dtype.kind not in "fiub":
                    continue
                file = f"{kind}{len(result[kind])}.f32"
                np.ascontiguousarray(values, "<f4").tofile(folder / file)
                floats = values.dtype.kind == "f"
                result[kind].append({"name": name, "shape": list(values.shape), "floats": floats, "file": file})

        run(model, ort.SessionOptions(), None, "outputs")
        try:
            import onnx

            proto = onnx.load(model)
            known = {out.name for out in proto.graph.output}
            made = {name for node in proto.graph.node for name in node.output}
            inside = [name for name in request["values"] if name in made]
            proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inside if name not in known)
            copy = folder / "all-outputs.onnx"
            onnx.save(proto, str(copy))
            options = ort.SessionOptions()
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
            run(copy, options, set(inside), "inside")
        except Exception as error:
            result["inside"] = []
            result["inside_problem"] = f"{type(error).__name__}: {error}"[:400]
    except Exception as error:
        result["problem"] = f"ONNX Runtime: {type(error).__name__}: {error}"[:600]
    return result


answer = main(*sys.argv[1:3])
pathlib.Path(sys.argv[2], "result.json").write_text(json.dumps(answer))
