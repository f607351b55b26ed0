"""What overlap-add does, worked out once for each plan: the tile, the additions and the places, as indices.

Arrays have these axes, with the images innermost, so that small images make long runs:

    columns  (groups, C_out, *kernel, rows, *size[1:], N)
    window   (groups, C_out, *stride, rows + overlap, *grid[1:], N)
"""

from __future__ import annotations

from itertools import groupby, pairwise, product
from math import prod
from typing import Any, NamedTuple

from upconv._lower._numpy._grid import ALL, Index, grid_of, kept
from upconv._memory import remembered
from upconv._plan import Plan

__all__ = ["LONGEST_ROW", "Addition", "Place", "Schedule", "Tile", "make_schedule", "row_bytes", "too_long"]

# Columns and window of a tile: one that stays in the L2 cache is best where the product takes long. Where its input
# channels are fewer than MANY, additions take as long, and the fewer and longer they are, the less two threads wait for
# the interpreter: with one MiB MXNet's layer (20 channels) takes 6.1 ms, with four 4.1; DCGAN's (512) 36 and 44.
TILE_BYTES = 1 << 20
FEW_CHANNELS_TIMES = 4
MANY = 64
# A row of one channel that is longer is divided first.
LONGEST_ROW = FEW_CHANNELS_TIMES * TILE_BYTES
# Rows of a product, channels times taps, before fewer rows of the image are taken than there are, and its positions,
# before one image is enough: with fewer, BLAS spends its time on packing the other operand.
FEW = 256
# From this stride on, the last axis is interleaved by a transposed copy, not by one copy for each phase: with stride 8
# FCN's layer takes 7.9 ms in place of 11.3.
LONG_STRIDE = 8
# Of all schedules, each with an entry for every shift and every phase.
KEPT_BYTES = 16 << 20


class Tile(NamedTuple):
    """Images, groups, output channels of each and input rows taken at a time."""

    images: int
    groups: int
    channels: int
    rows: int


class Addition(NamedTuple):
    """Taps of one shift: ``columns[taps]`` is added to the window at ``phases``, from row ``at`` on, at ``place``."""

    taps: Index
    phases: Index
    at: int
    place: Index


class Place(NamedTuple):
    """Phases of the window, or taps that are its phases, and where they belong: axis 0 is for the tile to say."""

    phases: Index
    residue: int  # phase of axis 0
    source: Index
    target: Index


class Schedule(NamedTuple):
    """All that follows from the plan, made once: a small call costs little else."""

    tile: Tile
    grid: tuple[int, ...]
    covers: bool  # whether every sample of the output is written
    disjoint: bool  # whether no two taps meet: columns are the phases themselves
    folds: bool  # whether the last axis is interleaved by a transposed copy
    additions: tuple[Addition, ...]
    places: tuple[Place, ...]
    order: tuple[int, ...]  # from the axes of a part of the window to those of the output


def too_long(plan: Plan, itemsize: int) -> int | None:
    """The longest axis but the first if one row of one channel is more than a tile, and its halves are shorter."""
    if plan.rank == 1 or row_bytes(plan, itemsize) <= LONGEST_ROW:
        return None
    axis = max(range(1, plan.rank), key=plan.size.__getitem__)
    reach = grid_of(plan)[axis] - plan.size[axis]  # inputs that a half needs beyond its own
    return axis if plan.size[axis] > max(1, 2 * reach) and plan.out[axis] > plan.stride[axis] else None


@remembered(KEPT_BYTES)
def make_schedule(plan: Plan, batch: int, itemsize: int) -> Schedule:
    rank, grid = plan.rank, grid_of(plan)
    square = plan.kernel == plan.stride and set(plan.dilation) == {1}
    folds = rank > 1 and plan.stride[-1] >= LONG_STRIDE
    disjoint = grid == plan.size and (square or not folds)
    return Schedule(
        tile=_tile(plan, batch, itemsize),
        grid=grid,
        covers=(square or not disjoint) and min(plan.lo + plan.hi) >= 0,
        disjoint=disjoint,
        folds=folds,
        additions=tuple(_additions(plan)),
        places=tuple(_places(plan, grid, taps=disjoint and not square, folds=folds)),
        order=(rank + 3, 0, 1, *range(3, rank + 3), 2) if folds else (rank + 2, *range(rank + 2)),
    )


def _additions(plan: Plan) -> Any:
    """One for each shift."""

    def runs(k: int, s: int, d: int) -> Any:
        for shift, group in groupby(range(k), key=lambda a: a * d // s):
            taps = list(group)
            yield shift, slice(taps[0], taps[-1] + 1), slice(taps[0] * d % s, taps[-1] * d % s + 1, d)

    for axes in product(*map(runs, plan.kernel, plan.stride, plan.dilation)):
        shifts, taps, phases = zip(*axes, strict=True)
        place = (slice(t, t + i) for t, i in zip(shifts[1:], plan.size[1:], strict=True))
        yield Addition((ALL, ALL, *taps), (ALL, ALL, *phases), shifts[0], tuple(place))


def _places(plan: Plan, grid: tuple[int, ...], *, taps: bool, folds: bool) -> Any:
    """One for each phase; where columns are the phases, one for each tap."""

    def single(axis: int) -> Any:
        d = plan.dilation[axis]
        for index in range(plan.kernel[axis] if taps else plan.stride[axis]):
            residue = index * d if taps else index
            source, target = kept(plan, axis, slice(0, grid[axis]), residue)
            if source.start < source.stop:
                yield index, residue, source, target

    def folded(axis: int) -> Any:
        """All phases at once of the samples that are kept whole; and those kept of the samples before and after."""
        s, lo = plan.stride[axis], plan.lo[axis]
        begin, end = max(0, lo), min(grid[axis] * s, plan.out[axis] + lo)  # from the front of the grid
        cuts = {begin, min(end, -(-begin // s) * s), max(begin, end // s * s), end} if begin < end else ()
        for first, stop in pairwise(sorted(cuts)):
            q, r = divmod(first, s)
            n = max(1, (stop - first) // s)
            yield slice(r, r + (stop - first) // n), 0, slice(q, q + n), slice(first - lo, stop - lo)

    axes = [single(axis) for axis in range(plan.rank)]
    if folds:
        axes[-1] = folded(plan.rank - 1)
    for parts in product(*map(list, axes)):
        indices, residues, sources, targets = zip(*parts, strict=True)
        yield Place((ALL, ALL, *indices), residues[0], sources[1:], targets[1:])


def row_bytes(plan: Plan, itemsize: int) -> int:
    """Bytes of columns and of window that one row of one image and output channel takes."""
    columns, grid = prod(plan.kernel) * prod(plan.size[1:]), grid_of(plan)
    window = prod(plan.stride) * prod(grid[1:]) if grid != plan.size else 0
    return max(1, (columns + window) * itemsize)


def _tile_bytes(plan: Plan) -> int:
    return TILE_BYTES * (1 if plan.in_channels // plan.groups >= MANY else FEW_CHANNELS_TIMES)


def _tile(plan: Plan, batch: int, itemsize: int) -> Tile:
    """Fill a tile: with channels for a product of some height, rows, all channels, groups; small images together."""
    # At least one of each: `explain` asks of empty arrays too.
    positions, batch, outs = max(1, prod(plan.size)), max(1, batch), max(1, plan.out_channels // plan.groups)
    left = max(1, _tile_bytes(plan) // row_bytes(plan, itemsize))
    many = plan.in_channels // plan.groups >= MANY
    # Long runs for additions, at the price of copying the input; products want no more than some columns.
    images = (
        min(batch, left, -(-(4 if many else 16) * FEW // positions)) if positions < (1 if many else 16) * FEW else 1
    )
    channels = min(outs, -(-FEW // prod(plan.kernel)), max(1, left // images))
    rows = max(1, min(plan.size[0], left // (images * channels)))
    if rows < plan.size[0]:
        return Tile(images, 1, _even(outs, channels), _even(plan.size[0], rows))
    left //= images * rows
    groups = max(1, min(plan.groups, left // outs))
    return Tile(_even(batch, images), groups, _even(outs, max(1, min(outs, left))), rows)


def _even(n: int, most: int) -> int:
    """Divide ``n`` into pieces of about one size; into an even number, for two threads, if there are some."""
    pieces = -(-n // most)
    return -(-n // (pieces + (pieces % 2 if pieces > 1 else 0)))
