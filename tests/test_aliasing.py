"""Results have memory of their own, also where the call changes no number; and axes of no samples."""

import numpy as np
import pytest

import oracle
import upconv
from cases import Case


def overwrite(library, array):
    """Change an array in place, if its library can."""
    if library.name == "torch":
        array.zero_()
    elif library.name == "tensorflow":
        array.assign(np.zeros(tuple(array.shape)))
    else:
        array[...] = 0


@pytest.mark.value
@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
@pytest.mark.parametrize("batch", [(1,), ()], ids=["batched", "one-image"])
def test_identities_are_copies(library, plain, algorithm, data_format, batch):
    if library.name in ("jax", "dask"):
        pytest.skip(f"arrays of {library.name} do not change")

    def make(a):
        if library.name == "tensorflow":
            import tensorflow as tf

            return tf.Variable(a)
        return plain.make(a)

    words = {"data_format": data_format, "algorithm": algorithm}
    line = (*batch, 1, 5) if data_format == "channels_first" else (*batch, 5, 1)
    one = (*batch, 1, 1)
    calls = {
        "conv_transpose": (upconv.conv_transpose, line, (1, 1, 1)),
        "conv": (upconv.conv, line, (1, 1, 1)),
        "conv_weight": (upconv.conv_weight, one, line),
        "bias": (upconv.vjp, one, (1, 1, 1)),
    }
    rng = np.random.default_rng(0)
    for name, (function, *shapes) in calls.items():
        arrays = [make(rng.standard_normal(shape)) for shape in shapes]
        try:
            if name == "conv_weight":
                results = [function(*arrays, (5,), **words)]
            elif name == "bias":
                arrays += [make(np.ones(1)), make(rng.standard_normal(one))]
                y, pullback = function(*arrays[:3], **words)
                results = [y, *pullback(arrays[3])]
            else:
                results = [function(*arrays, **words)]
        except ValueError as refusal:
            assert "does not take" in str(refusal)  # noqa: PT017  an algorithm without this verb
            continue
        before = [plain.back(result).copy() for result in results]
        for array in arrays:
            overwrite(library, array)
        for result, was in zip(results, before, strict=True):
            assert np.any(was)
            np.testing.assert_array_equal(plain.back(result), was)


# Each axis that may be empty, alone, and all of them.
AXES = ["N", "C_in", "C_out", "H", "W", "N C_in C_out H W"]


@pytest.mark.value
@pytest.mark.parametrize("empty", AXES)
def test_axes_of_no_samples(plain, empty):
    """`vjp` is all the verbs: the transposed convolution, and the ways back to x, weight and bias."""
    sizes = {"N": 2, "C_in": 3, "C_out": 2, "H": 4, "W": 3} | dict.fromkeys(empty.split(), 0)
    batch, ins, outs, *size = sizes.values()
    words = {"stride": (2, 3), "dilation": (1, 2)}
    out = oracle.full(size, (3, 2), *words.values())
    case = Case(empty, (batch, ins, *size), (ins, outs, 3, 2), (0, 0), out, words)
    x, weight, bias = case.arrays()
    cotangent = np.random.default_rng(3).standard_normal((batch, outs, *out))
    stride, dilation, groups, lo, out = case.geometry
    expected = (
        oracle.conv_transpose(x, weight, bias, *case.geometry),
        oracle.conv(cotangent, weight, None, stride, dilation, groups, lo, x.shape[2:]),
        oracle.conv_weight(x, cotangent, weight.shape[2:], stride, dilation, groups, lo),
        cotangent.sum((0, 2, 3)),
    )
    arrays = [plain.make(a) for a in (x, weight, bias)]
    taken = upconv.explain(*arrays, **case.arguments).algorithm
    for algorithm in {"auto", "generic"} - {taken}:
        y, pullback = upconv.vjp(*arrays, **case.arguments, algorithm=algorithm)
        for ours, theirs in zip((y, *pullback(plain.make(cotangent))), expected, strict=True):
            assert tuple(ours.shape) == theirs.shape
            np.testing.assert_allclose(plain.back(ours), theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("empty", ["N", "C_in", "C_out", "H", "all"])
def test_explain_of_axes_of_no_samples(library, plain, empty):
    sizes = {name: 0 if empty in (name, "all") else n for name, n in (("N", 2), ("C_in", 3), ("C_out", 2), ("H", 4))}
    batch, ins, outs, height = sizes.values()
    arrays = plain.make(np.ones((batch, ins, height, 3))), plain.make(np.ones((ins, outs, 3, 2)))
    for algorithm in ("auto", *library.algorithms):
        try:
            found = upconv.explain(*arrays, stride=(2, 3), algorithm=algorithm)
        except ValueError as refusal:
            assert algorithm not in ("auto", "generic")
            assert "does not take" in str(refusal)  # noqa: PT017
            continue
        assert found.output_shape == (batch, outs, max(0, (height - 1) * 2 + 3), 8)
        assert found.workspace >= 0
