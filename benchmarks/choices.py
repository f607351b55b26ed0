"""How near 'auto' comes to the best algorithm: ``python benchmarks/choices.py torch --dtype float64 --verb dx``.

Layers are drawn at random, and each is timed by every algorithm and by 'auto', in turn and in one process, because all
algorithms of a library share its threads. It prints how many times as fast as the library's own op, or as NumPy's
tiles, the choice and the best algorithm are in the geometric mean, and the layers on which the choice loses most.
"""

import argparse
from math import exp, log, prod
from random import Random
from statistics import median
from time import perf_counter
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

import upconv

# The first is what the others are compared with.
ALGORITHMS = {
    "numpy": ("overlap_add", "auto", "direct", "sub_pixel"),
    "torch": ("native", "auto", "direct", "overlap_add"),
    "jax": ("lhs_dilation", "auto", "overlap_add", "sub_pixel"),
}
FEWEST, MOST = 10**6, {"numpy": 7 * 10**8, "torch": 7 * 10**8, "jax": 2 * 10**7}  # products; XLA's own op takes seconds
LARGEST = 2 * 10**7  # numbers of an image
BLOCK_S = 0.004  # that a block of calls takes at least


class Drawn(NamedTuple):
    """A layer, as the words of a call."""

    x: tuple[int, ...]
    weight: tuple[int, ...]
    words: dict[str, object]

    @property
    def products(self):
        return prod(self.x) * prod(self.weight[1:])


def draw(random, most):
    """Draw a layer that is neither small nor long: of one to three axes, dense, grouped or depthwise."""
    while True:
        rank, kind = random.choice((1, 2, 2, 2, 2, 3)), random.choice(("dense", "dense", "groups", "depthwise"))
        ins = random.choice((1, 3, 4, 8, 16, 21, 32, 48, 64, 96, 128, 192, 256, 512))
        outs = random.choice((1, 2, 3, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512))
        groups = 1
        if kind == "groups":
            groups = random.choice((2, 4, 8))
        if kind == "depthwise":
            groups, ins, outs = ins * 4, 1, random.choice((1, 1, 2))
        at_once = random.choice((1, 1, 1, 2, 4, 8, 16, 32, 64))
        size = tuple(random.choice((4, 7, 8, 14, 16, 28, 32, 56, 64, 112, 400)) for _ in range(rank))
        kernel = tuple(random.choice((2, 3, 3, 4, 4, 5, 6, 7, 9, 16)) for _ in range(rank))
        stride = tuple(random.choice([s for s in (1, 2, 3, 4, 8) if s <= k]) for k in kernel)
        words = {"stride": stride, "padding": tuple((k - s) // 2 for k, s in zip(kernel, stride, strict=True))}
        layer = Drawn((at_once, ins * groups, *size), (ins * groups, outs, *kernel), words | {"groups": groups})
        if not FEWEST < layer.products < most or prod(layer.x) > LARGEST:
            continue
        if prod(upconv.output_shape(layer.x, layer.weight, **layer.words)) < LARGEST:
            return layer


def calls(layer, verb, make, algorithms):
    """A call by each algorithm that takes it."""
    random = np.random.default_rng(0)
    x, weight = (make(random.standard_normal(shape)) for shape in (layer.x, layer.weight))
    y = upconv.conv_transpose(x, weight, **layer.words)
    verbs = {
        "forward": lambda name: upconv.conv_transpose(x, weight, **layer.words, algorithm=name),
        "dx": lambda name: upconv.conv(y, weight, **layer.words, algorithm=name),
        "dweight": lambda name: upconv.conv_weight(x, y, layer.weight[2:], **layer.words, algorithm=name),
    }
    found = {}
    for name in algorithms:
        try:
            verbs[verb](name)
        except ValueError:  # it does not take the layer
            continue
        found[name] = lambda name=name: wait(verbs[verb](name))
    return found


def wait(y):
    """JAX computes beside the program that calls it."""
    return getattr(y, "block_until_ready", lambda: y)()


def time_in_turn(found, rounds):
    """Return seconds of each call, the median of its rounds."""
    seconds = {name: [] for name in found}
    for _ in range(rounds):
        for name, call in found.items():
            call()  # what it reads is in the caches, as far as it fits
            begin, n = perf_counter(), 0
            while perf_counter() - begin < BLOCK_S or not n:
                call()
                n += 1
            seconds[name].append((perf_counter() - begin) / n)
    return {name: median(each) for name, each in seconds.items()}


def mean(ratios):
    return exp(sum(map(log, ratios)) / len(ratios))


def parse():
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("library", choices=ALGORITHMS)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--verb", default="forward", choices=("forward", "dx", "dweight"))
    parser.add_argument("--layers", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main():
    arguments, console = parse(), Console()
    if arguments.library == "torch":
        import torch

        def make(array):
            return torch.from_numpy(array).to(getattr(torch, arguments.dtype))

    elif arguments.library == "jax":
        import jax

        def make(array):
            return jax.numpy.asarray(array, arguments.dtype)

    else:

        def make(array):
            return array.astype(arguments.dtype)

    algorithms, random, rows = ALGORITHMS[arguments.library], Random(arguments.seed), []  # noqa: S311  no secrets
    base = algorithms[0]
    for _ in track(range(arguments.layers), description="Layers", console=console):
        layer = draw(random, MOST[arguments.library])
        rows.append((layer, time_in_turn(calls(layer, arguments.verb, make, algorithms), arguments.rounds)))
    table = Table(title=f"{arguments.library}, {arguments.verb}, {arguments.dtype}: where 'auto' loses most")
    for name in ("x", "weight", "words", "ms"):
        table.add_column(name, overflow="fold")
    for layer, seconds in sorted(rows, key=lambda row: min(row[1].values()) / row[1]["auto"])[:10]:
        said = ", ".join(f"{name} {value * 1e3:.3g}" for name, value in seconds.items())
        table.add_row(*map(str, layer[:2]), " ".join(f"{k}={v}" for k, v in layer.words.items()), said)
    console.print(table)
    auto = mean([seconds[base] / seconds["auto"] for _, seconds in rows])
    best = mean([seconds[base] / min(seconds.values()) for _, seconds in rows])
    console.print(f"{len(rows)} layers: 'auto' {auto:.2f} times as fast as {base}, the best of all {best:.2f} times")


if __name__ == "__main__":
    main()
