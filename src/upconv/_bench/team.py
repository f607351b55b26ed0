"""The processes of one library's contenders, each started when it is first asked, and again when it was lost."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from upconv._bench.child import Child, Silent

__all__ = ["Team"]


class Team:
    """Ask one at a time; whatever goes wrong is an answer with the word 'unable'."""

    def __init__(self, library: str, threads: int, patience: float, more: Mapping[str, str]) -> None:
        self.library, self.threads, self.patience, self.more = library, threads, patience, more
        self.children: dict[str, Child] = {}
        self.versions: dict[str, str] = {}
        self.absent: dict[str, str] = {}

    def ask(self, name: str, do: str, **asked: Any) -> dict[str, Any]:
        """One contender's answer."""
        if name in self.absent:
            return {"unable": self.absent[name]}
        try:
            if name not in self.children:
                self._start(name)
            return self.children[name].ask(do, **asked) if name in self.children else {"unable": self.absent[name]}
        except Silent as why:
            self.dismiss(name)
            return {"unable": str(why)}

    def dismiss(self, name: str) -> None:
        """End the process of a contender."""
        if name in self.children:
            self.children.pop(name).close()

    def _start(self, name: str) -> None:
        child = Child(self.library, name, self.threads, self.patience, self.more)
        if "unable" in child.first:
            child.close()
            self.absent[name] = child.first["unable"]
            return
        self.children[name] = child
        self.versions |= child.first["versions"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for name in list(self.children):
            self.dismiss(name)
