"""ReservoirPy's side of the states of an echo state network: random sequences through one reservoir in float64. One
measurement a process; prints one line of JSON.

    reservoirpy_esn.py --units N --density D --inputs N --sequences N --steps N --workers W --threads T --repeats N

`--workers 0` runs the sequences one after the other, more run them over as many of joblib's workers, as the library offers.
Leak 0.3, spectral radius 0.9; the median repeat counts, after a warm-up.
"""

import argparse
import json
import os
import statistics
import sys
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("units", 500), ("inputs", 21), ("sequences", 200), ("steps", 300), ("workers", 0), ("threads", 2), ("repeats", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--density", type=float, default=0.1)
    arguments = parser.parse_args()
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = str(arguments.threads)

    import numpy as np
    import reservoirpy
    from reservoirpy.nodes import Reservoir

    rng = np.random.default_rng(0)
    sequences = [rng.standard_normal((arguments.steps, arguments.inputs)) for _ in range(arguments.sequences)]
    node = Reservoir(
        arguments.units, lr=0.3, sr=0.9, rc_connectivity=arguments.density, input_connectivity=arguments.density, seed=1
    )

    def states(sequences):
        if arguments.workers:
            return node.run(sequences, workers=arguments.workers)
        return [node.run(sequence) for sequence in sequences]

    states(sequences[: 2 * max(arguments.workers, 1)])
    rates = []
    for _ in range(arguments.repeats):
        start = time.perf_counter()
        states(sequences)
        rates.append(arguments.sequences * arguments.steps / (time.perf_counter() - start))
    result = {"version": reservoirpy.__version__, "workers": arguments.workers, "steps_per_second": statistics.median(rates)}
    json.dump(result, sys.stdout)
    print()


if __name__ == "__main__":
    main()
