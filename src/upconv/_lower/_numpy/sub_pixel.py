"""Gather and GEMM: each phase of the output is a dense convolution of the input, and one product gives many phases.

    columns  (C_in * shifts, positions)      the input, once for each shift
    phases   (phases * C_out, positions)     = matrix @ columns, then interleaved

Nothing is added up outside the product. The input is laid on the grid of the uncropped output with zeros behind each
row, as many as the kernel overhangs: then each shift of all rows is one run of memory. A weight that is not finite
would make NaNs of these zeros, and goes to overlap-add.

The name is that of W. Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
Convolutional Neural Network" (2016), https://arxiv.org/abs/1609.05158.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from math import prod
from typing import Any

import numpy as np

from upconv._lower._numpy._grid import ALL, grid_of, kept
from upconv._lower._numpy._operands import Operands, is_finite, lifted, operands
from upconv._lower._numpy._phases import Run, by_phase, classes
from upconv._lower._numpy._threads import buffer, cores, side_by_side
from upconv._lower._numpy._window import conv_transpose as overlap_add
from upconv._plan import Plan

__all__ = ["conv_transpose", "reason", "refusal", "slow", "workspace"]

# Columns and phases of a tile. With 1, 2 and 4 MiB the layer of pix2pix (256 to 128 channels) takes 58, 51 and 47 ms.
TILE_BYTES = 4 << 20
# Positions of small images that are taken together.
FEW = 512


def refusal(plan: Plan, x: Any) -> str:
    """Take all that has something to multiply, and is laid out in tiles of some size."""
    ours = lifted(plan)[0]
    return "nothing to multiply" if plan.is_empty or not all(ours.size) else ours.far


def slow(plan: Plan, x: Any) -> str:
    """Say where overlap-add is faster, on two cores with OpenBLAS."""
    plan = lifted(plan)[0]
    grid, outs = grid_of(plan), plan.out_channels // plan.groups
    if grid == plan.size:
        return "no two taps meet"
    if any((d > 1 and s > 1) or k % s for k, s, d in zip(plan.kernel, plan.stride, plan.dilation, strict=True)):
        return "phases with unequal taps take a product each (stylegan-32: 118 ms, overlap_add 89)"
    if outs < 16 or outs * prod(plan.stride) < 64:
        return "few output channels make a low matrix (dcgan-32-rgb: 11 ms, overlap_add 9)"
    if plan.in_channels // plan.groups > 256 or prod(plan.weight_shape) > 2**20:
        return "many input channels, for which the additions of overlap_add are few (dcgan-8: 62 ms, overlap_add 62)"
    if prod(grid) > 1.3 * prod(plan.size) or len(x) * prod(grid) < FEW:
        return "small images, which the overhang makes much larger (dcgan-4: 22 ms, overlap_add 18)"
    if max(plan.stride) >= 8:
        return "a long stride, which is many copies to interleave (vocoder-1d: 12.7 ms, overlap_add 11.1)"
    return ""


def reason(plan: Plan) -> str:
    """Say how."""
    return "one BLAS product of the shifted input for each tile of rows, interleaved by output phase"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """Columns and phases of a tile, for each thread, and the kernel by phase."""
    return prod(plan.weight_shape) * max(itemsize, 4) + cores() * TILE_BYTES * 3 // 2


def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Divide the call into tiles of rows of the grid."""
    if not is_finite(weight):
        return overlap_add(plan, x, weight, bias)
    y, of = operands(plan, x, weight, bias)
    if of is None:
        return y
    alike, grid, batch = classes(of.plan), grid_of(of.plan), len(x)
    reached = sum(prod(run.phases for run in runs) for runs in alike)
    if reached < prod(of.plan.stride) or min(of.plan.lo + of.plan.hi) < 0:
        of.out[...] = of.background(of.plan.rank)
    matrices = [by_phase(of.weight, runs) for runs in alike]
    images = min(batch, -(-FEW // prod(grid)))
    height = max(sum(matrix.shape[1:]) for matrix in matrices)
    row = height * prod(grid[1:]) * images * of.weight.dtype.itemsize
    pieces = -(-grid[0] // max(1, TILE_BYTES // row))
    pieces += pieces * plan.groups * -(-batch // images) % 2  # for two threads
    rows = -(-grid[0] // pieces)
    tiles = (
        partial(_tile, of, alike, [matrix[group] for matrix in matrices], slice(n, n + images), group, q, rows)
        for n, group, q in product(range(0, batch, images), range(plan.groups), range(0, grid[0], rows))
    )
    side_by_side(tiles, wake=of.is_much())
    return y


def _tile(of: Operands, alike: Any, matrices: Any, images: slice, group: int, q: int, rows: int) -> None:
    """Compute rows ``q`` to ``q + rows`` of the grid, every phase of them."""
    plan, x, out = of.plan, of.x[images, group], of.out[images, group]
    work, grid, outs = of.weight.dtype, grid_of(plan), out.shape[1]
    rows = min(rows, grid[0] - q)
    pitch = [len(x) * prod(grid[axis + 1 :]) for axis in range(plan.rank)]
    flat, margin = _laid(plan, x, q, rows, pitch, work)
    length = rows * pitch[0]
    for runs, matrix in zip(alike, matrices, strict=True):
        shifts = list(product(*(run.shifts for run in runs)))
        columns = buffer("columns", (x.shape[1], len(shifts), length), work)
        for n, shift in enumerate(shifts):
            start = margin - sum(t * p for t, p in zip(shift, pitch, strict=True))
            columns[:, n] = flat[:, start : start + length]
        found = buffer("phases", (matrix.shape[1], length), work)
        np.matmul(matrix.T, columns.reshape(-1, length), out=found)
        if of.bias is not None:
            by_channel = found.reshape(-1, outs, length)
            by_channel += of.bias[group][:, None]
        found = found.reshape(*(run.phases for run in runs), outs, rows, *grid[1:], len(x))
        _interleave(plan, runs, found, out, q)


def _laid(plan: Plan, x: Any, q: int, rows: int, pitch: list[int], work: Any) -> tuple[Any, int]:
    """Lay rows of x, (N, C_in, *size), on the grid; return them as lines, and where in a line row ``q`` begins."""
    grid = grid_of(plan)
    overlap = [n - i for n, i in zip(grid, plan.size, strict=True)]
    margin = sum(n * p for n, p in zip(overlap, pitch, strict=True))
    before = margin - overlap[0] * pitch[0]
    flat = buffer("laid", (x.shape[1], before + (overlap[0] + rows) * pitch[0]), work)
    flat[...] = 0
    image = flat[:, before:].reshape(x.shape[1], overlap[0] + rows, *grid[1:], len(x))
    front = q - overlap[0]
    first, stop = max(0, front), min(plan.size[0], q + rows)
    inside = (slice(first - front, stop - front), *map(slice, plan.size[1:]))
    image[(ALL, *inside)] = x[:, :, first:stop].transpose(1, *range(2, x.ndim), 0)
    return flat, margin


def _interleave(plan: Plan, runs: tuple[Run, ...], found: Any, out: Any, q: int) -> None:
    """Write phases, (*phases, C_out, rows, *grid[1:], N), to their places in the output, (N, C_out, *out)."""
    rank = plan.rank
    samples = [slice(q, q + found.shape[rank + 1]), *map(slice, (0,) * (rank - 1), found.shape[rank + 2 : -1])]
    for index in product(*(range(run.phases) for run in runs)):
        sources, targets = [], []
        for axis, (run, n) in enumerate(zip(runs, index, strict=True)):
            source, target = kept(plan, axis, samples[axis], run.first + n)
            sources.append(slice(source.start - samples[axis].start, source.stop - samples[axis].start))
            targets.append(target)
        place = out[(ALL, ALL, *targets)]
        if place.size:
            place[...] = found[(*index, ALL, *sources)].transpose(rank + 1, *range(rank + 1))
