"""Which form a call takes: from integers alone, without a device.

The thresholds follow from counting products, blocks and bytes; no GPU has measured them yet.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import NamedTuple

from upconv._lower._cupy._form import DEPTH, DTYPES, NARROW, SUMS, TILES, Form
from upconv._lower._cupy._grid import make_grid
from upconv._plan import Plan

__all__ = ["Device", "choose", "partial_bytes"]

FEWEST_STAGES = 8  # of one part of a divided sum: below, the second pass costs more than the blocks gain
MOST_SPLITS = 16
MOST_GROUPS = 8  # of one thread of the direct form
MERGED_MORE = 1.25  # products that it may take more, because it reads x once for all phases, and writes neighbours
WORKSPACE = 32 << 20


class Device(NamedTuple):
    """What the choice depends on: 90 for compute capability 9.0, and the number of multiprocessors."""

    capability: int
    processors: int


@lru_cache(maxsize=4096)
def choose(plan: Plan, batch: int, dtype: str, device: Device, *, by_channel: bool = False, tf32: bool = False) -> Form:
    """Pick a form; ``by_channel`` says that neighbouring channels, and not positions, lie side by side in memory."""
    name = DTYPES[dtype]
    if name == "F32" and tf32 and device.capability >= 80:
        name = "TF32"
    tensor = name in ("F16", "TF32") or (name == "BF16" and device.capability >= 80)  # sm_75: float16 alone
    ins, outs = plan.in_channels // plan.groups, plan.out_channels // plan.groups
    # A tile takes 8 input channels at a time, and at least 4 columns and 64 positions: else most of it is padding.
    few = ins <= 2 or (plan.groups > 1 and (ins < DEPTH or outs < 4))
    if few or batch * prod(plan.phase_size) < 8:
        narrow = Form("F32" if name == "TF32" else name, "direct", outs=1 if outs == 1 else 4)
        # A thread finds its taps once for several groups, where blocks enough are left to fill a device.
        chunk = make_grid(plan, batch, narrow).blocks // (8 * device.processors)
        return narrow._replace(chunk=max(1, min(MOST_GROUPS, plan.groups, chunk)))

    tiles = TILES[name] if tensor or name != "BF16" else NARROW

    def form(*, merged: bool) -> Form:
        columns = outs * (prod(plan.stride) if merged else 1)
        tile = next((tile for tile in tiles if 2 * columns > tile.BM), tiles[-1])
        return Form(name, "tile", tensor, tile, merged, by_channel)

    found = form(merged=False)
    axes = zip(plan.kernel, plan.stride, plan.dilation, strict=True)
    if max(plan.stride) > 1 and all(k % s == 0 and (d == 1 or k == 1) for k, s, d in axes):
        merged = form(merged=True)
        if make_grid(plan, batch, merged).products <= MERGED_MORE * make_grid(plan, batch, found).products:
            found = merged
    return found._replace(splits=_splits(plan, batch, found, device))


def _splits(plan: Plan, batch: int, form: Form, device: Device) -> int:
    """Divide a sum that fills less than two blocks a multiprocessor, as far as that pays and the workspace allows."""
    grid = make_grid(plan, batch, form)
    room = WORKSPACE // partial_bytes(plan, batch, form)
    return max(1, min(2 * device.processors // grid.blocks, grid.stages // FEWEST_STAGES, MOST_SPLITS, room))


def partial_bytes(plan: Plan, batch: int, form: Form) -> int:
    """Bytes of one part of a divided sum."""
    itemsize = {"float32": 4, "float64": 8, "complex64": 8, "complex128": 16}[SUMS[form.dtype]]
    return batch * plan.out_channels * prod(plan.out) * itemsize
