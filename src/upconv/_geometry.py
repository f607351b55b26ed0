"""From exact arguments to a plan: what must hold between the arguments of one call, on shapes alone.

The transposed convolution, the convolution and the correlation that gives the weight are three questions about one
plan: which of x, weight and y is asked for. Each has its way to the sizes, and its words for what does not fit.
"""

from __future__ import annotations

import operator
from math import prod

from upconv._arguments import MAX_ELEMENTS, in_range, per_axis, refuse_type
from upconv._padding import extra_behind, lo_and_size, lo_for_size, pairs
from upconv._plan import Plan, full_size, make_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    Ints = tuple[int, ...]
    Exact = Any

__all__ = ["conv_plan", "conv_transpose_plan", "conv_weight_plan", "sample_shape", "two_samples"]

# Each tap of an axis is an object of the plan: as many take a minute to make.
MAX_TAPS = 2**24
# The axes of a weight, as each call calls them.
LAYOUTS = {"conv_transpose": "(C_in, C_out/groups, *kernel)", "conv": "(C_out, C_in/groups, *kernel)"}


def sample_shape(
    verb: str, x_shape: Any, weight_shape: Any, rank: int | None, data_format: Any
) -> tuple[Ints, Ints, bool]:
    """Check the ranks; return the shape of one image of ``x``, the shape of ``weight``, and whether x has a batch."""
    _check_layout(data_format)
    x_shape, weight_shape = tuple(x_shape), tuple(weight_shape)
    if rank is None:
        rank = len(weight_shape) - 2
        if rank < 1:
            _refuse_rank("weight", weight_shape, f"at least 3 axes, {LAYOUTS[verb]}")
    elif len(weight_shape) != rank + 2:
        _refuse_rank("weight", weight_shape, f"{rank + 2} axes, {LAYOUTS[verb]} with {rank} kernel axes")
    sample, batched = _sample("x", x_shape, rank, data_format)
    return sample, weight_shape, batched


def two_samples(x_shape: Any, y_shape: Any, kernel: Exact, data_format: Any) -> tuple[Ints, Ints, bool]:
    """Check the ranks of two images of one batch; return the shape of one of each, and whether there is a batch."""
    _check_layout(data_format)
    if type(kernel) is not tuple or not kernel or any(type(k) is not int for k in kernel):
        refuse_type("kernel_size", kernel, "a tuple of one int for each spatial axis")
    x_shape, y_shape = tuple(x_shape), tuple(y_shape)
    x_sample, batched = _sample("x", x_shape, len(kernel), data_format)
    y_sample, also = _sample("y", y_shape, len(kernel), data_format)
    # A graph may not know its batch yet.
    if batched != also or (batched and None not in (x_shape[0], y_shape[0]) and x_shape[0] != y_shape[0]):
        raise ValueError(f"`x` and `y` must have one batch, got shapes {x_shape} and {y_shape}")
    return x_sample, y_sample, batched


def _check_layout(data_format: Any) -> None:
    if type(data_format) is not str or data_format not in ("channels_first", "channels_last"):
        raise ValueError(f"`data_format` must be 'channels_first' or 'channels_last', got {data_format!r}")


def _sample(name: str, shape: Ints, rank: int, data_format: str) -> tuple[Ints, bool]:
    if len(shape) not in (rank + 1, rank + 2):
        channels = "C_in" if name == "x" else "C_out"
        layout = f"(N, {channels}, *size)" if data_format == "channels_first" else f"(N, *size, {channels})"
        _refuse_rank(name, shape, f"{rank + 2} axes, {layout}, or {rank + 1} without the batch")
    batched = len(shape) == rank + 2
    return shape[1:] if batched else shape, batched


def conv_transpose_plan(
    sample: Ints,
    weight_shape: Ints,
    bias_shape: Ints | None,
    stride: Exact,
    padding: Exact,
    output_padding: Exact,
    groups: Exact,
    dilation: Exact,
    output_size: Exact,
    data_format: str,
) -> Plan:
    """From the shapes of one image of x, in ``data_format`` order, and of the weight, to the size of y."""
    in_channels, size = _image("x", sample, data_format)
    kernel, strides, dilations = _kernel(weight_shape, stride, dilation)
    _check_groups("input", in_channels, groups)
    if in_channels != weight_shape[0]:
        raise ValueError(
            f"`x` has {in_channels} channels where `weight`, {weight_shape}, has {weight_shape[0]} on its first axis: "
            f"they must be equal; `weight` is {LAYOUTS['conv_transpose']}, and `data_format` says where x has C_in"
        )
    out_channels = weight_shape[1] * groups
    _check_bias(bias_shape, out_channels)
    full = tuple(map(full_size, size, kernel, strides, dilations))
    extra = extra_behind(output_padding, padding, output_size, strides, dilations)
    if output_size is not None:
        out = per_axis("output_size", output_size, len(kernel), least=0)
        lo = lo_for_size(padding, full, out)
    else:
        lo, out = lo_and_size(padding, full, size, strides)
        out = tuple(map(operator.add, out, extra))
    for axis, n in enumerate(out):
        if n < 0:
            raise ValueError(
                f"`padding` leaves a size of {n} on axis {axis}: the output has {full[axis]} samples there before "
                f"cropping; crop less, or enlarge `x`, `stride` or `weight`"
            )
    channels = (in_channels, out_channels, groups)
    return _plan(channels, size, kernel, strides, dilations, out, lo, data_format)


def conv_plan(
    sample: Ints,
    weight_shape: Ints,
    bias_shape: Ints | None,
    stride: Exact,
    padding: Exact,
    groups: Exact,
    dilation: Exact,
    data_format: str,
) -> Plan:
    """From the shapes of one image of y, which is the call's own ``x``, and of the weight, to the size of x."""
    out_channels, out = _image("x", sample, data_format)
    kernel, strides, dilations = _kernel(weight_shape, stride, dilation)
    in_channels = weight_shape[0]
    _check_groups("output", in_channels, groups)
    if out_channels != weight_shape[1] * groups:
        raise ValueError(
            f"`x` has {out_channels} channels where `weight`, {weight_shape}, takes {weight_shape[1]} in each of "
            f"{groups} groups: they must be equal; `weight` is {LAYOUTS['conv']}, and `data_format` says where x has "
            f"C_in"
        )
    _check_bias(bias_shape, in_channels)
    if padding == "same":
        size = tuple(-(-n // s) for n, s in zip(out, strides, strict=True))
    else:
        crops = [(0, 0)] * len(out) if padding == "valid" else pairs(padding, len(out))
        reach = zip(out, crops, kernel, strides, dilations, strict=True)
        size = tuple((n + lo + hi - d * (k - 1) - 1) // s + 1 for n, (lo, hi), k, s, d in reach)
        for axis, n in enumerate(size):
            if n < 0:
                raise ValueError(
                    f"`padding` leaves too little on axis {axis}: {out[axis]} samples padded by {crops[axis]}, where "
                    f"the kernel spans {dilations[axis] * (kernel[axis] - 1) + 1}; pad more, or enlarge `x`"
                )
    lo = lo_for_size(padding, tuple(map(full_size, size, kernel, strides, dilations)), out)
    channels = (in_channels, out_channels, groups)
    return _plan(channels, size, kernel, strides, dilations, out, lo, data_format)


def conv_weight_plan(
    x_sample: Ints,
    y_sample: Ints,
    kernel: Ints,
    stride: Exact,
    padding: Exact,
    groups: Exact,
    dilation: Exact,
    data_format: str,
) -> Plan:
    """From the shapes of one image of x and one of y, and the size of the kernel."""
    in_channels, size = _image("x", x_sample, data_format)
    out_channels, out = _image("y", y_sample, data_format)
    in_range("kernel_size", "value", kernel, 1, MAX_TAPS)
    strides = per_axis("stride", stride, len(kernel), least=1)
    dilations = per_axis("dilation", dilation, len(kernel), least=1)
    _check_groups("input", in_channels, groups)
    if out_channels % groups:
        raise ValueError(f"`groups` must divide the {out_channels} channels of `y`, got {groups}")
    lo = lo_for_size(padding, tuple(map(full_size, size, kernel, strides, dilations)), out)
    channels = (in_channels, out_channels, groups)
    return _plan(channels, size, kernel, strides, dilations, out, lo, data_format)


def _image(name: str, sample: Ints, data_format: str) -> tuple[int, Ints]:
    """Split channels and spatial sizes, which must be known."""
    _check_known(name, sample)
    return (sample[-1], sample[:-1]) if data_format == "channels_last" else (sample[0], sample[1:])


def _check_known(name: str, shape: Ints) -> None:
    for n in shape:
        if not hasattr(n, "__index__"):
            raise ValueError(
                f"`{name}` has a size that is not known: {shape}; a Dask array learns it by compute_chunk_sizes(), "
                f"a tf.function from its input_signature"
            )


def _kernel(weight_shape: Ints, stride: Exact, dilation: Exact) -> tuple[Ints, Ints, Ints]:
    _check_known("weight", weight_shape)
    kernel = weight_shape[2:]
    in_range("weight", "kernel size", kernel, 1, MAX_TAPS)
    return (
        kernel,
        per_axis("stride", stride, len(kernel), least=1),
        per_axis("dilation", dilation, len(kernel), least=1),
    )


def _check_groups(which: str, channels: int, groups: Exact) -> None:
    if type(groups) is not int:
        refuse_type("groups", groups, "an int")
    in_range("groups", "value", (groups,), 1)
    if channels % groups:
        raise ValueError(f"`groups` must divide the {channels} {which} channels, got {groups}")


def _check_bias(bias_shape: Ints | None, channels: int) -> None:
    if bias_shape is not None and bias_shape != (channels,):
        raise ValueError(f"`bias` must have shape ({channels},), one value per output channel, got {bias_shape}")


def _plan(
    channels: Ints, size: Ints, kernel: Ints, strides: Ints, dilations: Ints, out: Ints, lo: Ints, data_format: str
) -> Plan:
    in_channels, out_channels, groups = channels
    for shape in ((out_channels, *out), (in_channels, *size)):
        _refuse_huge(shape)
    return make_plan(
        in_channels=in_channels,
        out_channels=out_channels,
        groups=groups,
        size=size,
        kernel=kernel,
        stride=strides,
        dilation=dilations,
        out=out,
        lo=lo,
        channels_last=data_format == "channels_last",
    )


def _refuse_huge(shape: Ints) -> None:
    if prod(shape) > MAX_ELEMENTS:
        most = max(shape[1:])
        raise ValueError(
            f"an image would have shape {shape}, {most} samples on axis {shape.index(most, 1) - 1}, more than "
            f"{MAX_ELEMENTS} elements; make `x`, `stride`, `dilation` or `output_size` smaller, or `padding` larger"
        )


def _refuse_rank(name: str, shape: Ints, allowed: str) -> NoReturn:
    raise ValueError(f"`{name}` must have {allowed}; got {len(shape)} axes, shape {shape}")
