# %% [markdown]
# # A transposed convolution by hand, in loops
#
# Two ways to write it. To *scatter* is the definition: each input sample lays a scaled copy of the kernel into the
# output. To *gather* asks, for each output sample, which inputs reach it; that reads the kernel backwards.

# %%
import numpy as np

import upconv


def gather(x, kernel, padding=0):
    """Stride 1: correlate the input, padded by k - 1 - padding, with the kernel turned by half a turn."""
    k, l = kernel.shape
    x = np.pad(x, ((k - 1 - padding,) * 2, (l - 1 - padding,) * 2))
    turned = kernel[::-1, ::-1]
    y = np.zeros((x.shape[0] - k + 1, x.shape[1] - l + 1))
    for i, j in np.ndindex(*y.shape):
        y[i, j] = (x[i : i + k, j : j + l] * turned).sum()
    return y


# %% [markdown]
# The document that this follows pads by 1, and gets a 4 x 4 result from 3 x 3 samples. It does not turn the kernel,
# and is right only because a kernel of ones looks the same backwards. Its ``padding=1`` is the input's, k - 1 -
# padding: what frameworks call ``padding`` is 0 here.

# %%
x = np.arange(1.0, 10).reshape(3, 3)
printed = [[1, 3, 5, 3], [5, 12, 16, 9], [11, 24, 28, 15], [7, 15, 17, 9]]
np.testing.assert_array_equal(gather(x, np.ones((2, 2))), printed)
np.testing.assert_array_equal(upconv.conv_transpose2d(x[None], np.ones((1, 1, 2, 2)))[0], printed)

# A kernel that is not its own mirror image tells a turned kernel from an unturned one.
kernel = np.array([[1.0, 2, 0], [3, -1, 4]])
np.testing.assert_array_equal(gather(x, kernel), upconv.conv_transpose2d(x[None], kernel[None, None])[0])


# %% [markdown]
# With batch, channels, bias, stride and padding, in loops. The document takes a dilation too, reckons with it in the
# size, and forgets it in the loop: the copy that it adds must be spread out too.


# %%
def scatter(x, weight, bias=None, stride=1, padding=0, dilation=1):
    """Add a copy of the kernel for each sample, then crop."""
    (n, ins, height, width), (_, outs, kh, kw) = x.shape, weight.shape
    full = [(i - 1) * stride + dilation * (k - 1) + 1 for i, k in ((height, kh), (width, kw))]
    y = np.zeros((n, outs, *full))
    for b, c, o, h, w in np.ndindex(n, ins, outs, height, width):
        rows = slice(h * stride, h * stride + dilation * (kh - 1) + 1, dilation)
        columns = slice(w * stride, w * stride + dilation * (kw - 1) + 1, dilation)
        y[b, o, rows, columns] += x[b, c, h, w] * weight[c, o]
    y = y[:, :, padding : full[0] - padding, padding : full[1] - padding]
    return y if bias is None else y + bias.reshape(1, -1, 1, 1)


x = np.arange(1.0, 17).reshape(1, 1, 4, 4)
ones = np.ones((1, 1, 2, 2))
printed = [[1, 3, 5, 7, 4], [6, 14, 18, 22, 12], [14, 30, 34, 38, 20], [22, 46, 50, 54, 28], [13, 27, 29, 31, 16]]
np.testing.assert_array_equal(scatter(x, ones)[0, 0], printed)
np.testing.assert_array_equal(upconv.conv_transpose2d(x, ones)[0, 0], printed)

# %%
rng = np.random.default_rng(0)
x, weight, bias = rng.standard_normal((2, 3, 4, 5)), rng.standard_normal((3, 2, 3, 2)), rng.standard_normal(2)
for words in ({}, {"stride": 3}, {"padding": 1, "stride": 2}, {"dilation": 2}, {"stride": 2, "dilation": 3}):
    y = upconv.conv_transpose2d(x, weight, bias, **words)
    np.testing.assert_allclose(scatter(x, weight, bias, **words), y, atol=1e-12)
    print(words, y.shape)
