"""The definition, as loops. Imports nothing from upconv, and shares no formula with a lowering."""

import numpy as np


def conv_transpose(x, weight, bias, stride, dilation, groups, lo, out):
    """Lay each input sample's kernel into the output, channels first, sample by sample and tap by tap."""
    ins, outs = weight.shape[0] // groups, weight.shape[1]
    y = np.zeros((x.shape[0], outs * groups, *out), x.dtype)
    if bias is not None:
        y += bias.reshape(-1, *(1,) * len(out))
    for p in np.ndindex(*x.shape[2:]):
        for a in np.ndindex(*weight.shape[2:]):
            o = tuple(p * s + a * d - front for p, s, a, d, front in zip(p, stride, a, dilation, lo, strict=True))
            if all(0 <= place < size for place, size in zip(o, out, strict=True)):
                for g in range(groups):
                    c = slice(g * ins, g * ins + ins)
                    y[:, g * outs : g * outs + outs, *o] += x[:, c, *p] @ weight[c, :, *a]
    return y


def exact_and_bound(x, weight, bias, *geometry, eps, terms_factor=2):
    """Return the result in a wider type, and the bound c * n * eps * (|x| * |w| + |b|) of each of its samples."""
    wide = np.clongdouble if np.iscomplexobj(x) else np.longdouble
    wider = [None if a is None else np.asarray(a).astype(wide) for a in (x, weight, bias)]
    magnitudes = [None if a is None else np.abs(a) for a in wider]
    groups = geometry[2]
    n = weight.shape[0] // groups * int(np.prod(weight.shape[2:])) + 2
    return conv_transpose(*wider, *geometry), terms_factor * n * eps * conv_transpose(*magnitudes, *geometry)


def receptive_field(weight, marked, *geometry):
    """Return which outputs a marked input can reach through any tap."""
    return conv_transpose(marked, np.ones(weight.shape), None, *geometry) > 0


def full(size, kernel, stride, dilation):
    """Sizes before cropping."""
    axes = zip(size, kernel, stride, dilation, strict=True)
    return tuple(max(0, (i - 1) * s + d * (k - 1) + 1) for i, k, s, d in axes)
