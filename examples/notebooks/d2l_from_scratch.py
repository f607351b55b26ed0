# %% [markdown]
# # Dive into Deep Learning, chapter "Transposed Convolution"
#
# The book's own examples, on MXNet there and on NumPy here; the call is the same for both.

# %%
from importlib.util import find_spec

import numpy as np

import upconv


def trans_conv(x, k):
    """The book's loop: a copy of the kernel for each sample."""
    h, w = k.shape
    y = np.zeros((x.shape[0] + h - 1, x.shape[1] + w - 1))
    for i, j in np.ndindex(*x.shape):
        y[i : i + h, j : j + w] += x[i, j] * k
    return y


x = k = np.array([[0.0, 1], [2, 3]])
printed = [[0, 0, 1], [0, 4, 6], [4, 12, 9]]
np.testing.assert_array_equal(trans_conv(x, k), printed)

# %% [markdown]
# Padding crops the output; the stride moves the copies apart.

# %%
x4, k4 = x[None, None], k[None, None]
np.testing.assert_array_equal(upconv.conv_transpose2d(x4, k4)[0, 0], printed)
np.testing.assert_array_equal(upconv.conv_transpose2d(x4, k4, padding=1)[0, 0], [[4]])
np.testing.assert_array_equal(
    upconv.conv_transpose2d(x4, k4, stride=2)[0, 0],
    [[0, 0, 0, 1], [0, 0, 2, 3], [0, 2, 0, 3], [4, 6, 6, 9]],
)

# Both in pictures: one sample left of three, and copies that touch without overlapping.
if find_spec("matplotlib"):
    from matplotlib import pyplot as plt

    upconv.diagram(2, 2, padding=1, figure=plt.figure(figsize=(8, 3.5)))
    upconv.diagram(2, 2, stride=2, figure=plt.figure(figsize=(8, 4)))

# %% [markdown]
# A convolution with the same arguments takes 16 to 6, and the transposed one 6 to 16. The shape comes back because
# the stride divides what is left, 16 + 2*2 - 5 = 15 = 5 * 3; where it does not, ``output_size`` says which size was
# meant.

# %%
rng = np.random.default_rng(3)
small = (1, 20, *((n + 2 * 2 - 5) // 3 + 1 for n in (16, 16)))
y = upconv.conv_transpose2d(rng.random(small), rng.random((20, 10, 5, 5)), stride=3, padding=2)
assert y.shape == (1, 10, 16, 16)
small = (1, 20, *((n + 2 * 2 - 5) // 3 + 1 for n in (17, 18)))
y = upconv.conv_transpose2d(rng.random(small), rng.random((20, 10, 5, 5)), stride=3, padding=2, output_size=(17, 18))
assert y.shape == (1, 10, 17, 18)

# %% [markdown]
# The convolution as a matrix, and its transpose.


# %%
def corr2d(x, k):
    """Cross-correlation, which deep learning calls convolution."""
    h, w = k.shape
    return np.array(
        [[(x[i : i + h, j : j + w] * k).sum() for j in range(x.shape[1] - w + 1)] for i in range(x.shape[0] - h + 1)]
    )


def kernel2matrix(kernel):
    """The 2 x 2 kernel on a 3 x 3 image: one row for each of its four places."""
    k, matrix = np.zeros(5), np.zeros((4, 9))
    k[:2], k[3:5] = kernel[0], kernel[1]
    matrix[0, :5], matrix[1, 1:6], matrix[2, 3:8], matrix[3, 4:] = k, k, k, k
    return matrix


image = np.arange(9.0).reshape(3, 3)
np.testing.assert_array_equal(corr2d(image, k), [[19, 25], [37, 43]])
matrix = kernel2matrix(k)
np.testing.assert_array_equal(
    matrix,
    [
        [0, 1, 0, 2, 3, 0, 0, 0, 0],
        [0, 0, 1, 0, 2, 3, 0, 0, 0],
        [0, 0, 0, 0, 1, 0, 2, 3, 0],
        [0, 0, 0, 0, 0, 1, 0, 2, 3],
    ],
)
np.testing.assert_array_equal((matrix @ image.ravel()).reshape(2, 2), corr2d(image, k))
np.testing.assert_array_equal((matrix.T @ x.ravel()).reshape(3, 3), trans_conv(x, k))
np.testing.assert_array_equal((matrix.T @ x.ravel()).reshape(3, 3), upconv.conv_transpose2d(x4, k4)[0, 0])

# %% [markdown]
# And the pair is adjoint: <conv(image), x> = <image, conv_transpose(x)>.

# %%
assert (corr2d(image, k) * x).sum() == (image * upconv.conv_transpose2d(x4, k4)[0, 0]).sum()
print(matrix.astype(int))
