"""`diagram`: a picture of one geometry. Its arguments and numbers here, its ink in `_picture`."""

from __future__ import annotations

import upconv._types as t
from upconv._api import conv_transpose
from upconv._arguments import exact, exact_shape
from upconv._plan import Plan
from upconv._plans import plan_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Ints = tuple[int, ...]

__all__ = ["diagram"]

# In a picture 800 pixels wide, more samples leave too few pixels for a number.
MOST_SAMPLES = 32


def diagram(
    size: t.PerAxis,
    kernel: t.PerAxis,
    stride: t.PerAxis = 1,
    padding: t.Padding = 0,
    output_padding: t.PerAxis = 0,
    dilation: t.PerAxis = 1,
    *,
    output_size: t.PerAxis | None = None,
    highlight: t.PerAxis | None = None,
    figure: t.Figure | t.SubFigure | None = None,
) -> t.Figure | t.SubFigure:
    """Draw a transposed convolution over one or two axes: input, kernel, and how often each output sample is reached.

    Input and kernel are all ones, so the numbers in the output count the copies that overlap there: where they differ
    from sample to sample, a network shows a checkerboard. Needs matplotlib: ``pip install "upconv[plot]"``.

    Parameters
    ----------
    size : int or tuple of one or two ints
        Input samples on each axis, at least 1; an int n means (n, n).
    kernel : int or one per axis
        Kernel taps on each axis.
    stride, padding, output_padding, dilation, output_size
        As in `conv_transpose`.
    highlight : int or one per axis, optional
        The input sample whose copy of the kernel is outlined in the output; one near the middle by default.
    figure : matplotlib Figure or SubFigure, optional
        Where to draw; a new figure, 8 inches wide and unknown to pyplot, by default.

    Returns
    -------
    matplotlib Figure or SubFigure
        ``figure``, or the new one, with axes labelled 'input', 'kernel' and 'output'.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        As `conv_transpose`; and where the picture would be too large to be read.

    Examples
    --------
    >>> import upconv
    >>> figure = upconv.diagram(3, 3, stride=2, padding=1, output_padding=1)
    >>> [axes.get_label() for axes in figure.axes]
    ['input', 'kernel', 'output']
    """
    size, kernel = _sizes(size, kernel)
    shapes = (1, *size), (1, 1, *kernel), None
    plan, _ = plan_for(len(size), *shapes, stride, padding, output_padding, 1, dilation, output_size, "channels_first")
    marked = _marked(highlight, size)
    _refuse_large(plan)
    try:
        import numpy as np

        from upconv._picture.drawing import draw
    except ImportError as error:
        raise ImportError('`diagram` needs matplotlib and NumPy: pip install "upconv[plot]"') from error
    # Nothing cropped, and zeros appended where the call appends them.
    keep = tuple((min(0, lo), min(0, hi)) for lo, hi in zip(plan.lo, plan.hi, strict=True))
    x: Any = np.ones((1, *size), dtype=int)
    weight: Any = np.ones((1, 1, *kernel), dtype=int)
    counts = conv_transpose(x, weight, stride=plan.stride, padding=keep, dilation=plan.dilation)[0]
    extra = exact("output_padding", output_padding)
    extra = (extra,) * len(size) if type(extra) is int else extra
    said: dict[str, Any] = {"stride": (stride, 1), "padding": (padding, 0), "output_padding": (output_padding, 0)}
    said |= {"dilation": (dilation, 1), "output_size": (output_size, None)}
    words = [f"{name}={value!r}" for name, (value, default) in said.items() if value != default]
    title = f"conv_transpose{len(size)}d({', '.join(['x', 'weight', *words])})"
    return draw(figure, plan, counts, marked, extra, title)


def _sizes(size: Any, kernel: Any) -> tuple[Ints, Ints]:
    size, kernel = exact("size", size), exact("kernel", kernel)
    size = exact_shape("size", (size, size) if type(size) is int else size)
    if len(size) not in (1, 2) or min(size) < 1:
        raise ValueError(f"`size` must be one or two ints of at least 1, got {size}: a picture has one or two axes")
    kernel = exact_shape("kernel", (kernel,) * len(size) if type(kernel) is int else kernel)
    if len(kernel) != len(size):
        raise ValueError(f"`kernel` must be one int or one for each of the {len(size)} axes of `size`, got {kernel}")
    return size, kernel


def _marked(highlight: Any, size: Ints) -> Ints:
    if highlight is None:
        return tuple((i - 1) // 2 for i in size)
    given = exact("highlight", highlight)
    marked = exact_shape("highlight", (given,) * len(size) if type(given) is int else given)
    if len(marked) != len(size) or any(p >= i for p, i in zip(marked, size, strict=True)):
        raise ValueError(f"`highlight` must be one sample of the input, below {size} on its axes, got {highlight!r}")
    return marked


def _refuse_large(plan: Plan) -> None:
    for axis, (n, lo, hi) in enumerate(zip(plan.out, plan.lo, plan.hi, strict=True)):
        samples = n + max(0, lo) + max(0, hi)
        if samples > MOST_SAMPLES:
            raise ValueError(
                f"`size` makes a picture of {samples} samples on axis {axis}; at most {MOST_SAMPLES} can be read: take "
                f"a smaller `size`, `kernel` or `stride`"
            )
