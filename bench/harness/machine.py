"""What the figures were measured on, and which processors both sides share."""

import datetime
import os
import pathlib
import platform
import subprocess


def pick_cpus(count):
    """`count` processors of this process's own, on different cores while there are enough; None where unsupported."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    first_of_core, second_of_core, seen = [], [], set()
    for cpu in sorted(os.sched_getaffinity(0)):
        siblings = pathlib.Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        core = siblings.read_text().strip() if siblings.exists() else str(cpu)
        (second_of_core if core in seen else first_of_core).append(cpu)
        seen.add(core)
    return (first_of_core + second_of_core)[:count]


def pin(cpus):
    """A `preexec_fn` that keeps a child on `cpus`."""
    if cpus is None:
        return None
    return lambda: os.sched_setaffinity(0, cpus)


def cpu_name():
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists():
        fields = dict(line.split(":", 1) for line in info.read_text().split("\n\n")[0].splitlines() if ":" in line)
        fields = {key.strip(): value.strip() for key, value in fields.items()}
        name = fields.get("model name") or platform.machine()
        if "cpu family" in fields:  # a virtual machine's model name may say no more than the maker's
            name += f" (family {fields['cpu family']} model {fields.get('model', '?')})"
        return name, sorted(vector_extensions(fields.get("flags", fields.get("Features", "")).split()))
    return platform.processor() or platform.machine(), []


def vector_extensions(flags):
    return {"avx2", "fma", "avx512f", "avx512_bf16", "amx_tile", "asimd", "sve"} & set(flags)


def first_line(*command):
    try:
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return out.strip().splitlines()[0] if out.strip() else ""


def commit():
    """The commit that was measured, with `+changes` where the tree differs from it."""
    name = first_line("git", "rev-parse", "--short", "HEAD")
    dirty = first_line("git", "status", "--porcelain", "--untracked-files=no", "--", "crates", "Cargo.lock")
    return f"{name}+changes" if dirty else name


def describe(cpus):
    name, extensions = cpu_name()
    return {
        "cpu": name,
        "vector_extensions": extensions,
        "cpus_in_machine": os.cpu_count(),
        "cpus_used": cpus,
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "date": datetime.date.today().isoformat(),
        "rustc": first_line("rustc", "--version"),
        "python": platform.python_version(),
        "commit": commit(),
        "rustflags": os.environ.get("RUSTFLAGS", ""),
    }
