"""An error expected by its text, and the lines of the package that it came through."""

from contextlib import contextmanager

import pytest

REACHED = set()


@contextmanager
def refused(error, match):
    with pytest.raises(error, match=match) as caught:
        yield
    REACHED.update((str(entry.path), entry.lineno + 1) for entry in caught.traceback)
