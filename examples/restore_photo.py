"""A photograph that was blurred, shrunk and made noisy, restored by SciPy's `lsqr`; nothing is learnt.

`python examples/restore_photo.py --out picture.png`. A camera that moves while it takes too few pixels is a strided
convolution. That map is linear, and what least squares needs of it is the map and its adjoint, which is the transposed
convolution: `upconv.linear_operator` has both, and no matrix is formed.
"""

from argparse import ArgumentParser
from pathlib import Path

import comparison
import numpy as np
from photographs import bicubic, blocks, picture, planes, psnr, read
from rich.console import Console
from rich.progress import Progress
from scipy.sparse.linalg import LinearOperator, lsqr

from upconv import conv2d, linear_operator

FACTOR, SIZE = 2, 8
BORDER = (SIZE - FACTOR) // 2  # seen by less than a whole kernel, and left out of every figure
NOISE = 1 / 255
DAMP = 0.1  # how much a departure from the first guess costs, against a departure from what the camera saw
DETAIL = (105, 65, 225, 185)


def motion_blur(along=2.2, across=0.7, angle=0.6):
    """(3, 1, 8, 8), one kernel for each colour: a Gaussian, wide along a slanting line and narrow across it."""
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    kernel = np.exp(-((u / along) ** 2 + (v / across) ** 2) / 2)
    return np.tile((kernel / kernel.sum()).astype(np.float32), (3, 1, 1, 1))


def watched(operator, progress, iterations):
    """The same operator, whose every use of the adjoint, once in an iteration, advances a bar."""
    task = progress.add_task("lsqr", total=iterations)

    def adjoint(vector):
        progress.advance(task)
        return operator.rmatvec(vector)

    return LinearOperator(operator.shape, operator.matvec, adjoint, dtype=operator.dtype)


def main(iterations=30, out=Path("restored.png")):
    """Degrade, restore, measure, draw; return the PSNRs in dB."""
    console, kernel, words = Console(), motion_blur(), {"stride": FACTOR, "groups": 3}
    photo = planes(read("chelsea"))[:, 0]  # (3, H, W)
    rows, columns = ((n - SIZE) // FACTOR + 1 for n in photo.shape[1:])
    size = FACTOR * (rows - 1) + SIZE, FACTOR * (columns - 1) + SIZE  # what the camera's kernels reach
    photo = photo[:, : size[0], : size[1]]
    noise = NOISE * np.random.default_rng(0).standard_normal((3, rows, columns), dtype=np.float32)
    given = picture((conv2d(photo, kernel, **words) + noise)[:, None])  # in 8 bits, as a file would have it

    # The operator is that of conv_transpose2d, from small to large; the camera is its adjoint.
    camera = linear_operator(kernel, (3, rows, columns), **words).H
    seen = planes(given).ravel()
    guess = np.pad(planes(bicubic(given, FACTOR))[:, 0], ((0, 0), (BORDER, BORDER), (BORDER, BORDER)), mode="edge")
    with Progress(console=console) as progress:
        operator = watched(camera, progress, iterations)
        restored = lsqr(operator, seen, damp=DAMP, x0=guess.ravel(), atol=0, btol=0, iter_lim=iterations)[0]

    def inner(vector):
        inside = vector.reshape(photo.shape)[:, BORDER:-BORDER, BORDER:-BORDER]
        return picture(inside[:, None])

    original = inner(photo)
    versions = {
        "Given": blocks(given, FACTOR),
        # Each kernel sums to 1, and lays it over FACTOR**2 pixels of the result.
        "Adjoint": inner(FACTOR**2 * (camera.H @ seen)),
        "Bicubic": bicubic(given, FACTOR),
        "lsqr": inner(restored),
    }
    scores = {name: psnr(version, original) for name, version in versions.items()}
    for name, score in scores.items():
        console.print(f"{name:8} {score:.2f} dB")
    panels = {f"{name}: {scores[name]:.2f} dB": versions[name] for name in ("Given", "Bicubic", "lsqr")}
    comparison.save(out, ("Restored by lsqr", versions["lsqr"]), panels | {"Original": original}, DETAIL)
    console.print(f"Saved {out}")
    return scores


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("restored.png"), help="the picture to write")
    main(out=parser.parse_args().out)
