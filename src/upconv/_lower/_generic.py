"""The single implementation, in the array API standard alone: the specification, and the fallback everywhere.

Input, kernel and output meet in one sum, over images, groups, channels c and o, input samples p and taps a:

    sum  x[n, c, p] * weight[c, o, a] * y[n, o, p*s + a*d - lo]

Leave one of the three out, and the sum over all else is what the other two give for it: y from x and weight is the
transposed convolution, x from y and weight the convolution, weight from x and y the correlation. Each is a matrix
product for each tap, over the samples that the tap takes inside both images.

A product is placed among zeros, never made of them, because 0 * inf would leak a NaN out of its receptive field.
Nothing is written in place, so it also traces under a compiler.

The namespace comes from the library's folder rather than from the array: the look-up of array-api-compat is cached by
`functools.lru_cache`, at which `torch.compile` warns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby, product
from math import prod
from typing import Any

from upconv._plan import Plan, Tap

__all__ = ["Generic"]

Taps = tuple[Tap, ...]


class Generic:
    """The lowering for one namespace.

    ``device`` reads an array's device, where new arrays must be told theirs; ``shape`` its shape, where the array's own
    does not know the batch. ``join`` makes a complex array of two real ones, without arithmetic: 0 * inf is NaN.
    """

    def __init__(
        self,
        xp: Any,
        device: Callable[[Any], Any] = lambda array: None,
        shape: Callable[[Any], tuple[Any, ...]] = lambda array: array.shape,
        join: Callable[[Any, Any, Any], Any] | None = None,
    ) -> None:
        self.xp, self.device, self.shape, self.join = xp, device, shape, join

    def refusal(self, plan: Plan, x: Any) -> str:
        """Take everything."""
        return ""

    def reason(self, plan: Plan) -> str:
        """Say how."""
        return (
            f"one matrix product for each of {prod(plan.kernel)} taps, summed by output phase, in the array API alone"
        )

    def workspace(self, plan: Plan, batch: int, itemsize: int) -> int:
        """The phases before they are interleaved, and the term being added to one of them."""
        phase = batch * plan.out_channels * prod(plan.phase_size) * max(4, itemsize)
        return phase * (prod(map(min, plan.stride, plan.out)) + 2)

    def conv_transpose(self, plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
        """Sum each phase of the output over its taps, then interleave the phases."""
        dtype = x.dtype
        x, weight, bias = self._wide(x), self._wide(weight), self._wide(bias)
        x = self._channels_first(plan, x)
        phases: dict[tuple[int, ...], Any] = {}
        for taps in _meeting(plan):
            part = x[(..., *(slice(tap.start, tap.stop) for tap in taps))]
            term = self._surround(self._times(plan, part, weight, taps), plan.phase_size, [tap.at for tap in taps])
            phase = tuple(tap.phase for tap in taps)
            phases[phase] = phases[phase] + term if phase in phases else term
        if phases:
            y = self._interleave(plan, phases)
        else:
            y = self._sum_of_nothing((self.shape(x)[0], plan.out_channels, *plan.out), x, weight)
        return self._finish(plan, y, bias, dtype)

    def conv(self, plan: Plan, y: Any, weight: Any, bias: Any) -> Any:
        """Add up what each tap takes from the image ``y``, at the stride."""
        dtype, total = y.dtype, None
        y, weight, bias = self._wide(y), self._wide(weight), self._wide(bias)
        y = self._channels_first(plan, y)
        for taps in _meeting(plan):
            term = self._times(plan, y[_landing(plan, taps)], weight, taps, adjoint=True)
            term = self._surround(term, plan.size, [tap.start for tap in taps])
            total = term if total is None else total + term
        if total is None:
            total = self._sum_of_nothing((self.shape(y)[0], plan.in_channels, *plan.size), y, weight)
        return self._finish(plan, total, bias, dtype)

    def conv_weight(self, plan: Plan, x: Any, y: Any) -> Any:
        """Correlate the two images at each tap."""
        xp, dtype = self.xp, x.dtype
        x, y = (self._channels_first(plan, self._wide(image)) for image in (x, y))
        over = (0, *range(2, plan.rank + 2))
        ins, outs = plan.in_channels // plan.groups, plan.out_channels // plan.groups
        reached, matrices = set(_meeting(plan)), []
        if not reached:
            return self._round(self._sum_of_nothing(plan.weight_shape, x, y), dtype)
        for taps in product(*plan.taps):
            if taps not in reached:
                matrices.append(self._zeros(x, (plan.in_channels, outs)))
                continue
            a, b = x[(..., *(slice(tap.start, tap.stop) for tap in taps))], y[_landing(plan, taps)]
            parts = [
                xp.tensordot(
                    a[:, g * ins : (g + 1) * ins, ...], b[:, g * outs : (g + 1) * outs, ...], axes=(over, over)
                )
                for g in range(plan.groups)
            ]
            matrices.append(parts[0] if len(parts) == 1 else xp.concat(parts, axis=0))
        weight = xp.reshape(xp.stack(matrices, axis=-1), plan.weight_shape)
        return self._round(weight, dtype)

    def conv_bias(self, plan: Plan, y: Any) -> Any:
        """Add up each channel of ``y``."""
        over = tuple(range(plan.rank + 1)) if plan.channels_last else (0, *range(2, plan.rank + 2))
        return self._round(self.xp.sum(self._wide(y), axis=over), y.dtype)

    def matrix(self, plan: Plan, weight: Any) -> Any:
        """Lay the images of one sample each side by side."""
        xp, n = self.xp, plan.in_channels * prod(plan.size)
        units = xp.reshape(xp.eye(n, dtype=weight.dtype, device=self.device(weight)), (n, *plan.sample_shape))
        y = self.conv_transpose(plan, units, weight, None)
        return xp.moveaxis(xp.reshape(y, (n, prod(plan.image_shape))), 0, 1)

    def parts(self, array: Any) -> tuple[Any, Any]:
        """Real and imaginary part."""
        return self.xp.real(array), self.xp.imag(array)

    def _times(self, plan: Plan, image: Any, weight: Any, taps: Taps, *, adjoint: bool = False) -> Any:
        """Multiply the channels of ``image`` by one tap of the weight, group by group; or by its transpose."""
        xp, parts = self.xp, []
        matrix = weight[(..., *(tap.a for tap in taps))]
        ins, outs = plan.in_channels // plan.groups, plan.out_channels // plan.groups
        each = outs if adjoint else ins
        for g in range(plan.groups):
            ours = matrix[g * ins : (g + 1) * ins, :]
            ours = xp.moveaxis(ours, 0, 1) if adjoint else ours
            term = xp.tensordot(image[:, g * each : (g + 1) * each, ...], ours, axes=((1,), (0,)))
            parts.append(xp.moveaxis(term, -1, 1))
        return parts[0] if len(parts) == 1 else xp.concat(parts, axis=1)

    def _surround(self, array: Any, sizes: tuple[int, ...], places: list[int]) -> Any:
        """Place ``array`` among zeros, at ``places`` of a larger one."""
        for axis, (size, before) in enumerate(zip(sizes, places, strict=True), start=2):
            parts, shape = [array], self.shape(array)
            for n, at in ((before, 0), (size - before - shape[axis], 2)):
                if n:
                    parts.insert(at, self._zeros(array, (*shape[:axis], n, *shape[axis + 1 :])))
            array = array if len(parts) == 1 else self.xp.concat(parts, axis=axis)
        return array

    def _interleave(self, plan: Plan, phases: dict[tuple[int, ...], Any]) -> Any:
        """Lay phase r of each axis at samples r, r + s, r + 2s, ..., the last axis first: its phases stand together."""
        for axis, (s, n) in reversed(list(enumerate(zip(plan.stride, plan.out, strict=True), start=2))):
            rows: dict[tuple[int, ...], dict[int, Any]] = {}
            for phase, y in phases.items():
                rows.setdefault(phase[:-1], {})[phase[-1]] = y
            phases = {others: self._interleave_axis(axis, row, min(s, n)) for others, row in rows.items()}
        return phases[()][(..., *(slice(0, n) for n in plan.out))]

    def _interleave_axis(self, axis: int, row: dict[int, Any], s: int) -> Any:
        """Interleave phases 0 to s - 1, with one array of zeros for each run of missing ones: s may be anything."""
        if s == 1:
            return row[0]
        xp, like = self.xp, next(iter(row.values()))
        shape, parts, end = self.shape(like), [], 0
        for _, run in groupby(enumerate(sorted(row)), key=lambda place: place[1] - place[0]):
            here = [phase for _, phase in run]
            parts += self._gap(like, axis + 1, here[0] - end)
            parts.append(xp.stack([row[phase] for phase in here], axis=axis + 1))
            end = here[-1] + 1
        parts += self._gap(like, axis + 1, s - end)
        y = parts[0] if len(parts) == 1 else xp.concat(parts, axis=axis + 1)
        return xp.reshape(y, (*shape[:axis], shape[axis] * s, *shape[axis + 1 :]))

    def _gap(self, like: Any, axis: int, n: int) -> list[Any]:
        shape = self.shape(like)
        return [self._zeros(like, (*shape[:axis], n, *shape[axis:]))] if n else []

    def _finish(self, plan: Plan, image: Any, bias: Any, dtype: Any) -> Any:
        if bias is not None:
            # As many axes as the image: a user may forbid JAX to add axes by itself.
            image = image + self.xp.reshape(bias, (1, *bias.shape, *(1,) * plan.rank))
        if plan.channels_last:
            image = self.xp.moveaxis(image, 1, -1)
        return self._round(image, dtype)

    def _channels_first(self, plan: Plan, image: Any) -> Any:
        return self.xp.moveaxis(image, -1, 1) if plan.channels_last else image

    def _wide(self, array: Any) -> Any:
        """The precision to add in; float16 and bfloat16 by name, because the standard has neither.

        NumPy spells a big-endian float16 '>f2', and names it as the other; PyTorch's dtypes have no name.
        """
        if array is None or "float16" not in str(getattr(array.dtype, "name", array.dtype)):
            return array
        return self.xp.astype(array, self.xp.float32)

    def _round(self, array: Any, dtype: Any) -> Any:
        return array if array.dtype == dtype else self.xp.astype(array, dtype)

    def _sum_of_nothing(self, shape: tuple[Any, ...], a: Any, b: Any) -> Any:
        """Zeros that have derivatives, by ``a`` and by ``b``, of zero; those of 0 * a are not where a is infinite."""
        nothing = self.xp.sum(a[:0, ...]) + self.xp.sum(b[:0, ...])
        return self._zeros(a, shape) + self._round(nothing, a.dtype)  # sums of small integers are wider

    def _zeros(self, like: Any, shape: tuple[int, ...]) -> Any:
        return self.xp.zeros(shape, dtype=like.dtype, device=self.device(like))


def _meeting(plan: Plan) -> Iterator[Taps]:
    """The taps, one of each axis, that take any sample of a plan without empty sizes; in row-major order."""
    for taps in () if plan.is_empty else product(*plan.taps):
        if all(tap.start < tap.stop for tap in taps):
            yield taps


def _landing(plan: Plan, taps: Taps) -> tuple[Any, ...]:
    """Where inputs start:stop of each axis land in the output."""
    return (..., *(tap.lands(s, tap.start, tap.stop) for tap, s in zip(taps, plan.stride, strict=True)))
