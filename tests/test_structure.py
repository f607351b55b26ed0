"""The shape of the package: what imports what, what an import costs, and that the table of support is the code's."""

import ast
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from statistics import median

import pytest

import upconv
from upconv._libraries import LIBRARIES, lowerings

PACKAGE = Path(upconv.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
ROOT = Path(__file__).parent.parent
ARRAY_LIBRARIES = (
    "numpy",
    "torch",
    "jax",
    "dask",
    "array_api_strict",
    "array_api_compat",
    "cupy",
    "tensorflow",
    "mxnet",
)

# Which modules may import which, by their names below `upconv`. Nothing else, and so no cycle.
ARROWS = {
    "": {"", "_api", "_conv", "_diagram", "_explain", "_linear", "_prepare", "_vjp"},
    "_api": {"_arguments", "_dispatch", "_plans", "_ranks", "_types"},
    "_conv": {"_dispatch", "_ranks", "_types"},
    "_linear": {
        "_api",
        "_arguments",
        "_conv",
        "_dispatch",
        "_entries",
        "_operands",
        "_plan",
        "_plans",
        "_types",
        "_variables",
    },
    "_entries": {"_plan"},
    "_vjp": {"_api", "_conv", "_dispatch", "_mixed", "_operands", "_plan", "_plans", "_route", "_types", "_variables"},
    "_explain": {"_dispatch", "_libraries", "_mixed", "_operands", "_types", "_variables"},
    "_prepare": {"_libraries", "_operands", "_types", "_variables"},
    "_diagram": {"_api", "_arguments", "_dispatch", "_picture.drawing", "_plan", "_plans", "_types"},
    "_picture.drawing": {"_picture", "_picture.grid", "_picture.page", "_plan"},
    "_picture.page": {"_picture", "_picture.grid", "_plan"},
    "_picture.grid": set(),
    "_picture": set(),
    "_dispatch": {"_calls", "_libraries", "_mixed", "_operands", "_plan", "_plans", "_route", "_variables"},
    "_plans": {"_arguments", "_geometry", "_libraries", "_memory", "_plan"},
    "_calls": {"_arguments", "_libraries", "_memory", "_operands", "_plan"},
    "_route": {"_libraries", "_plan"},
    "_operands": {"_advice", "_classes", "_libraries", "_lower", "_route"},
    "_mixed": {"_libraries", "_operands"},
    "_variables": {"_libraries"},
    "_advice": {"_classes"},
    "_classes": set(),
    "_geometry": {"_arguments", "_padding", "_plan"},
    "_padding": {"_arguments"},
    "_arguments": set(),
    "_ranks": set(),
    "_types": {"", "_typedefs"},
    "_typedefs": set(),
    "_memory": set(),
    "_libraries": {"_classes", "_lower", "_lower._contract"},
    "_plan": set(),
    "_lower": set(),
    "_lower._contract": {"_plan"},
    "_lower._generic": {"_plan"},
}


def module_name(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            yield node.module


@pytest.mark.usefixtures("once")
@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_arrows(path):
    name = module_name(path)
    ours = {
        found.removeprefix("upconv").removeprefix(".") for found in imports(path) if found.split(".")[0] == "upconv"
    }
    if name in ARROWS:
        assert ours <= ARROWS[name]
    elif name.count(".") == 1 and name.startswith("_lower."):
        # The folder of a library lists its lowerings, the generic one with the library's namespace among them.
        private = {found for found in ours if found.startswith(f"{name}._")}
        assert ours <= {"_lower._contract", "_lower._generic", "_plan", name} | private
    elif name.startswith("_lower."):
        # A lowering knows the plan, bounded memories, and what it shares with its neighbours; no other lowering. But
        # PyTorch's tensors on a CPU are memory that NumPy's compiled loops can fill.
        folder = name.rpartition(".")[0]
        borrowed = {"_lower._numpy.direct"} if name == "_lower._torch.direct" else set()
        assert all(found in ("_plan", "_memory") or found.startswith(f"{folder}._") for found in ours - borrowed), ours
    elif name == "__main__" or name.startswith(("_cli", "_bench")):
        assert all(not found.startswith("_lower") for found in ours), ours
    else:
        pytest.fail(f"{name} has no place in ARROWS")


@pytest.mark.usefixtures("once")
@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_all_is_true(path):
    tree = ast.parse(path.read_text())
    if module_name(path) in ("", "__main__", "_types") or not any(
        isinstance(n, (ast.FunctionDef, ast.ClassDef)) for n in tree.body
    ):
        return
    names = ast.literal_eval(
        next(n.value for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == "__all__")
    )
    defined = {n.name for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    targets = [node for n in tree.body if isinstance(n, ast.Assign) for t in n.targets for node in ast.walk(t)]
    assigned = {node.id for node in targets if isinstance(node, ast.Name)}
    assigned |= {n.target.id for n in tree.body if isinstance(n, ast.AnnAssign)}
    if module_name(path).startswith("_lower."):  # verbs that an algorithm has from a private neighbour
        # Or functions of the library, in the namespace that the generic lowering asks.
        shared = "" if module_name(path).endswith("._namespace") else "._"
        from_others = [n for n in tree.body if isinstance(n, ast.ImportFrom) and shared in n.module]
        assigned |= {a.asname or a.name for n in from_others for a in n.names}
    assert set(names) <= defined | assigned
    assert {name for name in defined if not name.startswith("_")} <= set(names)


def test_public_names():
    assert upconv.__all__ == sorted(upconv.__all__)
    assert all(hasattr(upconv, name) for name in upconv.__all__)


def test_files_are_short():
    lengths = {module_name(path): len(path.read_text().splitlines()) for path in FILES if path.stat().st_size > 200}
    assert max(lengths.values()) <= 250, lengths
    assert median(lengths.values()) <= 120, lengths


def imported_by(statement):
    code = f"import sys; {statement}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split()) & set(ARRAY_LIBRARIES)


@pytest.mark.usefixtures("once")
def test_import_brings_no_array_library():
    assert imported_by("import upconv") == set()


@pytest.mark.usefixtures("once")
def test_the_test_above_can_fail():
    assert imported_by("import upconv, numpy") == {"numpy"}
    assert imported_by("import upconv, numpy; upconv.conv_transpose1d(*[numpy.ones((1, 1, 1))] * 2)") == {
        "array_api_compat",
        "numpy",
    }


@pytest.mark.usefixtures("once")
def test_import_is_fast(tmp_path):
    # Compiled, as pip leaves it, wherever Python may not write; one of several, in time of this process: a busy machine
    # is not the package's doing.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path)

    def milliseconds():
        code = "import time; t = time.process_time(); import upconv; print((time.process_time() - t) * 1e3)"
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment)
        return float(run.stdout)

    assert any(milliseconds() < 30 for _ in range(20))


def test_the_readme_has_the_table_of_the_code():
    section = (ROOT / "README.md").read_text().partition("## What is supported")[2]
    rows = [line for line in section.splitlines() if line.startswith("| `")]

    def cells(row):
        yield ", ".join(f"`{row.module}.{array}`" for array in row.array.split())
        yield ", ".join(f"`{name}`" for name in row.algorithms)
        yield ", ".join(row.dtypes)
        yield row.tested

    expected = [f"| {' | '.join(cells(row))} |" for row in LIBRARIES]
    assert rows == [row.replace("_array_object.", "") for row in expected]


def test_the_table_names_what_the_folder_has(library):
    found = lowerings(library.name)
    assert tuple(found) == library.algorithms
    assert library.algorithms[-1] == "generic"
    for name, lowering in found.items():
        for part in ("conv_transpose", "refusal", "reason", "workspace"):
            assert callable(getattr(lowering, part)), (name, part)


@pytest.mark.parametrize("row", LIBRARIES, ids=lambda row: row.name)
def test_each_algorithm_is_a_file_of_its_name(row):
    folder = PACKAGE / "_lower" / f"_{row.name}"
    files = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}
    assert files == set(row.algorithms) - {"generic"}
    for path in folder.glob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text())), path


def test_version_stands_once():
    assert import_module("upconv").__version__.count(".") == 2
    assert upconv.__version__ in (ROOT / "CHANGELOG.md").read_text()
