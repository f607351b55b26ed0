"""XLA's own op without a stride, for all output phases at once, which then interleave.

The uncropped output ``q*s + r`` is sample ``q`` of phase ``r``, and takes the taps r, r + s, r + 2s, ... of the kernel
alone. So the phases are channels of a convolution whose kernel is about k/s long, and no zeros between samples are
multiplied. Where the stride does not divide the kernel, the last phases have a tap less: they take a convolution of
their own rather than a tap of zeros, which would be work, and make a NaN of an inf of x.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from math import prod
from typing import Any

import jax.numpy as jnp
from jax import lax

from upconv._lower._jax._choice import slow_sub_pixel
from upconv._lower._jax._explicit import compiled
from upconv._lower._jax._phases import interleave, spreads
from upconv._lower._jax._shared import finish, layouts, transposed, unfit, words
from upconv._lower._jax._tangents import with_tangents_of_columns
from upconv._plan import Plan

__all__ = [
    "LEAKS",
    "conv",
    "conv_transpose",
    "conv_weight",
    "reason",
    "refusal",
    "refusal_conv",
    "refusal_conv_weight",
    "slow",
    "slow_conv",
    "slow_conv_weight",
    "workspace",
]

LEAKS = {"conv_transpose": "weight", "conv": "weight", "conv_weight": "x or y"}  # XLA appends zeros

# On one axis, phases that have as many taps each.
Alike = namedtuple("Alike", "start stop taps")


def refusal(plan: Plan, x: Any) -> str:
    """Refuse what XLA gets wrong, and taps that a dilation spreads over the phases."""
    if spreads(plan):
        return "stride and dilation on one axis: its phases would have taps far from each other"
    return unfit(plan)


def slow(plan: Plan, x: Any) -> str:
    """Say where the columns, or XLA's own op, are faster."""
    return slow_sub_pixel(plan, x)


def slow_conv(plan: Plan, y: Any) -> str:
    """Leave the ways back to the columns, which this would take them by too."""
    return "on the way back, which would be that of the columns"


slow_conv_weight = slow_conv


def reason(plan: Plan) -> str:
    """Say how."""
    n = prod(sum(alike.taps > 0 for alike in axis) for axis in _alike(plan))
    return f"{prod(plan.stride)} phases as the channels of {n} convolution{'s' * (n > 1)} without a stride"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """The kernel by phase, and the phases before they are interleaved."""
    phases = [(last - first + 1) * s for first, last, s in _reach(plan)]
    return (prod(plan.weight_shape) + 2 * batch * plan.out_channels * prod(phases)) * max(4, itemsize)


@compiled
def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Make the phases, and interleave them."""
    return finish(plan, x, _by_phases(plan, x, weight), bias)


@with_tangents_of_columns
def _by_phases(plan: Plan, image: Any, weight: Any) -> Any:
    axes = range(3, 3 + 2 * plan.rank)
    # Phases that no tap reaches are left out: of a stride of 1000 and a kernel of 2, that are all but two.
    reached = [min(k, s) for k, s in zip(plan.kernel, plan.stride, strict=True)]
    rows = [-(-k // s) for k, s in zip(plan.kernel, reached, strict=True)]
    behind = [(0, n * s - k, 0) for n, k, s in zip(rows, plan.kernel, reached, strict=True)]
    kernel = lax.pad(weight, jnp.zeros((), weight.dtype), [(0, 0, 0), (0, 0, 0), *behind])
    pairs = [n for pair in zip(rows, reached, strict=True) for n in pair]
    kernel = kernel.reshape(plan.groups, plan.in_channels // plan.groups, -1, *pairs)
    kernel = kernel.transpose(1, 0, 2, *axes[1::2], *axes[::2])  # (C_in/groups, groups, O, *reached, *rows)

    def join(chosen: Sequence[Alike], left: Sequence[Sequence[Alike]]) -> Any:
        if not left:
            return _phases(plan, image, kernel, chosen)
        parts = [join((*chosen, alike), left[1:]) for alike in left[0]]
        return parts[0] if len(parts) == 1 else jnp.concatenate(parts, 2 + len(chosen))

    skip = [lo - first * s for lo, (first, _, s) in zip(plan.lo, _reach(plan), strict=True)]
    y = interleave(plan, join((), _alike(plan)), skip)
    return y.reshape(y.shape[0], *plan.image_shape)


def _phases(plan: Plan, image: Any, kernel: Any, chosen: Sequence[Alike]) -> Any:
    """Convolve for phases that have as many taps: (groups, O, *phases, N, *samples)."""
    counts, taps, reach = [a.stop - a.start for a in chosen], [a.taps for a in chosen], _reach(plan)
    shape = (*counts, image.shape[0], *(last - first + 1 for first, last, _ in reach))
    channels = (plan.groups, plan.out_channels // plan.groups)
    told = words(plan, image)
    if not all(taps):
        return jnp.zeros((*channels, *shape), told["preferred_element_type"] or image.dtype)
    part = kernel[(..., *(slice(a.start, a.stop) for a in chosen), *(slice(0, n) for n in taps))]
    part = jnp.flip(part, range(3 + plan.rank, part.ndim)).reshape(len(part), -1, *taps)
    told["padding"] = [
        (d * (n - 1) - first, last - i + 1)
        for d, n, (first, last, _), i in zip(plan.dilation, taps, reach, plan.size, strict=True)
    ]
    data, weights, _ = layouts(plan, "IO")
    layout, one = (data, weights, weights.replace("IO", "CN")), (1,) * plan.rank
    y = lax.conv_general_dilated(image, part, one, dimension_numbers=layout, feature_group_count=plan.groups, **told)
    return y.reshape(*channels, *shape)


def _alike(plan: Plan) -> list[list[Alike]]:
    """On each axis, the first phases, which have a tap more, and the others."""
    parts = [(k % s, k // s, s) for k, s in zip(plan.kernel, plan.stride, strict=True)]
    return [[a for a in (Alike(0, r, n + 1), Alike(r, s, n)) if a.start < a.stop] for r, n, s in parts]


def _reach(plan: Plan) -> list[tuple[int, int, int]]:
    """On each axis, the first and the last sample that the output takes of a phase, and the stride."""
    axes = zip(plan.lo, plan.out, plan.stride, strict=True)
    return [(lo // s, (lo + n - 1) // s, s) for lo, n, s in axes]


conv, conv_weight, refusal_conv = transposed(conv_transpose, refusal)
refusal_conv_weight = refusal_conv
