"""Check and time CuPy's raw kernel on a GPU, in one run: ``python benchmarks/gpu.py``; ``--dry-run`` needs none.

First every specialisation is checked on the device: the shared matrix against the oracle, then fresh random inputs
against PyTorch in float64; outputs are poisoned before. Then each layer is timed, beside PyTorch in each of its modes
and JAX, and beside two floors: its bytes at the speed of a copy, its sums at the speed of a matrix product. What the
budget does not allow is left out, and said.
"""

import argparse
import json
import os
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import MagicMock

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests"), str(HERE.parent / "src")]
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX would take most of the memory

from gpu_clock import Budget, cuda_seconds, graph_seconds, wall_seconds  # noqa: E402
from gpu_layers import floors, load, shrunk  # noqa: E402
from gpu_report import comparison, draw, lines  # noqa: E402
from gpu_rivals import jax_calls, kernel_names, tf32, torch_calls, torch_modes  # noqa: E402

DTYPES = ("float32", "float16", "bfloat16", "tf32")
SHORT_S = 100e-6  # below, a launch shows: there a CUDA graph is measured too
CACHE_BYTES = 128 << 20  # inputs in turn are more than the largest L2
MOST_INPUTS = 16


def do_without():
    """Let what only declares tests, and what only the generic algorithm calls, be missing: nothing is downloaded."""
    for name in ("pytest", "hypothesis", "array_api_compat"):
        if find_spec(name) is None:
            print(f"without {name}")
            sys.modules[name] = MagicMock()


def installed(name):
    """Import a library, or return None and say so."""
    try:
        return __import__(name)
    except ImportError as error:
        print(f"without {name}: {error}")
        return None


@contextmanager
def poisoned(cupy):
    """Fill what CuPy allocates with NaN: an output that is not written is seen."""
    empty = cupy.empty

    def filled(shape, dtype=float):
        made = empty(shape, dtype)
        made.reshape(-1).view("uint8")[...] = 0xFF
        return made

    cupy.empty = filled
    try:
        yield
    finally:
        cupy.empty = empty


def check_matrix(cupy, forms, budget):
    """The tests' own cases on every form: how many values' tests passed, which failed, which were left out."""
    import test_cupy_kernel as tests
    from cuda_on_cpu.forms import title

    found = {"passed": 0, "failed": [], "left_out": []}
    for k, form in enumerate(forms):
        print(f"  check {k + 1}/{len(forms)}  {title(form)}", flush=True)
        if budget.left() < 0:
            found["left_out"].append(title(form))
            continue
        for turn, case in enumerate((*tests.deep(), *tests.NAMED)):
            ways = list(tests.ways(form, case))
            try:
                with poisoned(cupy):
                    found["passed"] += tests.check(ways[turn % len(ways)], case)
            except Exception as error:  # noqa: BLE001  every form is to be heard
                found["failed"].append(f"{title(form)} {case}: {str(error).strip()[:200]}")
    return found


def check_layer(cupy, torch, layer, pair, y, dtype):
    """The largest error of one layer against PyTorch in float64, relative to the largest value."""
    op = getattr(torch.nn.functional, f"conv_transpose{layer.rank}d")
    exact = op(*(a.double() for a in pair), **layer.arguments)
    ours = torch.from_dlpack(y.astype("float32")).double()
    return float((ours - exact).abs().max() / exact.abs().max())


ALLOWED = {"float32": 1e-5, "tf32": 5e-3, "float16": 2e-3, "bfloat16": 1.6e-2}


def as_cupy(cupy, tensor):
    """The same memory as CuPy's array; bfloat16, which NumPy does not have, by its bits."""
    if str(tensor.dtype) == "torch.bfloat16":
        import ml_dtypes

        torch = sys.modules["torch"]
        return cupy.asarray(tensor.view(torch.int16)).view(ml_dtypes.bfloat16)
    return cupy.asarray(tensor)


def measure(layer, dtype, machine):
    """Seconds of one layer in one dtype: ours, PyTorch's modes, JAX; and how far ours is from float64."""
    import upconv

    cupy, torch, jax, seconds = machine["cupy"], machine["torch"], machine["jax"], machine["seconds"]
    stored = "float32" if dtype == "tf32" else dtype
    os.environ["CUPY_TF32"] = str(int(dtype == "tf32"))
    count = max(2, min(MOST_INPUTS, 1 + CACHE_BYTES // layer.bytes(stored))) if machine["device"] else 2
    generator = torch.Generator(machine["device"] or "cpu").manual_seed(time.time_ns() % 2**31)
    make = {"generator": generator, "device": machine["device"] or "cpu", "dtype": torch.float32}
    inputs = [
        tuple(torch.randn(shape, **make).to(getattr(torch, stored)) for shape in (layer.x, layer.weight))
        for _ in range(count)
    ]
    arrays = [tuple(as_cupy(cupy, a) for a in pair) for pair in inputs]
    prepared = [(x, upconv.prepare(weight)) for x, weight in arrays]
    transpose = upconv.conv_transpose
    row = {"layer": layer.name, "dtype": dtype, "groups": layer.groups, "torch": {}, "kernels": {}, "graph": {}}
    with poisoned(cupy):
        y = transpose(*arrays[0], **layer.arguments)
    row["algorithm"] = upconv.explain(*arrays[0], **layer.arguments).algorithm
    row["error"] = check_layer(cupy, torch, layer, inputs[0], y if machine["device"] else y.get(), dtype)
    row["right"] = row["error"] <= ALLOWED[dtype]
    ours = [lambda x=x, w=w: transpose(x, w, **layer.arguments) for x, w in prepared]
    row["ours"] = seconds(ours)
    row["ours_unprepared"] = seconds([lambda x=x, w=w: transpose(x, w, **layer.arguments) for x, w in arrays])
    if machine["device"] and row["ours"] < SHORT_S:
        row["graph"]["ours"] = graph_seconds(ours, torch, cupy)
    for name, allowed, last in torch_modes(stored):
        with tf32(torch, allowed=allowed):
            calls = torch_calls(torch, layer, inputs, channels_last=last)
            if calls and allowed == (dtype == "tf32"):
                row["torch"][name] = seconds(calls)
                if machine["device"]:
                    row["kernels"][name] = kernel_names(torch, calls[0])
                if machine["device"] and row["torch"][name] < SHORT_S:
                    row["graph"][name] = graph_seconds(calls, torch, cupy)
    if jax:
        given = [tuple(jax.dlpack.from_dlpack(a) for a in pair) for pair in inputs]
        calls = jax_calls(jax, layer, given, "highest" if dtype == "float32" else "default")
        last = {}  # JAX's calls return before they have run
        kept = [lambda call=call: last.update(y=call()) for call in calls]
        row["jax"] = wall_seconds(kept, lambda: last["y"].block_until_ready())  # noqa: PLW0108  not there yet
    row["floors"] = floors(layer, stored, machine["copy"], machine["rate"][dtype])
    return row


def speeds(torch, device, seconds):
    """Bytes per second of a copy, and operations per second of a matrix product in each precision."""
    n = 8192 if device else 64
    source = torch.ones(n * n // 2, dtype=torch.float64, device=device or "cpu")
    target = torch.empty_like(source)
    copy = 2 * source.nbytes / seconds([lambda: target.copy_(source)])
    rate = {}
    for dtype in DTYPES:
        torch.backends.cuda.matmul.allow_tf32 = dtype == "tf32"
        a = torch.ones(n, n, device=device or "cpu", dtype=getattr(torch, "float32" if dtype == "tf32" else dtype))
        rate[dtype] = 2 * n**3 / seconds([lambda a=a: a @ a])
    return copy, rate


def machine_here(*, dry):
    """Libraries, device and clock."""
    if dry:
        from cuda_on_cpu import standin

        standin.install()
    import cupy

    torch, jax = installed("torch"), installed("jax")
    if torch is None:
        sys.exit("PyTorch is the one to measure against: install it")
    device = None if dry else "cuda"
    seconds = (
        (lambda calls: wall_seconds(calls, lambda: None, 1, 0)) if dry else (lambda calls: cuda_seconds(calls, torch))
    )
    copy, rate = speeds(torch, device, seconds)
    name = "a dry run on a CPU" if dry else torch.cuda.get_device_name()
    return {
        "cupy": cupy,
        "torch": torch,
        "jax": jax,
        "device": device,
        "seconds": seconds,
        "name": name,
        "copy": copy,
        "rate": rate,
    }


def measure_all(plan, machine, budget, failed):
    """Measure what the budget allows; return the rows, and what was left out."""
    rows, left_out, slowest = [], [], 0.0
    for k, (layer, dtype) in enumerate(plan):
        if budget.left() < 2 * slowest + (20 if machine["device"] else 0):  # time to write, and to draw
            left_out.append(f"{layer.name} {dtype}")
            continue
        start = time.monotonic()
        try:
            row = measure(layer, dtype, machine)
        except Exception as error:  # noqa: BLE001  one layer that fails leaves the others to be measured
            failed.append(f"{layer.name} {dtype}: {type(error).__name__}: {str(error)[:300]}")
            print(f"  {k + 1}/{len(plan)}  FAILED  {failed[-1]}", flush=True)
            continue
        rows.append(row)
        slowest = max(slowest, time.monotonic() - start)
        best = min(row["torch"].values(), default=float("nan"))
        told = f"ours {row['ours'] * 1e6:9.1f} us   PyTorch {best * 1e6:9.1f} us   error {row['error']:.1e}"
        print(f"  {k + 1}/{len(plan)}  {layer.name:22} {dtype:9} {told}", flush=True)
    return rows, left_out


def main():
    """Check, time, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="the whole flow on a CPU, with tiny layers")
    parser.add_argument("--budget", type=float, default=450, help="seconds for all; the rest is left out")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    options = parser.parse_args()
    budget, dry = Budget(options.budget), options.dry_run
    do_without()
    machine = machine_here(dry=dry)
    print(
        f"{machine['name']}: copy {machine['copy'] / 1e12:.2f} TB/s,",
        {k: f"{v / 1e12:.1f} T/s" for k, v in machine["rate"].items()},
    )

    from cuda_on_cpu.forms import forms

    capability = 90 if dry else int("".join(map(str, machine["torch"].cuda.get_device_capability())))
    every = list(forms(capability))
    # A third of the time for the checks at most.
    checked = check_matrix(machine["cupy"], every[:2] + every[-1:] if dry else every, Budget(budget.left() / 3))
    print(
        f"checked: {checked['passed']} right, {len(checked['failed'])} wrong, {len(checked['left_out'])} forms left out"
    )

    # The layers as they are before those of 16 images, and every dtype of a layer: what is left out is the least.
    plan = [(layer, dtype) for layer in sorted(load(), key=lambda layer: "-n16" in layer.name) for dtype in DTYPES]
    if dry:
        plan = [(shrunk(layer), dtype) for layer, dtype in plan if "-n16" not in layer.name][::7]
    rows, left_out = measure_all(plan, machine, budget, checked["failed"])
    checked["failed"] += [f"{row['layer']} {row['dtype']}: error {row['error']}" for row in rows if not row["right"]]

    stamp = datetime.now(UTC).strftime("%Y-%m-%d")
    options.out.mkdir(parents=True, exist_ok=True)
    versions = {name: getattr(machine[name], "__version__", None) for name in ("cupy", "torch", "jax")}
    result = {
        "date": stamp,
        "device": machine["name"],
        "versions": versions,
        "copy": machine["copy"],
        "rate": machine["rate"],
    }
    result |= {"checked": checked, "rows": rows, "left_out": left_out, "comparison": comparison(rows)}
    path = options.out / f"gpu-{stamp}.json"
    path.write_text(json.dumps(result, indent=1))
    print(*lines(rows), sep="\n")
    if left_out:
        print(f"left out for want of time: {', '.join(left_out)}")
    for failure in checked["failed"]:
        print(f"WRONG  {failure}")
    try:
        draw(rows, machine["name"], path.with_suffix(".png"))
    except ImportError as error:
        print(f"no picture: {error}")
    print(f"written: {path}")
    return bool(checked["failed"])


if __name__ == "__main__":
    sys.exit(main())
