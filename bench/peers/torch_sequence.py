"""PyTorch's side of training on sequences. One measurement a process; prints one line of JSON.

    torch_sequence.py --cell tanh|relu|lstm|gru --length N --steps N --threads T [--flush 1]

An embedding of 22 symbols in 16 values, one layer of 64 states, a head for two classes from the last state; forward, cross-entropy,
backward and a step of Adam on a batch of 32 random sequences of the same length, after three steps of warm-up. The median
step counts. With `--flush 1` the processor takes subnormal numbers for 0, as PyTorch can be told and does not do by itself.
"""

import argparse
import json
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

SYMBOLS, EMBEDDING, HIDDEN, BATCH, WARM_UP = 22, 16, 64, 32, 3


class Network(nn.Module):
    def __init__(self, cell):
        super().__init__()
        kind = {"tanh": nn.RNN, "relu": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell]
        options = {"nonlinearity": cell} if kind is nn.RNN else {}
        self.embedding = nn.Embedding(SYMBOLS, EMBEDDING)
        self.rnn = kind(EMBEDDING, HIDDEN, batch_first=True, **options)
        self.head = nn.Linear(HIDDEN, 2)

    def forward(self, x):
        states, _ = self.rnn(self.embedding(x))
        return self.head(states[:, -1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", choices=["tanh", "relu", "lstm", "gru"], default="lstm")
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--flush", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.flush and not torch.set_flush_denormal(True):
        parser.error("this processor cannot take subnormal numbers for 0")
    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    network = Network(arguments.cell)
    optimiser = torch.optim.Adam(network.parameters())
    x = torch.randint(0, SYMBOLS, (BATCH, arguments.length))
    y = torch.randint(0, 2, (BATCH,))
    times = []
    for _ in range(WARM_UP + arguments.steps):
        start = time.perf_counter()
        optimiser.zero_grad(set_to_none=True)
        F.cross_entropy(network(x), y).backward()
        optimiser.step()
        times.append(time.perf_counter() - start)
    median = statistics.median(times[WARM_UP:])
    result = vars(arguments) | {"torch": torch.__version__, "batch": BATCH, "median_ms": 1e3 * median}
    print(json.dumps(result | {"tokens_per_second": BATCH * arguments.length / median}))


if __name__ == "__main__":
    main()
