"""What comes with the package, and what it never does: fetch, unpickle, evaluate, start a program."""

import ast
import email
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import upconv

PACKAGE = Path(upconv.__file__).parent
ROOT = Path(__file__).parent.parent

# Modules that run what they read, start programs or reach the network.
MODULES = {
    "pickle",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "joblib",
    "code",
    "runpy",
    "subprocess",
    "multiprocessing",
}
MODULES |= {"socket", "ssl", "http", "urllib", "ftplib", "smtplib", "requests", "httpx", "aiohttp", "ctypes", "cffi"}
# Built-in functions that do, and functions of `os`.
FUNCTIONS = {"eval", "exec", "compile", "__import__"}
SYSTEM = ("os.system", "os.popen", "os.exec", "os.spawn", "os.posix_spawn", "os.startfile")
# `bench` measures each library in a process of its own, and gives memory back between measurements; PyTorch's threads
# take tasks by a function of a library that PyTorch itself has loaded.
EXCEPTIONS = {
    "_bench/child.py": {"subprocess"},
    "_bench/memory.py": {"ctypes"},
    "_lower/_torch/_openmp.py": {"ctypes"},
}


def suspects(text):
    """What of the above a module's text imports or calls."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from {alias.name.partition(".")[0] for alias in node.names} & MODULES
        elif isinstance(node, ast.ImportFrom):
            yield from {node.module.partition(".")[0]} & MODULES
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in FUNCTIONS or called.startswith(SYSTEM) or any(w.arg == "allow_pickle" for w in node.keywords):
                yield called


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_is_unpickled_evaluated_started_or_fetched(path):
    assert set(suspects(path.read_text())) == EXCEPTIONS.get(path.relative_to(PACKAGE).as_posix(), set())


def test_the_test_above_can_fail():
    text = "import pickle\nfrom urllib.request import urlopen\nos.system('')\nnp.load(x, allow_pickle=True)\neval(x)"
    assert set(suspects(text)) == {"pickle", "urllib", "os.system", "np.load", "eval"}


MAKE = {
    "numpy": "numpy.asarray",
    "torch": "torch.from_numpy",
    "jax": "jax.numpy.asarray",
    "tensorflow": "tensorflow.constant",
    "mxnet": "mxnet.numpy.array",
    "dask": "dask.array.from_array",
    "strict": "array_api_strict.asarray",
}
WATCHED = ("socket.", "subprocess.", "urllib.", "os.system", "os.exec", "os.posix_spawn")


@pytest.mark.value
def test_neither_import_nor_call_asks_for_a_network_or_a_program(library):
    """The library itself is imported, and has made an array, before Python is told to report."""
    if library.name not in MAKE:
        pytest.skip("without a GPU a compiler stands in for one")
    module = MAKE[library.name].rpartition(".")[0]
    # Dask names its tasks by what pickle makes of their functions; and Numba, which is not in the core, keeps what it
    # compiled as pickles.
    watched = WATCHED if library.name == "dask" else (*WATCHED, "pickle.")
    code = f"""
import sys, numpy, {module}
sys.path.insert(0, {str(PACKAGE.parent)!r})
sys.modules["numba"] = None
x, weight = ({MAKE[library.name]}(numpy.ones(shape, "float32")) for shape in ((1, 2, 5, 4), (2, 3, 3, 2)))

def report(event, arguments):
    if event.startswith({watched}):
        raise SystemExit(f"{{event}} {{arguments}}")

sys.addaudithook(report)
import upconv
y, pullback = upconv.vjp(x, weight, stride=2)
print(*pullback(y)[0].shape)
"""
    run = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=100)
    assert run.stdout == "1 2 5 4\n", run.stderr


def test_a_kernel_is_made_of_the_files_and_of_known_macros(standin, monkeypatch):
    """Nothing that a caller says becomes text: names come from a table, and all else are integers."""
    from cuda_on_cpu.forms import FORMS
    from upconv._lower._cupy import _form, _module

    folder = PACKAGE / "_lower" / "_cupy"
    assert _module.source() == "\n".join((folder / f"{n}.cu").read_text() for n in ("instructions", "conv_transpose"))
    names = {"TILE", "DIRECT", "PACK", "COMBINE"} | set(_form.SUMS)
    for form in FORMS:
        for kernel in (form.kernel, "pack", "combine"):
            first, *macros = _module.options(_form.spec(form, kernel))
            assert first == "-std=c++17"
            for macro in macros:
                name, _, value = macro.removeprefix("-D").partition("=")
                assert name.isidentifier()
                assert value in names or value.isdecimal(), macro


def test_kernels_are_compiled_in_one_place():
    """`RawModule` of that text, and no kernel written at a call."""
    found = {
        path.stem: text.count("RawModule(") for path in PACKAGE.rglob("*.py") if "cupy" in (text := path.read_text())
    }
    assert {name for name, count in found.items() if count} == {"_module"}
    for word in ("RawKernel", "ElementwiseKernel", "ReductionKernel", "cupy.fuse", "load_inline", "jit.rawkernel"):
        assert not any(word in path.read_text() for path in PACKAGE.rglob("*.py"))


@pytest.fixture
def built():
    """The folder of the distributions that `nox -s package` has built."""
    if "UPCONV_DIST" not in os.environ:
        pytest.skip("nox -s package builds the distributions, and looks into them")
    return Path(os.environ["UPCONV_DIST"])


def test_the_wheel_holds_the_package_and_its_licence(built):
    (path,) = built.glob("*.whl")
    assert path.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(path) as wheel:
        names, info = set(wheel.namelist()), f"upconv-{upconv.__version__}.dist-info"
        metadata = email.message_from_bytes(wheel.read(f"{info}/METADATA"))
    kinds = {".py", ".cu", ".json", ".typed"}
    files = {
        f"upconv/{p.relative_to(PACKAGE).as_posix()}"
        for p in PACKAGE.rglob("*")
        if p.suffix in kinds or p.name == "py.typed"
    }
    about = {f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}
    assert names == files | about
    assert {"upconv/py.typed", "upconv/_bench/layers.json", "upconv/_lower/_cupy/conv_transpose.cu"} <= names
    needed = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    assert [line.partition(">")[0] for line in needed] == ["array-api-compat"]
    assert metadata["License-Expression"] == "MIT"


def test_the_source_holds_what_the_tests_need_and_nothing_compiled(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as source:
        files = {name.partition("/")[2] for name in source.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "noxfile.py", "conftest.py", "tests/oracle.py"} <= files
    assert {f"src/upconv/{p.relative_to(PACKAGE).as_posix()}" for p in PACKAGE.rglob("*.py")} <= files
    assert not [name for name in files if Path(name).suffix in {".pyc", ".so", ".o", ".whl", ".pkl", ".npy", ".cubin"}]
    top = {name.partition("/")[0] for name in files}
    assert {name for name in top if name.startswith(".")} <= {".gitignore"}
