"""Docstrings for the calls of one rank, from the docstring of the call for any rank."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["document_ranks"]

# What stands for the sizes of any number of axes, and what for those of one, two and three.
SIZES = (
    (r"\*size", "L", "H, W", "D, H, W"),
    (r"\*kernel", "k", "kH, kW", "kD, kH, kW"),
    (r"\*out", "L_out", "H_out, W_out", "D_out, H_out, W_out"),
    ("int or one per axis", "int or tuple of one int", "int or two ints", "int or three ints"),
)


def document_ranks(general: Callable[..., Any], *of_ranks: Callable[..., Any]) -> None:
    """Give the functions for one, two and three spatial axes all sections of the general docstring.

    In the source each has its summary and its examples, for tools that read source. The explanation and the sections of
    the general call come between them, with the sizes of that rank. Under ``python -OO`` there are no docstrings.
    """
    if general.__doc__ is None:
        return
    _, _, sections = general.__doc__.partition("\n\n")
    sections, heading, _ = sections.partition("Examples\n")
    for rank, function in enumerate(of_ranks, 1):
        own = function.__doc__ or ""
        summary, _, _ = own.partition("\n\n")
        _, _, examples = own.partition(heading)
        said = sections
        for sizes in SIZES:
            said = said.replace(sizes[0], sizes[rank])
        function.__doc__ = f"{summary}\n\n{said}{heading}{examples}"
