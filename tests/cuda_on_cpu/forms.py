"""Every form of the raw kernel, and what it can be given."""

from upconv._lower._cupy._form import DTYPES, NARROW, TILES, Form, spec

__all__ = ["FORMS", "forms", "numpy_dtype", "specs", "title"]


def forms(capability):
    """All forms that a device may run: each tile, gathered either way, and both widths of the direct kernel."""
    for name, best in TILES.items():
        tensor = name in ("TF32", "F16", "BF16") and (name == "F16" or capability >= 80)
        if name != "TF32" or tensor:
            for tile in NARROW if name == "BF16" and not tensor else best:
                for by_channel in (False, True):
                    yield Form(name, "tile", tensor, tile, by_channel=by_channel)
    for name in DTYPES.values():
        for outs in (1, 4):
            yield Form(name, "direct", outs=outs)


def specs(capability):
    """All modules that those forms are compiled to."""
    found = {}
    for form in forms(capability):
        kernels = ("tile", "pack", "combine") if form.kernel == "tile" else ("direct",)
        found |= {spec(form, kernel): None for kernel in kernels}
    return list(found)


def numpy_dtype(form):
    """The dtype of a form's arrays."""
    return next(dtype for dtype, name in DTYPES.items() if name == form.dtype.removeprefix("T"))


def title(form):
    """A form in one word."""
    words = [form.dtype, form.kernel]
    if form.kernel == "direct":
        return "-".join([*words, str(form.outs)])
    words += ["tensor"] * form.tensor + [f"{form.tile.BM}x{form.tile.BN}"] + ["by_channel"] * form.by_channel
    return "-".join(words)


FORMS = sorted({*forms(75), *forms(80)})
