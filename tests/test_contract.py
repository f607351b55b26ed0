"""What a caller may rely on beside the values: library, dtype, device, layout, memory, and arrays left as they were."""

from importlib.util import find_spec

import numpy as np
import pytest

import upconv
from cases import CASES
from upconv._libraries import owner

CASE = next(case for case in CASES if case.name == "pairs")


@pytest.fixture
def arrays(variant):
    return [variant.make(a) for a in CASE.arrays("float32")]


@pytest.mark.value
def test_the_result_is_as_the_input(variant, arrays, algorithm):
    before = [variant.back(a).copy() for a in arrays]
    y = upconv.conv_transpose(*arrays, **CASE.arguments, algorithm=algorithm)
    assert owner(y) is owner(arrays[0])
    assert y.dtype == arrays[0].dtype
    assert tuple(y.shape) == (CASE.x[0], CASE.weight[1], *CASE.out)
    assert variant.where(y) == variant.where(arrays[0])
    result = variant.back(y)
    assert not any(np.shares_memory(result, variant.back(a)) for a in arrays)
    for a, was in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(variant.back(a), was)


@pytest.mark.value
def test_without_a_batch(variant, arrays, algorithm):
    x, weight, bias = arrays
    # Made anew: not every library's index leaves an array on its device.
    one = variant.make(CASE.arrays("float32")[0][1])
    one = upconv.conv_transpose(one, weight, bias, **CASE.arguments, algorithm=algorithm)
    assert variant.where(one) == variant.where(x)
    all_ = upconv.conv_transpose(x, weight, bias, **CASE.arguments, algorithm=algorithm)
    np.testing.assert_allclose(variant.back(one), variant.back(all_)[1], rtol=1e-5, atol=1e-6)


@pytest.mark.value
def test_fixed_ranks_agree_with_the_general_call(plain):
    for rank in (1, 2, 3):
        case = next(c for c in CASES if c.rank == rank and c.bias)
        x, weight, bias = map(plain.make, case.arrays())
        fixed = getattr(upconv, f"conv_transpose{rank}d")(x, weight, bias, **case.arguments)
        general = upconv.conv_transpose(x, weight, bias, **case.arguments)
        np.testing.assert_array_equal(plain.back(fixed), plain.back(general))


@pytest.mark.value
def test_the_same_call_twice_is_bitwise_the_same(plain, algorithm):
    arrays = [plain.make(a) for a in CASE.arrays()]
    first, second = (
        plain.back(upconv.conv_transpose(*arrays, **CASE.arguments, algorithm=algorithm)) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_output_shape(case):
    expected = (case.x[0], case.weight[1] * case.groups, *case.out)
    assert upconv.output_shape(case.x, case.weight, **case.arguments) == expected
    assert upconv.output_shape(case.x[1:], case.weight, (expected[1],), **case.arguments) == expected[1:]
    last = (case.x[0], *case.x[2:], case.x[1])
    expected = (case.x[0], *case.out, expected[1])
    assert upconv.output_shape(last, case.weight, **case.arguments, data_format="channels_last") == expected


def test_explain_tells_what_runs(plain, library, algorithm):
    arrays = [plain.make(a) for a in CASE.arrays("float32")]
    found = upconv.explain(*arrays, **CASE.arguments, algorithm=algorithm)
    assert (found.library, found.algorithm) == (library.name, algorithm)
    assert found.version
    assert found.output_shape == (CASE.x[0], CASE.weight[1], *CASE.out)
    assert 0 <= found.workspace < 32 << 20
    for line in ("library", "algorithm", "reason", "output shape", "workspace"):
        assert line in str(found)
    auto = upconv.explain(*arrays, **CASE.arguments)
    small = {"torch": "native", "numpy": "loops" if find_spec("numba") else "overlap_add"}
    assert auto.algorithm == small.get(library.name, library.algorithms[0])


def test_explain_says_why_the_first_choice_does_not_run(plain, library):
    if library.name != "tensorflow":
        pytest.skip(f"the first choice of {library.name} takes groups")
    case = next(case for case in CASES if case.name == "groups")
    arrays = [plain.make(a) for a in case.arrays()]
    found = upconv.explain(*arrays, **case.arguments)
    assert found.algorithm == library.algorithms[1]
    assert "native does not take groups" in found.reason


def test_explain_says_why_the_first_choice_is_not_the_fastest(plain, library):
    said = {"jax": "overlap_add is slower at stride 1", "torch": "overlap_add is slower in float64 for 4032 columns"}
    if library.name not in said:
        pytest.skip(f"the first choice of {library.name} is never slow")
    x, weight = plain.make(np.ones((1, 4, 6, 7))), plain.make(np.ones((4, 8, 3, 4)))
    found = upconv.explain(x, weight)
    assert found.algorithm == "native"
    assert said[library.name] in found.reason
    assert upconv.explain(x, weight, algorithm="overlap_add").algorithm == "overlap_add"


def test_memory_format_is_kept(library, algorithm):
    if library.name != "torch":
        pytest.skip(f"{library.name} has no memory formats")
    if algorithm == "generic":
        pytest.skip("the array API does not know memory formats")
    import torch

    for case in (CASE, *(c for c in CASES if c.name in ("stride", "same-odd-crop", "groups"))):
        x, weight, bias = (torch.from_numpy(a) for a in case.arrays())
        arguments = case.arguments | {"algorithm": algorithm}
        y = upconv.conv_transpose2d(x, weight, **arguments)
        assert y.is_contiguous()
        assert y.untyped_storage().nbytes() == y.nbytes, case
        assert upconv.conv_transpose2d(x, weight, bias, **arguments).is_contiguous()
        x = x.contiguous(memory_format=torch.channels_last)
        for b in (bias, None):
            y = upconv.conv_transpose2d(x, weight, b, **arguments)
            assert y.is_contiguous(memory_format=torch.channels_last), case
        last = upconv.conv_transpose2d(x.permute(0, 2, 3, 1), weight, bias, **arguments, data_format="channels_last")
        assert last.is_contiguous(), case


def test_workspace_is_bounded(library):
    if library.name != "numpy":
        pytest.skip(f"{library.name} manages its own memory")
    import tracemalloc

    for shape, kernel in (((2, 4, 1100, 900), (3, 4)), ((1, 1, 2, 300, 400), (3, 4, 5)), ((1, 1, 3, 90_000), (5, 4))):
        x, weight = np.ones(shape, "float32"), np.ones((shape[1], 2, *kernel), "float32")
        upconv.conv_transpose(x[:, :, :1], weight)
        bound = upconv.explain(x, weight, stride=2).workspace
        tracemalloc.start()
        y = upconv.conv_transpose(x, weight, stride=2)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak - y.nbytes < 1.5 * bound < 32 << 20


def test_workspace_of_the_ways_back_is_bounded(library):
    if library.name != "numpy":
        pytest.skip(f"{library.name} manages its own memory")
    import tracemalloc

    geometries = [((2, 4, 700, 500), (16, 3, 4)), ((1, 64, 30, 40), (16, 7, 9)), ((1, 1, 3, 90_000), (16, 5, 4))]
    for shape, kernel in (*geometries, ((1, 256, 200, 300), (1, 1, 1))):
        x, weight = np.ones(shape, "float32"), np.ones((shape[1], *kernel), "float32")
        y, pullback = upconv.vjp(x, weight, stride=2)
        tracemalloc.start()
        found = pullback(y)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak - found[0].nbytes - found[1].nbytes < 32 << 20
