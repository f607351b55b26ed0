"""`vjp`: the result, and a function that pulls a cotangent back to the operands."""

from __future__ import annotations

import upconv._types as t
from upconv._api import conv_transpose
from upconv._conv import conv, conv_weight
from upconv._dispatch import run_conv_bias
from upconv._mixed import real_part, real_product
from upconv._operands import autocast, like_the_result, untraced
from upconv._plan import Plan
from upconv._plans import plan_for
from upconv._route import computes
from upconv._variables import plain

__all__ = ["vjp"]


def vjp(
    x: t.Array,
    weight: t.Array,
    bias: t.Array | None = None,
    stride: t.PerAxis = 1,
    padding: t.Padding = 0,
    output_padding: t.PerAxis = 0,
    groups: int = 1,
    dilation: t.PerAxis = 1,
    *,
    output_size: t.PerAxis | None = None,
    data_format: t.DataFormat = "channels_first",
    algorithm: t.Algorithm = "auto",
) -> tuple[t.Array, t.Pullback[t.Array]]:
    """Transposed convolution, and its vector-Jacobian product: derivatives on libraries that have none of their own.

    Parameters
    ----------
    x, weight, bias, stride, padding, output_padding, groups, dilation, output_size, data_format, algorithm
        As in `conv_transpose`. ``pullback`` takes the same algorithm, or picks one where that computes transposed
        convolutions alone.

    Returns
    -------
    y : array
        ``conv_transpose(x, weight, bias, ...)``.
    pullback : function
        ``pullback(cotangent)`` returns ``(dx, dweight, dbias)`` with the shapes of x, weight and bias; ``dbias`` is
        None without a bias. The cotangent has the shape, library, dtype and device of ``y``. Where it is the gradient
        of a loss by y, these are the gradients of the loss by x, weight and bias.

    Raises
    ------
    TypeError, ValueError
        As `conv_transpose`; and ``pullback`` of a cotangent unlike ``y``.

    Notes
    -----
    ``dx`` is `conv` of the cotangent and ``dweight`` is `conv_weight` of x and the cotangent, public calls that
    can be differentiated again. Nothing is conjugated: for complex arrays these are the cotangents of `jax.vjp`, where
    PyTorch's gradients are those of the conjugated cotangent, conjugated. Of a real operand beside a complex one it is
    the real part of that, as from `jax.vjp`.

    Examples
    --------
    >>> import numpy as np, upconv
    >>> x, weight = np.asarray([[1.0, 2.0]]), np.asarray([[[1.0, 10.0, 100.0]]])
    >>> y, pullback = upconv.vjp(x, weight, stride=2)
    >>> y
    array([[  1.,  10., 102.,  20., 200.]])
    >>> dx, dweight, dbias = pullback(np.asarray([[1.0, 2.0, 3.0, 4.0, 5.0]]))
    >>> dx, dweight, dbias
    (array([[321., 543.]]), array([[[ 7., 10., 13.]]]), None)
    """
    x, weight, bias = autocast(*plain(x, weight, bias))  # so that the pullback may run outside of autocast
    geometry = (stride, padding, output_padding, groups, dilation)
    y = conv_transpose(
        x, weight, bias, *geometry, output_size=output_size, data_format=data_format, algorithm=algorithm
    )
    plan, batched = untraced(lambda: plan_for(None, x.shape, weight.shape, None, *geometry, output_size, data_format))
    back = algorithm if computes(x, algorithm, "conv", "conv_weight") else "auto"
    return y, _Pullback(y, (x, weight, bias), plan, batched, back)


class _Pullback:
    """The function that `vjp` returns: a class, because no closure can be pickled."""

    def __init__(
        self, y: t.Array, operands: tuple[t.Array, t.Array, t.Array | None], plan: Plan, batched: bool, algorithm: str
    ) -> None:
        self.y, self.operands, self.plan, self.batched, self.algorithm = y, operands, plan, batched, algorithm

    def __call__(self, cotangent: t.Array) -> tuple[t.Array, t.Array, t.Array | None]:
        plan, (x, weight, bias) = self.plan, self.operands
        (cotangent,) = plain(cotangent)
        like_the_result(self.y, cotangent)
        # The exact crop: the same samples, whatever words or sizes said it.
        crop = tuple(zip(plan.lo, plan.hi, strict=True))
        layout = "channels_last" if plan.channels_last else "channels_first"
        words = {"groups": plan.groups, "dilation": plan.dilation, "data_format": layout, "algorithm": self.algorithm}

        def by_x(cotangent: t.Array, weight: t.Array) -> t.Array:
            return conv(cotangent, weight, None, plan.stride, crop, **words)

        def by_weight(cotangent: t.Array, x: t.Array) -> t.Array:
            return conv_weight(x, cotangent, plan.kernel, plan.stride, crop, **words)

        return (
            real_product(x, by_x, cotangent, weight),
            real_product(weight, by_weight, cotangent, x),
            None if bias is None else real_part(bias, run_conv_bias(cotangent, plan, batched=self.batched)),
        )
