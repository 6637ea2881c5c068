"""The measured numbers as Markdown, the same text on the terminal and in docs/performance.md."""

NAMES = {"nchw": "NCHW", "nhwc": "channels_last"}


def table(header, rows):
    """Left-aligned first column, the others right-aligned."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def speed(row):
    return f"{row['images_per_second']:,.0f}"


def spread(row):
    return f"{row['lowest']:,.0f}–{row['highest']:,.0f}"


def ratio(value):
    return f"{value:.2f}×"


def share(value):
    return f"{100 * value:.0f} %"


def megabytes(count):
    return f"{count / 1e6:,.0f} MB"


def train(result):
    rows = [["**Cutaway**", row["batch"], speed(row), spread(row)] for row in result["cutaway"]]
    rows += [[f"PyTorch, {NAMES[row['layout']]}", row["batch"], speed(row), spread(row)] for row in result["torch"]]
    ours, theirs = result["cutaway_default"], result["torch_best"]
    return "\n".join(
        [
            table(["training", "batch", "images/s, median", "lowest–highest"], rows),
            "",
            f"At the default batch size of {result['default_batch']}: **{speed(ours)} images/s, "
            f"{ratio(result['ratio'])} PyTorch's best** ({NAMES[theirs['layout']]}, batch {theirs['batch']}: {speed(theirs)}). "
            f"Counted as direct convolutions, that is {share(result['share_of_peak'])} of the measured multiply-add peak "
            f"of {result['peak']['gflops']:,.0f} GFLOP/s; PyTorch's best is {share(result['torch_share_of_peak'])}.",
        ]
    )


def infer(result):
    rows = []
    for one in result["batches"]:
        torch = ", ".join(f"{NAMES[row['layout']]} {speed(row)}" for row in one["torch"])
        rows.append([one["batch"], f"**{speed(one['cutaway'])}**", torch, ratio(one["ratio"]), share(one["share_of_peak"])])
    return table(["inference, images", "Cutaway, images/s", "PyTorch, images/s", "against its better", "share of peak"], rows)


def sweep(result):
    rows = [
        [f"**Cutaway**, {row['strategy']}, {row['image']}", milliseconds(row["ms"]), ratio(row["against_torch"]), ratio(row["against_captum"])]
        for row in result["cutaway"]
    ]
    rows += [[f"PyTorch batched by hand, {NAMES[row['layout']]}, {row['batch']} at once", milliseconds(row["ms"]), "", ""] for row in result["torch"]]
    rows += [[f"Captum `Occlusion`, {row['batch']} at once" + (" (as it comes)" if row["batch"] == 1 else ""), milliseconds(row["ms"]), "", ""] for row in result["captum"]]
    text = table(["441 windows of 8×8, one image", "ms, median", "PyTorch's best ÷ ours", "Captum as it comes ÷ ours"], rows)
    if "test_set" in result:
        whole = result["test_set"]
        text += f"\n\nEvery window over every test image of `{whole['data']}` (`cutaway occlude --all`): {whole['windows']:,} windows in **{whole['seconds']:,.0f} s**."
    return text


def sweep_models(result):
    rows = []
    for row in result["rows"]:
        label = {
            "cutaway": lambda row: f"**Cutaway**, {row['strategy']}",
            "torch": lambda row: f"PyTorch batched by hand, {NAMES[row['layout']]}, {row['batch']} at once (its best)",
            "captum": lambda row: "Captum `Occlusion` as it comes",
        }[row["side"]](row)
        against = [ratio(row[key]) if key in row else "" for key in ("full", "against_torch", "against_captum")]
        rows.append([row["model"], label, row["windows"], milliseconds(row["ms"]), *against])
    header = ["model", "how", "windows timed", "ms a window", "our full ÷ this", "PyTorch's best ÷ this", "Captum ÷ this"]
    return table(header, rows)


def milliseconds(value):
    return f"{value:.1f}"


def isa(result):
    rows = []
    for one in result["modes"]:
        theirs = one["torch_avx2_best"]
        for name, row in one["cutaway"].items():
            label = f"auto ({row['isa']})" if name == "auto" else name
            against = ratio(row["images_per_second"] / theirs["images_per_second"])
            rows.append([f"{one['mode']}, batch {row['batch']}", label, speed(row), speed(theirs), against])
    header = ["work", "Cutaway's kernels", "Cutaway, images/s", "PyTorch held to AVX2, images/s", "ratio"]
    return table(header, rows)


def scaling(result):
    rows = [
        [f"{one['mode']}, batch {one['all']['batch']}", speed(one["one"]), speed(one["all"]), ratio(one["ratio"])]
        for one in result["modes"]
    ]
    return table(["work", "1 thread, images/s", f"{result['threads']} threads, images/s", "gain"], rows)


def kernels(result):
    rows = []
    for one in result["kernels"]:
        theirs = f"{one['torch_best_gflops']:,.0f}" if one["torch_best_gflops"] else "–"
        rows.append([one["name"], f"{one['gflops']:,.0f}", share(one["share_of_peak"]), theirs])
    peak = f"Peak: {result['peak_gflops']:,.0f} GFLOP/s of fused multiply-adds, measured in the same minutes. A share above 100 % is a transform's: the arithmetic is counted as a direct convolution's."
    return table(["layer and pass", "Cutaway, GFLOP/s", "share of peak", "PyTorch's better layout, GFLOP/s"], rows) + "\n\n" + peak


def memory(result):
    rows = [
        [f"`cutaway train`, data set `{result['data']}`, data and program included", megabytes(result["cutaway_bytes"])],
        ["PyTorch, 60,000 images in memory, interpreter included", megabytes(result["torch_bytes"])],
    ]
    return table(["training", "peak memory"], rows)


def startup(result):
    rows = [["`cutaway predict --model builtin`", f"{result['cutaway_ms']:.0f} ms"]]
    if result["torch_ms"]:
        rows.append(["PyTorch, import and one forward pass", f"{result['torch_ms']:,.0f} ms"])
    return table(["one image", f"process start to answer, median of {result['processes']}"], rows)


def reservoir(result):
    size, rows = result["size"], []
    for row in result["rows"]:
        if row["side"] == "reservoirpy":
            how = f"{row['kind']} workers" if row["kind"] else "one sequence after the other"
            name = f"ReservoirPy {row['version']}, f64, {how}"
        else:
            kept = "last and mean state kept" if row["kind"] == "pooled" else "all states kept"
            name = f"**Cutaway**, {row['side']}, {kept}"
        rows.append([name, f"{row['steps_per_second']:,.0f}", spread(row), ratio(row["ratio"])])
    what = f"{size['units']} units, density {size['density']}, {size['sequences']} sequences of {size['steps']} steps"
    return table([what, "steps/s, median", "lowest–highest", "against ReservoirPy's best"], rows)


def millions(row):
    return f"{row['tokens_per_second'] / 1e6:.2f}"


def sequence(result):
    names = {"tanh": "RNN", "lstm": "LSTM", "gru": "GRU"}
    rows = [
        [names[row["cell"]], row["length"], f"**{millions(row['cutaway'])}**", millions(row["torch"]), millions(row["torch_flush"]), ratio(row["ratio"])]
        for row in result["rows"]
    ]
    return table([f"one layer, hidden {result['hidden']}, batch {result['batch']}", "length", "Cutaway, million tokens/s", "PyTorch as it comes", "PyTorch, subnormal numbers taken for 0", "against its better"], rows)


def attack(result):
    rows = []
    for one in result["rows"]:
        a_second = lambda ms, images=one["images"]: f"{1e3 * images / ms:,.1f}"  # noqa: E731
        theirs = ", ".join(f"{NAMES[layout]} {a_second(ms)}" for layout, ms in one["peer_ms"].items())
        accuracies = " / ".join(f"{100 * accuracy:.1f} %" for accuracy in one["robust_accuracy"])
        rows.append([one["attack"], one["images"], f"**{a_second(one['cutaway_ms'])}**", f"{one['peer']}: {theirs}", ratio(one["ratio"]), accuracies])
    header = ["attack", "images", "Cutaway, images/s", "peer, images/s", "against its better", "robust accuracy, ours / its"]
    return table(header, rows)


def onnx(result):
    rows = []
    for one in result["rows"]:
        ours, theirs = one["cutaway"], one["onnxruntime"]
        times = [f"**{ours['ms']:,.1f}**", low_high(ours), f"{theirs['ms']:,.1f}", low_high(theirs)]
        rows.append([one["model"], one["batch"], *times, f"{one['ratio']:.2f}"])
    header = ["model", "batch", "Cutaway, ms", "lowest–highest", f"ONNX Runtime {result['onnxruntime']}, ms", "lowest–highest", "ours ÷ its"]
    return table(header, rows)


def attribute(result):
    rows = []
    for one in result["rows"]:
        counts = ", ".join(f"{value:,} {key}" for key, value in one["counts"].items())
        peer = one["peer"] + (f", {one['batch']} at once" if one["batch"] > 1 else "")
        ours, lowest, highest, its = (f"{1000 * one[key]:,.1f}" for key in ("cutaway_s", "lowest", "highest", "peer_s"))
        rows.append([one["method"], counts, f"**{ours}**", f"{lowest}–{highest}", peer, its, ratio(one["ratio"])])
    return table(["method", "counts", "Cutaway, ms", "lowest–highest", "peer", "its ms", "its ÷ ours"], rows)


def low_high(row):
    return f"{row['lowest']:,.1f}–{row['highest']:,.1f}"


def section(name, result):
    return {
        "train": train,
        "infer": infer,
        "sweep": sweep,
        "sweep-models": sweep_models,
        "isa": isa,
        "scaling": scaling,
        "kernels": kernels,
        "memory": memory,
        "startup": startup,
        "reservoir": reservoir,
        "sequence": sequence,
        "attack": attack,
        "onnx": onnx,
        "attribute": attribute,
    }[name](result)


def provenance(entry):
    """Where, when, with what and by which command a section's figures came about."""
    machine = entry["machine"]
    extensions = ", ".join(machine["vector_extensions"]) or "no vector extension known"
    used = f"{entry['threads']} threads" + (f" pinned to {len(machine['cpus_used'])} processors" if machine["cpus_used"] else "")
    return (
        f"*{machine['date']} · {machine['cpu']}, {extensions} · {used} · {machine['system']} · commit {machine['commit']} · "
        f"{machine['rustc']} · PyTorch {entry['torch'] or '–'} · {entry['repetitions']} round{'s' if entry['repetitions'] > 1 else ''}, the sides in turn · "
        f"`{entry['command']}`*"
    )


def block(name, entry):
    return f"{section(name, entry['result'])}\n\n{provenance(entry)}"
