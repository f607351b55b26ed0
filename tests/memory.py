"""How the samples of one array may lie in memory, and which of it a library can be given without a copy."""

import numpy as np

from libraries import variants


def lay(a, layout):
    """An equal array that lies so, beside samples that must not be read; 'repeated' and 'level' make samples equal."""
    return LAYOUTS[layout](np.array(a))


def _backwards(a):
    return a[(slice(None, None, -1),) * a.ndim].copy()[(slice(None, None, -1),) * a.ndim]


def _strided(a):
    room = np.full([2 * n + 1 for n in a.shape], np.nan if a.dtype.kind in "fcV" else 77, a.dtype)
    view = room[(slice(1, None, 2),) * a.ndim]
    view[...] = a
    return view


def _channels_last(a):
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1) if a.ndim > 1 else a


def _unaligned(a):
    room = np.empty(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    room[...] = a
    return room


def _readonly(a):
    a.flags.writeable = False
    return a


def _repeated(a, axis=0):
    """A stride of zero. Not by `np.broadcast_to`, whose result is not for writing, at which PyTorch warns."""
    if not a.size:
        return a
    strides = (*a.strides[:axis], 0, *a.strides[axis + 1 :])
    return np.lib.stride_tricks.as_strided(a, a.shape, strides)


LAYOUTS = {
    "c": lambda a: a,
    "fortran": np.asfortranarray,
    "channels_last": _channels_last,
    "strided": _strided,
    "repeated": _repeated,
    "level": lambda a: _repeated(a, a.ndim - 1),
    "backwards": _backwards,
    "readonly": _readonly,
    "unaligned": _unaligned,
    "big-endian": lambda a: a if a.dtype.kind == "V" else a.astype(a.dtype.newbyteorder(">")),
}
PORTABLE = ("c", "fortran", "channels_last", "strided", "repeated", "level")
VIEWS = {"numpy": tuple(LAYOUTS), "torch": PORTABLE, "dask": PORTABLE, "strict": (*PORTABLE, "backwards")}


def layouts(library):
    """The layouts that a library's arrays can have: some have one."""
    return VIEWS.get(library, ("c",))


def kinds(library):
    """The variants that differ in more than memory."""
    return variants(library)[:1] if library in ("numpy", "torch") else variants(library)


def given(variant, a):
    """An array of the variant's library on NumPy's memory, where it can be."""
    if variant.library == "numpy":
        return a
    if variant.library == "torch":
        import torch

        if a.dtype.name == "bfloat16":
            return torch.from_numpy(a.view(np.int16)).view(torch.bfloat16)
        return torch.from_numpy(a)
    return variant.make(a)
