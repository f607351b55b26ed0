"""The adjoint of the public call, for any number of spatial axes and for one, two and three; and the weight's share."""

from __future__ import annotations

import upconv._types as t
from upconv._dispatch import run_conv, run_conv_weight
from upconv._ranks import document_ranks

__all__ = ["conv", "conv1d", "conv2d", "conv3d", "conv_weight"]


def conv(
    x: t.Array,
    weight: t.Array,
    bias: t.Array | None = None,
    stride: t.PerAxis = 1,
    padding: t.Padding = 0,
    *,
    groups: int = 1,
    dilation: t.PerAxis = 1,
    data_format: t.DataFormat = "channels_first",
    algorithm: t.Algorithm = "auto",
) -> t.Array:
    r"""Convolution as networks have it, a cross-correlation: the exact adjoint of `conv_transpose`.

    With the same weight and arguments, for real arrays and every x and y,

        sum(conv(y, weight, ...) * x) == sum(y * conv_transpose(x, weight, ..., output_size=y.shape[2:]))

    On every spatial axis, with input size :math:`n`, kernel size :math:`k`, stride :math:`s`, dilation :math:`d` and a
    padding of :math:`lo` zeros in front and :math:`hi` behind,

    .. math:: y[p] = \sum_a x[p s + a d - lo] \, w[a],
              \qquad \mathrm{size} = \lfloor (n + lo + hi - d (k-1) - 1) / s \rfloor + 1

    Parameters
    ----------
    x : array, shape (N, C_in, \*size) or (C_in, \*size)
        Input, with or without a batch axis, of any library in the README's table. ``data_format`` may put the channels
        last.
    weight : array, shape (C_out, C_in // groups, \*kernel)
        Kernel, not flipped: PyTorch's and ONNX's layout, and the very array that `conv_transpose` takes to go back.
    bias : array, shape (C_out,), optional
        Added to every sample of its output channel.
    stride : int or one per axis, default 1
        Distance in input samples between the windows of neighbouring output samples.
    padding : int, one int or (lo, hi) pair per axis, 'same' or 'valid', default 0
        Zeros to append, front and back; a negative number in a pair crops. 'same' gives :math:`\lceil n / s \rceil`
        samples, an odd total taking more at the back, and 'valid' pads nothing, as in Keras and TensorFlow.
    groups : int, default 1
        Divide input and output channels into this many parts that do not see each other. Must divide C_out.
    dilation : int or one per axis, default 1
        Distance in input samples between the kernel's taps.
    data_format : {'channels_first', 'channels_last'}, default 'channels_first'
        Layout of ``x`` and of the result; ``weight`` has one layout.
    algorithm : str, default 'auto'
        As in `conv_transpose`; those that compute transposed convolutions alone are refused.

    Returns
    -------
    array, shape (N, C_out, \*out) or as ``data_format`` and the rank of ``x`` say
        In the library, dtype and device of ``x``. Samples behind the last whole window are not looked at: the
        ``output_size`` of `conv_transpose` restores the size that they had. Numbers are added as there.

    Raises
    ------
    TypeError, ValueError
        As `conv_transpose`. A size of 0 is legal, one below 0 is not.

    Notes
    -----
    Neither this nor `conv_transpose` conjugates. The adjoint of ``conv_transpose(x, weight)`` for complex arrays is
    ``conv(y, conj(weight))``.

    See Also
    --------
    conv_transpose : The way back.
    conv_weight : The weight, from the two images.
    vjp : All derivatives at once.

    Examples
    --------
    >>> import numpy as np, upconv
    >>> y = np.asarray([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
    >>> weight = np.asarray([[[1.0, 10.0, 100.0]]])
    >>> upconv.conv(y, weight, stride=2)
    array([[321., 543.]])
    >>> x = np.asarray([[1.0, -1.0]])
    >>> float(np.sum(y * upconv.conv_transpose(x, weight, stride=2, output_size=6)))
    -222.0
    """
    return run_conv(None, x, weight, bias, algorithm, stride, padding, groups, dilation, data_format)


def conv1d(
    x: t.Array,
    weight: t.Array,
    bias: t.Array | None = None,
    stride: t.PerAxis = 1,
    padding: t.Padding = 0,
    *,
    groups: int = 1,
    dilation: t.PerAxis = 1,
    data_format: t.DataFormat = "channels_first",
    algorithm: t.Algorithm = "auto",
) -> t.Array:
    """`conv` over one spatial axis: ``x`` is (N, C_in, L) or (C_in, L), ``weight`` (C_out, C_in/groups, k).

    Parameters, errors and result are those of `conv`; another rank is a ValueError.

    Examples
    --------
    >>> import numpy as np, upconv
    >>> upconv.conv1d(np.asarray([[1, 2, 3, 4]]), np.asarray([[[1, 10]]]), stride=2)
    array([[21, 43]])
    """
    return run_conv(1, x, weight, bias, algorithm, stride, padding, groups, dilation, data_format)


def conv2d(
    x: t.Array,
    weight: t.Array,
    bias: t.Array | None = None,
    stride: t.PerAxis = 1,
    padding: t.Padding = 0,
    *,
    groups: int = 1,
    dilation: t.PerAxis = 1,
    data_format: t.DataFormat = "channels_first",
    algorithm: t.Algorithm = "auto",
) -> t.Array:
    """`conv` over two spatial axes: ``x`` is (N, C_in, H, W) or (C_in, H, W), ``weight`` has four axes.

    Parameters, errors and result are those of `conv`; another rank is a ValueError.

    Examples
    --------
    >>> import numpy as np, upconv
    >>> upconv.conv2d(np.ones((1, 1, 3, 4)), np.ones((1, 1, 2, 2)), stride=(1, 2))
    array([[[[4., 4.],
             [4., 4.]]]])
    """
    return run_conv(2, x, weight, bias, algorithm, stride, padding, groups, dilation, data_format)


def conv3d(
    x: t.Array,
    weight: t.Array,
    bias: t.Array | None = None,
    stride: t.PerAxis = 1,
    padding: t.Padding = 0,
    *,
    groups: int = 1,
    dilation: t.PerAxis = 1,
    data_format: t.DataFormat = "channels_first",
    algorithm: t.Algorithm = "auto",
) -> t.Array:
    """`conv` over three spatial axes: ``x`` is (N, C_in, D, H, W) or (C_in, D, H, W), ``weight`` has five.

    Parameters, errors and result are those of `conv`; another rank is a ValueError.

    Examples
    --------
    >>> import numpy as np, upconv
    >>> upconv.conv3d(np.ones((2, 3, 8, 12, 10)), np.ones((8, 3, 2, 2, 2)), stride=2).shape
    (2, 8, 4, 6, 5)
    """
    return run_conv(3, x, weight, bias, algorithm, stride, padding, groups, dilation, data_format)


document_ranks(conv, conv1d, conv2d, conv3d)


def conv_weight(
    x: t.Array,
    y: t.Array,
    kernel_size: t.Shape,
    stride: t.PerAxis = 1,
    padding: t.Padding = 0,
    *,
    groups: int = 1,
    dilation: t.PerAxis = 1,
    data_format: t.DataFormat = "channels_first",
    algorithm: t.Algorithm = "auto",
) -> t.Array:
    r"""Correlate the two images that a weight connects: the third of three, beside `conv_transpose` and `conv`.

    For real arrays, every weight w of that kernel size, and the same other arguments,

        sum(conv_weight(x, y, ...) * w) == sum(y * conv_transpose(x, w, ..., output_size=y.shape[2:]))

    so it is the derivative by the weight of both of the others: of ``conv_transpose(x, weight)`` where ``y`` is the
    cotangent of its result, and of ``conv(y, weight)`` where ``x`` is the cotangent of its result.

    Parameters
    ----------
    x : array, shape (N, C_in, \*size) or (C_in, \*size)
        The side of the strided samples: the input of `conv_transpose`, the result of `conv`.
    y : array, shape (N, C_out, \*out) or (C_out, \*out)
        The other side, of the library, dtype and device of ``x``, and with its batch.
    kernel_size : tuple of int
        Taps on each spatial axis.
    stride, padding, groups, dilation, data_format, algorithm
        As in `conv_transpose` and `conv`. Of ``padding`` only what it says for the front counts, or the word: the
        sizes of x and y tell what is behind.

    Returns
    -------
    array, shape (C_in, C_out // groups, \*kernel_size)
        In the library, dtype and device of ``x``; a tap that connects no two samples has 0.

    Raises
    ------
    TypeError, ValueError
        As `conv_transpose`.

    Examples
    --------
    >>> import numpy as np, upconv
    >>> x, y = np.asarray([[1.0, 10.0]]), np.asarray([[1.0, 2.0, 3.0, 4.0, 5.0]])
    >>> upconv.conv_weight(x, y, (3,), stride=2)
    array([[[31., 42., 53.]]])
    """
    return run_conv_weight(x, y, algorithm, kernel_size, stride, padding, groups, dilation, data_format)
