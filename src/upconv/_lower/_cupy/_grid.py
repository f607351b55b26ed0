"""How many blocks, rows and columns a form has for a plan and a batch: integers alone, as the kernel counts them."""

from __future__ import annotations

from functools import lru_cache
from math import gcd, prod
from typing import NamedTuple

from upconv._lower._cupy._form import DEPTH, THREADS, Form, word_bytes
from upconv._plan import Plan

__all__ = ["Grid", "make_grid"]


class Grid(NamedTuple):
    """The numbers that the kernel is launched with, and those that the choice of a form is made by."""

    rows: int  # words of input channels for each tap
    width: int  # columns of the packed weight, filled up to 16 bytes
    words: int  # of the packed weight
    tiles_m: int
    tiles_n: int
    blocks: int
    stages: int  # of the longest sum
    products: int  # multiplications, those of padding included


@lru_cache(maxsize=4096)
def make_grid(plan: Plan, batch: int, form: Form) -> Grid:
    """Count."""
    ins, outs = plan.in_channels // plan.groups, plan.out_channels // plan.groups
    if form.kernel == "direct":
        return _direct(plan, batch, form, ins, outs)
    rows = -(-ins // 2) if form.tensor and form.dtype in ("F16", "BF16") else ins
    phases = prod(plan.stride)
    if form.merged:
        columns = outs * phases
        places = ((n - 1 + lo % s) // s + 1 for n, lo, s in zip(plan.out, plan.lo, plan.stride, strict=True))
        phases, taps = 1, prod(k // s for k, s in zip(plan.kernel, plan.stride, strict=True))
        all_taps = taps
    else:
        columns, places = outs, iter(plan.phase_size)
        steps = (s // gcd(s, d) for s, d in zip(plan.stride, plan.dilation, strict=True))
        taps, all_taps = prod(-(-k // step) for k, step in zip(plan.kernel, steps, strict=True)), prod(plan.kernel)
    tiles_m, tiles_n = -(-columns // form.tile.BM), -(-batch * prod(places) // form.tile.BN)
    vector = 16 // word_bytes(form)
    width, steps_of_tap = -(-columns // vector) * vector, -(-rows // DEPTH)
    return Grid(
        rows=rows,
        width=width,
        words=plan.groups * prod(plan.kernel) // (prod(plan.stride) if form.merged else 1) * rows * width,
        tiles_m=tiles_m,
        tiles_n=tiles_n,
        blocks=phases * tiles_m * tiles_n * plan.groups * form.splits,
        stages=taps * steps_of_tap,
        products=plan.groups * tiles_m * form.tile.BM * tiles_n * form.tile.BN * all_taps * steps_of_tap * DEPTH,
    )


def _direct(plan: Plan, batch: int, form: Form, ins: int, outs: int) -> Grid:
    tiles_m, tiles_n = -(-outs // form.outs), -(-batch * prod(plan.out) // THREADS["direct"])
    return Grid(
        rows=1,
        width=1,
        words=0,
        tiles_m=tiles_m,
        tiles_n=tiles_n,
        blocks=tiles_m * tiles_n * -(-plan.groups // form.chunk),
        stages=1,
        products=batch * prod(plan.out) * prod(plan.kernel) * plan.groups * ins * outs,
    )
