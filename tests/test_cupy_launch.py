"""What the Python side of the raw kernel tells it: the argument, grid, module and device, and the prepared weight."""

import re
from math import prod

import numpy as np
import pytest

import upconv
from cases import CASES
from oracle import exact_and_bound
from upconv._plans import plan_for

CASE = next(case for case in CASES if case.name == "pairs")


def arrays_of(case, dtype="float32"):
    import cupy

    return [None if a is None else cupy.asarray(a) for a in case.arrays(dtype)]


def call(case, *arrays, **more):
    return upconv.conv_transpose(*arrays, **case.arguments, **more)


def words(launch):
    from upconv._lower._cupy._problem import AXIS, FIELDS

    values = launch[-1]["words"][0].tolist()
    axes = [dict(zip(AXIS, values[k : k + len(AXIS)], strict=True)) for k in range(len(FIELDS), len(values), len(AXIS))]
    return dict(zip(FIELDS, values, strict=False)) | {"axis": axes}


def choice(x, weight, dtype="float32", capability=90, processors=132, tf32=False, **geometry):
    from upconv._lower._cupy._choice import Device, choose
    from upconv._lower._cupy._grid import make_grid

    names = ("stride", "padding", "output_padding", "groups", "dilation", "output_size")
    values = [geometry.get(name, default) for name, default in zip(names, (1, 0, 0, 1, 1, None), strict=True)]
    plan, _ = plan_for(None, x, weight, None, *values, "channels_first")
    form = choose(plan, x[0], dtype, Device(capability, processors), tf32=tf32)
    return form, make_grid(plan, x[0], form)


def test_the_words_are_the_fields_of_the_struct(standin):
    from upconv._lower._cupy._module import source
    from upconv._lower._cupy._problem import AXIS, FIELDS

    def fields(struct):
        body = re.search(rf"struct {struct} \{{(.*?)\n\}};", source(), re.DOTALL)[1]
        body = re.sub(r"//[^\n]*|\b(const|Element|Word|Sum|long long|Axis)\b|\*", "", body)
        return tuple(re.findall(r"[a-z_]\w*", body.replace("axis[3]", "")))

    assert fields("Axis") == AXIS
    assert fields("Problem") == FIELDS


@pytest.mark.value
def test_one_call_is_told_in_full(standin):
    x, weight, bias = arrays_of(CASE)
    before = len(standin.LAUNCHES)
    y = call(CASE, x, weight, bias)
    device, options, kernel, blocks, threads, _ = launch = standin.LAUNCHES[-1]
    assert (device, kernel) == (0, "direct")  # two input channels
    assert len(standin.LAUNCHES) == before + 1
    assert "-DDTYPE=F32" in options
    assert threads == 128
    assert blocks == -(-y.size // CASE.weight[1] // 128)
    told = words(launch)
    assert (told["x"], told["weight"], told["bias"], told["y"]) == tuple(a.data.ptr for a in (x, weight, bias, y))
    assert (told["packed"], told["partial"]) == (0, 0)
    assert (told["batch"], told["groups"], told["ins"], told["outs"], told["total"]) == (2, 1, 2, 3, y.size)
    assert (told["x_image"], told["x_channel"]) == (40, 20)
    rows, columns = told["axis"][1:]
    assert told["axis"][0] | {"out": 1} == dict.fromkeys(rows, 0) | dict.fromkeys(
        ("size", "kernel", "stride", "dilation", "out", "common"), 1
    )
    assert (rows["size"], rows["kernel"], rows["stride"], rows["out"], rows["x"]) == (4, 3, 2, 7, 5)
    assert (columns["crop_steps"], columns["crop_rest"], columns["common"], columns["inverse"]) == (1, 0, 1, 1)


def test_strides_go_in_place_of_copies(standin):
    import cupy

    x, weight, bias = CASE.arrays("float32")
    last = cupy.asarray(np.ascontiguousarray(np.moveaxis(x, 1, -1)))
    call(CASE, np.moveaxis(last, -1, 1), cupy.asarray(weight), cupy.asarray(bias))
    told = words(standin.LAUNCHES[-1])
    assert told["x"] == last.data.ptr
    assert (told["x_channel"], told["axis"][2]["x"]) == (1, 2)
    backwards = cupy.asarray(x)[..., ::-1]
    call(CASE, backwards, cupy.asarray(weight), cupy.asarray(bias))
    assert words(standin.LAUNCHES[-1])["axis"][2]["x"] == -1


@pytest.mark.value
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_a_view_of_parts_of_elements_is_copied(standin, dtype):
    import cupy

    made = arrays_of(CASE, dtype)
    records = [np.zeros(a.shape, [("tag", "int8"), ("value", dtype)]) for a in made]
    for record, a in zip(records, made, strict=True):
        record["value"] = a
    views = [cupy.asarray(record)["value"] for record in records]
    assert views[0].strides[-1] % views[0].itemsize
    np.testing.assert_array_equal(call(CASE, *views).get(), call(CASE, *made).get())


def test_a_module_is_made_once_for_each_specialisation_and_device(standin):
    from upconv._lower._cupy._module import kernel

    kernel.cache_clear()
    arrays = arrays_of(CASE)
    for _ in range(3):
        call(CASE, *arrays)
    assert kernel.cache_info().currsize == 1
    call(CASE, *arrays_of(CASE, "float64"))
    assert kernel.cache_info().currsize == 2
    import cupy

    with cupy.cuda.Device(1):
        elsewhere = arrays_of(CASE)
    y = call(CASE, *elsewhere)  # although device 0 is the current one
    assert standin.LAUNCHES[-1][0] == y.device.id == 1
    assert kernel.cache_info().currsize == 3
    with pytest.raises(ValueError, match=r"`x` is on device .*1.* and `weight` on .*0"):
        call(CASE, elsewhere[0], *arrays[1:])


@pytest.mark.parametrize(
    "expected, x, weight, words_",
    [
        ("direct", (1, 21, 64, 64), (21, 1, 4, 4), {"stride": 2, "padding": 1, "groups": 21}),
        ("direct", (1, 12, 8, 8), (12, 3, 4, 4), {"stride": 2, "groups": 3}),
        ("direct", (1, 1, 2, 2), (1, 1, 2, 2), {}),
        ("merged 128", (16, 512, 32, 32), (512, 256, 2, 2), {"stride": 2}),
        ("merged 128", (1, 1026, 224), (1026, 1, 1024), {"stride": 256}),
        ("merged 16", (16, 128, 32, 32), (128, 3, 4, 4), {"stride": 2, "padding": 1}),
        ("phases 128", (16, 512, 4, 4), (512, 256, 4, 4), {"stride": 2, "padding": 1}),
        ("phases 64", (1, 64, 128, 128), (64, 64, 3, 3), {"padding": 1}),
        ("phases 4", (1, 56, 128, 128), (56, 1, 9, 9), {"stride": 2}),
    ],
)
def test_the_form_that_a_call_takes(standin, expected, x, weight, words_):
    form, grid = choice(x, weight, **words_)
    found = form.kernel if form.kernel == "direct" else f"{'merged' if form.merged else 'phases'} {form.tile.BM}"
    assert found == expected
    assert grid.blocks > 0


def test_tensor_cores_where_the_chip_and_the_precision_have_them(standin):
    layer = ((4, 64, 16, 16), (64, 64, 3, 3))
    assert [choice(*layer, dtype, 75)[0].tensor for dtype in ("float16", "bfloat16", "float32")] == [True, False, False]
    assert [choice(*layer, dtype, 80)[0].tensor for dtype in ("float16", "bfloat16", "float32")] == [True, True, False]
    assert choice(*layer, "float32", 80, tf32=True)[0].dtype == "TF32"
    assert choice(*layer, "float32", 75, tf32=True)[0].dtype == "F32"
    assert not choice(*layer, "complex64", tf32=True)[0].tensor


def test_tf32_follows_cupys_own_switch(standin, monkeypatch):
    from upconv._lower._cupy._module import kernel

    case = next(c for c in CASES if c.name == "channels")
    monkeypatch.setenv("CUPY_TF32", "1")
    kernel.cache_clear()
    y = call(case, *arrays_of(case))
    assert "-DDTYPE=TF32" in standin.LAUNCHES[-1][1]
    exact, bound = exact_and_bound(*case.arrays("float32"), *case.geometry, eps=2.0**-10)
    assert (np.abs(y.get() - exact) <= bound).all()
    monkeypatch.setenv("CUPY_TF32", "0")
    call(case, *arrays_of(case))
    assert "-DDTYPE=F32" in standin.LAUNCHES[-1][1]


def test_a_sum_is_divided_only_where_blocks_are_few(standin):
    few, _ = choice((1, 512, 4, 4), (512, 256, 4, 4), stride=2, padding=1)
    assert few.splits > 1
    many, grid = choice((128, 512, 16, 16), (512, 256, 4, 4), stride=2, padding=1)
    assert many.splits == 1
    assert grid.blocks > 132
    short, _ = choice((1, 16, 4, 4), (16, 256, 1, 1))
    assert short.splits == 1
    from upconv._lower._cupy._choice import WORKSPACE

    wide, _ = choice((1, 2048, 2, 2), (2048, 64, 512, 512))
    assert wide.splits * 64 * 513 * 513 * 4 <= max(WORKSPACE, 64 * 513 * 513 * 4)


def test_the_grid_of_a_tensor_beyond_31_bits(standin):
    form, grid = choice((1024, 64, 512, 512), (64, 64, 4, 4), stride=2, padding=1)
    assert 1024 * 64 * 1024 * 1024 > 2**35
    assert grid.blocks < 2**31
    assert grid.tiles_n * form.tile.BN >= 1024 * 512 * 512


@pytest.mark.parametrize(
    "x, weight, words_, why",
    [
        ((1, 2, 3), (2, 2, 3), {"dilation": 2**30, "padding": 2**30}, "beyond 31 bits"),
        ((1, 2, 2), (2, 2, 3), {"stride": 2**16}, "a stride beyond 65535"),
        ((1, 2, 2, 2, 2, 2), (2, 2, 1, 1, 1, 1), {}, "4 spatial axes"),
        ((1, 2, 0), (2, 2, 3), {}, "an empty image"),
    ],
)
def test_what_the_kernel_does_not_take_goes_to_the_generic_algorithm(standin, x, weight, words_, why):
    import cupy

    arrays = cupy.asarray(np.ones(x, "float32")), cupy.asarray(np.ones(weight, "float32"))
    found = upconv.explain(*arrays, **words_)
    assert found.algorithm == "generic"
    assert "raw does not take" in found.reason
    assert why in found.reason
    with pytest.raises(ValueError, match=why):
        upconv.conv_transpose(*arrays, **words_, algorithm="raw")


def test_integers_go_to_the_generic_algorithm(standin):
    found = upconv.explain(*arrays_of(CASE, "int32"), **CASE.arguments)
    assert found.algorithm == "generic"
    assert "int32: the kernel multiplies floating" in found.reason


def test_workspace_counts_what_is_allocated(standin):
    import cupy

    x, weight = cupy.asarray(np.ones((1, 64, 4, 4), "float32")), cupy.asarray(np.ones((64, 40, 4, 4), "float32"))
    upconv.conv_transpose2d(x, weight, stride=2)
    splits = words(standin.LAUNCHES[-1])["splits"]
    assert splits > 1
    expected = prod(weight.shape) * 4 + splits * 40 * 10 * 10 * 4
    assert upconv.explain(x, weight, stride=2).workspace == expected


@pytest.mark.value
def test_a_prepared_weight_is_laid_out_once(standin):
    case = next(c for c in CASES if c.name == "channels")
    x, weight, bias = arrays_of(case)
    expected = call(case, x, weight, bias).get()
    prepared = upconv.prepare(weight)
    assert not isinstance(prepared, type(weight))
    assert (prepared.shape, prepared.dtype, prepared.device) == (weight.shape, weight.dtype, weight.device)
    first = call(case, x, prepared, bias)
    before = len(standin.LAUNCHES)
    weight[...] = 7  # the prepared one holds its own
    again = call(case, x, prepared, bias)
    assert [launch[2] for launch in standin.LAUNCHES[before:]] == ["tile"]
    for y in (first, again, call(case, x, prepared, bias, algorithm="generic")):
        np.testing.assert_allclose(y.get(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.value
def test_a_prepared_weight_is_right_in_another_geometry(standin):
    import cupy

    rng = np.random.default_rng(3)
    weight = rng.standard_normal((12, 5, 4, 2)).astype("float32")
    prepared = upconv.prepare(cupy.asarray(weight))
    for groups, stride, size in ((1, 1, (4, 5)), (1, 2, (4, 5)), (1, (4, 1), (3, 4)), (3, 2, (5, 4)), (1, 2, (9, 9))):
        x = cupy.asarray(rng.standard_normal((2, 12, *size)).astype("float32"))
        y = upconv.conv_transpose2d(x, prepared, stride=stride, groups=groups)
        plain = upconv.conv_transpose2d(x, cupy.asarray(weight), stride=stride, groups=groups)
        np.testing.assert_array_equal(y.get(), plain.get())


def test_a_prepared_weight_that_does_not_fit_is_refused(standin):
    x, weight, bias = arrays_of(CASE)
    prepared = upconv.prepare(weight)
    with pytest.raises(TypeError, match="`x` has dtype float64 and `weight` has float32"):
        call(CASE, x.astype("float64"), prepared)
    with pytest.raises(ValueError, match="`x` has 1 channels where `weight`"):
        call(CASE, x[:, :1], prepared)
    with pytest.raises(TypeError, match=r"`x` must be an array of one of .* got PreparedWeight"):
        call(CASE, prepared, weight)
    with pytest.raises(TypeError, match=r"`bias` must be an array of one of .* got PreparedWeight"):
        call(CASE, x, weight, upconv.prepare(bias))
    with pytest.raises(TypeError, match="`weight` was prepared for cupy, and `x` is an array of numpy"):
        call(CASE, x.get(), prepared)


@pytest.mark.value
@pytest.mark.parametrize("name", ["channels", "depthwise-multiplier"])
def test_offsets_beyond_31_bits(standin, name):
    """The second image lies 2**31 + 7 elements behind the first; memory that is not touched takes no room."""
    case = next(c for c in CASES if c.name == name)
    x, weight, bias = arrays_of(case)
    try:
        memory = np.zeros(2**31 + 1000, "float32")
    except MemoryError:
        pytest.skip("no 8 GiB of address space here")
    far = np.lib.stride_tricks.as_strided(memory, x.shape, (4 * (2**31 + 7), *x.strides[1:])).view(standin.ndarray)
    far[...] = x
    np.testing.assert_array_equal(call(case, far, weight, bias).get(), call(case, x, weight, bias).get())
    assert words(standin.LAUNCHES[-2 if name == "depthwise-multiplier" else -3])["x_image"] == 2**31 + 7
