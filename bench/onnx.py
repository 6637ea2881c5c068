#!/usr/bin/env python3
"""Forward passes of real ONNX models beside ONNX Runtime, two threads each, in turn.

    python3 bench/onnx.py FOLDER [--only light_resnet50,light_vgg19] [--batches 1,32] [--seconds 3] [--rounds 3] [--out FILE]

FOLDER holds the models. The interpreter with onnxruntime is named by CUTAWAY_BENCH_PYTHON (or the one that runs this). Every
measurement is a process of its own; a round measures both sides of every model, the next round in the opposite order; the
medians of all rounds are compared.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

from harness import machine, sides

HERE = pathlib.Path(__file__).resolve().parent


def last_json(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command[0]}: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--batches", default="1,32")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    python = os.environ.get("CUTAWAY_BENCH_PYTHON", sys.executable)
    ours = sides.example("onnx_forward")
    wanted = [name for name in arguments.only.split(",") if name]
    models = [path for path in sorted(arguments.folder.glob("*.onnx")) if not wanted or path.stem in wanted]
    if not models:
        sys.exit(f"no model of that name in {arguments.folder}")
    commands = {
        "cutaway": lambda model, batch: [ours, model, batch, arguments.seconds],
        "onnxruntime": lambda model, batch: [python, HERE / "peers" / "ort_infer.py", model, batch, arguments.seconds],
    }
    rows = []
    for model in models:
        for batch in map(int, arguments.batches.split(",")):
            times = {side: [] for side in commands}
            for number in range(arguments.rounds):
                for side in list(commands)[:: 1 if number % 2 == 0 else -1]:
                    times[side].append(last_json(commands[side](model, batch)))
            median = {side: statistics.median(one["median_ms"] for one in runs) for side, runs in times.items()}
            fastest = {side: min(one["fastest_ms"] for one in runs) for side, runs in times.items()}
            row = {"model": model.stem, "batch": batch, "median_ms": median, "fastest_ms": fastest}
            row["ratio"] = median["cutaway"] / median["onnxruntime"]
            row["ratio_of_fastest"] = fastest["cutaway"] / fastest["onnxruntime"]
            rows.append(row)
            print(f"{model.stem:32} batch {batch:3}  cutaway {median['cutaway']:9.2f} ms  onnxruntime {median['onnxruntime']:9.2f} ms  "
                  f"ratio {row['ratio']:.2f}  (fastest {row['ratio_of_fastest']:.2f})", flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps({"machine": machine.describe(machine.pick_cpus(2)), "rows": rows}, indent=1) + "\n")


main()
