"""What `padding`, `output_padding` and `output_size` say together: the crop in front, and the size that remains."""

from __future__ import annotations

import operator

from upconv._arguments import per_axis, refuse_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Ints = tuple[int, ...]
    Exact = Any

__all__ = ["extra_behind", "lo_and_size", "lo_for_size", "pairs"]

WORDS = ("same", "valid")


def extra_behind(output_padding: Exact, padding: Exact, output_size: Exact, strides: Ints, dilations: Ints) -> Ints:
    """By how much `output_padding` lengthens each axis."""
    extra = per_axis("output_padding", output_padding, len(strides), least=0)
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


def lo_and_size(padding: Exact, full: Ints, size: Ints, strides: Ints) -> tuple[Ints, Ints]:
    """What `padding` alone says."""
    if padding == "same":  # Keras and TensorFlow: an odd total crop takes the larger half at the back
        out = tuple(map(operator.mul, size, strides))
        return lo_for_size(padding, full, out), out
    if padding == "valid":  # Keras and TensorFlow: (i-1)*s + max(ke, s), so that no stride is left without its samples
        last = tuple(max(0, (i - 1) * s + s) for i, s in zip(size, strides, strict=True))
        return (0,) * len(full), tuple(map(max, full, last))
    crops = pairs(padding, len(full))
    return tuple(lo for lo, _ in crops), tuple(n - lo - hi for n, (lo, hi) in zip(full, crops, strict=True))


def lo_for_size(padding: Exact, full: Ints, out: Ints) -> Ints:
    """What `padding` says where the size is known."""
    if padding == "same":
        return tuple(max(0, n - wanted) // 2 for n, wanted in zip(full, out, strict=True))
    if padding == "valid":
        return (0,) * len(full)
    return tuple(lo for lo, _ in pairs(padding, len(full)))


def pairs(padding: Exact, rank: int) -> list[tuple[int, int]]:
    """(lo, hi) for each axis, of a `padding` that is no word."""
    if isinstance(padding, str):
        raise ValueError(f"`padding` must be 'same' or 'valid' where it is a word, got {padding!r}")
    if type(padding) is int:
        padding = (padding,) * rank
    if padding is None:
        refuse_type("padding", padding, "an int, one int or (lo, hi) pair per axis, 'same' or 'valid'")
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
