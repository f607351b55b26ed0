"""FFTs of blocks, for long kernels: each phase of the output is a dense convolution of x with the taps of that phase.

    spectra  (phases * C_out, C_in, frequencies)    of the kernel
    image    (N, C_in, frequencies)                 of the inputs that a block of the grid sees
    block    (N, phases * C_out, samples)           the inverse of their product over C_in, then interleaved

All is in double precision and rounded once: numpy.fft computes float32 in float32 since NumPy 2, and not before. But
an FFT's error is relative to the largest samples, not to each output's own terms, and one inf or NaN fills its block.
Shapes do not tell who minds: 'auto' leaves it to the caller.
"""

from __future__ import annotations

from functools import lru_cache, partial
from itertools import product
from math import gcd, prod
from typing import Any, NamedTuple

import numpy as np

from upconv._lower._numpy._grid import ALL, Index, grid_of, kept
from upconv._lower._numpy._operands import Operands, lifted, operands
from upconv._lower._numpy._threads import cores, side_by_side
from upconv._plan import Plan

__all__ = ["LEAKS", "conv_transpose", "reason", "refusal", "slow", "workspace"]

# Bytes of the spectra that are made at a time, and of an image's; more only where the kernel leaves no choice.
TILE_BYTES = 1 << 20
# Samples of a block, if the kernel is short.
LEAST = 1 << 12
# Input channels from which on one product for each frequency is faster than one pass for each pair of channels: 16 to
# 16 channels take 3.0 ms in place of 4.0, but 4 to 4 take 0.7 in place of 0.4.
MANY = 12
AXES = (0, 1), (-2, -1)  # rows and channels, behind the frequencies
LEAKS = {"conv_transpose": "x or weight"}
CAVEAT = "its error is relative to the largest sample, and one inf or NaN fills its block"


class _Row(NamedTuple):
    """A phase and an output channel, with the taps that reach it, and their shifts."""

    residues: tuple[int, ...]
    channel: int
    taps: Index
    shifts: Index


class _Blocks(NamedTuple):
    """Of the grid, along each axis: a block gives ``step`` samples and needs ``overlap`` inputs before them."""

    lengths: tuple[int, ...]  # of the FFTs
    steps: tuple[int, ...]
    overlap: tuple[int, ...]


def refusal(plan: Plan, x: Any) -> str:
    """Take what double precision holds."""
    if x.dtype.kind in "iu":
        return "integers: they must be exact"
    return "long doubles: it computes in double precision" if x.dtype.char in "gG" else ""


def slow(plan: Plan, x: Any) -> str:
    """Keep 'auto' away."""
    return f"where the kernel is short (a kernel of 1024 at a stride of 256: 43 ms, overlap_add 1.4), and {CAVEAT}"


def reason(plan: Plan) -> str:
    """Say how."""
    return f"FFTs of blocks in double precision, by output phase; {CAVEAT}"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """Spectra; for each thread an image and a block; and what numpy.fft copies of each."""
    plan = lifted(plan)[0]
    least = 16 * prod(_blocks(plan).lengths) * max(1, plan.in_channels // plan.groups)
    return (2 + 4 * cores()) * max(least, TILE_BYTES)


def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Make spectra of some phases and output channels, and fill these, block by block."""
    y, of = operands(plan, x, weight, bias)
    if of is None:
        return y
    of.out[...] = of.background(of.plan.rank)  # where no tap reaches
    blocks, rows = _blocks(of.plan), _rows(of.plan, of.out.shape[2])
    starts = list(product(*map(range, (0,) * of.plan.rank, grid_of(of.plan), blocks.steps)))
    room = max(1, TILE_BYTES // (8 * prod(blocks.lengths)))  # spectra
    height = max(1, room // of.x.shape[2])
    images = max(1, room // max(of.x.shape[2], min(height, len(rows))))
    for group, first in product(range(of.plan.groups), range(0, len(rows), height)):
        some = rows[first : first + height]
        spectra = _spectra(of.weight[group], some, blocks)
        tiles = product(range(0, len(x), images), starts)
        tasks = (partial(_fill, of, spectra, some, slice(n, n + images), group, blocks, at) for n, at in tiles)
        side_by_side(tasks, wake=of.is_much())
    return y


@lru_cache(maxsize=512)
def _blocks(plan: Plan) -> _Blocks:
    """Eight kernels long or four, if that is no more than a tile; else two."""
    grid, ins = grid_of(plan), max(1, plan.in_channels // plan.groups)
    overlap = tuple(n - i for n, i in zip(grid, plan.size, strict=True))
    least = round(LEAST ** (1 / max(1, sum(n > 1 for n in grid))))
    for times in (8, 4, 2):
        lengths = tuple(
            _smooth(min(max(1, n), max(least, times * (lap + 1)))) for n, lap in zip(grid, overlap, strict=True)
        )
        if 8 * ins * prod(lengths) <= TILE_BYTES:
            break
    axes = zip(lengths, grid, overlap, strict=True)
    return _Blocks(lengths, tuple(n if n <= length else length - lap for length, n, lap in axes), overlap)


def _smooth(n: int) -> int:
    """The next number without a prime factor above 5: numpy.fft is fast at these."""
    odd = (3**b * 5**c for b, c in product(range(n.bit_length()), repeat=2))
    return min(factor << (-(-n // factor) - 1).bit_length() for factor in odd)


def _rows(plan: Plan, channels: int) -> list[_Row]:
    def phases(k: int, s: int, d: int) -> Any:
        step = s // gcd(s, d)  # taps so far apart have one phase
        for tap in range(min(k, step)):
            last = range(tap, k, step)[-1]
            yield tap * d % s, slice(tap, None, step), slice(tap * d // s, last * d // s + 1, d * step // s)

    rows = []
    for axes in product(*map(phases, plan.kernel, plan.stride, plan.dilation)):
        residues, taps, shifts = zip(*axes, strict=True)
        rows += [_Row(residues, channel, taps, shifts) for channel in range(channels)]
    return rows


def _spectra(weight: Any, rows: list[_Row], blocks: _Blocks) -> Any:
    kernel = np.zeros((len(rows), len(weight), *(n + 1 for n in blocks.overlap)), _wide(weight))
    for row, dense in zip(rows, kernel, strict=True):
        dense[(ALL, *row.shifts)] = weight[(ALL, row.channel, *row.taps)]
    spectra = _forth(kernel, blocks.lengths)
    return np.ascontiguousarray(np.moveaxis(spectra, *AXES)) if len(weight) >= MANY else spectra


def _fill(of: Operands, spectra: Any, rows: list[_Row], images: slice, group: int, blocks: _Blocks, at: Any) -> None:
    """Fill the samples of a block that begins at ``at``; what wraps around in the FFTs lands before them."""
    grid, rank = grid_of(of.plan), range(of.plan.rank)
    begins = [max(0, a - lap) for a, lap in zip(at, blocks.overlap, strict=True)]
    ends = [min(a + step, n) for a, step, n in zip(at, blocks.steps, grid, strict=True)]
    x = of.x[(images, group, ALL, *map(slice, begins, ends))]
    with np.errstate(invalid="ignore"):  # an inf makes NaNs of its block: CAVEAT says so
        image = _forth(x.astype(_wide(x)), blocks.lengths)
        if x.shape[1] >= MANY:
            found = np.moveaxis(spectra @ np.moveaxis(image, *AXES).swapaxes(-1, -2), (-1, -2), (0, 1))
        else:
            found = np.einsum("ri...,ni...->nr...", spectra, image)
        found = _back(found, blocks.lengths, _wide(x))
    for n, row in enumerate(rows):
        axes = [kept(of.plan, axis, slice(at[axis], ends[axis]), row.residues[axis]) for axis in rank]
        sources = (slice(s.start - b, s.stop - b) for (s, _), b in zip(axes, begins, strict=True))
        bias = 0 if of.bias is None else of.bias[group, row.channel]
        of.out[(images, group, row.channel, *(target for _, target in axes))] = found[(ALL, n, *sources)] + bias


def _wide(array: Any) -> Any:
    return np.dtype("complex128" if array.dtype.kind == "c" else "float64")


def _forth(array: Any, lengths: tuple[int, ...]) -> Any:
    lengths, axes = _sides(lengths)
    return (np.fft.fftn if array.dtype.kind == "c" else np.fft.rfftn)(array, lengths, axes)


def _back(array: Any, lengths: tuple[int, ...], dtype: Any) -> Any:
    lengths, axes = _sides(lengths)
    return (np.fft.ifftn if dtype.kind == "c" else np.fft.irfftn)(array, lengths, axes)


def _sides(lengths: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What has a length at all, and the last."""
    sides = [(n, axis - len(lengths)) for axis, n in enumerate(lengths) if n > 1 or axis == len(lengths) - 1]
    lengths, axes = zip(*sides, strict=True)
    return lengths, axes
