"""One decoder, four libraries: trained with JAX, then run on NumPy, PyTorch and TensorFlow with the same weights.

`python examples/super_resolution.py --out picture.png` learns from four photographs to enlarge them three times, in
minutes on two cores, and enlarges one that it never saw.
"""

from argparse import ArgumentParser
from itertools import combinations
from pathlib import Path
from time import perf_counter

import comparison
import jax
import numpy as np
import tensorflow as tf
import torch
from decoder import FACTOR, MARGIN, decode, untrained
from photographs import bicubic, blocks, picture, planes, psnr, read, shrink
from rich.console import Console
from rich.table import Table
from training import train

UNSEEN, DETAIL = "astronaut", (165, 60, 285, 180)
LIBRARIES = {"JAX": jax.numpy.asarray, "NumPy": np.asarray, "PyTorch": torch.tensor, "TensorFlow": tf.constant}
TOLERANCE = 1e-5  # where white is 1: a two-hundredth of what rounding to 8 bits may change


def enlarge(small, weights, array):
    """Make arrays of a library from the photograph and the weights; return the decoder's result, and its seconds."""
    # A photograph goes on beyond its border as it ends there.
    x = np.pad(planes(small), ((0, 0), (0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)), mode="edge")
    x, weights = jax.tree.map(array, (x, weights))
    decode(x, weights)  # what a first call does once
    begin = perf_counter()
    y = np.asarray(decode(x, weights))
    return y, perf_counter() - begin


def main(steps=1500, out=Path("super_resolution.png")):
    """Train, enlarge in four libraries, compare, draw; return the four results and the PSNRs in dB."""
    console, rng = Console(), np.random.default_rng(0)
    original = read(UNSEEN, FACTOR)
    small = shrink(original, FACTOR)
    weights = untrained(rng)
    before, _ = enlarge(small, weights, LIBRARIES["JAX"])
    weights = train(weights, steps, rng, console)

    table = Table("library", "seconds", "PSNR in dB", title="The same decoder, the same weights")
    results = {}
    for name, array in LIBRARIES.items():
        results[name], seconds = enlarge(small, weights, array)
        table.add_row(name, f"{seconds:.2f}", f"{psnr(picture(results[name]), original):.4f}")
    console.print(table)
    apart = max(abs(one - other).max() for one, other in combinations(results.values(), 2))
    console.print(f"No two results are further apart than {apart:.1e}, where white is 1.")
    assert apart <= TOLERANCE

    decoded, cubic = picture(results["JAX"]), bicubic(small, FACTOR)
    versions = {"untrained": picture(before), "bicubic": cubic, "decoder": decoded}
    scores = {name: psnr(version, original) for name, version in versions.items()}
    panels = {
        f"Given: {small.width} × {small.height} pixels": blocks(small, FACTOR),
        f"Bicubic: {scores['bicubic']:.2f} dB": cubic,
        f"Decoder: {scores['decoder']:.2f} dB": decoded,
        "Original": original,
    }
    comparison.save(out, ("A photograph that the decoder never saw, enlarged by it", decoded), panels, DETAIL)
    for name, score in scores.items():
        console.print(f"{name:9} {score:.2f} dB")
    console.print(f"Saved {out}")
    return results, scores


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=1500, help="of training; 1500 take minutes on two cores")
    parser.add_argument("--out", type=Path, default=Path("super_resolution.png"), help="the picture to write")
    arguments = parser.parse_args()
    main(arguments.steps, arguments.out)
