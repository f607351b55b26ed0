"""The CUDA text gives the definition's values: every form, dtype, tile and way of gathering, one by one.

Without a GPU it runs on the CPU, thread by thread; see `cuda_on_cpu`. `tests/test_values.py` runs the same matrix
through the public call, where the form is the one that a call would take.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import CASES
from oracle import exact_and_bound, receptive_field
from strategies import SMALL, cases
from upconv._plans import plan_for

pytestmark = pytest.mark.value

NAMES = ("stride", "padding", "output_padding", "groups", "dilation", "output_size")
DEFAULTS = (1, 0, 0, 1, 1, None)


def plan_of(case, data_format="channels_first"):
    geometry = (case.arguments.get(name, default) for name, default in zip(NAMES, DEFAULTS, strict=True))
    x = case.x if data_format == "channels_first" else (case.x[0], *case.x[2:], case.x[1])
    return plan_for(None, x, case.weight, None, *geometry, data_format)[0]


def taken(case):
    plan = plan_of(case)
    return not plan.is_empty and plan.rank <= 3 and max(plan.dilation) < 2**20


NAMED = [case for case in CASES if taken(case) and not case.is_layer]


def merges(plan):
    """Whether all output phases have the same taps, and there are several."""
    axes = zip(plan.kernel, plan.stride, plan.dilation, strict=True)
    return max(plan.stride) > 1 and all(k % s == 0 and (d == 1 or k == 1) for k, s, d in axes)


def dtype_of(form):
    from cuda_on_cpu.forms import numpy_dtype

    name = numpy_dtype(form)
    if name == "bfloat16":
        from ml_dtypes import bfloat16

        return np.dtype(bfloat16)
    return np.dtype(name)


REFERENCES = {}


def reference(case, dtype):
    """Exact result, and the bound of a sum in float32 or wider; the loops of a named case run once for each dtype."""
    found = REFERENCES.get((case.name, dtype))
    if found is None:
        eps = np.finfo("float32" if dtype.itemsize == 2 else dtype).eps
        factor = 8 if dtype.kind == "c" else 2
        found = exact_and_bound(*case.arrays(dtype), *case.geometry, eps=eps, terms_factor=factor)
        if case.name != "drawn":
            REFERENCES[case.name, dtype] = found
    return found


def run(form, case, data_format="channels_first", arrays=None):
    """Launch one form as it is; None where its way of gathering does not fit the case."""
    import cupy

    from upconv._lower._cupy import raw

    x, weight, bias = arrays or case.arrays(dtype_of(form))
    plan = plan_of(case, data_format)
    if form.by_channel or data_format == "channels_last":
        x = np.ascontiguousarray(np.moveaxis(x, 1, -1))
    x = cupy.asarray(x)
    if form.by_channel and data_format == "channels_first":
        x = x.transpose(0, x.ndim - 1, *range(1, x.ndim - 1))
    if form.by_channel and x.itemsize == 2 and plan.in_channels // plan.groups % 2:
        return None  # halves come as pairs
    bias = None if bias is None else cupy.asarray(bias)
    y = raw.launch(plan, form, x, cupy.asarray(weight), bias).get()
    return np.moveaxis(y, -1, 1) if data_format == "channels_last" else y


def check(form, case, data_format="channels_first"):
    dtype = dtype_of(form)
    y = run(form, case, data_format)
    if y is None:
        return False
    exact, bound = reference(case, dtype)
    allowed = bound
    if form.dtype == "TF32":  # 10 bits of each factor
        allowed = bound * 2**13
    if dtype.itemsize == 2:
        allowed = 1.01 * bound + 1e-7 + np.abs(exact) * 2.0 ** (-11 if form.dtype == "F16" else -8)
    error = np.abs(y.astype(exact.dtype) - exact)
    assert (error <= allowed).all(), f"{case}: largest error {np.nanmax(error)}, {np.isnan(error).sum()} of them NaN"
    return True


def ways(form, case):
    """The form itself, with its sum divided, and with its phases merged."""
    yield form
    if form.kernel == "direct" and case.groups > 1:
        yield form._replace(chunk=2)
    if form.kernel == "tile":
        yield form._replace(splits=3)
        if merges(plan_of(case)):
            yield form._replace(merged=True)
            yield form._replace(merged=True, splits=2)


def test_named_geometries(form):
    # One way for each case, in turn: every way meets every tile, and every case every way.
    compared = 0
    for k, case in enumerate(NAMED):
        way = list(ways(form, case))
        compared += check(way[k % len(way)], case, "channels_last" if k % 3 == 0 else "channels_first")
    assert compared > (len(NAMED) // 4 if form.by_channel else len(NAMED) - 1)


MANY = [
    case for case in CASES if case.name in ("dcgan-8", "fcn-8s", "dilated-strided", "grouped-4", "vocoder-1d", "gan3d")
]


def test_all_ways_of_a_few_layers(form):
    cases_ = MANY[:3] if form.kernel == "tile" and form.tile.BM < 64 and form.dtype != "C128" else MANY[3:]
    for case in cases_:
        for way in ways(form, case):
            check(way, case)


@settings(max_examples=12)
@given(
    case=cases(**SMALL, empty=False),
    turn=st.integers(0, 3),
    data_format=st.sampled_from(["channels_first", "channels_last"]),
)
def test_anything_legal(form, case, turn, data_format):
    if taken(case):
        way = list(ways(form, case))
        check(way[turn % len(way)], case, data_format)


DEEP = [
    # More input channels than one stage has rows, more output channels than the largest tile has columns.
    ((2, 37, 3, 4), (37, 131, 2, 3), {"stride": 2, "padding": ((1, 0), (0, 1))}, (1, 0), (5, 8)),
    ((3, 18, 5, 4), (18, 9, 4, 2), {"stride": 2, "padding": 1, "groups": 2}, (1, 1), (10, 6)),
]


def deep():
    from cases import Case

    return [Case(f"deep-{k}", x, w, lo, out, arguments) for k, (x, w, arguments, lo, out) in enumerate(DEEP)]


def test_more_channels_and_columns_than_one_tile(form):
    for case in deep():
        for way in ways(form, case):
            check(way, case)


@pytest.mark.parametrize("where", ["weight", "x"])
def test_what_is_not_finite_stays_in_its_receptive_field(form, where):
    """Also where x is gathered beyond its image: the zero there times an infinite weight must not be seen."""
    for case in (case for case in CASES if case.name in ("stride-dilation", "kernel-is-stride")):
        for way in ways(form, case):
            arrays = x, weight, _ = [a.copy() for a in case.arrays(dtype_of(form))]
            if where == "weight":
                weight[:, :, 0, ...] = np.inf
                reached = receptive_field(weight[:, :, :1], np.ones(x.shape), *case.geometry)
            else:
                x[..., 0, 0] = np.inf
                marked = np.zeros(x.shape)
                marked[..., 0, 0] = 1
                reached = receptive_field(weight, marked, *case.geometry)
            y = run(way, case, arrays=arrays)
            if y is not None:
                finite = np.isfinite(y.astype("complex128" if y.dtype.kind == "c" else "float64"))
                assert finite[~reached].all()
                assert not finite[reached].any()
