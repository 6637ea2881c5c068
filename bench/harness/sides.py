"""Starting the two sides: building ours, preparing PyTorch's interpreter, running one measurement of either."""

import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import venv

from . import machine

BENCH = pathlib.Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
TIME_LIMIT_S = 1800


class BenchError(Exception):
    """One section cannot be measured; the message says why."""


class Skipped(BenchError):
    """One section needs what is not there; the message says what."""


def interpreter():
    """The Python with PyTorch in it: CUTAWAY_BENCH_PYTHON, or bench/.venv, made on first use."""
    named = os.environ.get("CUTAWAY_BENCH_PYTHON")
    if named:
        return named
    home = BENCH / ".venv"
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not has_torch(python):
        print(f"installing PyTorch into {home.relative_to(ROOT)} (some minutes, once)", file=sys.stderr)
        venv.create(home, with_pip=True)
        installed = subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", BENCH / "requirements.txt"])
        if installed.returncode or not has_torch(python):
            raise BenchError(f"pip could not install {BENCH / 'requirements.txt'}: set CUTAWAY_BENCH_PYTHON to a Python that has torch")
    return str(python)


def has_torch(python):
    try:
        return subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0
    except OSError:
        return False


def build(*target):
    """Build one target in release mode; the path of its executable, as cargo tells it."""
    command = ["cargo", "build", "--release", "--message-format=json-render-diagnostics", *target]
    built = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if built.returncode:
        raise BenchError(f"`{' '.join(command)}` failed")
    messages = (json.loads(line) for line in built.stdout.splitlines() if line.startswith("{"))
    executables = [message["executable"] for message in messages if message.get("executable")]
    if not executables:
        raise BenchError(f"`{' '.join(command)}` built no executable")
    return executables[-1]


def example(name, package="cutaway-engine"):
    return build("-p", package, "--example", name)


def program():
    return build("-p", "cutaway", "--bin", "cutaway")


class Finished:
    """A process that ended well: its output, its time from start to end, the most memory it held."""

    def __init__(self, stdout, seconds, peak_bytes):
        self.stdout, self.seconds, self.peak_bytes = stdout, seconds, peak_bytes

    def json(self):
        """The one JSON object on stdout, spread over lines or alone on the last one."""
        lines = self.stdout.strip().splitlines()
        for text in (self.stdout, lines[-1] if lines else ""):
            try:
                return json.loads(text)
            except ValueError:
                continue
        raise BenchError(f"expected one JSON object, got: {self.stdout[-300:]!r}")


def run(command, cpus, environment=None):
    """Run to the end on `cpus`. Memory is the process's own peak (`wait4`), so it counts no earlier child."""
    command = [str(part) for part in command]
    start = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | (environment or {}), preexec_fn=machine.pin(cpus),
    )  # fmt: skip
    try:
        stdout, stderr, usage = collect(process)
    except BaseException:
        process.kill()
        raise
    seconds = time.perf_counter() - start
    if process.returncode:
        raise BenchError(f"`{' '.join(command)}` ended with {process.returncode}: {stderr.strip()[-600:]}")
    bytes_per_unit = 1 if sys.platform == "darwin" else 1024
    return Finished(stdout, seconds, usage.ru_maxrss * bytes_per_unit)


def collect(process):
    """Both outputs and the resource usage. stderr goes through a thread so that neither pipe can fill up and block."""
    errors = []
    reader = threading.Thread(target=lambda: errors.append(process.stderr.read()), daemon=True)
    watchdog = threading.Timer(TIME_LIMIT_S, process.kill)
    reader.start()
    watchdog.start()
    stdout = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    watchdog.cancel()
    reader.join()
    return stdout, errors[0], usage


class Sides:
    """Both sides on the same processors; executables and the interpreter are prepared when first asked for."""

    def __init__(self, threads):
        self.threads = threads
        self.cpus = machine.pick_cpus(threads)
        self.prepared = {}

    def prepare(self, key, how):
        if key not in self.prepared:
            self.prepared[key] = how()
        return self.prepared[key]

    def python(self):
        return self.prepare("python", interpreter)

    def cutaway(self, mode, threads=None, **options):
        executable = self.prepare("bench_cnn", lambda: example("bench_cnn"))
        return self.measure([executable, mode], threads, options).json()

    def peak(self, threads=None, **options):
        executable = self.prepare("peak", lambda: example("peak"))
        return self.measure([executable], threads, options).json()

    def sequence(self, **options):
        executable = self.prepare("bench_sequence", lambda: example("bench_sequence", "cutaway-recurrent"))
        return self.measure([executable], None, options).json()

    def torch_sequence(self, **options):
        return self.measure([self.python(), BENCH / "peers" / "torch_sequence.py"], None, options).json()

    def program(self, *arguments):
        executable = self.prepare("program", program)
        return run([executable, *arguments], self.cpus)

    def reservoir(self, precision, **options):
        executable = self.prepare("bench_reservoir", lambda: example("bench_reservoir"))
        return self.measure([executable, precision], None, options).json()

    def reservoirpy(self, **options):
        return self.measure([self.python(), BENCH / "peers" / "reservoirpy_esn.py"], None, options).json()

    def torch_sweep(self, mode, **options):
        return self.measure([self.python(), BENCH / "peers" / "torch_sweep.py", mode], None, options).json()

    def sweep_model(self, model, **options):
        executable = self.prepare("bench_sweep", lambda: example("bench_sweep"))
        return self.measure([executable, model], None, options).json()

    def torch_sweep_model(self, mode, **options):
        return self.measure([self.python(), BENCH / "peers" / "torch_sweep_models.py", mode], None, options).json()

    def attack_peer(self, package, name, **options):
        """Foolbox or torchattacks on the built-in model; refused where the interpreter lacks it."""
        if not self.has("foolbox", package, "onnx"):
            raise BenchError(f"the Python with PyTorch needs foolbox, {package} and onnx, too")
        return self.measure([self.python(), BENCH / "peers" / f"{package}_attack.py", name], None, options).json()

    def onnx(self, model, batch, seconds):
        executable = self.prepare("onnx_forward", lambda: example("onnx_forward"))
        return self.measure([executable, model, batch, seconds], None, {}).json()

    def onnxruntime(self, model, batch, seconds):
        return run([self.python(), BENCH / "peers" / "ort_infer.py", model, batch, seconds, self.threads], self.cpus).json()

    def torch_attribute(self, name, **options):
        return self.measure([self.python(), BENCH / "peers" / "torch_attribute.py", name], None, options).json()

    def has(self, *packages):
        """Whether the interpreter has all of these packages."""
        return subprocess.run([self.python(), "-c", f"import {', '.join(packages)}"], capture_output=True).returncode == 0

    def torch(self, mode, threads=None, environment=None, **options):
        return self.torch_process(mode, threads, environment, **options).json()

    def torch_process(self, mode, threads=None, environment=None, **options):
        script = BENCH / "peers" / "torch_cnn.py"
        return self.measure([self.python(), script, mode], threads, options, environment)

    def measure(self, command, threads, options, environment=None):
        threads = threads or self.threads
        cpus = self.cpus and self.cpus[:threads]
        flags = [part for name, value in options.items() if value is not None for part in (f"--{name}", value)]
        return run([*command, "--threads", threads, *flags], cpus, environment)
