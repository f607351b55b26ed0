"""An error expected by its text, and the lines of the package that it came through."""

import ast
from contextlib import contextmanager
from pathlib import Path

import pytest

import upconv

PACKAGE = Path(upconv.__file__).parent
REACHED = set()


@contextmanager
def refused(error, match):
    with pytest.raises(error, match=match) as caught:
        yield caught
    REACHED.update((str(entry.path), entry.lineno + 1) for entry in caught.traceback)


def raises():
    """Each `raise` of the package, and each call of a `refuse` helper: where it stands, and its source."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if {"_cli", "_bench", "__main__.py"} & {*path.relative_to(PACKAGE).parts}:
            continue  # programs, whose errors are not the library's: tests/test_cli.py, tests/test_bench.py
        source = path.read_text()
        nodes = list(ast.walk(ast.parse(source)))
        if not any(isinstance(node, ast.Raise) for node in nodes):
            continue  # refusals there are words, which one of these raises
        for node in nodes:
            helps = isinstance(node, ast.Call) and getattr(node.func, "id", "").startswith(("_refuse", "refuse"))
            # What was raised in a thread, and is handed on, was made elsewhere.
            if helps or (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)):
                yield str(path), node.lineno, node.end_lineno, ast.get_source_segment(source, node)
