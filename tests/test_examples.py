"""The examples run, and still assert what their documents printed."""

import ast
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "examples"
SCRIPTS = sorted(ROOT.rglob("*.py"))


def checks(script):
    """Count the assertions: `assert`, and NumPy's `assert_...`."""
    nodes = list(ast.walk(ast.parse(script.read_text())))
    calls = [node.func.attr for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    return sum(isinstance(node, ast.Assert) for node in nodes) + sum(name.startswith("assert_") for name in calls)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_script(script, library, monkeypatch):
    if library.name != "numpy":
        pytest.skip("runs in the session of numpy")
    assert checks(script) >= 5
    monkeypatch.setenv("MPLBACKEND", "Agg")  # pictures are drawn, and no window opens
    runpy.run_path(str(script), run_name="__main__")


def test_every_document_has_its_script():
    table = (ROOT / "notebooks" / "README.md").read_text()
    assert table.count("| `00") == 5
    assert all(f"`{script.name}`" in table for script in SCRIPTS)
