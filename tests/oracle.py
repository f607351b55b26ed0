"""The definition, tap by tap. Imports nothing from upconv, and shares no formula with a lowering.

A table says where each tap lays each sample; what is cropped goes to a place of its own, behind the image. That the
three sums are the definition's is tested in test_oracle.py, product by product.
"""

import numpy as np


def conv_transpose(x, weight, bias, stride, dilation, groups, lo, out):
    """Lay each input sample's kernel into the output, channels first."""
    table = places(x.shape[2:], weight.shape[2:], stride, dilation, lo, out)
    x, w = by_group(x, groups, axis=1), by_group(weight, groups, axis=0)
    y = np.zeros((len(x), groups, weight.shape[1], volume(out) + 1), x.dtype)
    for a, place in enumerate(table):
        y[..., place] += np.swapaxes(w[..., a], 1, 2) @ x
    return finish(y[..., :-1], bias, out)


def conv(y, weight, bias, stride, dilation, groups, lo, size):
    """Add up, for each sample of the result, what the kernel laid over ``y`` covers; outside there is nothing."""
    table = places(size, weight.shape[2:], stride, dilation, lo, y.shape[2:])
    y, w = surrounded(by_group(y, groups, axis=1)), by_group(weight, groups, axis=0)
    x = np.zeros((len(y), *w.shape[:2], volume(size)), y.dtype)
    for a, place in enumerate(table):
        x += w[..., a] @ y[..., place]
    return finish(x, bias, size)


def conv_weight(x, y, kernel, stride, dilation, groups, lo):
    """Add up the products of the samples that each tap connects."""
    table = places(x.shape[2:], kernel, stride, dilation, lo, y.shape[2:])
    ins, outs = x.shape[1], y.shape[1] // groups
    x, y = by_group(x, groups, axis=1), surrounded(by_group(y, groups, axis=1))
    taps = [(x @ np.swapaxes(y[..., place], 2, 3)).sum(0, x.dtype) for place in table]
    return np.stack(taps, axis=-1).reshape(ins, outs, *kernel)


def places(size, kernel, stride, dilation, lo, out):
    """Where each tap (a row) lays each sample (a column) in the flat output; the last place, -1, if that is cropped."""
    flat, kept = np.zeros((1, 1), int), np.ones((1, 1), bool)
    for i, k, s, d, front, n in zip(size, kernel, stride, dilation, lo, out, strict=True):
        places = [p * s + a * d - front for a in range(k) for p in range(i)]  # Python's integers, which know no end
        inside = np.array([0 <= o < n for o in places], bool).reshape(k, 1, i)
        o = np.array([o if 0 <= o < n else 0 for o in places], int).reshape(k, 1, i)
        shape = len(flat) * k, flat.shape[1] * i
        flat = (flat[:, None, :, None] * n + o).reshape(shape)
        kept = (kept[:, None, :, None] & inside).reshape(shape)
    return np.where(kept, flat, -1)


def by_group(array, groups, axis):
    """Split the channels of an axis into groups, and join the spatial axes."""
    shape = (*array.shape[:axis], groups, array.shape[axis] // groups, *array.shape[axis + 1 : 2])
    return array.reshape(*shape, volume(array.shape[2:]))


def surrounded(y):
    """``y`` and, in the last place, the nothing around it."""
    return np.concatenate([y, np.zeros((*y.shape[:-1], 1), y.dtype)], axis=-1)


def finish(y, bias, size):
    """Join the groups, and add the bias to each channel."""
    y = y.reshape(len(y), y.shape[1] * y.shape[2], *size)
    return y if bias is None else y + bias.reshape(-1, *(1,) * len(size))


def volume(size):
    return int(np.prod(size))


def exact_and_bound(x, weight, bias, *geometry, eps, terms_factor=2):
    """Return the result in a wider type, and the bound c * n * eps * (|x| * |w| + |b|) of each of its samples."""
    wide = np.clongdouble if np.iscomplexobj(x) else np.longdouble
    wider = [None if a is None else np.asarray(a).astype(wide) for a in (x, weight, bias)]
    magnitudes = [None if a is None else np.abs(a) for a in wider]
    groups = geometry[2]
    n = weight.shape[0] // groups * int(np.prod(weight.shape[2:])) + 2
    return conv_transpose(*wider, *geometry), terms_factor * n * eps * conv_transpose(*magnitudes, *geometry)


# Algorithms whose errors are relative to the largest samples, and where what is not finite fills a block.
BY_NORMS = {"fft"}


def bound_by_norms(exact, x, weight, eps):
    """The bound of FFTs in double precision, rounded once to ``eps``: relative to the arrays, not to each sample."""
    norms = [np.linalg.norm(a.astype(exact.dtype).ravel()) for a in (x, weight)]
    return 2 * 2.0**-52 * np.log2(x.size + weight.size + 2) * norms[0] * norms[1] + eps * np.abs(exact)


def receptive_field(weight, marked, *geometry):
    """Return which outputs a marked input can reach through any tap."""
    return conv_transpose(marked, np.ones(weight.shape), None, *geometry) > 0


def full(size, kernel, stride, dilation):
    """Sizes before cropping."""
    axes = zip(size, kernel, stride, dilation, strict=True)
    return tuple(max(0, (i - 1) * s + d * (k - 1) + 1) for i, k, s, d in axes)
