"""Uses of the public calls for type checkers, which never run: those marked `wrong` must be reported, and no others."""

from typing import assert_type

import numpy as np
from numpy.typing import NDArray

import upconv

Floats = NDArray[np.float32]


def calls(x: Floats, weight: Floats, bias: Floats, size: np.int64) -> None:
    assert_type(upconv.conv_transpose(x, weight), Floats)
    assert_type(upconv.conv_transpose1d(x, weight, bias, (2,), "same"), Floats)
    assert_type(upconv.conv_transpose2d(x, weight, None, (2, 3), [(0, 1), (-1, 2)], output_padding=(1, 0)), Floats)
    assert_type(upconv.conv_transpose3d(x, weight, stride=size, output_size=[9, size, 8]), Floats)
    assert_type(upconv.conv(x, weight, padding=(1, 2), groups=2, dilation=3), Floats)
    assert_type(upconv.conv1d(x, weight, bias, data_format="channels_last"), Floats)
    assert_type(upconv.conv2d(x, weight, padding="valid", algorithm="direct"), Floats)
    assert_type(upconv.conv3d(x, weight, algorithm="auto"), Floats)
    assert_type(upconv.conv_weight(x, x, weight.shape[2:], 2), Floats)
    assert_type(upconv.output_shape(x.shape, (4, 3, 5), padding=[(1, 2)]), tuple[int, ...])
    assert_type(upconv.prepare(weight), Floats)
    upconv.conv_transpose2d(x, upconv.prepare(weight), bias, output_size=x.shape[2:])
    assert_type(upconv.__version__, str)


def wrong_calls(x: Floats, weight: Floats) -> None:
    upconv.conv_transpose(x, weight, padding="full")  # wrong
    upconv.conv_transpose1d(x, weight, stride=1.5)  # wrong
    upconv.conv_transpose2d(x, weight, data_format="NCHW")  # wrong
    upconv.conv_transpose3d(x, weight, algorithm="winograd")  # wrong
    upconv.conv_transpose([[1.0, 2.0]], weight)  # wrong
    upconv.conv(x, weight, output_padding=1)  # wrong
    upconv.conv1d(x, weight, padding=[(1, 2, 3)])  # wrong
    upconv.conv2d(x, weight, None, 1, 0, 1)  # wrong
    upconv.conv3d(x)  # wrong
    upconv.conv_weight(x, x, 3)  # wrong
    upconv.conv_weight(x, x, (3,), padding="SAME")  # wrong
    upconv.output_shape(x, weight)  # wrong
    upconv.prepare(3)  # wrong
    upconv.conv_transposed(x, weight)  # wrong
    upconv.diagram(3, 3, padding="full")  # wrong


def derivatives(x: Floats, weight: Floats, bias: Floats) -> None:
    y, pullback = upconv.vjp(x, weight, bias, 2)
    assert_type(y, Floats)
    dx, dweight, dbias = pullback(y)
    assert_type(dx, Floats)
    assert_type(dweight, Floats)
    assert_type(dbias, Floats | None)
    pullback()  # wrong
    pullback(y, y)  # wrong
    pullback("y")  # wrong
    assert pullback.weight_only  # wrong
    dx, dweight = pullback(y)  # wrong
    upconv.vjp(x, weight, padding="full")  # wrong


def explanations(x: Floats, weight: Floats) -> None:
    found = upconv.explain(x, weight, padding="same")
    assert_type(found, upconv.Explanation)
    assert_type(found.library, str)
    assert_type(found.version, str)
    assert_type(found.reason, str)
    assert_type(found.output_shape, tuple[int, ...])
    assert_type(found.workspace, int)
    upconv.conv_transpose(x, weight, algorithm=found.algorithm)
    assert found.workspaces  # wrong
    found.workspace.upper()  # wrong
    upconv.explain(x, weight, padding=None)  # wrong


def linear_algebra(weight: Floats, v: Floats) -> None:
    operator = upconv.linear_operator(weight, (2, 5), stride=2)
    assert_type(operator.shape, tuple[int, int])
    assert_type(operator.matvec(v), Floats)
    assert_type(operator.H @ v, Floats)
    operator.toarray()  # wrong
    operator.matvec()  # wrong
    upconv.linear_operator(weight)  # wrong
    upconv.linear_operator(weight, 5)  # wrong

    assert_type(upconv.as_matrix(weight, (2, 5), dense=True), Floats)
    matrix = upconv.as_matrix(weight, (2, 5))
    matrix.toarray()
    matrix.T @ v
    matrix.to_array()  # wrong
    upconv.as_matrix(weight, (2, 5), dense="yes")  # wrong
    upconv.as_matrix(weight, (2, 5), padding="full")  # wrong
