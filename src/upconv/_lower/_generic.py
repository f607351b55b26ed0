"""The single implementation, in the array API standard alone: the specification, and the fallback everywhere.

For each tap: a matrix product over the channels, placed into the tap's output phase by appending zeros; then the phases
are interleaved. Nothing is written in place, so it also traces under a compiler. Zeros are appended after the product
rather than before, because 0 * inf would leak a NaN out of its receptive field.

It gets the namespace of the library from that library's folder rather than from the array: the look-up of
array-api-compat is cached by `functools.lru_cache`, at which `torch.compile` warns.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import prod
from typing import Any

from upconv._plan import Plan, Tap

__all__ = ["Generic"]


class Generic:
    """The lowering for one namespace.

    ``device`` reads an array's device, where new arrays must be told theirs; ``shape`` its shape, where the array's own
    does not know the batch.
    """

    def __init__(
        self,
        xp: Any,
        device: Callable[[Any], Any] = lambda array: None,
        shape: Callable[[Any], tuple[Any, ...]] = lambda array: array.shape,
    ) -> None:
        self.xp, self.device, self.shape = xp, device, shape

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
        return phase * (prod(plan.stride) + 2)

    def conv_transpose(self, plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
        """Sum each phase over its taps, then interleave the phases."""
        xp, dtype = self.xp, x.dtype
        if "float16" in str(dtype):  # by name, because the standard has neither float16 nor bfloat16
            x, weight = xp.astype(x, xp.float32), xp.astype(weight, xp.float32)
            bias = None if bias is None else xp.astype(bias, xp.float32)
        if plan.channels_last:
            x = xp.moveaxis(x, -1, 1)
        if plan.is_empty:
            y = self._zeros(x, (self.shape(x)[0], plan.out_channels, *plan.out))
        else:
            y = self._interleave(plan, self._phases(plan, x, weight))
        if bias is not None:
            y = y + xp.reshape(bias, (plan.out_channels, *(1,) * plan.rank))
        if plan.channels_last:
            y = xp.moveaxis(y, 1, -1)
        return y if y.dtype == dtype else xp.astype(y, dtype)

    def _phases(self, plan: Plan, x: Any, weight: Any) -> list[Any]:
        """The dense sum of each phase over its taps, in row-major order of the phases."""
        phases: dict[tuple[int, ...], Any] = {}
        for taps in product(*plan.taps):
            if all(tap.start < tap.stop for tap in taps):
                phase = tuple(tap.phase for tap in taps)
                term = self._term(plan, x, weight, taps)
                phases[phase] = phases[phase] + term if phase in phases else term
        zero = self._zeros(x, (self.shape(x)[0], plan.out_channels, *plan.phase_size))
        return [phases.get(phase, zero) for phase in product(*map(range, plan.stride))]

    def _term(self, plan: Plan, x: Any, weight: Any, taps: tuple[Tap, ...]) -> Any:
        """What one tap adds to its phase: (N, C_out, *phase_size)."""
        xp = self.xp
        x = x[(..., *(slice(tap.start, tap.stop) for tap in taps))]
        matrix = weight[(..., *(tap.a for tap in taps))]
        each = plan.in_channels // plan.groups
        groups = (slice(group * each, group * each + each) for group in range(plan.groups))
        parts = [xp.moveaxis(xp.tensordot(x[:, g, ...], matrix[g, :], axes=((1,), (0,))), -1, 1) for g in groups]
        term = parts[0] if len(parts) == 1 else xp.concat(parts, axis=1)
        for axis, (tap, size) in enumerate(zip(taps, plan.phase_size, strict=True), start=2):
            term = self._surround(term, axis, tap.at, size - tap.at - (tap.stop - tap.start))
        return term

    def _surround(self, array: Any, axis: int, before: int, after: int) -> Any:
        """Append zeros on both sides of one axis."""
        parts, shape = [array], self.shape(array)
        for n, at in ((before, 0), (after, 2)):
            if n:
                parts.insert(at, self._zeros(array, (*shape[:axis], n, *shape[axis + 1 :])))
        return array if len(parts) == 1 else self.xp.concat(parts, axis=axis)

    def _interleave(self, plan: Plan, phases: list[Any]) -> Any:
        """Lay phase r of each axis at samples r, r + s, r + 2s, ..., the last axis first: its phases stand together."""
        for axis, s in reversed(list(enumerate(plan.stride, start=2))):
            if s > 1:
                stacks = [self.xp.stack(phases[k : k + s], axis=axis + 1) for k in range(0, len(phases), s)]
                shape = self.shape(stacks[0])
                shape = (*shape[:axis], shape[axis] * s, *shape[axis + 2 :])
                phases = [self.xp.reshape(y, shape) for y in stacks]
        return phases[0][(..., *(slice(0, n) for n in plan.out))]

    def _zeros(self, like: Any, shape: tuple[int, ...]) -> Any:
        return self.xp.zeros(shape, dtype=like.dtype, device=self.device(like))
