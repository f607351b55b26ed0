"""The numbers in the picture are the definition's, and what cannot be drawn is refused by name."""

import sys

import numpy as np
import pytest

import upconv
from oracle import conv_transpose, full

pytest.importorskip("matplotlib")


def numbers(figure, label):
    """The numbers drawn in one grid, by their places."""
    axes = next(axes for axes in figure.axes if axes.get_label() == label)
    return {text.get_gid(): int(text.get_text()) for text in axes.texts if text.get_gid()}


@pytest.mark.parametrize(
    "size, kernel, arguments, lo, hi",
    [
        ((3, 4), (3, 2), {"stride": (2, 3)}, (0, 0), (0, 0)),
        ((3, 2), (2, 4), {"stride": 2, "padding": (1, 0), "output_padding": (1, 0)}, (1, 0), (0, 0)),
        ((2, 3), (3, 2), {"dilation": (2, 3), "padding": ((1, -2), (0, 3))}, (1, 0), (-2, 3)),
        ((5,), (4,), {"stride": 3, "padding": "same"}, (0,), (1,)),
    ],
)
def test_counts(size, kernel, arguments, lo, hi):
    figure = upconv.diagram(size, kernel, **arguments)
    stride, dilation = (np.broadcast_to(arguments.get(word, 1), len(size)).tolist() for word in ("stride", "dilation"))
    grown = [min(0, n) for n in lo]
    out = [n - a - min(0, b) for n, a, b in zip(full(size, kernel, stride, dilation), grown, hi, strict=True)]
    ones = np.ones((1, 1, *size), int), np.ones((1, 1, *kernel), int)
    counts = conv_transpose(*ones, None, stride, dilation, 1, grown, out)[0, 0].reshape(-1, out[-1])
    assert numbers(figure, "output") == {f"{r},{c}": n for (r, c), n in np.ndenumerate(counts)}
    assert len(numbers(figure, "input")) == np.prod(size)
    assert len(numbers(figure, "kernel")) == np.prod(kernel)
    kept = upconv.output_shape((1, *size), (1, 1, *kernel), **arguments)[1:]
    words = [text.get_text() for text in figure.texts]
    assert "output " + " \N{MULTIPLICATION SIGN} ".join(map(str, kept)) in words


def test_a_figure_of_yours_is_drawn_on(tmp_path):
    from matplotlib.figure import Figure

    whole = Figure(figsize=(9, 8))
    top, bottom = whole.subfigures(2, 1)
    assert upconv.diagram(2, 3, figure=top, highlight=(1, 0)) is top
    assert upconv.diagram((4,), 2, stride=3, figure=bottom) is bottom
    whole.savefig(tmp_path / "two.png")


@pytest.mark.parametrize(
    "arguments, error, text",
    [
        ({"size": (2, 2, 2), "kernel": 2}, ValueError, "`size` must be one or two ints of at least 1"),
        ({"size": 0, "kernel": 2}, ValueError, "`size` must be one or two ints of at least 1"),
        ({"size": 2.5, "kernel": 2}, TypeError, "`size` must be an int or a tuple of ints"),
        ({"size": 3, "kernel": (2, 2, 2)}, ValueError, "`kernel` must be one int or one for each of the 2 axes"),
        ({"size": 3, "kernel": 2, "stride": 0}, ValueError, "`stride` must have every value at least 1"),
        ({"size": 3, "kernel": 2, "highlight": (3, 0)}, ValueError, "`highlight` must be one sample of the input"),
        (
            {"size": 9, "kernel": 2, "stride": 5},
            ValueError,
            "`size` makes a picture of 42 samples on axis 0; at most 32",
        ),
    ],
)
def test_refusals(arguments, error, text):
    with pytest.raises(error, match=text):
        upconv.diagram(**arguments)


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in [name for name in sys.modules if name.startswith("upconv._drawing")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(upconv, "_drawing", raising=False)
    with pytest.raises(ImportError, match=r"`diagram` needs matplotlib and NumPy: pip install .upconv\[plot\]"):
        upconv.diagram(2, 2)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="module 'upconv' has no attribute 'picture'"):
        upconv.picture  # noqa: B018
