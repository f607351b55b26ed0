"""What one process is asked to compute: a layer, a verb and a dtype."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from upconv._bench.layers import Layer, read, values

__all__ = ["Call", "Contender", "Task", "Unable"]

Call = Callable[[], Any]


class Unable(Exception):  # noqa: N818  a finding, not an error
    """The library has no op for this, in a few words."""


class Task(NamedTuple):
    """One measurement."""

    layer: Layer
    verb: str
    dtype: str
    algorithm: str = "auto"
    prepared: bool = False  # the weight is laid out before

    @classmethod
    def read(cls, asked: Mapping[str, Any]) -> Task:
        """Make a task of what `json` made of it."""
        layer = asked["layer"]
        return cls(
            read(layer | layer["arguments"]), asked["verb"], asked["dtype"], asked["algorithm"], asked["prepared"]
        )

    def json(self) -> dict[str, Any]:
        """Make what can be sent to another process."""
        return self._asdict() | {"layer": self.layer._asdict()}

    @property
    def words(self) -> dict[str, Any]:
        """The arguments of `upconv.conv_transpose` beside the arrays."""
        return {**self.layer.arguments, "algorithm": self.algorithm}

    def values(self) -> tuple[Any, Any, Any]:
        """Input, weight and cotangent as NumPy arrays."""
        return values(self.layer, self.dtype)


class Contender(Protocol):
    """One way to compute a layer. Making it imports its library; `threads` is what it may use."""

    def __init__(self, threads: int) -> None: ...

    def versions(self) -> dict[str, str]:
        """Of what it imports."""
        ...

    def prepare(self, task: Task) -> Call:
        """Make the operands, compile, and return the call that is timed; it returns when the result is there."""
        ...

    def to_numpy(self, result: Any) -> Any:
        """The result in upconv's layout, in a dtype of NumPy's own."""
        ...
