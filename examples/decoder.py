"""A network that enlarges a photograph three times, written once for every array library.

It is of the kind of FSRCNN (https://arxiv.org/abs/1608.00367): it computes at the small size, and its last layer, a
transposed convolution, enlarges.
"""

import numpy as np

from upconv import conv_transpose2d

FACTOR = 3
KERNELS, CHANNELS = (5, 3, 3, 3, 3), 16
# How many small pixels the layers of features use up on each side; the last layer uses one more.
REACH = sum(k // 2 for k in KERNELS)
MARGIN = REACH + 1


def decode(x, weights):
    """(N, 1, H, W) to (N, 1, 3 * (H - 2 * MARGIN), 3 * (W - 2 * MARGIN)), in the library that x and the weights are of.

    Each layer crops what its whole kernel does not reach: a photograph does not go on as zeros beyond its border.
    """
    y = x
    for weight, bias in weights["features"]:
        # At stride 1 a transposed convolution is a convolution with its kernel turned, and learns as well.
        y = conv_transpose2d(y, weight, bias, padding=weight.shape[-1] - 1)
        y = 0.55 * y + 0.45 * abs(y)  # leaky ReLU, in arithmetic that every array has
    detail = conv_transpose2d(y, weights["detail"], stride=FACTOR, padding=6)
    return detail + conv_transpose2d(x, weights["smooth"], stride=FACTOR, padding=6 + FACTOR * REACH)


def untrained(rng):
    """NumPy's arrays to begin with: linear interpolation, and a little random detail."""
    features, ins = [], 1
    for k in KERNELS:
        scale = np.float32(np.sqrt(2 / (ins * k * k)))  # keeps the variance from layer to layer
        weight = scale * rng.standard_normal((ins, CHANNELS, k, k), dtype=np.float32)
        features.append((weight, np.zeros(CHANNELS, dtype=np.float32)))
        ins = CHANNELS
    detail = np.float32(0.01) * rng.standard_normal((ins, 1, 9, 9), dtype=np.float32)
    tent = np.array([0, 0, 1, 2, 3, 2, 1, 0, 0], dtype=np.float32) / FACTOR
    return {"features": features, "detail": detail, "smooth": np.outer(tent, tent)[None, None]}
