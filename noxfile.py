"""One session for each library, so that none is tested in the presence of another; and what keeps the code in shape.

`nox` runs everything that a change must pass, NumPy's session on the oldest and on the newest Python that is found, all
others on the oldest; `nox -s tests-torch` one session; `nox -s fuzz` draws 100,000 cases;
`nox -s mutants` plants faults that the tests must see, and `nox -s mutation` very many small ones; `nox -s cubins`
compiles the CUDA text for every chip; `nox -s bench` measures; `nox -s pin` refreshes constraints.txt.
"""

import os
import secrets
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import nox

nox.options.default_venv_backend = "virtualenv"
nox.needs_version = ">=2024.4"


def find(version):
    """The path of a Python of this version that starts, None where there is none.

    A name on PATH proves nothing: pyenv has one for each of its versions, and those that are switched off do not start.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    paths = (sys.executable, shutil.which(f"python{version}"), *sorted(pyenv.glob(f"{version}.*/bin/python")))
    commands = [[path] for path in paths if path] + [["py", f"-{version}"]] * bool(shutil.which("py"))
    tell = "import sys; print('{}.{}'.format(*sys.version_info), sys.executable)"
    for command in commands:
        run = subprocess.run([*command, "-c", tell], check=False, capture_output=True, text=True)  # noqa: S603
        found, _, path = run.stdout.strip().partition(" ")
        if run.returncode == 0 and found == version:
            return path
    return None


# Sessions are given the path of a Python: where none is named that is missing, nox has nothing to complain of. Where
# none of these is found, they run on the Python that runs nox.
PYTHONS = {version: path for version in ("3.11", "3.12", "3.13") if (path := find(version))}
OLDEST, NEWEST = next(iter(PYTHONS.values()), None), next(reversed(PYTHONS.values()), None)
on_oldest = partial(nox.session, python=OLDEST)

# Versions for every session stand in one file, so that a run today is the run of tomorrow. PyTorch among them: left to
# itself, pip may take a build with gigabytes of CUDA where one for a CPU is meant.
PINS = ("-c", "constraints.txt")
# Python compiles the modules that are imported. Pip would compile all that is installed: 18 of the 28 seconds that
# NumPy's session takes to install.
LEAN = ("--no-compile",)
TEST = ("pytest", "pytest-xdist", "hypothesis")
PROGRAMS = ("optax", "scikit-image")  # an optimiser, and photographs: for the examples alone
PYTEST = ("pytest", "-n", "2", "--dist", "worksteal", "-q")  # no worker waits for the other's long tests

CALL = "import numpy, upconv; assert upconv.conv_transpose1d(*[numpy.ones((1, 1, 2))] * 2).tolist() == [[[1, 2, 1]]]"

# The extras that a session installs, and what beside them, and why.
LIBRARIES = {
    # demo and check; pictures; bfloat16; a second library to mix with
    "numpy": ("numba,demo,plot,scipy", "ml_dtypes", "array-api-strict"),
    "strict": ("strict",),
    # bfloat16 in the dry run of benchmarks/gpu.py; what reads and runs the exported files
    "torch": ("torch,numba,demo", "ml_dtypes", "onnx", "onnxruntime"),
    "jax": ("jax,demo",),
    "tensorflow": ("tensorflow,demo",),
    "dask": ("dask",),
}

# Nearly all of JAX's session is XLA compiling small programs; without optimisation it takes less than half of the
# time: 2.8 minutes for 7 (2 cores, JAX 0.10.2). What the programs say is the same. XLA ends the process at a flag that
# it does not know, so these belong to the version in constraints.txt.
QUICK_XLA = {
    "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true "
    "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
}


# Calls that `nox -s fuzz` draws: a call is a case for each of the library's algorithms that takes it, and together they
# are 100,000. TensorFlow makes a graph for some, and XLA compiles each, two or three programs a second.
FUZZ = {"numpy": 24_000, "torch": 14_000, "strict": 10_000, "mxnet": 4_000, "tensorflow": 3_000, "jax": 3_000}

BUILT = []


def wheel(session, extras):
    """The wheel, with extras; built once for all sessions of a run, because pip makes an environment for each build."""
    if not BUILT:
        folder = session.cache_dir / "wheel"
        session.run_install("python", "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ".")
        # The newest, if there is one: with `nox -R` nothing is built, and nothing installed.
        BUILT.append(max(folder.glob("*.whl"), key=lambda path: path.stat().st_mtime, default=folder))
    return f"{BUILT[0].resolve()}" + f"[{extras}]" * bool(extras)


def install(session, extras, *others, pins=PINS):
    """The package as everyone gets it, and what a session needs beside it."""
    session.install(*LEAN, *pins, wheel(session, extras), *others)


def install_tests(session, library):
    """One library and what its tests need."""
    if library == "mxnet" and "3.11" not in PYTHONS:  # its last release wants the last Python with distutils
        session.skip("MXNet needs Python 3.11, which was not found")
    elif library == "mxnet":  # and an older NumPy than constraints.txt has
        test = ("pytest==9.2.0", "pytest-xdist==3.8.0", "hypothesis==6.170.15")
        install(session, "mxnet", *test, "numpy==1.23.5", pins=())
    else:
        extras, *others = LIBRARIES[library]
        install(session, extras, *TEST, "numpy", *others)


def tests(session, library):
    """Run the shared matrix on the arrays of one library, each algorithm that it has."""
    install_tests(session, library)
    run = (*PYTEST, "--library", library, *session.posargs)
    if library != "jax":
        session.run(*run)
    elif session.posargs:
        session.run(*run, env=QUICK_XLA)
    else:
        session.run(*run, "--ignore=tests/test_jax.py", env=QUICK_XLA)
        session.run(*run, "tests/test_jax.py")  # JAX's transforms as XLA compiles for everyone


for name in (*LIBRARIES, "mxnet"):
    on_oldest(lambda session, name=name: tests(session, name), name=f"tests-{name}")
if NEWEST != OLDEST:
    nox.session(lambda session: tests(session, "numpy"), name="tests-numpy-newest", python=NEWEST)


# Not the extra, whose toolkit has gigabytes: CuPy itself for its binding of the compiler, and the compiler.
CUPY = ("numpy", "ml_dtypes", "cupy-cuda13x==14.2.0", "nvidia-cuda-nvrtc==13.0.88")


@nox.session(default=False, venv_backend="none")
def fuzz(session):
    """Any legal call against the oracle, at random; write docs/fuzz.json and docs/reliability.md. A seed repeats it."""
    first = session.posargs[0] if session.posargs else str(secrets.randbelow(10**6))
    session.log(f"seed {first}; repeat by: nox -s fuzz -- {first}")
    for library in FUZZ:
        session.notify(f"fuzz-{library}", (first,))


def fuzz_library(session, library):
    """Draw the share of one library."""
    install_tests(session, library)
    run = ("--library", library, "--fuzz", str(FUZZ[library]), "--fuzz-seed", *session.posargs, "tests/test_fuzz.py")
    session.run(*PYTEST, *run, env=QUICK_XLA if library == "jax" else {})


for name in FUZZ:
    on_oldest(lambda session, name=name: fuzz_library(session, name), name=f"fuzz-{name}", default=False)


@on_oldest(name="tests-cupy")
def tests_cupy(session):
    """No GPU is needed: the CUDA text runs on the CPU, and each specialisation is compiled for one of the chips."""
    install(session, "", *TEST, *CUPY)
    session.run(*PYTEST, "--library", "cupy", *session.posargs)


@on_oldest(default=False)
def cubins(session):
    """Compile every specialisation for every chip; no register may spill. After a change of the CUDA text."""
    install(session, "", "numpy", *CUPY)
    session.run("python", "tests/cuda_on_cpu/cubins.py", *session.posargs)


@on_oldest()
def examples(session):
    """The programs that compare libraries: the one session with three frameworks in it."""
    install(session, "jax,torch,tensorflow,demo,scipy", *TEST, *PROGRAMS)
    session.run(*PYTEST, "tests/test_examples.py", *session.posargs)


@on_oldest(name="tests-bare")
def tests_bare(session):
    """NumPy and nothing else: whatever is optional must be missed with a reason."""
    install(session, "", *TEST, "numpy")
    # Without the three longest, which need nothing that is optional: they ran in tests-numpy.
    long = ("adjoint", "tiles", "fft")
    session.run(*PYTEST, *(f"--ignore=tests/test_{name}.py" for name in long), *session.posargs)


# The lowest versions that pyproject.toml admits, as far as they can be installed beside each other.
LOWEST = {
    "numpy strict jax dask": (
        "array-api-compat==1.10.0",
        "numpy==1.26.0; python_version < '3.13'",
        "numpy==2.1.0; python_version >= '3.13'",  # the first for it
        "numba==0.61.0",
        "jax==0.5.0",
        "jaxlib==0.5.0",
        "array-api-strict==2.4",
        "dask[array]==2024.8.0",
    ),
    # It wants an older ml_dtypes than JAX does.
    "tensorflow": ("array-api-compat==1.10.0", "numpy==1.26.0", "tensorflow-cpu==2.16.1"),
}


@on_oldest(name="tests-minimums")
@nox.parametrize("libraries", list(LOWEST), ids=[name.split()[0] for name in LOWEST])
def tests_minimums(session, libraries):
    """The lowest versions that pyproject.toml admits."""
    if libraries == "tensorflow" and not {"3.11", "3.12"} & PYTHONS.keys():
        session.skip("TensorFlow 2.16 needs Python 3.11 or 3.12, which were not found")
    install(session, "", *TEST, *LOWEST[libraries], pins=())
    # The named cases: what a version changes is what it can do, and each of JAX's geometries is compiled anew.
    files = ("tests/test_values.py", "tests/test_contract.py", "tests/test_vjp.py")
    for library in libraries.split():
        session.run(*PYTEST, "--library", library, "-k", "named or contract or vjp", *files, *session.posargs)


# The oldest PyTorch that pyproject.toml admits, and the newest. Not in plain `nox`: each has gigabytes of CUDA, and
# PyTorch 2.5.1 does not import without. Last run in part, not whole, on 2026-11-29.
@on_oldest(name="tests-torch-versions", default=False)
@nox.parametrize("torch", ["2.5.1", "2.14.1"])
def tests_torch_versions(session, torch):
    """The whole session of PyTorch on its oldest version and on its newest."""
    extras, *others = LIBRARIES["torch"]
    install(session, extras, *TEST, *others, f"torch=={torch}", pins=())
    session.run(*PYTEST, "--library", "torch", *session.posargs)


def tests_python(session):
    """NumPy and the standard alone on one version of Python, which changes little of what is tested here."""
    install(session, "numpy,strict,scipy", *TEST, "ml_dtypes")
    for library in ("numpy", "strict"):
        session.run(*PYTEST, "--library", library, *session.posargs)


for version, path in PYTHONS.items():
    nox.session(tests_python, name=f"tests-python-{version}", python=path, default=False)


# What an environment can hold beside each other, for the planted faults.
TOGETHER = {
    "numpy torch jax strict dask": ("numba,torch,jax,strict,dask,scipy", *TEST, "ml_dtypes"),
    "tensorflow": ("tensorflow", *TEST, "ml_dtypes"),
    "mxnet": None,
    "cupy": ("", *TEST, *CUPY),
}


@on_oldest(default=False)
@nox.parametrize("libraries", list(TOGETHER), ids=[name.split()[0] for name in TOGETHER])
def mutants(session, libraries):
    """Plant faults in a copy of the package, one at a time: the tests must see each. Words after -- choose some."""
    if libraries == "mxnet":
        install_tests(session, libraries)
    else:
        install(session, *TOGETHER[libraries])
    which = [word for name in libraries.split() for word in ("--library", name)]
    session.run("python", "tests/planted", *which, *session.posargs, env=QUICK_XLA)


EXPLAINED = 12  # mutants that survive because they mean the same


@on_oldest(default=False)
def mutation(session):
    """Change the plan and the arguments in every way that mutmut knows; docs/mutants.md explains what survives."""
    session.install(*PINS, *TEST, "numpy", "mutmut==3.8.1", ".")
    session.run("python", "-m", "mutmut", "run", *session.posargs)
    survivors = session.run("python", "-m", "mutmut", "results", silent=True)
    print(survivors)
    if survivors.count(": survived") > EXPLAINED:
        session.error(f"more mutants survive than the {EXPLAINED} that docs/mutants.md explains")


@on_oldest(default=False)
def bench(session):
    """Every layer on every library, beside its own op; words after -- are those of `python -m upconv bench`."""
    install(session, "bench,numba,torch,jax,tensorflow")
    words = session.posargs or ("--library", "all", "--verb", "all")
    session.run("python", "-P", "-m", "upconv", "bench", *words)


@nox.session
def lint(session):
    """Style, and nothing left unformatted."""
    session.install(*LEAN, *PINS, "ruff")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@on_oldest()
def types(session):
    """Strict types of the package, no library installed; and what two type checkers say of its uses."""
    install(session, "", "mypy", "basedpyright", *TEST, "numpy")
    session.run("mypy")
    session.run("pytest", "-q", "tests/test_typing.py")


@on_oldest()
def package(session):
    """Build both distributions, look into them, and install and call each in an environment with nothing else."""
    session.install(*LEAN, *PINS, "build", "pytest", "hypothesis", "numpy", "array-api-compat")
    out = Path(session.create_tmp()).resolve()
    session.run("python", "-m", "build", "--outdir", out, silent=True)
    looks = ("pytest", "-q", "tests/test_supply.py", "-k", "the_wheel or the_source")
    session.run(*looks, env={"UPCONV_DIST": str(out), "PYTHONPATH": "src"})
    for built in (*out.glob("*.whl"), *out.glob("*.tar.gz")):
        session.run("python", "-m", "venv", "--clear", out / "clean", silent=True)
        python = str(out / "clean" / ("Scripts" if os.name == "nt" else "bin") / "python")
        for installed, call in ((built, "import upconv"), ("numpy", CALL)):
            session.run(python, "-m", "pip", "install", "-q", *PINS, installed, external=True)
            session.run(python, "-P", "-c", call, external=True)


@on_oldest(default=False)
def pin(session):
    """Take the newest versions that work together, PyTorch's excepted, and write them to constraints.txt."""
    pins = Path("constraints.txt")
    torch = next(line for line in pins.read_text().splitlines() if line.startswith("torch=="))
    extras = ".[numba,torch,jax,tensorflow,dask,strict,demo,bench,plot,scipy]"
    tools = ("ruff", "mypy", "basedpyright", "build", "hatchling")
    session.install("--upgrade", torch, *TEST, *PROGRAMS, "ml_dtypes", *tools, extras)
    found = session.run("python", "-m", "pip", "freeze", "--exclude", "upconv", silent=True)
    lines = (line.partition("+")[0] for line in sorted(found.splitlines(), key=str.lower) if "==" in line)
    header = "# Written by `nox -s pin`; PyTorch's version is kept, see noxfile.py."
    pins.write_text("\n".join([header, *lines, ""]))
