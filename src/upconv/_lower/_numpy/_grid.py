"""The uncropped output as a grid of samples, each with the phases of the stride; and what of it the output keeps.

Before anything is cropped, output ``o = q*s + r`` is phase ``r`` of sample ``q``, and tap ``a`` sends input ``p`` to
phase ``a*d % s`` of sample ``p + a*d // s``: the taps of one shift are neighbours, and so are their phases.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from upconv._plan import Plan, make_plan, part

__all__ = ["ALL", "Index", "grid_of", "halves", "halves_of_input", "kept", "trim", "work_dtype"]

ALL = slice(None)
Index = tuple[Any, ...]


@lru_cache(maxsize=512)
def trim(plan: Plan) -> tuple[Plan, Index, Index]:
    """Leave out the inputs and the taps that reach nothing but what is cropped; all of them may.

    What has no neighbour left needs no distance to one, be it as large as it may.
    """
    inputs, kernel = [], []
    for axis in plan.taps:
        reaching = [tap for tap in axis if tap.start < tap.stop]
        first, stop = min((tap.start for tap in reaching), default=0), max((tap.stop for tap in reaching), default=0)
        inputs.append(slice(first, stop))
        kernel.append(slice(reaching[0].a, reaching[-1].a + 1) if reaching else slice(0, 1))
    axes = zip(plan.lo, inputs, kernel, plan.stride, plan.dilation, strict=True)
    sizes, taps = (tuple(part.stop - part.start for part in parts) for parts in (inputs, kernel))
    dilations = tuple(d if k > 1 else 1 for k, d in zip(taps, plan.dilation, strict=True))
    spans = [d * (k - 1) + 1 for k, d in zip(taps, dilations, strict=True)]
    taken = make_plan(
        in_channels=plan.in_channels,
        out_channels=plan.out_channels,
        groups=plan.groups,
        size=sizes,
        kernel=taps,
        stride=tuple(s if i > 1 else min(s, span) for i, s, span in zip(sizes, plan.stride, spans, strict=True)),
        dilation=dilations,
        out=plan.out,
        lo=tuple(lo - p.start * s - a.start * d for lo, p, a, s, d in axes),
        channels_last=plan.channels_last,
    )
    return taken, tuple(inputs), tuple(kernel)


@lru_cache(maxsize=512)
def halves(plan: Plan, axis: int) -> tuple[tuple[Plan, slice, slice], ...]:
    """Two plans side by side along an axis, with the inputs and the outputs of each."""
    half = plan.out[axis] // 2
    ends = ((0, half), (half, plan.out[axis]))
    return tuple((*part(plan, axis, *end), slice(*end)) for end in ends)


@lru_cache(maxsize=512)
def halves_of_input(plan: Plan, axis: int) -> tuple[tuple[Plan, slice], ...]:
    """Two plans for inputs side by side along an axis, and the inputs of each; both have all of the output."""
    half, n = plan.size[axis] // 2, plan.size[axis]

    def of(first: int, stop: int) -> Plan:
        return make_plan(
            in_channels=plan.in_channels,
            out_channels=plan.out_channels,
            groups=plan.groups,
            size=(*plan.size[:axis], stop - first, *plan.size[axis + 1 :]),
            kernel=plan.kernel,
            stride=plan.stride,
            dilation=plan.dilation,
            out=plan.out,
            lo=(*plan.lo[:axis], plan.lo[axis] - first * plan.stride[axis], *plan.lo[axis + 1 :]),
            channels_last=plan.channels_last,
        )

    return (of(0, half), slice(0, half)), (of(half, n), slice(half, n))


def grid_of(plan: Plan) -> tuple[int, ...]:
    """Samples along each axis."""
    axes = zip(plan.size, plan.kernel, plan.dilation, plan.stride, strict=True)
    return tuple(i + (k - 1) * d // s for i, k, d, s in axes)


def kept(plan: Plan, axis: int, samples: slice, residue: int) -> tuple[slice, slice]:
    """Of a range of samples of one phase, those that are not cropped, and where they belong in the output."""
    s, lo = plan.stride[axis], plan.lo[axis]
    first = max(samples.start, -((residue - lo) // s))
    stop = max(first, min(samples.stop, (plan.out[axis] - 1 + lo - residue) // s + 1))
    begin = first * s + residue - lo
    return slice(first, stop), slice(begin, begin + (stop - first - 1) * s + 1 if first < stop else begin, s)


@lru_cache(maxsize=64)
def work_dtype(dtype: Any) -> Any:
    """The dtype to add in; bfloat16 goes by its name, because it is not NumPy's own."""
    return np.dtype("float32") if dtype.name in ("float16", "bfloat16") else dtype.newbyteorder("=")
