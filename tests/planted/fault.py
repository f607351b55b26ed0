"""What a planted fault is: a mistake that runs, and that many inputs would not show."""

from pathlib import Path
from typing import NamedTuple

__all__ = ["Fault"]


class Fault(NamedTuple):
    """A piece of a file of the package, what it is replaced by, and the tests of one library that must see it."""

    breaks: str
    library: str
    tests: str  # what pytest is given after tests/
    file: str
    sound: str
    broken: str
    times: int = 1  # how often the sound text stands in the file: everywhere else it would be another fault

    def plant(self, package: Path) -> str:
        """Return the file's text with the fault in it."""
        text = (package / self.file).read_text()
        found = text.count(self.sound)
        if found != self.times:
            raise ValueError(f"{self.breaks}: its text stands {found} times in {self.file}, and {self.times} are meant")
        return text.replace(self.sound, self.broken)
