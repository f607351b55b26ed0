"""What a lowering has, for the type checker; the contract in prose stands in the package's docstring."""

from __future__ import annotations

from typing import Any, Protocol

from upconv._plan import Plan

__all__ = ["Lowering"]


class Lowering(Protocol):
    """A module, or an object, that computes by one algorithm of one library.

    The plan is that of the transposed convolution in every verb: ``x`` is its input and ``y`` its output, with a batch
    axis, and with channels last where the plan says channels_last. A lowering may have four verbs more, and the
    generic one has them all; a type checker cannot say so:

    - ``conv(plan, y, weight, bias)`` computes x from y and the weight, the adjoint for a real weight;
    - ``conv_weight(plan, x, y)`` computes the weight from x and y;
    - ``conv_bias(plan, y)`` computes the bias from y, the sum of each channel;
    - ``matrix(plan, weight)`` computes the matrix of the map from x to y.

    One that takes less in a verb than in the others says so in ``refusal_<verb>``, which stands in for ``refusal``.

    And it may have ``slow(plan, x)``, which ends the sentence "it is slower": where a later lowering is faster, and by
    which figures, or keeps a promise that this one does not; the empty string elsewhere. It looks at shapes, dtype and
    platform alone, and only 'auto' asks it. ``slow_<verb>`` stands in for it where a verb has other figures.

    And ``LEAKS``, a dictionary: the verbs in which it multiplies by zeros of its own, and there the operands of which
    an inf or a NaN may leave its receptive field.
    """

    def conv_transpose(self, plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
        """Compute y from x and the weight."""

    def refusal(self, plan: Plan, x: Any) -> str:
        """Name what this does not take about the call, or return the empty string; ``x`` is the call's first array."""

    def reason(self, plan: Plan) -> str:
        """Say in one line how it computes a transposed convolution that it takes."""

    def workspace(self, plan: Plan, batch: int, itemsize: int) -> int:
        """Estimate the bytes that this allocates beyond the output, the library's own op not counted."""
