"""Where which form is the fastest, from shapes alone: thresholds, and the figures that they came from.

All figures are of two cores, JAX 0.10 and float32. On a CPU the columns are fast where they are few for what is summed
in each; the phases, where each sample makes many numbers; and XLA's own op, without a stride. The thresholds were
fitted to 550 layers drawn at random, strided and of up to 1200 million products, and where columns are cut into blocks
to 200 more of up to 6000 million. The ways back are the columns'.
"""

from __future__ import annotations

from math import prod
from typing import Any

from upconv._lower._jax._columns import count_blocks
from upconv._lower._jax._phases import ADDITIONS, additions, spreads
from upconv._lower._jax._shared import platform
from upconv._plan import Plan

__all__ = ["slow_overlap_add", "slow_overlap_add_back", "slow_sub_pixel"]

# Blocks of a dense layer, where the phases are refused: 160 ms in 4, 175 in 8 and 190 in 16, XLA's own op 151.
BLOCKS = 8


def slow_overlap_add(plan: Plan, x: Any) -> str:
    """Say where the phases, or XLA's own op, are faster than the columns."""
    batch = _batch(plan, x)
    if platform(x) == "cpu" and _is_for_phases(plan, batch, x.dtype.itemsize):
        columns, ins = _columns(plan, batch), plan.in_channels // plan.groups
        return f"for {columns} columns of {ins} channels: 25 ms against 3 for 1806336 of 4"
    return slow_overlap_add_back(plan, x)


def slow_overlap_add_back(plan: Plan, x: Any) -> str:
    """Say where XLA's own op is faster."""
    where = platform(x)
    if where != "cpu":
        return f"on a {where}, for which XLA's own op is tuned"
    if plan.groups > 1 or plan.rank > 2 or plan.out_channels < 8:
        return ""
    # Without a stride XLA's own op multiplies no zeros, and its columns are those of the input: forward and the input's
    # gradient take it 15 and 12 ms on the layer below, and this 21 and 37 (2 cores, JAX 0.10). With 3 output channels
    # they take 3.8 and 1.7 ms, and this 4.0 and 1.4; with groups or a third axis this is faster.
    if max(plan.stride) == 1 and additions(plan) >= 9:
        return "at stride 1: 21 ms against 15 for 64 channels of 128 x 128 and a kernel of 3 x 3"
    blocks = count_blocks(plan, _batch(plan, x), max(4, x.dtype.itemsize))
    if blocks > (1 if plan.in_channels >= 512 else BLOCKS):
        return f"in {blocks} blocks: 96 ms in 32 against 52 for eight lines of 512, 768 channels to 256, 5 taps 4 apart"
    return ""


def slow_sub_pixel(plan: Plan, x: Any) -> str:
    """Say where the columns, or XLA's own op, are faster than the phases; asked after the columns."""
    where = platform(x)
    if where != "cpu":
        return f"on a {where}, for which XLA's own op is tuned"
    if max(plan.stride) == 1:
        return "at stride 1, where it is XLA's own op once more"
    # Columns refuse as many: 367 ms against 11 for two lines of 3000, 8 channels to 32, a kernel of 600, a stride of 3.
    if additions(plan) > ADDITIONS or _is_for_phases(plan, _batch(plan, x), x.dtype.itemsize):
        return ""
    return "in all that was measured where the columns are slow too"


def _is_for_phases(plan: Plan, batch: int, itemsize: int) -> bool:
    if max(plan.stride) == 1 or plan.groups > 8 or plan.rank > 3 or spreads(plan):
        return False
    ins, outs, columns = plan.in_channels // plan.groups, plan.out_channels // plan.groups, _columns(plan, batch)
    if plan.rank > 2:
        return ins <= 16 and outs >= 32 and columns >= 2_000_000  # 27 ms against 7 for 8 channels to 32, 5 x 4 x 4
    made = outs * prod(plan.stride)  # by all taps of one sample, but for overlaps
    if count_blocks(plan, batch, max(4, itemsize)) > 1 and (outs >= 8 or made >= 32):
        # 53 ms against 27 for 128 channels to 512, eight images of 32 x 28, 2 x 2 at a stride of 1 x 2. Of many
        # channels XLA's own op is as fast, but takes twice the memory and is at times slower: 58 to 112 ms where these
        # take 66 to 82, for 512 to 512, two images of 32 x 32, 3 x 3 two apart.
        return True
    if ins <= 48:  # 25 ms against 3 for 4 channels to 32, 64 images of 56 x 7, 3 x 3 at a stride of 3 x 1
        return made >= 24 and made > 2 * ins and columns >= 100_000
    # 15.0 ms against 9.5 for 64 channels to 512, four images of 4 x 48, 4 x 4 at a stride of 2; and 38 against 32 for
    # 512 to 256, 16 images of 8 x 8, but 42 against 49 for 768 to 32, four images of 32 x 64.
    least = 800_000 if ins <= min(128, made) else 4_000_000 if outs >= 256 else float("inf")
    return columns >= least and prod(plan.kernel) > 4


def _columns(plan: Plan, batch: int) -> int:
    """Numbers that all taps make of all samples."""
    return batch * plan.out_channels * prod(plan.kernel) * prod(plan.size)


def _batch(plan: Plan, x: Any) -> int:
    """One, where it is not known while tracing."""
    return x.shape[0] if x.ndim == plan.rank + 2 and type(x.shape[0]) is int else 1
