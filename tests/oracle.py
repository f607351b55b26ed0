"""The definition, as loops. Imports nothing from upconv, and shares no formula with a lowering."""

import numpy as np


def conv_transpose(x, weight, bias, stride, dilation, groups, lo, out):
    """Lay each input sample's kernel into the output, channels first, sample by sample and tap by tap."""
    y = np.zeros((x.shape[0], weight.shape[1] * groups, *out), x.dtype)
    if bias is not None:
        y += bias.reshape(-1, *(1,) * len(out))
    for p, a, o in meetings(x.shape[2:], weight.shape[2:], stride, dilation, lo, out):
        for c, k in blocks(weight.shape[0], y.shape[1], groups):
            y[:, k, *o] += x[:, c, *p] @ weight[c, :, *a]
    return y


def conv(y, weight, bias, stride, dilation, groups, lo, size):
    """Add up, for each sample of the result, what the kernel laid over ``y`` covers; outside there is nothing."""
    x = np.zeros((y.shape[0], weight.shape[0], *size), y.dtype)
    if bias is not None:
        x += bias.reshape(-1, *(1,) * len(size))
    for p, a, o in meetings(size, weight.shape[2:], stride, dilation, lo, y.shape[2:]):
        for c, k in blocks(weight.shape[0], y.shape[1], groups):
            x[:, c, *p] += y[:, k, *o] @ weight[c, :, *a].T
    return x


def conv_weight(x, y, kernel, stride, dilation, groups, lo):
    """Add up the products of the samples that each tap connects."""
    weight = np.zeros((x.shape[1], y.shape[1] // groups, *kernel), x.dtype)
    for p, a, o in meetings(x.shape[2:], kernel, stride, dilation, lo, y.shape[2:]):
        for c, k in blocks(x.shape[1], y.shape[1], groups):
            weight[c, :, *a] += x[:, c, *p].T @ y[:, k, *o]
    return weight


def meetings(size, kernel, stride, dilation, lo, out):
    """Each input sample and tap with the output sample that they meet at, if it is kept."""
    for p in np.ndindex(*size):
        for a in np.ndindex(*kernel):
            o = tuple(p * s + a * d - front for p, s, a, d, front in zip(p, stride, a, dilation, lo, strict=True))
            if all(0 <= place < length for place, length in zip(o, out, strict=True)):
                yield p, a, o


def blocks(ins, outs, groups):
    """The channels of each group, on either side."""
    for g in range(groups):
        yield slice(g * ins // groups, (g + 1) * ins // groups), slice(g * outs // groups, (g + 1) * outs // groups)


def exact_and_bound(x, weight, bias, *geometry, eps, terms_factor=2):
    """Return the result in a wider type, and the bound c * n * eps * (|x| * |w| + |b|) of each of its samples."""
    wide = np.clongdouble if np.iscomplexobj(x) else np.longdouble
    wider = [None if a is None else np.asarray(a).astype(wide) for a in (x, weight, bias)]
    magnitudes = [None if a is None else np.abs(a) for a in wider]
    groups = geometry[2]
    n = weight.shape[0] // groups * int(np.prod(weight.shape[2:])) + 2
    return conv_transpose(*wider, *geometry), terms_factor * n * eps * conv_transpose(*magnitudes, *geometry)


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
