"""Hypothesis strategies over everything that is legal: geometries, and calls with all that a call may vary in."""

from functools import cache
from math import prod

from hypothesis import strategies as st

import oracle
from cases import Case
from fuzz import Call, dtypes
from memory import kinds, layouts

# What the special tests of one lowering draw from, in place of the whole space.
SMALL = {"max_size": 6, "max_kernel": 4, "max_dilation": 3}
# Products, and samples of the output, of one case: sizes of the largest are trimmed, kernels are left as they are.
PRODUCTS, SAMPLES = 200_000, 30_000


@st.composite
def cases(draw, *, max_rank=3, max_size=9, max_kernel=5, max_dilation=4, taps=125, empty=True):
    """Any geometry: unequal sizes, kernels, strides and dilations, groups, and crops of either sign."""
    rank = draw(integers(1, max_rank))
    least = 0 if empty and draw(integers(0, 9)) == 9 else 1

    def per_axis(low, high):
        return draw(tuples(rank, low, high))

    # Groups and dilation are what the libraries' own ops refuse: half of the calls have none of either.
    batch, groups, ins, outs = draw(integers(least, 3)), draw(sampled(1, 1, 2, 3)), *draw(tuples(2, least, 3))
    size, kernel = per_axis(least, max_size), trimmed(per_axis(1, max_kernel), taps)
    stride, dilation = per_axis(1, 4), per_axis(1, max_dilation if draw(st.booleans()) else 1)
    size = trimmed(size, PRODUCTS // max(1, batch * groups * ins * outs * prod(kernel)))
    while max(size) > 1 and batch * groups * outs * prod(oracle.full(size, kernel, stride, dilation)) > SAMPLES:
        size = less(size)
    full = oracle.full(size, kernel, stride, dilation)
    far = draw(integers(0, 7)) == 7
    lo = tuple(draw(integers(-4, n + 3 if far else 4)) for n in full)
    hi = tuple(draw(integers(-4, max(-4, n - front if far else 4))) for n, front in zip(full, lo, strict=True))
    hi = tuple(min(back, n - front) for n, front, back in zip(full, lo, hi, strict=True))
    out = tuple(n - front - back for n, front, back in zip(full, lo, hi, strict=True))
    arguments = {"stride": stride, "padding": tuple(zip(lo, hi, strict=True)), "dilation": dilation, "groups": groups}
    x = (batch, ins * groups, *size)
    return Case("drawn", x, (ins * groups, outs, *kernel), lo, out, arguments, bias=draw(st.booleans()))


@st.composite
def calls(draw, library, **limits):
    """Any call of any verb on any array of a library."""
    case, verb = draw(cases(**limits)), draw(sampled("conv_transpose", "conv_transpose", "conv", "conv_weight"))
    case = draw(said(case) if verb == "conv_transpose" else left_over(case) if verb == "conv" else st.just(case))
    return Call(
        verb,
        case,
        draw(sampled(*dtypes(library))),
        draw(sampled("channels_first", "channels_last")),
        batched=case.x[0] != 1 or draw(st.booleans()),
        layouts=draw(st.tuples(*[sampled(*layouts(library.name))] * 3)),
        way=draw(integers(0, len(kinds(library.name)) - 1)),
        exact=draw(st.booleans()),
        seed=draw(integers(0, 2**16)),
    )


@st.composite
def said(draw, case):
    """The crop of a transposed convolution in any of its words."""
    word = draw(sampled("pairs", "pairs", "size", "ints", "same", "valid"))
    stride, dilation, _, lo, out = case.geometry
    full = oracle.full(case.x[2:], case.weight[2:], stride, dilation)
    strided = [i * s for i, s in zip(case.x[2:], stride, strict=True)]
    if word == "pairs":
        return case
    if word == "size":
        pads = tuple((front, draw(integers(-2, 2))) for front in lo)
        return case.but(lo, out, padding=pads, output_size=out)
    if word == "ints":
        both = tuple(draw(integers(0, min(4, n // 2))) for n in full)
        more = tuple(draw(integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
        out = tuple(n - 2 * p + op for n, p, op in zip(full, both, more, strict=True))
        return case.but(both, out, padding=both, output_padding=more)
    if word == "same":
        lo = tuple(max(0, n - wanted) // 2 for n, wanted in zip(full, strided, strict=True))
        return case.but(lo, tuple(strided), padding=word)
    return case.but((0,) * len(full), tuple(map(max, full, strided)), padding=word)


@st.composite
def left_over(draw, case):
    """Padding of a convolution whose stride leaves samples over behind."""
    axes = zip(case.arguments["padding"], case.x[2:], case.arguments["stride"], strict=True)
    pads = tuple((lo, hi + (draw(integers(0, s - 1)) if size else 0)) for (lo, hi), size, s in axes)
    return case.but(case.lo, case.out, padding=pads)


def trimmed(numbers, most):
    """Take from the largest until no more than ``most`` are their product."""
    while max(numbers) > 1 and prod(numbers) > most:
        numbers = less(numbers)
    return numbers


def less(numbers):
    """Take one off the largest."""
    at = numbers.index(max(numbers))
    return (*numbers[:at], numbers[at] - 1, *numbers[at + 1 :])


# Kept, because making a strategy costs more than drawing from it.
integers = cache(st.integers)
tuples = cache(lambda rank, low, high: st.tuples(*[st.integers(low, high)] * rank))
sampled = cache(lambda *of: st.sampled_from(of))
