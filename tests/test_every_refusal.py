"""Each `raise` of the package is reached by a test that matches the text of its error, in each library's session.

The tests run again here, one after the other in one process, because the lines that an error came through are known to
the process alone where tests run side by side.
"""

import ast
import inspect
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import pytest

from refusals import PACKAGE, REACHED, raises, refused

MODULES = (
    "test_arguments",
    "test_conv_arguments",
    "test_operands",
    "test_linear",
    "test_diagram",
    "test_discoverability",
)
# What raises where a library has more than others, or an optional one is missing: the text, and the libraries.
ELSEWHERE = {
    "refuse(called, array)": "torch dask",
    "dense, got": "torch",
    "prepared for cupy": "cupy",
    "convert `bias` to": "numpy torch jax tensorflow cupy dask strict",
    "masked": "dask",
    "not known": "dask tensorflow",
    "on device": "torch jax strict tensorflow mxnet",
    "{last}{fix}": "torch jax tensorflow mxnet",
    "takes a `weight` of NumPy or CuPy": "torch jax tensorflow mxnet dask strict",
    "needs SciPy": "numpy",
    # Another library to mix with.
    "theirs.name": "torch jax tensorflow mxnet cupy dask strict" + " numpy" * bool(find_spec("array_api_strict")),
}


def again(request, test):
    """Run a test anew with each of its parameters."""
    marks = [mark.args for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    rows = [
        [dict(zip(names, values, strict=True)) if len(names) > 1 else {names[0]: values} for values in table]
        for names, table in ((n.replace(",", " ").split() if isinstance(n, str) else n, table) for n, table in marks)
    ]
    given = {name for row in rows for name in row[0]}
    with suppress(pytest.skip.Exception):
        fixtures = {n: request.getfixturevalue(n) for n in inspect.signature(test).parameters if n not in given}
        for chosen in product(*rows):
            with suppress(pytest.skip.Exception), pytest.MonkeyPatch.context() as monkeypatch:
                own = {"monkeypatch": monkeypatch} if "monkeypatch" in fixtures else {}
                test(**fixtures | own | {name: value for row in chosen for name, value in row.items()})


def test_every_raise_is_reached(request, library):
    REACHED.clear()
    for name in MODULES:
        for title, test in vars(import_module(name)).items():
            source = inspect.getsource(test) if title.startswith("test_") else ""
            if "refused(" in source and not any(tracing in source for tracing in ("tracer(", "make_fx(")):
                again(request, test)
    missed = [
        source
        for path, first, last, source in raises()
        if not any((path, line) in REACHED for line in range(first, last + 1))
        and not any(words in source and library.name not in where for words, where in ELSEWHERE.items())
    ]
    assert not missed


def test_every_error_of_the_commands_is_named():
    """What they say to their user stands in their tests, which match it; other errors there are between their files."""
    tests = "".join((Path(__file__).parent / f"{name}.py").read_text() for name in ("test_cli", "test_bench"))
    sources = [path.read_text() for path in (PACKAGE / "__main__.py", *(PACKAGE / "_cli").glob("*.py"))]
    errors = [n for source in sources for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Raise)]
    said = [error for error in errors if "CommandError" in ast.unparse(error)]
    assert len(said) > 6
    for error in said:
        pieces = [str(n.value).strip(": ") for n in ast.walk(error) if isinstance(n, ast.Constant)]
        assert any(len(piece) > 6 and piece[:16] in tests for piece in pieces), ast.unparse(error)


def test_a_raise_that_no_test_reaches_is_seen():
    """The list has the raises that the tests reach, so that an empty one passes nothing."""
    sources = [source for *_, source in raises()]
    assert len(sources) > 50
    assert any(source.startswith("raise ValueError") and "`bias` must have shape" in source for source in sources)
    with pytest.raises(pytest.fail.Exception), refused(ValueError, "nothing raises"):
        pass
