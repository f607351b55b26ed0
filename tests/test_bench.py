"""The benchmark of the commands: its sums, its whole flow on a small layer, and that nothing wrong is timed."""
# ruff: noqa: E402  the commands import what may be missing

import ast
import json
import os
import shutil
import subprocess
import sys
from importlib import resources, util
from math import isclose
from pathlib import Path

import pytest

np = pytest.importorskip("numpy")
pytest.importorskip("rich", reason="the commands print with rich")
pytest.importorskip("matplotlib", reason="the benchmark draws with matplotlib")

import upconv
from upconv.__main__ import main
from upconv._bench import agreement, clock, contenders, memory, ratios
from upconv._bench.child import Child, Silent
from upconv._bench.conductor import Pace, measure
from upconv._bench.layers import DTYPES, VERBS, Layer, load, values
from upconv._bench.limits import limits
from upconv._bench.task import Task

SMALL = Layer(
    "small",
    (2, 6, 5, 4),
    (6, 2, 3, 4),
    {"stride": (2, 3), "padding": (1, 2), "output_padding": (1, 0), "groups": 2, "dilation": (3, 2)},
)
CONTENDERS = [
    (library, name)
    for library, names in contenders.CONTENDERS.items()
    for name in names
    if not contenders.missing(library, name)
]
PROC = Path("/proc/self/clear_refs").exists()
QUICK = ("--layer", "tiny", "--rounds", "2", "--seconds", "0.01")


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def bench(tmp_path):
    """Run the command; return its status, its results and its picture."""

    def bench(*words):
        out, plot = tmp_path / "results.json", tmp_path / "ratios.png"
        status = main(["bench", *QUICK, "--out", str(out), "--plot", str(plot), *words])
        return status, json.loads(out.read_text()), plot

    return bench


@pytest.fixture
def alone(once, monkeypatch):
    """Measure NumPy against nobody: other libraries take seconds to import."""
    monkeypatch.setitem(contenders.CONTENDERS, "numpy", {"upconv": contenders.CONTENDERS["numpy"]["upconv"]})


def seconds_row(**seconds):
    found = {name: {"seconds": value, "rounds": [value]} for name, value in seconds.items()}
    keys = {"library": "numpy", "layer": "a", "dtype": "float32", "verb": "forward"}
    return keys | {"contenders": found, "limits": {"arithmetic": 0.5, "bytes": 0.25}}


def test_there_is_one_copy_of_the_layers():
    assert resources.files("upconv").joinpath("_bench", "layers.json").is_file()
    layers = {layer.name: layer for layer in load()}
    assert len(layers) == len(load()) > 20
    assert layers["dilated-strided"].y == (2, 24, 100, 146)


@pytest.mark.parametrize("layer", [SMALL, *load()], ids=lambda layer: layer.name)
def test_layers_are_as_upconv_sizes_them(layer):
    for each in (layer, memory.small(layer)):
        assert upconv.output_shape(each.x, each.weight, **each.arguments) == each.y


def test_a_layer_costs_what_it_moves_and_adds():
    assert SMALL.operations == 2 * (2 * 6 * 5 * 4) * 2 * 3 * 4
    assert SMALL.bytes("float16") == 2 * (2 * 6 * 5 * 4 + 6 * 2 * 3 * 4 + 2 * 4 * 14 * 12)
    found = limits(SMALL, "float32", 3e-6, 1e9)
    assert found == {"arithmetic": 3e-6, "bytes": SMALL.bytes("float32") / 1e9}
    assert "arithmetic" not in limits(SMALL, "float32", None, 1e9)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_limit_of_arithmetic_has_the_operations_of_the_layer(monkeypatch, verb, dtype):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    shapes = []
    matmul = np.matmul

    def spy(a, b, out):
        shapes.append((*a.shape, b.shape[-1]))
        assert out.dtype == ("float64" if dtype == "float64" else "float32")
        return matmul(a, b, out=out)

    monkeypatch.setattr(np, "matmul", spy)
    contenders.open_contender("numpy", "matmul", 1).prepare(Task(SMALL, verb, dtype))()
    (shape,) = shapes
    assert 2 * np.prod(shape) == SMALL.operations
    assert shape[0] == SMALL.groups


def test_the_ratios_of_a_row():
    row = ratios.complete(seconds_row(upconv=2.0, torch=3.0, jax=9.0))
    assert (row["best"], row["speed"], row["over_limit"]) == ("torch", 1.5, 4.0)
    row = ratios.complete(seconds_row(upconv=2.0))
    assert (row["best"], row["speed"], row["over_limit"]) == (None, None, 4.0)
    row = seconds_row(upconv=2.0, torch=3.0, jax=1.0)
    row["contenders"]["jax"] = {"seconds": 1.0, "wrong": "differs"}  # its first call, which is no measurement
    assert ratios.complete(row)["best"] == "torch"
    row["contenders"]["upconv"] = {"unable": "ValueError"}
    assert ratios.complete(row)["speed"] is None


def test_the_means_of_rows():
    assert isclose(ratios.geometric_mean([4.0, 1.0, 2.0]), 2.0)
    rows = [ratios.complete(seconds_row(upconv=1.0, torch=t) | {"layer": f"l{t}"}) for t in (4.0, 0.25, 8.0)]
    rows[1]["contenders"]["upconv"]["memory"] = (32 << 20) + 1
    rows[2]["contenders"]["upconv"]["memory"] = 32 << 20
    rows.append(ratios.complete(seconds_row(upconv=4.0) | {"layer": "alone"}))
    (found,) = ratios.summary(rows)
    assert isclose(found["speed_mean"], 2.0)
    assert (found["speed_layers"], found["speed_worst"], found["speed_worst_layer"]) == (3, 0.25, "l0.25")
    assert (found["over_limit_layers"], found["over_limit_worst_layer"]) == (4, "alone")
    assert found["beyond_memory"] == ["l0.25"]


def test_a_row_is_as_restless_as_the_less_quiet_of_the_two():
    row = ratios.complete(seconds_row(upconv=2.0, torch=4.0, jax=9.0))
    assert ratios.restlessness(row) == 0
    for name, quartiles in (("upconv", [1.9, 2.1]), ("torch", [3.0, 4.0]), ("jax", [1.0, 20.0])):
        row["contenders"][name]["quartiles"] = quartiles
    assert ratios.restlessness(row) == 0.25


def test_the_clock_takes_many_short_calls_together():
    turns = []
    block = clock.calls_of_a_block(lambda: turns.append(0))
    assert block > 10
    turns.clear()
    assert 0 < clock.time_round(lambda: turns.append(0), 7, 1e-4) < 1e-3
    assert len(turns) % 7 == 1  # one to wake the threads
    turns.clear()
    clock.time_round(lambda: turns.append(0), 1, 0.0, wake=False)
    assert len(turns) == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("library, name", CONTENDERS, ids=map("-".join, CONTENDERS))
def test_contenders_compute_the_same(library, name, verb, dtype, tmp_path, monkeypatch):
    """Every way to a layer, in this process; one library's session has its own alone."""
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes", reason="NumPy's bfloat16 is not installed")
    if library == "tensorflow":  # which takes a number of threads before it has computed, and this process has
        threading = __import__("tensorflow").config.threading
        for words in ("set_intra_op_parallelism_threads", "set_inter_op_parallelism_threads"):
            monkeypatch.setattr(threading, words, lambda n: None)
    task = Task(SMALL, verb, dtype)
    found = computed(library, name, task, tmp_path / "theirs.npy")
    exact = computed("numpy", "upconv", task._replace(dtype="float64", algorithm="generic"), tmp_path / "ours.npy")
    apart = agreement.difference(found, exact)
    assert apart <= max(agreement.tolerance(dtype) / 5, 1e-14), apart


def computed(library, name, task, path):
    contender = contenders.open_contender(library, name, 1)
    assert contender.versions()
    try:
        result = contender.prepare(task)()
    except Exception as error:
        if name in ("onnxruntime", "tensorflow"):
            pytest.skip(f"{name} cannot: {str(error)[:80]}")
        raise
    a = contender.to_numpy(result)
    assert a.shape == task.layer.result(task.verb)
    np.save(path, a)
    return path


@pytest.mark.usefixtures("alone")
def test_the_whole_flow_alone(bench, capsys):
    status, results, plot = bench("--verb", "all", "--threads", "1")
    printed = capsys.readouterr().out
    assert status == 0, printed
    assert [row["verb"] for row in results["rows"]] == list(VERBS)
    for row in results["rows"]:
        ours = row["contenders"]["upconv"]
        assert len(ours["rounds"]) == 2
        low, high = ours["quartiles"]
        assert 0 < low <= ours["seconds"] <= high < 1
        assert min(row["limits"].values()) > 0 < row["over_limit"]
        assert row["best"] is row["speed"] is None
        if PROC:
            assert 0 <= ours["memory"] < 4 << 20
    assert results["machine"]["threads"] == 1
    assert results["versions"]["numpy"]["numpy"] == np.__version__
    assert results["date"].startswith("20")
    assert "numpy, dweight, float32" in printed
    assert plot.stat().st_size > 10_000


@pytest.mark.usefixtures("alone")
def test_results_are_shown_again(bench, tmp_path, capsys):
    _, results, plot = bench("--no-memory")
    plot.unlink()
    for k, row in enumerate(results["rows"] * 2):
        row |= {"best": "torch", "speed": 0.5 + k, "library": ("numpy", "torch")[k]}
        row["contenders"]["torch"] = {"seconds": 1.0, "rounds": [1.0]}
    other = tmp_path / "other.json"
    other.write_text(json.dumps(results))
    capsys.readouterr()
    assert main(["bench", "--show", str(tmp_path / "results.json"), str(other), "--plot", str(plot)]) == 0
    assert "torch 1000" in capsys.readouterr().out
    assert plot.stat().st_size > 10_000
    assert main(["bench", "--show", str(plot)]) == 2
    assert "has no results" in capsys.readouterr().err
    other.write_text(json.dumps(results | {"rows": []}))
    assert main(["bench", "--show", str(other)]) == 2
    assert "nothing was measured" in capsys.readouterr().err


@pytest.mark.usefixtures("alone")
def test_an_algorithm_that_there_is_not_is_a_finding(bench, capsys):
    status, results, _ = bench("--algorithm", "nonsense", "--no-memory")
    assert status == 1
    assert "nonsense" in results["rows"][0]["contenders"]["upconv"]["unable"]
    assert "nonsense" in capsys.readouterr().out


class Players:
    """A team of no processes: one of them is wrong, one is lost on its way."""

    library = "numpy"

    def __init__(self, saves):
        self.saves, self.timed = saves, []

    def ask(self, name, do, **asked):
        if do == "prepare":
            saved = self.saves[name]
            if saved is None:
                return {"unable": "no such op"}
            np.save(asked["save"], saved)
            return {"seconds": 1.0}
        self.timed.append(name)
        return {"unable": "ended with -9"} if name == "lost" else {"seconds": {"slow": 5.0}.get(name, 0.1)}


def test_what_is_wrong_is_not_timed():
    right = values(SMALL, "float32")[2]
    saves = dict.fromkeys(("upconv", "right", "slow", "lost", "matmul"), right)
    saves |= {"flipped": np.flip(right, 2), "short": right[:, :, 1:], "nan": right * np.nan, "without": None}
    team = Players(saves)
    names = [name for name in saves if name != "matmul"]
    notes = []
    row = measure(team, names, Task(SMALL, "forward", "float32"), Pace(3, 0.1), 1e9, notes.append)
    assert set(team.timed) == {"upconv", "right", "slow", "lost", "matmul"}
    assert (team.timed.count("right"), team.timed.count("slow"), team.timed.count("lost")) == (3, 1, 1)
    assert [team.timed[0], team.timed[5]] == ["upconv", "right"]  # each round begins with another
    found = ratios.complete(row)["contenders"]
    for name in ("flipped", "short", "nan"):
        assert "differs" in found[name]["wrong"]
        assert "rounds" not in found[name]
    assert found["lost"]["unable"]
    assert found["without"] == {"unable": "no such op"}
    assert ratios.complete(row)["speed"] == 1
    assert row["limits"]["arithmetic"] == 0.1
    assert notes


@pytest.mark.usefixtures("once")
def test_a_process_that_is_lost_or_silent_is_said():
    child = Child("numpy", "upconv", 1, 60, {})
    assert child.first["versions"]["numpy"] == np.__version__
    assert "AttributeError" in child.ask("no such request")["unable"]
    child.process.kill()
    with pytest.raises(Silent, match="ended with -9"):
        child.ask("time", seconds=0)
    child.close()
    with pytest.raises(Silent, match="ended with 1"):
        Child("numpy", "upconv", 1, 60, {"PYTHONSTARTUP": "", "PYTHONHOME": "/nowhere"})
    with pytest.raises(Silent, match="no answer in 0 s"):
        Child("numpy", "upconv", 1, 0.001, {})


@pytest.mark.usefixtures("once")
def test_no_module_of_the_current_folder_is_imported(tmp_path, monkeypatch):
    """Somebody's numpy.py there is not what is measured."""
    for name in ("numpy", "json", "upconv", "threadpoolctl", "array_api_compat"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.chdir(tmp_path)
    child = Child("numpy", "upconv", 1, 60, {})
    child.close()
    assert child.first["versions"]["numpy"] == np.__version__


@pytest.mark.usefixtures("once")
def test_the_package_that_is_measured_is_the_one_that_runs(tmp_path):
    """Also a copy that is not the installed one, as a clone in whose folder the benchmark is started."""
    copy = tmp_path / "upconv"
    shutil.copytree(Path(upconv.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    worker = copy / "_bench" / "worker.py"
    worker.write_text(worker.read_text().replace("worker.contender.versions()", "'of the copy'"))
    code = "from upconv._bench.child import Child\nchild = Child('numpy', 'upconv', 1, 60, {})\nchild.close()\n"
    code += "assert child.first == {'versions': 'of the copy'}, child.first\n"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=100)


def test_no_process_is_started_without_a_safe_path():
    """Python's own processes look for modules in the current folder first, unless they are started with -P."""
    for path in (
        *Path(upconv.__file__).parent.rglob("*.py"),
        *(Path(__file__).parent.parent / "examples").rglob("*.py"),
    ):
        for node in ast.walk(ast.parse(path.read_text())):
            starts = isinstance(node, ast.List) and node.elts and ast.unparse(node.elts[0]) == "sys.executable"
            assert not starts or ast.unparse(node.elts[1]) == "'-P'", path


@pytest.mark.usefixtures("once")
@pytest.mark.skipif(not PROC, reason="processes are looked at through /proc")
def test_a_process_stands_still_between_its_turns():
    child = Child("numpy", "upconv", 1, 60, {})
    assert state(child.process.pid) == "T"
    child.ask("time", seconds=0)
    assert state(child.process.pid) == "T"
    child.close()


def state(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


HUNGRY = """
import sys
import numpy as np
from upconv._bench.layers import load
from upconv._bench.memory import measure_apart
from upconv._bench.task import Task

class Hungry:
    def prepare(self, task):
        def call():
            y = np.ones(task.layer.y, task.dtype)
            np.ones((24 << 20) // 8)
            return y
        return call if task.verb == "forward" else task.nothing

layer = next(layer for layer in load() if layer.name == "unet-128")
for verb in ("forward", "dx"):
    print(measure_apart(Hungry(), Task(layer, verb, "float64")))
"""


@pytest.mark.usefixtures("once")
@pytest.mark.skipif(not PROC, reason="memory is measured on Linux")
def test_memory_is_what_a_call_takes_beyond_its_result():
    environment = os.environ | memory.GIVE_BACK
    run = subprocess.run([sys.executable, "-c", HUNGRY], capture_output=True, text=True, check=True, env=environment)
    found, broken = map(ast.literal_eval, run.stdout.splitlines())
    assert 23 << 20 <= found["bytes"] < 27 << 20  # the system counts pages by the dozen
    assert broken == {"unable": "AttributeError: 'Task' object has no attribute 'nothing'"}


@pytest.mark.parametrize(
    "words, message",
    [
        (["--library", "nonsense"], "invalid choice: 'nonsense'"),
        (["--layer", "nonsense"], "invalid choice: 'nonsense'"),
        (["--rounds", "0"], "invalid positive int value: '0'"),
        (["--seconds", "x"], "invalid positive float value: 'x'"),
    ],
)
def test_words_that_cannot_be_meant(words, message, capsys):
    with pytest.raises(SystemExit):
        main(["bench", *words])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, message",
    [
        (["--threads", "1000"], "more than the"),
        (["--prepared", "--verb", "all"], "--prepared goes with"),
    ],
)
def test_words_that_do_not_go_together(words, message, capsys):
    assert main(["bench", *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("once")
def test_what_is_not_installed_is_said(bench, monkeypatch, capsys):
    find_spec = util.find_spec
    hidden = ("torch", "onnx", "onnxruntime", "jax")
    monkeypatch.setattr(util, "find_spec", lambda name: None if name in hidden else find_spec(name))
    status, results, _ = bench("--library", "numpy", "jax", "--no-memory")
    assert status == 0
    assert [row["library"] for row in results["rows"]] == ["numpy"]
    printed = capsys.readouterr().out
    assert "jax is left out (not installed: jax)" in printed
    assert "numpy is measured without onnxruntime (not installed: onnx, onnxruntime)" in printed
