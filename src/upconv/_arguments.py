"""From friendly arguments to exact integers. Every error about an argument is raised here, on shapes alone.

A wrong kind of thing is a TypeError, a wrong value a ValueError. Each message names the argument, the axis, the value
received, what is allowed and, where known, the fix.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence

from upconv._plan import Plan, full_size, make_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    Ints = tuple[int, ...]
    # What `exact` makes of an argument: hashable, and equal only where the meaning is equal.
    Exact = Any

__all__ = ["exact", "exact_plan", "exact_shape", "sample_shape"]

MAX_ELEMENTS = 2**63 - 1
WORDS = ("same", "valid")


def exact(name: str, value: Any, depth: int = 2) -> Exact:
    """Return ints as ints and sequences as tuples, two deep at most. Words, None and ints cost a look.

    Floats and bools are refused here, before anything is looked up: ``1.0 == True == 1`` as a key of a cache.
    """
    if type(value) is int or value is None or type(value) is str:
        return value
    if depth and isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray)):
        return tuple([exact(name, item, depth - 1) for item in value])
    if type(value) is not bool and "bool" not in str(getattr(value, "dtype", "")):
        try:
            return operator.index(value)
        except Exception:  # noqa: BLE001, S110
            pass  # an array or a traced value raises an error of its own library
    return _refuse_type(name, value, "an int or a tuple of ints")


def exact_shape(name: str, shape: Any) -> Ints:
    """A shape that a person wrote, rather than an array's own: sizes of at least 0."""
    sizes = exact(name, shape)
    if type(sizes) is not tuple or any(type(n) is not int for n in sizes):
        _refuse_type(name, shape, "a tuple of ints")
    _at_least(name, "size", sizes, 0)
    return sizes


def sample_shape(x_shape: Any, weight_shape: Any, rank: int | None, data_format: Any) -> tuple[Ints, Ints, bool]:
    """Check the ranks; return the shape of one image of ``x``, the shape of ``weight``, and whether x has a batch."""
    if type(data_format) is not str or data_format not in ("channels_first", "channels_last"):
        raise ValueError(f"`data_format` must be 'channels_first' or 'channels_last', got {data_format!r}")
    x_shape, weight_shape = tuple(x_shape), tuple(weight_shape)
    if rank is None:
        rank = len(weight_shape) - 2
        if rank < 1:
            _refuse_rank("weight", weight_shape, "at least 3 axes, (C_in, C_out/groups, *kernel)")
    elif len(weight_shape) != rank + 2:
        _refuse_rank("weight", weight_shape, f"{rank + 2} axes, (C_in, C_out/groups, *kernel) with {rank} kernel axes")
    if len(x_shape) not in (rank + 1, rank + 2):
        layout = "(N, C_in, *size)" if data_format == "channels_first" else "(N, *size, C_in)"
        _refuse_rank("x", x_shape, f"{rank + 2} axes, {layout}, or {rank + 1} without the batch")
    batched = len(x_shape) == rank + 2
    return x_shape[1:] if batched else x_shape, weight_shape, batched


def exact_plan(
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
    """Check everything else and make the plan. ``sample`` is the shape of one image, in ``data_format`` order."""
    for name, shape in (("x", sample), ("weight", weight_shape)):
        for n in shape:
            if not hasattr(n, "__index__"):
                raise ValueError(
                    f"`{name}` has a size that is not known: {shape}; a Dask array learns it by compute_chunk_sizes(), "
                    f"a tf.function from its input_signature"
                )
    channels_last = data_format == "channels_last"
    in_channels, size = (sample[-1], sample[:-1]) if channels_last else (sample[0], sample[1:])
    kernel = weight_shape[2:]
    rank = len(kernel)
    _at_least("weight", "kernel size", kernel, 1)
    strides = _per_axis("stride", stride, rank, at_least=1)
    dilations = _per_axis("dilation", dilation, rank, at_least=1)
    out_channels = _channels(in_channels, weight_shape, groups)
    if bias_shape is not None and bias_shape != (out_channels,):
        raise ValueError(f"`bias` must have shape ({out_channels},), one value per output channel, got {bias_shape}")

    full = tuple(map(full_size, size, kernel, strides, dilations))
    extra = _output_padding(output_padding, padding, output_size, strides, dilations)
    if output_size is not None:
        out = _per_axis("output_size", output_size, rank, at_least=0)
        lo = _lo_for_size(padding, full, out)
    else:
        lo, out = _lo_and_size(padding, full, size, strides)
        out = tuple(map(operator.add, out, extra))
    for axis, n in enumerate(out):
        if n < 0:
            raise ValueError(
                f"`padding` leaves a size of {n} on axis {axis}: the output has {full[axis]} samples there before "
                f"cropping; crop less, or enlarge `x`, `stride` or `weight`"
            )
    _refuse_huge("output", (out_channels, *out))
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
        channels_last=channels_last,
    )


def _channels(in_channels: int, weight_shape: Ints, groups: Exact) -> int:
    if type(groups) is not int:
        _refuse_type("groups", groups, "an int")
    _at_least("groups", "value", (groups,), 1)
    if in_channels != weight_shape[0]:
        raise ValueError(
            f"`x` has {in_channels} channels where `weight`, {weight_shape}, has {weight_shape[0]} on its first axis: "
            f"they must be equal; `weight` is (C_in, C_out/groups, *kernel), and `data_format` says where x has C_in"
        )
    if in_channels % groups:
        raise ValueError(f"`groups` must divide the {in_channels} input channels, got {groups}")
    return weight_shape[1] * groups


def _output_padding(output_padding: Exact, padding: Exact, output_size: Exact, strides: Ints, dilations: Ints) -> Ints:
    extra = _per_axis("output_padding", output_padding, len(strides), at_least=0)
    if not any(extra):
        return extra
    if output_size is not None:
        raise ValueError(f"`output_padding` {extra} and `output_size` both state the size; give one of them")
    if padding in WORDS:
        raise ValueError(
            f"`output_padding` must be 0 with padding={padding!r}, which fixes the size, got {extra}; "
            f"for another size give `output_size`"
        )
    for axis, (op, s, d) in enumerate(zip(extra, strides, dilations, strict=True)):
        if op >= max(s, d):
            raise ValueError(
                f"`output_padding` must be less than the larger of stride {s} and dilation {d}, got {op} on axis "
                f"{axis}; for a larger output give `output_size`, or a negative `hi` in `padding`"
            )
    return extra


def _lo_and_size(padding: Exact, full: Ints, size: Ints, strides: Ints) -> tuple[Ints, Ints]:
    if padding == "same":  # Keras and TensorFlow: an odd total crop takes the larger half at the back
        out = tuple(map(operator.mul, size, strides))
        return _lo_for_size(padding, full, out), out
    if padding == "valid":  # Keras and TensorFlow: (i-1)*s + max(ke, s), so that no stride is left without its samples
        last = tuple(max(0, (i - 1) * s + s) for i, s in zip(size, strides, strict=True))
        return (0,) * len(full), tuple(map(max, full, last))
    pairs = _pairs(padding, len(full))
    return tuple(lo for lo, _ in pairs), tuple(n - lo - hi for n, (lo, hi) in zip(full, pairs, strict=True))


def _lo_for_size(padding: Exact, full: Ints, out: Ints) -> Ints:
    if padding == "same":
        return tuple(max(0, n - wanted) // 2 for n, wanted in zip(full, out, strict=True))
    if padding == "valid":
        return (0,) * len(full)
    return tuple(lo for lo, _ in _pairs(padding, len(full)))


def _pairs(padding: Exact, rank: int) -> list[tuple[int, int]]:
    if isinstance(padding, str):
        raise ValueError(f"`padding` must be 'same' or 'valid' where it is a word, got {padding!r}")
    if type(padding) is int:
        padding = (padding,) * rank
    if padding is None:
        _refuse_type("padding", padding, "an int, one int or (lo, hi) pair per axis, 'same' or 'valid'")
    if len(padding) != rank:
        hint = "; one (lo, hi) pair is written ((lo, hi),)" if rank == 1 else ""
        raise ValueError(f"`padding` must have one entry for each of the {rank} axes, got {padding}{hint}")
    return [_pair(axis, entry) for axis, entry in enumerate(padding)]


def _pair(axis: int, entry: Exact) -> tuple[int, int]:
    if type(entry) is int:
        if entry < 0:
            raise ValueError(
                f"`padding` must be at least 0, got {entry} on axis {axis}; to append zeros give a pair of either "
                f"sign, ({entry}, {entry})"
            )
        return entry, entry
    if type(entry) is tuple and len(entry) == 2 and type(entry[0]) is int and type(entry[1]) is int:
        return entry
    raise ValueError(f"`padding` must be an int or a (lo, hi) pair on each axis, got {entry!r} on axis {axis}")


def _per_axis(name: str, value: Exact, rank: int, *, at_least: int) -> Ints:
    if type(value) is int:
        value = (value,) * rank
    if type(value) is not tuple or any(type(n) is not int for n in value):
        _refuse_type(name, value, "an int or a tuple of ints")
    if len(value) != rank:
        raise ValueError(f"`{name}` must be one int or one for each of the {rank} spatial axes, got {value}")
    _at_least(name, "value", value, at_least)
    return tuple(value)


def _at_least(name: str, what: str, values: Ints, least: int) -> None:
    for axis, n in enumerate(values):
        if n < least:
            raise ValueError(f"`{name}` must have every {what} at least {least}, got {n} on axis {axis} of {values}")


def _refuse_huge(name: str, shape: Ints) -> None:
    elements = 1
    for n in shape:
        elements *= n
    if elements > MAX_ELEMENTS:
        raise ValueError(f"the {name} would have shape {shape}, more than {MAX_ELEMENTS} elements an image")


def _refuse_rank(name: str, shape: Ints, allowed: str) -> NoReturn:
    raise ValueError(f"`{name}` must have {allowed}; got {len(shape)} axes, shape {shape}")


def _refuse_type(name: str, value: Any, allowed: str) -> NoReturn:
    raise TypeError(f"`{name}` must be {allowed}, got {value!r} of type {type(value).__name__}")
