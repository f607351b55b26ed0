"""The public call, for any number of spatial axes and for one, two and three."""

from __future__ import annotations

import upconv._types as t
from upconv._arguments import exact_shape
from upconv._dispatch import run_conv_transpose
from upconv._plans import plan_for
from upconv._ranks import document_ranks

__all__ = ["conv_transpose", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "output_shape"]


def conv_transpose(
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
) -> t.Array:
    r"""Transposed convolution over as many spatial axes as ``weight`` has.

    Each input sample lays a copy of the kernel, scaled by its value, into the output; the copies stand ``stride``
    samples apart and are added where they overlap. It is the adjoint of a cross-correlation with the same arguments.
    On every spatial axis, with input size :math:`i`, kernel size :math:`k`, stride :math:`s`, dilation :math:`d` and
    a crop of :math:`lo` samples in front and :math:`hi` behind,

    .. math:: y[p s + a d - lo] \mathrel{+}= x[p] \, w[a], \qquad \mathrm{size} = (i-1) s + d (k-1) + 1 - lo - hi

    Parameters
    ----------
    x : array, shape (N, C_in, \*size) or (C_in, \*size)
        Input, with or without a batch axis. An array of any library in the README's table; floating, complex or
        integer. ``data_format`` may put the channels last.
    weight : array, shape (C_in, C_out // groups, \*kernel)
        Kernel, not flipped: PyTorch's and ONNX's layout. Library, dtype and device must be those of ``x``.
    bias : array, shape (C_out,), optional
        Added to every sample of its output channel.
    stride : int or one per axis, default 1
        Distance in output samples between the kernels of neighbouring input samples, at least 1.
    padding : int, one int or (lo, hi) pair per axis, 'same' or 'valid', default 0
        Output samples to crop, front and back. An int, at least 0, crops both sides; a pair may have either sign, and
        a negative number appends zeros. 'same' and 'valid' mean what Keras and TensorFlow mean: sizes :math:`i s` and
        :math:`(i-1) s + \max(s, d(k-1)+1)`, an odd crop taking more at the back.
    output_padding : int or one per axis, default 0
        Crop this much less at the back; below the larger of stride and dilation.
    groups : int, default 1
        Divide input and output channels into this many parts that do not see each other. Must divide C_in.
    dilation : int or one per axis, default 1
        Distance in output samples between the kernel's taps, at least 1.
    output_size : int or one per axis, optional
        The size to produce, in place of ``output_padding``: ``padding`` says what is cropped in front, and as much is
        cropped or appended behind as the size asks for.
    data_format : {'channels_first', 'channels_last'}, default 'channels_first'
        Layout of ``x`` and of the result; ``weight`` has one layout.
    algorithm : str, default 'auto'
        'auto' picks by measurements; 'generic' is the implementation in the array API alone, on every library;
        `explain` names the others.

    Returns
    -------
    array, shape (N, C_out, \*out) or as ``data_format`` and the rank of ``x`` say
        In the library, dtype and device of ``x``, and in memory of its own. A sample that no tap reaches is 0 plus
        bias. float16 and bfloat16 are summed in float32 and rounded once; integers are exact, and wrap around as their
        dtype does. For a subclass of NumPy's array a plain one.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind, or the arrays are not of one library and dtype, or of a dtype that the
        library cannot multiply, or mean more than their numbers, as masked arrays and those with units do.
    ValueError
        If ranks, channels, sizes or words do not fit, the arrays are on different devices, or the algorithm asked for
        does not take the call.

    See Also
    --------
    output_shape : The shape alone.
    explain : The algorithm that would run, and why.

    References
    ----------
    V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285, chapter 4.

    Examples
    --------
    >>> import numpy as np, upconv
    >>> x = np.asarray([[[0.0, 1.0], [2.0, 3.0]]])
    >>> upconv.conv_transpose(x, x[None])
    array([[[ 0.,  0.,  1.],
            [ 0.,  4.,  6.],
            [ 4., 12.,  9.]]])
    """
    return run_conv_transpose(
        None, x, weight, bias, algorithm, stride, padding, output_padding, groups, dilation, output_size, data_format
    )


def conv_transpose1d(
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
) -> t.Array:
    """`conv_transpose` over one spatial axis: ``x`` is (N, C_in, L) or (C_in, L), ``weight`` (C_in, C_out/groups, k).

    Parameters, errors and result are those of `conv_transpose`; another rank is a ValueError.

    Examples
    --------
    >>> import numpy as np, upconv
    >>> upconv.conv_transpose1d(np.asarray([[1, 2, 3]]), np.asarray([[[1, 10]]]), stride=2)
    array([[ 1, 10,  2, 20,  3, 30]])
    """
    return run_conv_transpose(
        1, x, weight, bias, algorithm, stride, padding, output_padding, groups, dilation, output_size, data_format
    )


def conv_transpose2d(
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
) -> t.Array:
    """`conv_transpose` over two spatial axes: ``x`` is (N, C_in, H, W) or (C_in, H, W), ``weight`` has four axes.

    Parameters, errors and result are those of `conv_transpose`; another rank is a ValueError.

    Examples
    --------
    >>> import numpy as np, upconv
    >>> x, weight = np.ones((1, 1, 2, 3)), np.ones((1, 1, 2, 2))
    >>> upconv.conv_transpose2d(x, weight, stride=(1, 2))
    array([[[[1., 1., 1., 1., 1., 1.],
             [2., 2., 2., 2., 2., 2.],
             [1., 1., 1., 1., 1., 1.]]]])
    """
    return run_conv_transpose(
        2, x, weight, bias, algorithm, stride, padding, output_padding, groups, dilation, output_size, data_format
    )


def conv_transpose3d(
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
) -> t.Array:
    """`conv_transpose` over three spatial axes: ``x`` is (N, C_in, D, H, W) or (C_in, D, H, W), ``weight`` has five.

    Parameters, errors and result are those of `conv_transpose`; another rank is a ValueError.

    Examples
    --------
    >>> import numpy as np, upconv
    >>> upconv.conv_transpose3d(np.ones((2, 8, 4, 6, 5)), np.ones((8, 3, 2, 2, 2)), stride=2).shape
    (2, 3, 8, 12, 10)
    """
    return run_conv_transpose(
        3, x, weight, bias, algorithm, stride, padding, output_padding, groups, dilation, output_size, data_format
    )


document_ranks(conv_transpose, conv_transpose1d, conv_transpose2d, conv_transpose3d)


def output_shape(
    x_shape: t.Shape,
    weight_shape: t.Shape,
    bias_shape: t.Shape | None = None,
    stride: t.PerAxis = 1,
    padding: t.Padding = 0,
    output_padding: t.PerAxis = 0,
    groups: int = 1,
    dilation: t.PerAxis = 1,
    *,
    output_size: t.PerAxis | None = None,
    data_format: t.DataFormat = "channels_first",
) -> t.Ints:
    """Return the shape that `conv_transpose` gives with the same arguments, without any array.

    Parameters
    ----------
    x_shape, weight_shape : sequence of int
        Shapes of ``x``, with or without the batch, and of ``weight``.
    bias_shape : sequence of int, optional
        Shape of ``bias``, if it is to be checked too.
    stride, padding, output_padding, groups, dilation, output_size, data_format
        As in `conv_transpose`.

    Returns
    -------
    tuple of int
        The shape, with a batch axis where ``x_shape`` has one.

    Raises
    ------
    TypeError, ValueError
        As `conv_transpose`.

    Examples
    --------
    >>> import upconv
    >>> upconv.output_shape((16, 20, 32, 24), (20, 10, 5, 3), stride=(3, 2), padding="same")
    (16, 10, 96, 48)
    """
    x_shape, weight_shape = exact_shape("x_shape", x_shape), exact_shape("weight_shape", weight_shape)
    bias_shape = None if bias_shape is None else exact_shape("bias_shape", bias_shape)
    geometry = (stride, padding, output_padding, groups, dilation, output_size, data_format)
    plan, batched = plan_for(None, x_shape, weight_shape, bias_shape, *geometry)
    return (*x_shape[:batched], *plan.image_shape)
