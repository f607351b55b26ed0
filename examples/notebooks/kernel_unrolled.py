# %% [markdown]
# # Unroll the kernel, multiply, and multiply back
#
# Lay the padded kernel, flattened, into one row for each place it can take. That matrix convolves; its transpose
# takes the result back to the shape of the input. It is not the inverse: the shape comes back, the values do not.

# %%
import numpy as np

import upconv


def kernel_matrix(kernel, size, stride=1):
    """The document's function, which takes a stride and ignores it; here the kernel moves by it."""
    (kh, kw), (height, width) = kernel.shape, size
    rows = []
    for i in range(0, height - kh + 1, stride):
        for j in range(0, width - kw + 1, stride):
            rows.append(np.pad(kernel, ((i, height - kh - i), (j, width - kw - j))).ravel())
    return np.array(rows)


# %%
rng = np.random.default_rng(2)
kernel, image = rng.standard_normal((3, 3)), rng.standard_normal((4, 4))
matrix = kernel_matrix(kernel, image.shape)
assert matrix.shape == (4, 16)
assert matrix.T.shape == (16, 4)
small = (matrix @ image.ravel()).reshape(2, 2)
back = (matrix.T @ small.ravel()).reshape(4, 4)
np.testing.assert_allclose(upconv.conv_transpose2d(small[None], kernel[None, None])[0], back, atol=1e-12)

# With the stride that the document leaves out, on unequal axes.
kernel, image = rng.standard_normal((3, 2)), rng.standard_normal((7, 6))
matrix = kernel_matrix(kernel, image.shape, stride=2)
small = (matrix @ image.ravel()).reshape(3, 3)
back = upconv.conv_transpose2d(small[None], kernel[None, None], stride=2, output_size=image.shape)[0]
np.testing.assert_allclose(back, (matrix.T @ small.ravel()).reshape(7, 6), atol=1e-12)

# %% [markdown]
# The document prints random numbers and not the kernel that made them. But it prints the input of the transposed
# convolution, 2 x 2, and its result, 4 x 4: sixteen equations for the nine taps. Their solution gives all sixteen
# back to the printed digits, so the printed result is the transposed convolution of the printed input.

# %%
small = np.array([[1.7583, -3.0868], [-2.0347, 0.5580]])
printed = np.array(
    [
        [1.0477, -3.6902, 5.7490, -4.3885],
        [-3.2956, 6.9641, -5.3846, 1.5702],
        [0.6556, 0.9386, 1.1903, 0.7276],
        [2.0307, 0.0418, 0.4080, -0.1569],
    ]
)
# The call is linear in the kernel too: its value at each unit kernel is a column of the equations.
units = np.eye(9).reshape(9, 1, 1, 3, 3)
equations = np.stack([upconv.conv_transpose2d(small[None], unit).ravel() for unit in units], axis=1)
taps, *_ = np.linalg.lstsq(equations, printed.ravel(), rcond=None)
result = upconv.conv_transpose2d(small[None], taps.reshape(1, 1, 3, 3))[0]
np.testing.assert_allclose(result, printed, atol=2e-4)
print(taps.reshape(3, 3).round(3))
