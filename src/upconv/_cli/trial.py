"""One case on one library: its operands, and what they should give whatever the algorithm."""

from __future__ import annotations

from functools import cached_property, partial
from typing import Any

from upconv import conv_transpose
from upconv._cli import Wrong
from upconv._cli.arrays import Arrays
from upconv._cli.cases import Case
from upconv._cli.oracle import Reference
from upconv._libraries import Library, dtype_name

__all__ = ["NotTaken", "Trial"]


class NotTaken(Exception):  # noqa: N818  no error: the algorithm says what it is not for
    """The algorithm refuses the case; the message says what it does not take."""


class Trial:
    """What all algorithms share is made when the first one runs."""

    def __init__(self, case: Case, library: Library, arrays: Arrays) -> None:
        self.case, self.library, self.arrays = case, library, arrays

    @cached_property
    def operands(self) -> list[Any]:
        """``x``, ``weight`` and ``bias``."""
        return self.case.operands(self.arrays)

    @cached_property
    def expected(self) -> Reference:
        """The reference, from the values that the library has rounded."""
        return self.case.reference(*(None if array is None else self._get(array) for array in self.operands))

    def run(self, algorithm: str) -> float:
        """Return the largest error in units in the last place; raise `NotTaken`, `Wrong` or the library's error."""
        call = self.arrays.once(partial(conv_transpose, **(self.case.arguments | {"algorithm": algorithm})))
        try:
            y = call(*self.operands)
        except ValueError as refusal:
            if "does not take" in str(refusal):
                raise NotTaken(str(refusal).partition("does not take ")[2]) from refusal
            raise
        dtype = dtype_name(self.library, y.dtype)
        if dtype != self.case.dtype:
            raise Wrong(f"the result is {dtype}")
        found = self.case.channels_first(self._get(y))
        if found.shape != self.expected.exact.shape:
            raise Wrong(f"channels first, the result is {found.shape} and the reference {self.expected.exact.shape}")
        expected = self.expected.by_the_largest() if algorithm == "fft" else self.expected
        error = expected.error(found, dtype)
        if not expected.agrees(found, dtype):
            raise Wrong("the integers differ" if "int" in dtype else f"{error:.3g} units in the last place off")
        return error

    def _get(self, array: Any) -> Any:
        return self.arrays.to_numpy(self.arrays.finish(array))
