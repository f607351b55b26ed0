"""The oracle is the definition: one product at a time, in every case of the matrix."""

import numpy as np
import pytest

import oracle
from cases import CASES


def products(case):
    """All that the definition adds up, as (image, channel in, channel out, sample of x, tap, sample of y)."""
    stride, dilation, groups, lo, out = case.geometry
    ins, outs = case.weight[0] // groups, case.weight[1]
    for n, g, c, k in np.ndindex(case.x[0], groups, ins, outs):
        for p in np.ndindex(*case.x[2:]):
            for a in np.ndindex(*case.weight[2:]):
                o = tuple(p * s + a * d - front for p, s, a, d, front in zip(p, stride, a, dilation, lo, strict=True))
                if all(0 <= place < size for place, size in zip(o, out, strict=True)):
                    yield n, g * ins + c, g * outs + k, p, a, o


@pytest.mark.parametrize("case", [case for case in CASES if not case.is_layer], ids=str)
def test_each_of_the_three_sums(case, library):
    if library.name != "numpy":
        pytest.skip("the oracle is one for all libraries")
    x, weight, bias = case.arrays("int64")
    stride, dilation, groups, lo, out = case.geometry
    y = np.random.default_rng(2).integers(-9, 10, (case.x[0], case.weight[1] * groups, *out))
    forth, back, across = np.zeros_like(y), np.zeros_like(x), np.zeros_like(weight)
    for n, c, k, p, a, o in products(case):
        w = (c, k % case.weight[1], *a)
        forth[(n, k, *o)] += x[(n, c, *p)] * weight[w]
        back[(n, c, *p)] += y[(n, k, *o)] * weight[w]
        across[w] += x[(n, c, *p)] * y[(n, k, *o)]
    if bias is not None:
        forth += bias.reshape(-1, *(1,) * case.rank)
    words = (stride, dilation, groups, lo)
    np.testing.assert_array_equal(oracle.conv_transpose(x, weight, bias, *words, out), forth)
    np.testing.assert_array_equal(oracle.conv(y, weight, None, *words, case.x[2:]), back)
    np.testing.assert_array_equal(oracle.conv_weight(x, y, case.weight[2:], *words), across)
