"""The plan: one transposed convolution as plain integers.

Letters are those of arXiv 1603.07285: ``i`` input size, ``k`` kernel taps, ``s`` stride, ``d`` dilation; ``full`` is
the output before anything is cropped, ``lo`` and ``hi`` what is cropped from it, front and back, where a negative
number appends zeros. Tap ``a`` sends input ``p`` to output

    o = p*s + a*d - lo

Write ``o = q*s + r``: the phase ``r`` and the shift ``q - p`` depend on the tap alone, because ``a*d - lo`` does. So
the output splits into ``s`` interleaved phases, and each is a dense sum of shifted inputs over its own taps. No
lowering has to multiply by an inserted zero.

Standard library only. The batch is not part of the plan: one plan serves every batch size, also an unknown one.
"""

from __future__ import annotations

from collections import namedtuple
from math import prod

__all__ = ["Plan", "Symmetric", "Tap", "full_size", "make_plan", "part"]

# Here, and in all that `import upconv` loads, namedtuple rather than typing.NamedTuple or dataclasses: importing those
# two modules takes 25 ms where the whole package may take 30.


class Tap(namedtuple("Tap", "a phase shift start stop at")):
    """One kernel tap of one axis: inputs start:stop land at at:at + stop - start of output phase `phase`."""

    __slots__ = ()

    def lands(self, s: int, first: int, last: int) -> slice:
        """Where inputs first:last, within start:stop, land in the output of stride ``s``."""
        begin = (first + self.shift) * s + self.phase
        # MXNet takes no step beyond 32 bits, which a single sample does not need.
        return slice(begin, begin + (last - first - 1) * s + 1, s if last - first > 1 else 1)


# A crop in the words of an op with one padding for both sides; `grow`, then `crop`, is what those cannot say, if
# anything `remains`.
Symmetric = namedtuple("Symmetric", "padding output_padding grow crop remains")


class Plan(
    namedtuple(
        "Plan",
        "in_channels out_channels groups size kernel stride dilation lo hi channels_last "
        "rank out sample_shape image_shape weight_shape is_empty phase_size symmetric largest far",
    )
):
    """What a lowering needs to know, per spatial axis unless the name says channels. Hashable, and so a cache key.

    Everything short is filled in by `make_plan` rather than computed on demand: `functools.cached_property` takes a
    lock on Python 3.11, and `torch.compile` cannot trace a lock.
    """

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(self[:10])  # what follows is derived

    @property
    def taps(self) -> tuple[tuple[Tap, ...], ...]:
        """The taps of each axis. Made anew: of a kernel of 1024 that takes 4 ms, and not every lowering asks."""
        return tuple(map(_taps, self.size, self.kernel, self.stride, self.dilation, self.out, self.lo))


def full_size(i: int, k: int, s: int, d: int) -> int:
    """Size of the output before cropping, also for an empty input."""
    return max(0, (i - 1) * s + d * (k - 1) + 1)


def make_plan(
    *,
    in_channels: int,
    out_channels: int,
    groups: int,
    size: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    out: tuple[int, ...],
    lo: tuple[int, ...],
    channels_last: bool,
) -> Plan:
    """Derive everything else from exact arguments; ``lo`` samples are dropped at the front, ``out`` are kept."""
    axes = list(zip(size, kernel, stride, dilation, out, lo, strict=True))
    hi = tuple(full_size(i, k, s, d) - n - front for i, k, s, d, n, front in axes)
    return Plan(
        in_channels=in_channels,
        out_channels=out_channels,
        groups=groups,
        size=size,
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        lo=lo,
        hi=hi,
        channels_last=channels_last,
        rank=len(size),
        out=out,
        sample_shape=(*size, in_channels) if channels_last else (in_channels, *size),
        image_shape=(*out, out_channels) if channels_last else (out_channels, *out),
        weight_shape=(in_channels, out_channels // groups, *kernel),
        # Most libraries' own ops refuse an image without samples, or size it otherwise.
        is_empty=not all((in_channels, out_channels, *size, *out)),
        phase_size=tuple(_phase_size(n, s) for n, s in zip(out, stride, strict=True)),
        symmetric=_symmetric(stride, dilation, lo, hi),
        # An op whose numbers have 32 bits is asked no more than that.
        largest=max([abs(n) for n in (*stride, *dilation, *lo, *hi, *out)]),
        far=_far(stride, lo, hi, out),
    )


def part(plan: Plan, axis: int, start: int, stop: int) -> tuple[Plan, slice]:
    """Return the plan of the outputs ``start:stop`` of one axis, and the inputs of that axis that it takes."""
    i, k, s, d, lo = (values[axis] for values in (plan.size, plan.kernel, plan.stride, plan.dilation, plan.lo))
    first = min(i, max(0, -((d * (k - 1) - lo - start) // s)))
    last = max(first, min(i, (stop - 1 + lo) // s + 1))

    def put(values: tuple[int, ...], value: int) -> tuple[int, ...]:
        return (*values[:axis], value, *values[axis + 1 :])

    taken = make_plan(
        in_channels=plan.in_channels,
        out_channels=plan.out_channels,
        groups=plan.groups,
        size=put(plan.size, last - first),
        kernel=plan.kernel,
        stride=plan.stride,
        dilation=plan.dilation,
        out=put(plan.out, stop - start),
        lo=put(plan.lo, lo + start - first * s),
        channels_last=plan.channels_last,
    )
    return taken, slice(first, last)


def _phase_size(out: int, s: int) -> int:
    # One size for all phases: where s does not divide the output, the late phases end one sample beyond it.
    return -(-out // s)


def _far(stride: tuple[int, ...], lo: tuple[int, ...], hi: tuple[int, ...], out: tuple[int, ...]) -> str:
    """Name what makes a lowering lay out many samples for few: a refusal for those that lay out every phase, or crop.

    Many are 16 for each of the output, and more than 16 MiB hold of one channel in float32.
    """
    # Lists, because `torch.compile` traces no product of a generator.
    whole = prod([n + max(0, front) + max(0, back) for n, front, back in zip(out, lo, hi, strict=True)])
    laid = max(whole, prod(stride))
    if laid <= max(2**22, 16 * prod(out)):
        return ""
    return f"a stride or a crop far beyond the output: {laid} samples would be laid out for {prod(out)}"


def _taps(i: int, k: int, s: int, d: int, out: int, lo: int) -> tuple[Tap, ...]:
    def tap(a: int) -> Tap:
        shift, phase = divmod(a * d - lo, s)
        samples = max(0, -(-(out - phase) // s))  # of this phase, inside the output
        start = min(max(0, -shift), i)
        stop = max(start, min(i, samples - shift))
        return Tap(a, phase, shift, start, stop, at=min(max(0, start + shift), samples))

    return tuple(map(tap, range(k)))


def _symmetric(
    stride: tuple[int, ...], dilation: tuple[int, ...], lo: tuple[int, ...], hi: tuple[int, ...]
) -> Symmetric:
    def say(s: int, d: int, lo: int, hi: int) -> tuple[int, int, tuple[int, int], tuple[int, int]]:
        if lo >= 0 and 0 <= lo - hi < max(s, d):
            return lo, lo - hi, (0, 0), (0, 0)
        both = max(0, min(lo, hi))
        lo, hi = lo - both, hi - both
        # Two non-negative pairs, applied one after the other: a signed pair applied side by side fails where one side
        # crops more than there is while the other grows.
        return both, 0, (max(0, -lo), max(0, -hi)), (max(0, lo), max(0, hi))

    padding, output_padding, grow, crop = zip(*map(say, stride, dilation, lo, hi), strict=True)
    return Symmetric(padding, output_padding, grow, crop, remains=any(map(any, grow + crop)))
