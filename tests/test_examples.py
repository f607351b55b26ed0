"""The examples run; the notebooks still assert what their documents printed, and the programs keep their promise."""

import ast
import os
import runpy
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent / "examples"
SCRIPTS = sorted((ROOT / "notebooks").glob("*.py"))


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


@pytest.fixture
def program(monkeypatch):
    """Import a program of the examples; `nox -s examples` has what they need, and skips nothing."""

    def load(name, *needs):
        if missing := [module for module in needs if not find_spec(module)]:
            pytest.skip(f"not installed: {', '.join(missing)}")
        monkeypatch.syspath_prepend(ROOT)
        return import_module(name)

    return load


def test_super_resolution(program, tmp_path):
    found = program("super_resolution", "jax", "optax", "skimage", "tensorflow", "torch")
    results, scores = found.main(steps=40, out=tmp_path / "picture.png")
    assert set(results) == {"JAX", "NumPy", "PyTorch", "TensorFlow"}
    for one, other in combinations(results.values(), 2):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
    assert scores["decoder"] > scores["untrained"] + 1
    assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_restore_photo(program, tmp_path):
    scores = program("restore_photo", "scipy", "skimage").main(iterations=8, out=tmp_path / "picture.png")
    assert scores["lsqr"] > scores["Bicubic"] + 1
    assert scores["Bicubic"] > scores["Adjoint"]
    assert (tmp_path / "picture.png").stat().st_size > 10_000


KERAS = """
import numpy as np, keras, upconv

rng = np.random.default_rng(3)
x, weight = (rng.standard_normal(shape).astype("float32") for shape in ((2, 4, 5, 7), (4, 3, 4, 5)))
variable, image = keras.Variable(weight), keras.ops.convert_to_tensor(x)
call = lambda w: keras.ops.sum(upconv.conv_transpose(image, w, stride=(2, 3)) ** 2)
backend = keras.backend.backend()
if backend == "jax":
    import jax
    found = jax.grad(call)(variable.value)
    assert np.allclose(call(variable), call(variable.value))
elif backend == "torch":
    call(variable).backward()
    found = variable.value.grad.numpy()
else:
    import tensorflow as tf
    with tf.GradientTape() as tape:
        loss = call(variable)
    found = tape.gradient(loss, variable.value)
y, pullback = upconv.vjp(x, weight, stride=(2, 3))
np.testing.assert_allclose(found, pullback(2 * y)[1], rtol=1e-3, atol=1e-3)
"""


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_a_variable_of_keras_on_each_backend(backend):
    if missing := [module for module in ("keras", "tensorflow", "jax", "torch") if not find_spec(module)]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-c", KERAS], check=True, env=environment)
