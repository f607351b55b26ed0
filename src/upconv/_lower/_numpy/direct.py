"""Direct convolution, phase by phase, compiled by Numba: no columns are written, and nothing is added up twice.

Each phase of the output is a dense convolution of the input, and the input is one of all phases of the output. What is
given is laid on the grid of the uncropped output with zeros behind each line, as many as the kernel overhangs: then the
samples that one term of the sum takes, a channel at one shift, are one run of memory for many lines, and a product with
a row of weights needs no copy of them. A weight that is not finite would make NaNs of the zeros, and is left to the
columns of overlap-add.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from upconv._lower._numpy._columns import conv as conv_by_columns
from upconv._lower._numpy._columns import conv_weight as conv_weight_by_columns
from upconv._lower._numpy._few import is_few
from upconv._lower._numpy._grid import ALL, grid_of, trim, work_dtype
from upconv._lower._numpy._numba import DTYPES, missing
from upconv._lower._numpy._operands import lifted
from upconv._lower._numpy._pieces import Team, correlate, our_team, run
from upconv._lower._numpy._program import is_too_long, kept_bytes
from upconv._lower._numpy._threads import MOST_THREADS
from upconv._lower._numpy._ways import backward, forward
from upconv._lower._numpy._window import conv_transpose as overlap_add
from upconv._plan import Plan

__all__ = [
    "MOST_THREADS",
    "Team",
    "conv",
    "conv_transpose",
    "conv_weight",
    "fill",
    "fill_conv",
    "fill_conv_weight",
    "limits",
    "our_team",
    "reason",
    "refusal",
    "slow",
    "slow_conv",
    "slow_conv_weight",
    "slow_tables",
    "workspace",
]

# Input channels of a group, from which on a product of BLAS may be as fast; and samples of x that make up for bringing
# so many weights in order.
MANY_CHANNELS = 128
MANY_SAMPLES = 512
# The same on the way back. On the 150 layers of `benchmarks/choices.py numpy --layers 150 --seed 9` this choice is in
# the geometric mean 2.35 times as fast as BLAS, to the input 2.06 and to the weight 2.48 times; the fastest algorithm
# for each layer would be 2.53, 2.18 and 2.62 times as fast.
SOME_CHANNELS = 64
SAMPLES_BACK = 300
SAMPLES_WEIGHT = 800
# Of a group, whose sums stay in the L2 cache.
MANY_WEIGHTS = 2**18
# Lines of all phases, whose places are worked out for a geometry: 4 million take 0.14 s, where overlap_add takes 0.02.
MANY_LINES = 2**16


def refusal(plan: Plan, x: Any) -> str:
    """Take what it is compiled for, and what fits into a thread's memory."""
    if x.dtype.name not in DTYPES:
        return f"{x.dtype}: it is compiled for float32 and float64"
    return limits(plan, x.dtype.itemsize)


def limits(plan: Plan, itemsize: int) -> str:
    """Say what of a plan does not fit, or with what it cannot be compiled."""
    if plan.is_empty or not all(lifted(plan)[0].size):
        return "nothing to multiply"
    ours = lifted(plan)[0]
    if ours.far:
        return ours.far
    if is_too_long(ours, itemsize):
        return "a kernel so long that what it reaches from one sample is more than a thread keeps"
    return missing()


def slow(plan: Plan, x: Any) -> str:
    """Say where a product of BLAS, or a table, is faster, on two cores."""
    if is_few(plan, len(x)):
        return "few numbers, which one look-up gives (tiny: 90 us, overlap_add 25)"
    ours = lifted(plan)[0]
    if ours.in_channels // ours.groups > MANY_CHANNELS and len(x) * prod(ours.size) < MANY_SAMPLES:
        return "many weights for few samples, whose order takes as long (dcgan-4: 8.7 ms, overlap_add 8.1)"
    return slow_tables(plan)


def slow_conv(plan: Plan, y: Any) -> str:
    """Say where a product of BLAS is faster on the way back."""
    ours = lifted(plan)[0]
    ins = ours.in_channels // ours.groups
    if ins > SOME_CHANNELS and len(y) * prod(ours.size) <= SAMPLES_BACK:
        return "many weights for few samples, whose order takes as long (64 of 128 channels: 7.3 ms, overlap_add 4.0)"
    return slow_tables(plan)


def slow_conv_weight(plan: Plan, x: Any) -> str:
    """Say where a product of BLAS gives the weight faster."""
    ours = lifted(plan)[0]
    if prod(ours.weight_shape) // ours.groups > MANY_WEIGHTS:
        return "many weights, whose sums are read again for each run of samples (stylegan-32: 540 ms, overlap_add 83)"
    if ours.in_channels // ours.groups > SOME_CHANNELS and len(x) * prod(ours.size) <= SAMPLES_WEIGHT:
        return "many channels of few samples (2.3 ms for 192 of 4 images of 4 x 4, overlap_add 1.4)"
    return slow_tables(plan)


def slow_tables(plan: Plan) -> str:
    """Say where the tables of a new geometry take longer to make than any other algorithm takes."""
    ours = lifted(plan)[0]
    if prod(ours.stride) * prod(grid_of(ours)[:-1]) > MANY_LINES:
        return "many phases of many lines, whose places are listed first"
    return ""


def reason(plan: Plan) -> str:
    """Say how."""
    return "each phase a direct convolution of the input, compiled by Numba"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """The weight as it is read, and what is laid out for each thread."""
    return prod(plan.weight_shape) * itemsize + kept_bytes(lifted(plan)[0], batch, itemsize)


def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Compute y from x and the weight."""
    if not x.dtype.isnative:
        return conv_transpose(plan, x.astype(work_dtype(x.dtype)), weight, bias).astype(x.dtype)
    y = np.empty((len(x), *plan.image_shape), x.dtype)
    fill(plan, x, weight, bias, y, our_team())
    return y


def fill(plan: Plan, x: Any, weight: Any, bias: Any, y: Any, team: Team) -> None:
    """Fill y, from x and the weight, on the threads of a team."""
    if not x.flags.c_contiguous:
        plan, x, weight = _taken(plan, x, weight)
    if y.size and not run(forward, plan, x, weight, bias, y, team):
        y[...] = overlap_add(plan, x, weight, bias)


def conv(plan: Plan, y: Any, weight: Any, bias: Any) -> Any:
    """Compute x from y and the weight."""
    if not y.dtype.isnative:
        return conv(plan, y.astype(work_dtype(y.dtype)), weight, bias).astype(y.dtype)
    x = np.empty((len(y), *plan.sample_shape), y.dtype)
    fill_conv(plan, y, weight, bias, x, our_team())
    return x


def fill_conv(plan: Plan, y: Any, weight: Any, bias: Any, x: Any, team: Team) -> None:
    """Fill x, from y and the weight."""
    if x.size and not run(backward, plan, y, weight, bias, x, team):
        x[...] = conv_by_columns(plan, y, weight, bias)


def conv_weight(plan: Plan, x: Any, y: Any) -> Any:
    """Compute the weight from x and y."""
    if not x.dtype.isnative:
        work = work_dtype(x.dtype)
        return conv_weight(plan, x.astype(work), y.astype(work)).astype(x.dtype)
    weight = np.empty(plan.weight_shape, x.dtype)
    fill_conv_weight(plan, x, y, weight, our_team())
    return weight


def fill_conv_weight(plan: Plan, x: Any, y: Any, weight: Any, team: Team) -> None:
    """Fill the weight, from x and y."""
    weight[...] = 0
    if not x.flags.c_contiguous:
        plan, x, weight = _taken(plan, x, weight)
    if x.size and y.size and not correlate(plan, x, y, weight, team):
        weight[...] = conv_weight_by_columns(plan, x, y)


def _taken(plan: Plan, x: Any, weight: Any) -> tuple[Plan, Any, Any]:
    """Of an image that will be copied, what reaches the output: of an endless one that is cropped, little."""
    taken, inputs, taps = trim(plan)
    image = (ALL, *inputs) if plan.channels_last else (ALL, ALL, *inputs)
    return taken, x[image], weight[(ALL, ALL, *taps)]
