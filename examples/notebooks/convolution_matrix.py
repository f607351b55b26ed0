# %% [markdown]
# # The matrix of a convolution, transposed; strides, and rows of patches
#
# A convolution is linear: a matrix times the flattened image. The transposed convolution is that matrix transposed.

# %%
from importlib.util import find_spec

import numpy as np

import upconv

x = np.array([[0.0, 1], [2, 3]])
printed = [[0, 0, 1], [0, 4, 6], [4, 12, 9]]
np.testing.assert_array_equal(upconv.conv_transpose2d(x[None], x[None, None])[0], printed)


def conv_matrix(kernel, size):
    """One row for each output of the convolution: the kernel laid on the (H, W) image at that place."""
    places = [n - k + 1 for n, k in zip(size, kernel.shape, strict=True)]
    rows = np.zeros((*places, *size))
    for r, c in np.ndindex(*places):
        rows[r, c, r : r + kernel.shape[0], c : c + kernel.shape[1]] = kernel
    return rows.reshape(places[0] * places[1], -1)


# %% [markdown]
# The document takes a 6 x 6 input and a 3 x 3 kernel, and leaves the product commented out.

# %%
random = np.random.RandomState(0)
kernel, x = random.randint(1, 10, size=(3, 3)), random.randint(1, 5, size=(6, 6))
matrix = conv_matrix(kernel, (8, 8))
assert matrix.T.shape == (64, 36)
assert x.reshape(-1, 1).shape == (36, 1)
y = upconv.conv_transpose2d(x[None], kernel[None, None])[0]
np.testing.assert_array_equal((matrix.T @ x.ravel()).reshape(8, 8), y)

# %% [markdown]
# Under it stands a 4 x 4 result of an earlier run, whose input is not shown. It is a 2 x 2 input in 1..4 and a 3 x 3
# kernel in 1..9, and its sixteen numbers leave one choice: the corners are single products, 14 = 2 * 7 and 15 = 3 *
# 5, and the rest follows.

# %%
printed = [[14, 31, 25, 15], [22, 37, 43, 29], [12, 24, 43, 29], [4, 8, 17, 7]]
x, kernel = np.array([[2, 3], [2, 1]]), np.array([[7, 5, 5], [4, 4, 8], [2, 3, 7]])
np.testing.assert_array_equal(upconv.conv_transpose2d(x[None], kernel[None, None])[0], printed)
np.testing.assert_array_equal((conv_matrix(kernel, (4, 4)).T @ x.ravel()).reshape(4, 4), printed)

# %% [markdown]
# Sizes: stride 5 and padding 1 make 36 of 8. ``output_size`` asks for any size of the stride's range, or beyond it.

# %%
rng = np.random.default_rng(1)
x, weight = rng.random((1, 1, 8, 8)), rng.random((1, 1, 3, 3))
y = upconv.conv_transpose2d(x, weight, stride=5, padding=1)
assert y.shape == (1, 1, 36, 36)
larger = upconv.conv_transpose2d(x, weight, stride=5, padding=1, output_size=38)
assert larger.shape == (1, 1, 38, 38)
np.testing.assert_array_equal(larger[:, :, :36, :36], y)

# %% [markdown]
# A loop that the document leaves without a body: stride 4, a 3 x 3 kernel of ones, one row and column of output
# padding. Its output is printed as all zeros. This is what it was to become: blocks of one value, with a gap between
# them.

# %%
x = np.linspace(1, 16, 16).reshape(4, 4)
y = np.zeros((4 * 3 + 3 + 1,) * 2)
assert y.shape == (16, 16)
assert not y.any()
for i, j, ki, kj in np.ndindex(4, 4, 3, 3):
    y[i * 4 + ki, j * 4 + kj] += x[i, j]
np.testing.assert_array_equal(upconv.conv_transpose2d(x[None], np.ones((1, 1, 3, 3)), stride=4, output_padding=1)[0], y)

# The gaps in a picture, and the zeros that `output_padding` appends where nothing was cropped.
if find_spec("matplotlib"):
    from matplotlib import pyplot as plt

    upconv.diagram(4, 3, stride=4, output_padding=1, figure=plt.figure(figsize=(8, 6)))


# %% [markdown]
# The last cell scatters rows of patches, im2row backwards. It ends in a TypeError, because it passes ``stride=1``
# where two numbers are meant, and ``dilation=0`` where 1 is. It also walks a grid that is not square with the wrong
# axis.


# %%
def rows_to_image(x, weight, stride, dilation):
    """Multiply the channels by all taps at once, then add each row of taps at its place."""
    (n, ins, height, width), (_, outs, kh, kw) = x.shape, weight.shape
    rows = x.reshape(n, ins, -1).transpose(0, 2, 1) @ weight.reshape(ins, -1)
    rows = rows.reshape(n, height, width, outs, kh, kw)
    reach = dilation * (kh - 1) + 1, dilation * (kw - 1) + 1
    y = np.zeros((n, outs, (height - 1) * stride[0] + reach[0], (width - 1) * stride[1] + reach[1]))
    for i, j in np.ndindex(height, width):
        top, left = i * stride[0], j * stride[1]
        y[:, :, top : top + reach[0] : dilation, left : left + reach[1] : dilation] += rows[:, i, j]
    return y


x, weight = rng.standard_normal((2, 3, 4, 6)), rng.standard_normal((3, 2, 3, 2))
for stride, dilation in (((1, 1), 1), ((2, 3), 1), ((2, 1), 3)):
    y = upconv.conv_transpose2d(x, weight, stride=stride, dilation=dilation)
    np.testing.assert_allclose(rows_to_image(x, weight, stride, dilation), y, atol=1e-12)
    print(f"stride {stride}, dilation {dilation}: {y.shape}")
