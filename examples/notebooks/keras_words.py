# %% [markdown]
# # Keras' words, then PyTorch's
#
# Keras has channels last, and its kernel is (kH, kW, C_out, C_in). Its 'valid' and 'same' mean here what they mean
# there.

# %%
from importlib.util import find_spec

import numpy as np

import upconv

x = np.array([[3, 5, 2, 7], [4, 1, 3, 8], [6, 3, 8, 2], [9, 6, 1, 5]], dtype="float32")
kernel = np.array([[1, 2, 1], [2, 1, 2], [1, 1, 2]], dtype="float32")

# The convolution first, whose result the rest takes up.
small = np.array([[(x[i : i + 3, j : j + 3] * kernel).sum() for j in range(2)] for i in range(2)], dtype="float32")
np.testing.assert_array_equal(small, [[55, 52], [57, 50]])


def conv2d_transpose(x, kernel, **words):
    """As Keras' layer: (N, H, W, C) in and out, the kernel (kH, kW, C_out, C_in)."""
    return upconv.conv_transpose2d(x, kernel.transpose(3, 2, 0, 1), **words, data_format="channels_last")


x, kernel = small.reshape(1, 2, 2, 1), kernel.reshape(3, 3, 1, 1)
printed = {
    ("valid", 1): [[55, 162, 159, 52], [167, 323, 319, 154], [169, 264, 326, 204], [57, 107, 164, 100]],
    ("valid", 2): [
        [55, 110, 107, 104, 52],
        [110, 55, 214, 52, 104],
        [112, 169, 269, 152, 154],
        [114, 57, 214, 50, 100],
        [57, 57, 164, 50, 100],
    ],
    ("same", 1): [[323, 319], [264, 326]],
}
for (padding, stride), numbers in printed.items():
    y = conv2d_transpose(x, kernel, padding=padding, stride=stride)
    np.testing.assert_array_equal(y[0, :, :, 0], numbers)
    print(f"{padding}, stride {stride}: {y.shape}")

# 'same' at stride 2 in a picture: of an odd crop, the larger half goes at the back.
if find_spec("matplotlib"):
    from matplotlib import pyplot as plt

    upconv.diagram(2, 3, stride=2, padding="same", figure=plt.figure(figsize=(8, 4)))

# %% [markdown]
# PyTorch's words. Its ``padding`` crops the result: one row and column on each side leave the middle of three.

# %%
x = np.array([[[[0.0, 1], [2, 3]]]])
printed = {
    (1, 0): [[0, 0, 1], [0, 4, 6], [4, 12, 9]],
    (1, 1): [[4]],
    (3, 2): [[0]],
    (3, 0): [[0, 0, 0, 0, 1], [0, 0, 0, 2, 3], [0, 0, 0, 0, 0], [0, 2, 0, 0, 3], [4, 6, 0, 6, 9]],
}
for (stride, padding), numbers in printed.items():
    y = upconv.conv_transpose2d(x, x, stride=stride, padding=padding)
    np.testing.assert_array_equal(y[0, 0], numbers)

# %% [markdown]
# Two output channels are two kernels. The document's are random and not shown, but four of the printed numbers are
# single products: the two of the first row are the first two taps, and the corners of the last row are 2 and 3 times
# the other two. With these taps the other five numbers follow.

# %%
printed = np.array(
    [
        [[0.0000, 0.0686, -0.2898], [0.1372, -0.1799, -0.7700], [0.3878, 0.7804, 0.2980]],
        [[0.0000, 0.0555, 0.0930], [0.1111, 0.0469, 0.4539], [-0.6113, -0.5671, 0.5249]],
    ]
)
weight = np.stack([printed[:, 0, 1], printed[:, 0, 2], printed[:, 2, 0] / 2, printed[:, 2, 2] / 3], axis=1)
y = upconv.conv_transpose2d(x, weight.reshape(1, 2, 2, 2))
assert y.shape == (1, 2, 3, 3)
np.testing.assert_allclose(y[0], printed, atol=3e-4)
