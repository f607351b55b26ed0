"""The benchmark's own sums, and its whole flow on a CPU: it must not fail in the few minutes that a GPU is lent for."""

import json
import shutil
import subprocess
import sys
from math import isclose
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def modules(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu_clock
    import gpu_layers
    import gpu_report

    return gpu_clock, gpu_layers, gpu_report


def test_a_layer_costs_what_it_moves_and_adds(modules):
    _, layers, _ = modules
    found = {layer.name: layer for layer in layers.load()}
    layer = found["dilated-strided"]
    assert layer.y == (2, 24, 100, 146)
    assert layer.operations == 2 * 2 * 32 * 48 * 48 * 24 * 3 * 5
    assert layer.bytes("float16") == 2 * (2 * 32 * 48 * 48 + 32 * 24 * 15 + 2 * 24 * 100 * 146)
    floors = layers.floors(layer, "float16", 1e12, 1e14)
    assert isclose(floors["memory"], layer.bytes("float16") * 1e-12)
    assert isclose(floors["arithmetic"], layer.operations * 1e-14)
    assert found["unet-32-n16"].x == (16, *found["unet-32"].x[1:])
    assert "dcgan-4-n16" not in found


def test_layers_are_as_upconv_sizes_them(modules):
    import upconv

    _, layers, _ = modules
    for layer in layers.load():
        for each in (layer, layers.shrunk(layer)):
            assert upconv.output_shape(each.x, each.weight, **each.arguments) == each.y, layer.name


def test_the_clock_takes_a_call_of_many(modules):
    clock, _, _ = modules
    turns = []
    seconds = clock.wall_seconds([lambda: turns.append(0), lambda: turns.append(1)], lambda: None, 3, 1e-5)
    assert 0 < seconds < 1e-2
    assert turns.count(0) == turns.count(1) + 1  # one call alone, to see how long it takes
    now = iter([5.0, 8.0, 16.0])
    budget = clock.Budget(10, lambda: next(now))
    assert [budget.left(), budget.left()] == [7, -1]


def test_like_is_compared_with_like(modules):
    _, _, report = modules
    row = {"layer": "a", "dtype": "float32", "groups": 1, "ours": 2.0, "torch": {"nchw-fp32": 6.0, "nchw-tf32": 1.0}}
    fast = row | {"layer": "b", "groups": 3, "torch": {"nchw-fp32": 3.0, "channels_last-fp32": 1.0}}
    switched = row | {"dtype": "tf32"}
    found = report.comparison([row, fast, switched])
    assert isclose(found["float32"]["mean"], 1.5**0.5)
    assert (found["float32"]["least"], found["float32"]["least_layer"]) == (0.5, "b")
    assert found["float32, grouped"]["layers"] == 1
    assert found["tf32"]["mean"] == 0.5


@pytest.mark.value
def test_the_whole_flow_on_a_cpu(library, tmp_path):
    if library.name != "torch":
        pytest.skip("PyTorch is what is measured against: the dry run is in its session")
    if shutil.which("g++") is None:
        pytest.skip("no g++ here, which compiles what stands for the GPU")
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), "--dry-run", "--out", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    (path,) = tmp_path.glob("*.json")
    found = json.loads(path.read_text())
    assert found["checked"]["passed"] > 50
    assert not found["checked"]["failed"]
    assert {row["dtype"] for row in found["rows"]} == {"float32", "float16", "bfloat16", "tf32"}
    for row in found["rows"]:
        assert row["right"]
        assert row["algorithm"] == "raw"
        assert row["ours"] > 0 < min(row["torch"].values())
    assert path.with_suffix(".png").stat().st_size > 10_000
    command += ["--budget", "0"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "left out for want of time" in run.stdout, run.stdout + run.stderr


def test_drawn_layers_are_of_every_kind_and_timed_by_what_takes_them(monkeypatch, once):
    pytest.importorskip("rich", reason="the benchmarks print with rich")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import numpy as np

    import choices
    import upconv

    random = choices.Random(3)
    layers = [choices.draw(random, 10**8) for _ in range(60)]
    assert {len(layer.x) - 2 for layer in layers} == {1, 2, 3}
    assert {layer.weight[1] == 1 and layer.words["groups"] > 1 for layer in layers} == {True, False}
    assert any(len(set(layer.weight[2:])) > 1 for layer in layers)
    for layer in layers:
        assert choices.FEWEST < layer.products < 10**8
        y = upconv.output_shape(layer.x, layer.weight, **layer.words)
        assert np.prod(y) < choices.LARGEST
    small = choices.Drawn((1, 4, 9, 7), (4, 2, 3, 4), {"stride": (1, 2), "padding": (1, 1), "groups": 2})
    for verb in ("forward", "dx", "dweight"):
        found = choices.calls(small, verb, np.asarray, ("overlap_add", "auto", "raw"))
        assert set(found) == {"overlap_add", "auto"}
        seconds = choices.time_in_turn(found, 3)
        assert all(0 < each < 1 for each in seconds.values())
