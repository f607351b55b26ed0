"""`diagram` draws what the definition says, and refuses what the call refuses."""

import itertools
import subprocess
import sys
from collections import Counter

import pytest

import upconv
from refusals import refused

# Size, kernel and words; then by hand: stride, dilation, what is cropped in front, what is left.
CASES = {
    "stride": ((3, 4), (3, 2), {"stride": (2, 3)}, (2, 3), (1, 1), (0, 0), (7, 11)),
    "crop": ((3, 2), (4, 3), {"stride": 2, "padding": ((1, 2), (0, 1))}, (2, 2), (1, 1), (1, 0), (5, 4)),
    "append": ((2, 3), (2, 3), {"padding": ((-1, 1), (2, -2)), "stride": (3, 1)}, (3, 1), (1, 1), (-1, 2), (5, 5)),
    "output_padding": (
        *((3, 2), (3, 4), {"stride": (2, 3), "padding": (1, 2), "output_padding": (1, 2)}),
        *((2, 3), (1, 1), (1, 2), (6, 5)),
    ),
    "same": ((4, 3), (2, 3), {"dilation": (3, 2), "padding": "same"}, (1, 1), (3, 2), (1, 2), (4, 3)),
    "output_size": ((3, 4), (2, 2), {"stride": 2, "output_size": (8, 5)}, (2, 2), (1, 1), (0, 0), (8, 5)),
    "beyond": ((2, 2), (2, 3), {"padding": ((5, -4), (0, 4))}, (1, 1), (1, 1), (5, 0), (2, 0)),
    "all cropped": ((1,), (3,), {"stride": 2, "padding": 2, "output_padding": 1}, (2,), (1,), (2,), (0,)),
    "one axis": ((4,), (3,), {"stride": 2, "dilation": 3, "padding": ((1, -2),)}, (2,), (3,), (1,), (14,)),
}


@pytest.fixture
def diagram(library):
    if library.name != "numpy":
        pytest.skip("NumPy counts for the picture: tested in its session")
    pytest.importorskip("matplotlib", reason="needs the extra `plot`")
    return upconv.diagram


def numbers(axes):
    """The numbers in a grid, by the place that their gid tells: where, and whether faded."""
    texts = [(text.get_gid(), text.get_text(), text.get_color()) for text in axes.texts if text.get_gid()]
    return {tuple(map(int, gid.split(","))): (int(number), color) for gid, number, color in texts}


def reached(size, kernel, stride, dilation):
    """How often each output sample is reached before cropping, copy by copy."""
    counts = Counter()
    for p in itertools.product(*map(range, size)):
        for a in itertools.product(*map(range, kernel)):
            counts[tuple(i * s + t * d for i, s, t, d in zip(p, stride, a, dilation, strict=True))] += 1
    return counts


@pytest.mark.value
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_counts(diagram, case):
    size, kernel, words, stride, dilation, lo, out = case
    left, middle, right = diagram(size, kernel, **words).axes
    assert [axes.get_label() for axes in (left, middle, right)] == ["input", "kernel", "output"]
    row = (0,) * (2 - len(size))  # a picture of one axis has one row
    assert set(numbers(left)) == {row + p for p in itertools.product(*map(range, size))}
    taps = itertools.product(*[range(0, k * d, d) for k, d in zip(kernel, dilation, strict=True)])
    assert set(numbers(middle)) == {row + a for a in taps}

    counts = reached(size, kernel, stride, dilation)
    drawn = numbers(right)
    kept = {}
    for place, (number, color) in drawn.items():
        # In samples of the output before cropping, where `reached` counts.
        o = tuple(n + min(0, front) for n, front in zip(place[len(row) :], lo, strict=True))
        assert number == counts[o], place
        is_kept = all(front <= n < front + length for n, front, length in zip(o, lo, out, strict=True))
        assert (color == "#222222") == is_kept, place
        kept[o] = is_kept
    assert set(+counts) <= set(kept)
    assert sum(kept.values()) == out[0] * (out[1] if len(out) == 2 else 1)
    assert upconv.output_shape((1, *size), (1, 1, *kernel), **words)[1:] == out


def test_title_and_arithmetic(diagram):
    figure = diagram((3, 4), 2, stride=3, padding=((0, 1), (-2, 0)))
    texts = [text.get_text() for text in figure.texts]
    assert "conv_transpose2d(x, weight, stride=3, padding=((0, 1), (-2, 0)))" in texts
    assert any("(3 − 1)·3 + 1·(2 − 1) + 1 − 0 − 1 = 7" in text for text in texts)
    assert any("(4 − 1)·3 + 1·(2 − 1) + 1 + 2 − 0 = 13" in text for text in texts)
    assert {"input 3 × 4", "kernel 2 × 2", "output 7 × 13"} <= set(texts)


@pytest.mark.parametrize(("highlight", "corner"), [(None, (2, 1)), ((2, 0), (4, 0)), (1, (2, 1))])
def test_highlight(diagram, highlight, corner):
    right = diagram((3, 4), (2, 3), stride=(2, 1), padding=((-1, 0), (-2, 0)), highlight=highlight).axes[2]
    outlined = [patch for patch in right.patches if not patch.get_fill() and patch.get_linewidth() == 1.8]
    assert len(outlined) == 6
    found = min((patch.get_y(), patch.get_x()) for patch in outlined)
    assert found == pytest.approx((corner[0] + 1.1, corner[1] + 2.1))


def test_the_picture_fits_the_page(diagram):
    """Every word within the figure, also where there are many."""
    figure = diagram((3, 4), (3, 2), (2, 3), ((0, 1), (2, -1)), (0, 1), (2, 3))
    figure.canvas.draw()
    page = figure.bbox
    for text in figure.texts:
        box = text.get_window_extent()
        assert page.x0 <= box.x0 <= box.x1 <= page.x1, text
    legend = figure.legends[0]
    assert len(legend.get_texts()) == 6
    assert page.x0 <= legend.get_window_extent().x0


def test_given_figure(diagram):
    from matplotlib.figure import Figure

    whole = Figure(figsize=(12, 8))
    parts = whole.subfigures(2, 1)
    assert diagram(3, 3, figure=parts[1]) is parts[1]
    assert len(parts[1].axes) == 3
    assert not parts[0].axes


@pytest.mark.parametrize(
    ("args", "words", "error", "match"),
    [
        ((0, 3), {}, ValueError, r"`size` must be one or two ints of at least 1, got \(0, 0\)"),
        (((2, 2, 2), 3), {}, ValueError, "a picture has one or two axes"),
        (("3", 3), {}, TypeError, "`size` must be a tuple of ints"),
        (
            (range(10**8), 3),
            {},
            ValueError,
            "`size` must have one value for each axis, at most 64, got more in a range",
        ),
        ((3, range(10**8)), {}, ValueError, "`kernel` must have one value .* more in a range"),
        ((3, 3), {"highlight": range(10**8)}, ValueError, "`highlight` must have one value .* more in a range"),
        ((3, (2, 2, 2)), {}, ValueError, "`kernel` must be one int or one for each of the 2 axes"),
        ((3, 0), {}, ValueError, "kernel size at least 1, got 0"),
        ((3, 2.5), {}, TypeError, "`kernel` must be"),
        (
            (3, 2**40),
            {},
            ValueError,
            "`weight` must have every kernel size at most 16777216, got 1099511627776 on axis 0",
        ),
        ((3, 2), {"dilation": 2**20}, ValueError, "picture of 1048579 samples on axis 0; at most 32"),
        ((3, 3), {"stride": 0}, ValueError, "`stride` must have every value at least 1"),
        ((3, 3), {"padding": 4}, ValueError, "`padding` leaves a size of -3"),
        ((3, 3), {"output_padding": 1}, ValueError, "`output_padding`"),
        ((3, 3), {"highlight": (0, 3)}, ValueError, r"`highlight` must be one sample of the input, below \(3, 3\)"),
        ((9, 3), {"stride": 5}, ValueError, "picture of 43 samples on axis 0; at most 32"),
    ],
)
def test_errors(args, words, error, match):
    with refused(error, match=match):
        upconv.diagram(*args, **words)


def test_without_matplotlib(monkeypatch):
    pytest.importorskip("numpy")
    for name in [name for name in sys.modules if name.startswith("upconv._picture")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with refused(ImportError, match=r"pip install \"upconv\[plot\]\""):
        upconv.diagram(3, 3)


def test_import_brings_no_ink():
    code = "import sys, upconv; print({'matplotlib', 'upconv._diagram'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b"set()"


def test_a_name_that_is_not_there():
    with refused(AttributeError, match="module 'upconv' has no attribute 'picture'"):
        upconv.picture  # noqa: B018
