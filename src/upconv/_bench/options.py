"""The words of the command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from upconv._bench.contenders import CONTENDERS
from upconv._bench.layers import DTYPES, VERBS, load

__all__ = ["add_options", "chosen"]

LAYERS = tuple(layer.name for layer in load())
WORDS = {"library": tuple(CONTENDERS), "layer": LAYERS, "dtype": tuple(DTYPES), "verb": VERBS}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the words of `bench`."""
    add = parser.add_argument
    for name, about, default in (
        ("library", "whose arrays: {}", "numpy"),
        ("verb", "what is computed: {}", "forward"),
        ("dtype", "{}", "float32"),
        ("layer", "some of {}", "all"),
    ):
        text = f"{about.format(', '.join(WORDS[name]))}; or all (default: {default})"
        add(f"--{name}", nargs="+", default=[default], choices=(*WORDS[name], "all"), metavar="NAME", help=text)
    add("--algorithm", default="auto", metavar="NAME", help="what upconv is told; generic, for one (default: auto)")
    add("--threads", type=_positive(int), metavar="N", help="of every library (default: the cores of this process)")
    add("--rounds", type=_positive(int), default=7, metavar="N", help="turns of each contender (default: %(default)s)")
    text = "seconds of a turn, which is one call at least (default: %(default)s)"
    add("--seconds", type=_positive(float), default=0.1, metavar="S", help=text)
    text = "seconds to wait for one answer of a contender (default: %(default)s)"
    add("--patience", type=_positive(float), default=90.0, metavar="S", help=text)
    text = "let upconv and ONNX Runtime lay out the weight before; on NumPy arrays, forward"
    add("--prepared", action="store_true", help=text)
    text = "let every call take new pages of memory from the system, and give them back; by default they are kept"
    add("--fresh", action="store_true", help=text)
    add("--no-memory", dest="memory", action="store_false", help="leave the peak memory out")
    add(
        "--out", type=Path, default=Path("upconv-bench.json"), metavar="FILE", help="the results (default: %(default)s)"
    )
    text = "the picture of all speeds (default: %(default)s)"
    add("--plot", type=Path, default=Path("upconv-bench.png"), metavar="FILE", help=text)
    text = "measure nothing: print and draw the results in these files"
    add("--show", type=Path, nargs="+", metavar="FILE", help=text)


def chosen(arguments: argparse.Namespace, name: str) -> tuple[str, ...]:
    """The names that were asked for, in the order of the table."""
    asked = getattr(arguments, name)
    return tuple(word for word in WORDS[name] if word in asked or "all" in asked)


def _positive(kind: type) -> Any:
    def number(text: str) -> Any:
        value = kind(text)
        if not value > 0:
            raise ValueError
        return value

    number.__name__ = f"positive {kind.__name__}"  # argparse says 'invalid positive int value'
    return number
