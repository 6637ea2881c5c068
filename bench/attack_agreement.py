#!/usr/bin/env python3
"""Our attacks beside Foolbox and torchattacks: the built-in model's weights, the first test images of MNIST, the same
parameters. No timing.

    python3 bench/attack_agreement.py --data DIR [--images 500] [--only fgsm,pgd] [--program target/release/cutaway]

DIR holds the IDX files of MNIST. Needs torch, onnx, foolbox and torchattacks. What every image did goes to
bench/attack-agreement.json (cases measured before stay; `--only ""` measures none), the table to docs/guides/attacking.md.

Robust accuracies agree where the two sides differ by no more than 2 points, or McNemar's exact test on the images that only one side
fools finds no difference at 5 %. Of attacks that look for the nearest image the distances of an image that both fool agree
within 2 % in the median.
"""

import argparse
import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile

BENCH = pathlib.Path(__file__).resolve().parent
ROOT = BENCH.parent
RESULTS = BENCH / "attack-agreement.json"
GUIDE = ROOT / "docs" / "guides" / "attacking.md"
MARKS = "<!-- attack-agreement -->", "<!-- /attack-agreement -->"


# Attacks of ten thousand passes an image and more.
LONG = {"apgd-t", "fab", "fab-t", "cw", "one-pixel", "spatial"}


def within(label, method, norm, epsilon, **more):
    return {"label": label, "method": method, "norm": norm, "epsilon": epsilon} | more


# What is minimised has no bound; its robust accuracy is read off at `at`.
CASES = {
    "fgsm": within("`fgsm`, L∞", "fgsm", "linf", 0.1),
    "pgd": within("`pgd`, L∞, 40 steps", "pgd", "linf", 0.1, steps=40, step_size=0.00625),
    "pgd-l2": within("`pgd`, L2, 40 steps", "pgd", "l2", 1.0, steps=40, step_size=0.0625),
    "mi-fgsm": within("`mi-fgsm`, L∞", "mi-fgsm", "linf", 0.1, steps=10, step_size=0.01),
    "apgd-ce": within("`apgd-ce`, L∞", "apgd-ce", "linf", 0.1),
    "apgd-ce-l2": within("`apgd-ce`, L2", "apgd-ce", "l2", 1.0),
    "apgd-dlr": within("`apgd-dlr`, L∞", "apgd-dlr", "linf", 0.1),
    "apgd-t": within("`apgd-t`, L∞", "apgd-t", "linf", 0.1),
    "square": within("`square`, L∞, 1,000 queries", "square", "linf", 0.1, queries=1000),
    "square-l2": within("`square`, L2, 1,000 queries", "square", "l2", 1.5, queries=1000),
    "deepfool": {"label": "`deepfool`, L2", "method": "deepfool", "norm": "l2", "at": 1.5},
    "deepfool-linf": {"label": "`deepfool`, L∞", "method": "deepfool", "norm": "linf", "at": 0.1},
    "cw": {"label": "`cw`, L2", "method": "cw", "norm": "l2", "at": 1.0},
    "fab": {"label": "`fab`, L∞", "method": "fab", "norm": "linf", "at": 0.1},
    "fab-l2": {"label": "`fab`, L2", "method": "fab", "norm": "l2", "at": 1.0},
    "fab-t": {"label": "`fab-t`, L∞", "method": "fab-t", "norm": "linf", "at": 0.1},
    "one-pixel": {"label": "`one-pixel`", "method": "one-pixel"},
    "spatial": {"label": "`spatial`", "method": "spatial"},
}


def images_of(case, arguments):
    """Attacks that take long get a quarter of the images."""
    return arguments.images // 4 if case["method"] in LONG else arguments.images


def ours(case, arguments):
    """Of each image: null where it is classified wrongly as it is, else whether it was fooled, or how far the nearest is."""
    command = [arguments.program, "attack", "--data", arguments.data, "--method", case["method"], "--limit", images_of(case, arguments), "--threads", arguments.threads, "--json"]
    command += ["--norm", case["norm"]] if "norm" in case else []
    for flag in ("epsilon", "steps", "step_size", "queries"):
        command += ["--" + flag.replace("_", "-"), case[flag]] if flag in case else []
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([str(part) for part in [*command, "--out", folder]], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    rows = json.loads(done.stdout)["methods"][0]
    images = json.loads(done.stdout)["images"]
    name = rows["method"]
    assert name == case["method"], name
    return [row_of(row["label"] == row["predicted"], row["success"], row["epsilon"], case) for row in images]


def theirs(run, case, model, x, y, batch=100):
    import torch
    from agreement_peers import norm_of

    rows = []
    torch.manual_seed(0)
    for first in range(0, len(x), batch):
        images, labels = x[first : first + batch], y[first : first + batch]
        right = model(images).argmax(1) == labels
        made = run(model, images, labels, case).detach()
        fooled = model(made).argmax(1) != labels
        size = norm_of(made - images, case.get("norm", "linf"))
        if "epsilon" in case:
            fooled &= size <= case["epsilon"] * (1 + 1e-4)
        for one in zip(right.tolist(), fooled.tolist(), size.tolist(), strict=True):
            rows.append(row_of(*one, case))
    return rows


def row_of(right, fooled, size, case):
    if not right:
        return None
    return (round(size, 6) if fooled else False) if "at" in case else bool(fooled)


def is_fooled(row, case):
    if row is None:
        return True
    return row is not False and row <= case["at"] * (1 + 1e-6) if "at" in case else row


def mcnemar(only_a, only_b):
    """Two-sided exact p of so many images that only one side fools."""
    n, k = only_a + only_b, min(only_a, only_b)
    return min(1.0, 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n)


def compare(case, mine, other):
    a, b = [[is_fooled(row, case) for row in rows] for rows in (mine, other)]
    only = [sum(x and not y for x, y in zip(p, q, strict=True)) for p, q in ((a, b), (b, a))]
    result = {"images": len(mine), "robust_accuracy": [1 - sum(rows) / len(rows) for rows in (a, b)], "only_one_fools": only, "p": mcnemar(*only)}
    difference = abs(result["robust_accuracy"][0] - result["robust_accuracy"][1])
    result["agrees"] = difference <= 0.02 + 1e-9 or result["p"] > 0.05
    if "at" in case:
        both = [a / b for a, b in zip(mine, other, strict=True) if a and b]
        medians = [median([math.inf if row is False else row for row in rows if row is not None]) for rows in (mine, other)]
        result["median_distance"] = medians
        result["median_ratio"] = statistics.median(both)
        result["agrees"] &= abs(result["median_ratio"] - 1) <= 0.02
    return result


def median(values):
    return statistics.median_low(values)


def table(results):
    lines = [
        "| attack | peer | images | within ε | robust accuracy, ours / its | only ours fools / only its | McNemar p | median distance, ours / its | of an image, ours ÷ its |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, case in CASES.items():
        for peer, one in results["cases"].get(name, {}).get("compared", {}).items():
            accuracies = " / ".join(f"{100 * a:.1f} %" for a in one["robust_accuracy"])
            distances = " / ".join(f"{d:.4f}" for d in one.get("median_distance", []))
            share = f"{one['median_ratio']:.3f}" if "median_ratio" in one else ""
            epsilon = case.get("epsilon", case.get("at", ""))
            only = " / ".join(map(str, one["only_one_fools"]))
            lines.append(f"| {case['label']} | {peer} | {one['images']} | {epsilon} | {accuracies} | {only} | {one['p']:.2f} | {distances} | {share} |")
    return "\n".join(lines)


def write_guide(results):
    text = GUIDE.read_text(encoding="utf-8")
    before, rest = text.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    note = f"*{versions} · the first test images of MNIST, as many as the column says · `python3 bench/attack_agreement.py --data DIR --images N`*"
    GUIDE.write_text(f"{before}{MARKS[0]}\n{table(results)}\n\n{note}\n{MARKS[1]}{after}", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--only", default=",".join(CASES))
    parser.add_argument("--program", default=str(ROOT / "target" / "release" / "cutaway"))
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    sys.path.insert(0, str(BENCH / "peers"))
    import foolbox
    import numpy as np
    import torch
    import torchattacks
    from agreement_peers import PEERS
    from foolbox_attack import builtin, idx

    torch.set_num_threads(arguments.threads)
    model = builtin()
    x = torch.from_numpy(idx(arguments.data, "t10k-images-idx3-ubyte")[: arguments.images, None].astype(np.float32)) / 255
    y = torch.from_numpy(idx(arguments.data, "t10k-labels-idx1-ubyte")[: arguments.images].astype(np.int64))
    versions = {"Foolbox": foolbox.__version__, "torchattacks": torchattacks.__version__, "PyTorch": torch.__version__}
    for name in filter(None, arguments.only.split(",")):
        case = CASES[name]
        count = images_of(case, arguments)
        rows = {"cutaway": ours(case, arguments)}
        for peer, run in PEERS[name].items():
            rows[peer] = theirs(run, case, model, x[:count], y[:count])
        compared = {peer: compare(case, rows["cutaway"], rows[peer]) for peer in PEERS[name]}
        # Read again: another process may have measured other cases.
        results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"cases": {}}
        results["versions"] = versions
        results["cases"][name] = {"parameters": case, "compared": compared, "rows": rows}
        for peer, one in compared.items():
            print(name, peer, "agrees" if one["agrees"] else "DIFFERS", one, flush=True)
        RESULTS.write_text(dump(results), encoding="utf-8")
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    for one in results["cases"].values():
        mine = one["rows"]["cutaway"]
        one["compared"] = {peer: compare(one["parameters"], mine, rows) for peer, rows in one["rows"].items() if peer != "cutaway"}
    RESULTS.write_text(dump(results), encoding="utf-8")
    write_guide(results)


def dump(results):
    """Indented, but the rows of a side on one line."""
    text = json.dumps(results | {"cases": {}}, indent=1)
    cases = ",\n".join(
        f'  {json.dumps(name)}: {{"parameters": {json.dumps(one["parameters"], ensure_ascii=False)},\n   "compared": {json.dumps(one["compared"])},\n   "rows": {{\n'
        + ",\n".join(f"    {json.dumps(side)}: {json.dumps(rows)}" for side, rows in one["rows"].items())
        + "}}"
        for name, one in results["cases"].items()
    )
    return text.replace('"cases": {}', '"cases": {\n' + cases + "\n }") + "\n"


if __name__ == "__main__":
    main()
