#!/usr/bin/env python3
"""Cutaway and its peers (PyTorch, ONNX Runtime, ReservoirPy, Foolbox, Captum) side by side on this machine.

    python3 bench/run.py                        # everything, about half an hour on two cores
    python3 bench/run.py --only train,infer     # some sections
    python3 bench/run.py --quick                # does it work? (figures not to be quoted)
    python3 bench/run.py --write-docs           # also bench/results.json and docs/performance.md

Needs Python 3.9 with nothing installed, and a Rust toolchain. PyTorch comes from CUTAWAY_BENCH_PYTHON if that names an
interpreter that has it, else into bench/.venv. What each section measures: bench/README.md.
"""

import argparse
import json
import os
import shlex
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from harness import machine, page, tables  # noqa: E402
from harness.sections import SECTIONS, Effort  # noqa: E402
from harness.sides import BENCH, ROOT, BenchError, Sides, Skipped  # noqa: E402

RESULTS = BENCH / "results.json"
PERFORMANCE = ROOT / "docs" / "performance.md"


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"sections, by commas: {', '.join(SECTIONS)}")
    parser.add_argument("--threads", type=int, default=2, help="threads of both sides (default 2)")
    parser.add_argument("--repetitions", type=int, help="rounds of every measurement (default 5; 1 with --quick)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that everything works")
    parser.add_argument("--data", default="mnist", help="data set of the memory, sweep and attack sections (default mnist)")
    parser.add_argument("--onnx", help="folder with the models of the sections onnx and sweep-models (default: the folder onnx in CUTAWAY_DATA)")
    parser.add_argument("--out", help="write what was measured to this JSON file")
    parser.add_argument("--write-docs", action="store_true", help=f"merge into {RESULTS.name} and docs/performance.md")
    arguments = parser.parse_args()
    arguments.only = [name.strip() for name in arguments.only.split(",") if name.strip()]
    unknown = [name for name in arguments.only if name not in SECTIONS]
    if unknown:
        parser.error(f"no section {', '.join(unknown)}: there are {', '.join(SECTIONS)}")
    if arguments.quick and arguments.write_docs:
        parser.error("--quick figures are not for the docs")
    return arguments


def measure(name, sides, effort, arguments):
    extra = {"data": arguments.data} if name in ("memory", "sweep", "attack") else {}
    extra |= {"folder": arguments.onnx} if name in ("onnx", "sweep-models", "attribute") else {}
    result = SECTIONS[name](sides, effort, **extra)
    return {
        "result": result,
        "machine": machine.describe(sides.cpus),
        "threads": sides.threads,
        "repetitions": effort.repetitions,
        "torch": torch_version(sides) if "torch" in json.dumps(result) else None,
        "command": command(arguments),
    }


def command(arguments):
    """What to type to measure the same again: `--out` and `--write-docs` say only where the figures go."""
    parts = ["python3", "bench/run.py", "--only", ",".join(arguments.only)]
    parts = parts[:2] if arguments.only == list(SECTIONS) else parts
    parts += ["--threads", str(arguments.threads)] if arguments.threads != 2 else []
    parts += ["--repetitions", str(arguments.repetitions)] if arguments.repetitions else []
    parts += ["--data", arguments.data] if arguments.data != "mnist" else []
    return shlex.join(parts + ["--quick"] * arguments.quick)


def torch_version(sides):
    return machine.first_line(sides.python(), "-c", "import torch; print(torch.__version__)")


def merge(path, measured):
    """Sections measured now replace those of an earlier run; the others stay, each with its own date and machine."""
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    page.write(path, json.dumps(earlier | measured, indent=1) + "\n")


def write_docs(measured):
    merge(RESULTS, measured)
    text = PERFORMANCE.read_text(encoding="utf-8")
    for name, entry in measured.items():
        text = page.insert(text, name, tables.block(name, entry))
    page.write(PERFORMANCE, text)


def main():
    arguments = parse()
    sides, effort = Sides(arguments.threads), Effort(arguments.quick, arguments.repetitions)
    measured, failed = {}, []
    for name in arguments.only:
        print(f"\n## {name}\n", flush=True)
        try:
            measured[name] = measure(name, sides, effort, arguments)
            print(tables.block(name, measured[name]), flush=True)
        except Skipped as why:
            print(f"skipped: {why}", flush=True)
        except BenchError as error:
            failed.append(name)
            print(f"not measured: {error}", flush=True)
    if arguments.out:
        page.write(arguments.out, json.dumps(measured, indent=1) + "\n")
    if arguments.write_docs and measured:
        write_docs(measured)
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}")


if __name__ == "__main__":
    main()
