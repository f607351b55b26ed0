"""Any legal call, on every algorithm of a library, against the oracle: a few in each session, many by `nox -s fuzz`.

A failure prints the program that shows it; it then stands below, or in cases.py where its geometry alone is to blame.
"""

import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings

from fuzz import Call, Case, Trial
from fuzz_counts import Tally
from memory import kinds, layouts
from strategies import calls

pytestmark = pytest.mark.value

# Calls that a quick session draws, in batches, of which `-n 2` runs two at a time. XLA compiles two or three programs a
# second; Dask and TensorFlow make a graph; CuPy's kernel may run thread by thread on a CPU.
QUICK = {"jax": 40, "dask": 24, "tensorflow": 80, "cupy": 40, "mxnet": 200, "strict": 200}
BATCHES, OF_MANY = 2, 500
# Where each tap is an operation that is compiled or planned for its geometry anew.
LIMITS = {
    "jax": {"taps": 12},
    "dask": {"max_size": 5, "taps": 9},
    "cupy": {"max_size": 6, "max_kernel": 4, "max_dilation": 3},
}

PHASES = (Phase.generate, Phase.shrink)

# Shrunk failures of dtypes and of memory; a geometry that failed is a case of cases.py.
FOUND = {
    # NumPy spells it '>f2', and so it was added in its own precision.
    "big-endian-float16": Call(
        "conv",
        Case("", (1, 2, 9), (2, 3, 5), (0,), (13,), {"padding": ((0, 0),)}, bias=False),
        "float16",
        layouts=("big-endian",) * 3,
        exact=False,
    ),
    # To MXNet an image without samples was one of unknown size where its batch axis came and went.
    "no-batch-axis-no-output": Call(
        "conv_transpose",
        Case("", (1, 2, 3, 2), (2, 3, 2, 1), (4, 2), (0, 0), {"padding": ((4, 0), (2, 0))}),
        "float32",
        batched=False,
    ),
    "no-batch-axis-no-channels": Call(
        "conv_weight",
        Case("", (1, 0, 0), (0, 3, 2), (0,), (4,), {"padding": ((0, 0),)}),
        "float32",
        batched=False,
    ),
    # TensorFlow appended the batch axis on the device that arrays go to by default, and stayed there.
    "no-batch-axis-second-device": Call(
        "conv_weight",
        Case("", (1, 3, 4), (3, 2, 3), (1,), (8,), {"stride": (2,), "padding": ((1, 0),)}),
        "float32",
        batched=False,
        way=-1,
    ),
}


def pytest_generate_tests(metafunc):
    if "batch" in metafunc.fixturenames:
        many = metafunc.config.getoption("--fuzz")
        metafunc.parametrize("batch", range(-(-many // OF_MANY) if many else BATCHES))


def test_anything_legal(batch, library, request, record_property):
    many, first = (request.config.getoption(name) for name in ("--fuzz", "--fuzz-seed"))
    examples = min(many, OF_MANY) if many else -(-QUICK.get(library.name, 400) // BATCHES)
    tally = Tally()

    @seed(first + batch)
    @settings(
        max_examples=examples, database=None, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES
    )
    @given(calls(library, **LIMITS.get(library.name, {})))
    def every_algorithm(call):
        trial = Trial(call, kinds(library.name)[call.way])
        tally.calls += not tally.failed
        for algorithm in library.algorithms:
            if library.name == "jax" and algorithm == "generic" and call.seed % 8:
                continue  # it takes seconds to compile: one in eight
            if tally.failed and algorithm not in tally.failed[0]:
                continue  # it is being shrunk
            try:
                tally.add(call, algorithm, trial)
            except Exception:
                note(call.script(library.name, algorithm))
                raise

    try:
        every_algorithm()
    finally:
        record_property("fuzz", tally.as_json())
        if library.name == "jax":  # thousands of compiled programs are gigabytes
            import jax

            jax.clear_caches()


@pytest.mark.parametrize("call", FOUND.values(), ids=FOUND)
def test_what_was_found(call, library, algorithm):
    if call.dtype not in library.dtypes or not set(call.layouts) <= set(layouts(library.name)):
        pytest.skip(f"{library.name} has no such dtype or memory")
    Tally().add(call, algorithm, Trial(call, kinds(library.name)[call.way]))
