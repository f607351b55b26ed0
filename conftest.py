"""One library for each session: `pytest --library torch` runs the shared matrix on PyTorch's arrays.

A session in which no value was compared fails, whatever was skipped: a library that was asked for is a library tested.
"""

from importlib.util import find_spec
from pathlib import Path

import pytest


def pytest_addoption(parser):
    parser.addoption("--library", default="numpy", help="row of the table of libraries to test: numpy, torch, ...")
    parser.addoption("--fuzz", type=int, default=0, help="draw so many calls in test_fuzz.py, and write docs/fuzz.json")
    parser.addoption("--fuzz-seed", type=int, default=0, help="where they begin; the same seed draws the same calls")


def pytest_configure(config):
    from hypothesis import HealthCheck, settings

    from libraries import start

    library = config.getoption("--library")
    # Derandomized: a run that fails is a run that fails again.
    settings.register_profile(
        "upconv",
        max_examples=300,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    settings.load_profile("upconv")
    if not hasattr(config, "workerinput"):  # with pytest-xdist, the reports of all workers reach the controller
        config.pluginmanager.register(Values(library))
        if config.getoption("--fuzz"):
            from fuzz_counts import Counts

            config.pluginmanager.register(Counts(library, config.getoption("--fuzz-seed")))
        elif config.getoption("numprocesses", None):
            return  # it runs no test, and the workers wait for it: no library is imported for nothing
    start(library)


# What Numba compiles.
COMPILED = {("numpy", "loops"), ("numpy", "direct"), ("torch", "direct")}


def taken(library, algorithm):
    """An algorithm, to be passed over where what it is made with is not installed."""
    missing = (library, algorithm) in COMPILED and not find_spec("numba")
    return pytest.param(algorithm, marks=pytest.mark.skip(reason="Numba is not installed")) if missing else algorithm


def pytest_generate_tests(metafunc):
    from libraries import variants
    from upconv._libraries import LIBRARIES

    name = metafunc.config.getoption("--library")
    row = {library.name: library for library in LIBRARIES}[name]
    if "variant" in metafunc.fixturenames:
        metafunc.parametrize("variant", variants(name), ids=str)
    if "algorithm" in metafunc.fixturenames and not any(
        "algorithm" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")
    ):
        metafunc.parametrize("algorithm", [taken(name, algorithm) for algorithm in row.algorithms])
    if "form" in metafunc.fixturenames:
        if name == "cupy":
            from cuda_on_cpu.forms import FORMS, title

            metafunc.parametrize("form", FORMS, ids=title)
        else:
            reason = "the CUDA kernel is tested in the session of cupy"
            metafunc.parametrize("form", [pytest.param(None, marks=pytest.mark.skip(reason=reason))])


@pytest.fixture
def library(request):
    """The row of the table that this session tests."""
    from upconv._libraries import LIBRARIES

    return {row.name: row for row in LIBRARIES}[request.config.getoption("--library")]


@pytest.fixture
def standin(library):
    """The stand-in for CuPy, where the session runs on it."""
    if library.name != "cupy":
        pytest.skip("the CUDA kernel is tested in the session of cupy")
    from cuda_on_cpu import standin

    if standin.has_device():
        pytest.skip("a GPU is here: what the stand-in records is launched in earnest")
    return standin


@pytest.fixture
def once(library):
    """For a test of no library's arrays, which one of the sessions runs for all."""
    if library.name != "numpy":
        pytest.skip("of no library: in the session of numpy")


@pytest.fixture
def two_threads(torch):
    """PyTorch on two threads, whatever the machine has: 'auto' leaves some of its algorithms where there are many."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def plain(library):
    """The library's most ordinary variant."""
    from libraries import variants

    return variants(library.name)[0]


@pytest.fixture
def torch(library):
    """PyTorch, in its own session."""
    if library.name != "torch":
        pytest.skip(f"{library.name} is not PyTorch")
    return pytest.importorskip("torch")


@pytest.fixture
def without_numba(library, monkeypatch):
    """NumPy's lowerings as they are chosen where Numba is not installed."""
    if library.name == "numpy":
        from upconv import _calls
        from upconv._lower._numpy import direct, loops

        for compiled in (direct, loops):
            monkeypatch.setattr(compiled, "missing", lambda: "a call without Numba")
        monkeypatch.setattr(_calls, "_CALLS", {})  # which remembers lowerings


@pytest.fixture
def blas():
    """The library that NumPy multiplies with, told to take two threads."""
    control = pytest.importorskip("threadpoolctl").ThreadpoolController().select(user_api="blas")
    with control.limit(limits=2):
        if {library.get_num_threads() for library in control.lib_controllers} != {2}:
            pytest.skip("BLAS takes one thread alone here")
        # Not SciPy's, which Numba loads beside it; and the environment's folder may have any name.
        found = control.lib_controllers
        yield next((library for library in found if "numpy" in Path(library.filepath).parent.name), found[0])


class Values:
    """Counts the tests that compared values; a whole session without any fails."""

    def __init__(self, library):
        self.library, self.count, self.registers = library, 0, []

    def pytest_runtest_logreport(self, report):
        self.count += report.when == "call" and report.passed and "value" in report.keywords
        if report.when == "call":
            self.registers += [line for name, line in report.user_properties if name == "registers"]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session, exitstatus):
        option = session.config.option
        partial = option.keyword or option.markexpr or option.collectonly or option.file_or_dir
        if not self.count and not partial and not exitstatus:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter):
        terminalreporter.write_line(f"{self.library}: {self.count} tests compared values{self.where()}")
        if self.registers:
            terminalreporter.write_line("registers of a thread, none spilled:")
        for line in sorted(self.registers):
            terminalreporter.write_line(f"  {line}")

    def where(self):
        """Say it where no value came from the library itself."""
        if self.library != "cupy":
            return ""
        from cuda_on_cpu import standin

        return "" if standin.has_device() else ", the kernel's text running on the CPU: no GPU is here"
