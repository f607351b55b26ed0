"""What type checkers say of `typing_uses.py`: each line marked `wrong` is reported, and no other."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("once")
USES = Path(__file__).with_name("typing_uses.py")
SOURCE = Path(__file__).parent.parent / "src"


def expected():
    lines = USES.read_text().splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}


def run(module, *arguments):
    if not find_spec(module):
        pytest.skip(f"{module} is not installed")
    return subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False)


def test_mypy(tmp_path):
    # Without the configuration of the repository, as in a program that uses the package.
    configuration = tmp_path / "mypy.ini"
    configuration.write_text(f"[mypy]\nstrict = true\nmypy_path = {SOURCE}\nfollow_imports = silent\n")
    told = run("mypy", "--config-file", str(configuration), "--cache-dir", str(tmp_path / "cache"), str(USES))
    errors = [line for line in told.stdout.splitlines() if ": error:" in line]
    assert {int(line.split(":")[1]) for line in errors} == expected(), told.stdout + told.stderr


def test_pyright(tmp_path):
    configuration = tmp_path / "pyrightconfig.json"
    rules = {"reportUnusedExpression": False, "reportUnusedCallResult": False}
    told = {"include": [str(USES)], "extraPaths": [str(SOURCE)], "typeCheckingMode": "strict", **rules}
    configuration.write_text(json.dumps(told))
    told = run("basedpyright", "--outputjson", "--project", str(configuration), "--pythonpath", sys.executable)
    found = json.loads(told.stdout)["generalDiagnostics"]
    assert {one["range"]["start"]["line"] + 1 for one in found} == expected(), told.stdout + told.stderr
