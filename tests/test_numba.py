"""Numba's own switches and files: its compiler switched off, and a cache that was cut short."""

import os
import subprocess
import sys
from importlib.util import find_spec
from itertools import product

import pytest

pytestmark = pytest.mark.skipif(not find_spec("numba"), reason="Numba is not installed")

CALLS = """
import sys
import MODULE as xp
import numpy, upconv

rng = numpy.random.default_rng(0)
make = getattr(xp, "from_numpy", xp.asarray)
x, y, weight = (make(rng.standard_normal(shape)) for shape in ((2, 8, 20, 17), (2, 6, 41, 35), (8, 6, 3, 3)))
for call in (
    lambda **words: upconv.conv_transpose(x, weight, stride=2, **words),
    lambda **words: upconv.conv(y, weight, stride=2, **words),
    lambda **words: upconv.conv_weight(x, y, (3, 3), stride=2, **words),
    lambda **words: upconv.conv_transpose(x[:1, :2, :3, :3], weight[:2], stride=2, **words),
):
    expected = call(algorithm="generic")
    for _ in range(2):
        assert abs(call() - expected).max() < 1e-9 * abs(expected).max()
found = upconv.explain(x, weight, stride=2)
print(found.algorithm, found.reason)
"""


# A call in the definition's loops alone, which compile in a second.
SMALL = """
import numpy, upconv

x, weight = numpy.arange(18.0).reshape(1, 2, 3, 3), numpy.arange(24.0).reshape(2, 3, 2, 2)
assert upconv.explain(x, weight).algorithm == "loops"
found, expected = (upconv.conv_transpose(x, weight, algorithm=name) for name in ("auto", "generic"))
numpy.testing.assert_array_equal(found, expected)
"""


@pytest.fixture
def run(library):
    """Compute in a process of its own; return what it prints."""
    if library.name not in ("numpy", "torch"):
        pytest.skip(f"{library.name} has no compiled lowering")

    calls = CALLS.replace("MODULE", library.name)

    def run(code=calls, before="", **variables):
        done = subprocess.run(
            [sys.executable, "-c", before + code],
            check=False,
            env=os.environ | variables,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert not done.returncode, done.stderr
        return done.stdout

    return run


@pytest.mark.value
@pytest.mark.parametrize(
    "before, variables",
    [
        ("", {"NUMBA_DISABLE_JIT": "1"}),
        ("import numba\n", {"NUMBA_DISABLE_JIT": "1"}),
        ("import numba\nnumba.config.DISABLE_JIT = True\n", {}),
        ("import numba, os\nos.environ['NUMBA_DISABLE_JIT'] = '1'\n", {}),
    ],
    ids=["variable", "numba-first", "config", "variable-later"],
)
def test_the_compiler_is_switched_off(run, library, before, variables):
    said = run(before=before, **variables)
    assert not said.startswith(("direct", "loops"))
    if library.name == "numpy":
        assert "direct does not take a call while Numba's compiler is switched off, by NUMBA_DISABLE_JIT" in said


@pytest.mark.value
def test_it_is_switched_off_by_a_file(run, library, tmp_path):
    if library.name != "numpy":
        pytest.skip("Numba's settings are the same for PyTorch's tensors")
    pytest.importorskip("yaml", reason="Numba reads its file of settings with PyYAML")
    (tmp_path / ".numba_config.yaml").write_text("disable_jit: 1\n")
    assert not run(before=f"import os\nos.chdir({str(tmp_path)!r})\n").startswith(("direct", "loops"))


@pytest.mark.value
def test_it_is_switched_off_between_two_calls(run, library):
    if library.name != "numpy":
        pytest.skip("Numba's settings are the same for PyTorch's tensors")
    later = SMALL + "import numba\nnumba.config.DISABLE_JIT = True\n" + CALLS.replace("MODULE", "numpy")
    assert not run(later).startswith(("direct", "loops"))


@pytest.mark.value
@pytest.mark.parametrize("value", ["0", "", "yes"])
def test_a_switch_that_is_not_on(run, library, value):
    """Numba warns of a word that is no number, and goes on."""
    said = run(NUMBA_DISABLE_JIT=value, PYTHONWARNINGS="ignore")
    assert library.name != "numpy" or said.startswith("direct")


@pytest.mark.value
def test_a_damaged_cache_is_compiled_anew(run, library, tmp_path):
    if library.name != "numpy":
        pytest.skip("the files are those of NumPy's lowerings")

    def files(pattern):
        return {file: file.stat().st_mtime_ns for file in sorted(tmp_path.rglob(pattern))}

    run(SMALL, NUMBA_CACHE_DIR=str(tmp_path))
    damages = [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: b"\0" * len(content),
        lambda content: b"garbage" + content,
    ]
    for pattern, damage in product(("*add-*.nbi", "*add-*.nbc", "*.nb?"), damages):
        assert files(pattern)
        for file in files(pattern):
            file.write_bytes(damage(file.read_bytes()))
        run(SMALL, NUMBA_CACHE_DIR=str(tmp_path))
    # And it is whole again: nothing is compiled in the next process.
    before = files("*.nb?")
    run(SMALL, NUMBA_CACHE_DIR=str(tmp_path))
    assert files("*.nb?") == before


@pytest.mark.value
def test_a_cache_that_cannot_be_written(run, library, tmp_path):
    if library.name != "numpy":
        pytest.skip("the files are those of NumPy's lowerings")
    full = "import numba.core.caching as caching\ndef full(*_):\n    raise OSError(28, 'No space left on device')\n"
    full += "caching.IndexDataCacheFile._save_data = caching.IndexDataCacheFile._save_index = full\n"
    run(SMALL, full, NUMBA_CACHE_DIR=str(tmp_path))
    assert not list(tmp_path.rglob("*.nbc"))
