"""One session for each library, so that none is tested in the presence of another; and what keeps the code in shape.

`nox` runs everything that a change must pass; `nox -s tests-torch` one session; `nox -s bench` measures;
`nox -s mutants` plants faults that the tests must see, and `nox -s mutation` very many small ones;
`nox -s pin` refreshes constraints.txt.
"""

from pathlib import Path

import nox

nox.options.default_venv_backend = "virtualenv"
# tests-mxnet names its Python; where that one is missing, it is passed over with a word.
nox.options.error_on_missing_interpreters = False
nox.needs_version = ">=2024.4"

# Versions for every session stand in one file, so that a run today is the run of tomorrow. PyTorch among them: left to
# itself, pip may take a build with gigabytes of CUDA where one for a CPU is meant.
PINS = ("-c", "constraints.txt")
TEST = ("pytest", "pytest-xdist", "hypothesis")
PROGRAMS = ("optax", "scikit-image")  # an optimiser, and photographs: for the examples alone
PYTEST = ("pytest", "-n", "2", "--dist", "worksteal", "-q")  # no worker waits for the other's long tests

# What a session installs beside the library's own extra, and why.
LIBRARIES = {
    # bfloat16; a second library to mix with; demo and check; pictures
    "numpy": ("ml_dtypes", "array-api-strict", ".[demo,plot,scipy]"),
    "strict": (),
    "torch": (".[demo]", "ml_dtypes"),  # bfloat16 in the dry run of benchmarks/gpu.py
    "jax": (".[demo]",),
    "tensorflow": (".[demo]",),
    "dask": (),
}


# Nearly all of JAX's session is XLA compiling small programs; without optimisation it takes less than half of the
# time: 2.8 minutes for 7 (2 cores, JAX 0.10.2). What the programs say is the same. XLA ends the process at a flag that
# it does not know, so these belong to the version in constraints.txt.
QUICK_XLA = {
    "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true "
    "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
}


def tests(session, library):
    """Run the shared matrix on the arrays of one library, each algorithm that it has."""
    session.install(*PINS, *TEST, "numpy", f".[{library}]", *LIBRARIES[library])
    run = (*PYTEST, "--library", library, *session.posargs)
    session.run(*run, env=QUICK_XLA if library == "jax" else {})
    if library == "jax" and not session.posargs:  # and once as XLA compiles for everyone
        session.run(*run, "tests/test_jax.py")


for name in LIBRARIES:
    nox.session(lambda session, name=name: tests(session, name), name=f"tests-{name}")


MXNET = ("pytest==9.2.0", "pytest-xdist==3.8.0", "hypothesis==6.170.15", "numpy==1.23.5", ".[mxnet]")
# Not the extra, whose toolkit has gigabytes: CuPy itself for its binding of the compiler, and the compiler.
CUPY = ("numpy", "ml_dtypes", "cupy-cuda13x==14.2.0", "nvidia-cuda-nvrtc==13.0.88", ".")


@nox.session(name="tests-mxnet", python="3.11")
def tests_mxnet(session):
    """MXNet's last release wants an older NumPy than constraints.txt has, and the last Python with distutils."""
    session.install(*MXNET)
    session.run(*PYTEST, "--library", "mxnet", *session.posargs)


@nox.session(name="tests-cupy")
def tests_cupy(session):
    """No GPU is needed: the CUDA text runs on the CPU, and is compiled for every chip."""
    session.install(*PINS, *TEST, *CUPY)
    session.run(*PYTEST, "--library", "cupy", *session.posargs)


@nox.session
def examples(session):
    """The programs that compare libraries: the one session with three frameworks in it."""
    extras = ".[jax,torch,tensorflow,demo,scipy]"
    session.install(*PINS, *TEST, *PROGRAMS, extras)
    session.run(*PYTEST, "tests/test_examples.py", *session.posargs)


@nox.session(name="tests-bare")
def tests_bare(session):
    """NumPy and nothing else: whatever is optional must be missed with a reason."""
    session.install(*PINS, "pytest", "pytest-xdist", "hypothesis", "numpy", ".")
    # Without the two longest, which need nothing that is optional: they ran in tests-numpy.
    long = ("--ignore=tests/test_adjoint.py", "--ignore=tests/test_tiles.py")
    session.run(*PYTEST, *long, *session.posargs)


@nox.session(name="tests-minimums")
def tests_minimums(session):
    """The lowest versions that pyproject.toml admits, as far as they can be installed beside each other."""
    lowest = [
        "array-api-compat==1.10.0",
        "numpy==1.26.0",
        "jax==0.5.0",
        "jaxlib==0.5.0",
        "array-api-strict==2.4",
        "dask[array]==2024.8.0",
    ]
    session.install(*TEST, *lowest, ".")
    # The named cases: what a version changes is what it can do, and each of JAX's geometries is compiled anew.
    files = ("tests/test_values.py", "tests/test_contract.py", "tests/test_vjp.py")
    for library in ("numpy", "strict", "jax", "dask"):
        session.run(*PYTEST, "--library", library, "-k", "named or contract or vjp", *files, *session.posargs)


# What an environment can hold beside each other, for the planted faults.
TOGETHER = {
    "numpy torch jax strict dask": (*PINS, *TEST, "ml_dtypes", ".[numpy,torch,jax,strict,dask,scipy]"),
    "tensorflow": (*PINS, *TEST, "ml_dtypes", ".[tensorflow]"),
    "mxnet": MXNET,
    "cupy": (*PINS, *TEST, *CUPY),
}


@nox.session(python="3.11", default=False)
@nox.parametrize("libraries", list(TOGETHER), ids=[name.split()[0] for name in TOGETHER])
def mutants(session, libraries):
    """Plant faults in a copy of the package, one at a time: the tests must see each. Words after -- choose some."""
    session.install(*TOGETHER[libraries])
    which = [word for name in libraries.split() for word in ("--library", name)]
    session.run("python", "tests/planted", *which, *session.posargs, env=QUICK_XLA)


EXPLAINED = 12  # mutants that survive because they mean the same


@nox.session(python="3.11", default=False)
def mutation(session):
    """Change the plan and the arguments in every way that mutmut knows; docs/mutants.md explains what survives."""
    session.install(*PINS, *TEST, "numpy", "mutmut==3.8.1", ".")
    session.run("python", "-m", "mutmut", "run", *session.posargs)
    survivors = session.run("python", "-m", "mutmut", "results", silent=True)
    print(survivors)
    if survivors.count(": survived") > EXPLAINED:
        session.error(f"more mutants survive than the {EXPLAINED} that docs/mutants.md explains")


@nox.session(default=False)
def bench(session):
    """Every layer on every library, beside its own op; words after -- are those of `python -m upconv bench`."""
    session.install(*PINS, ".[bench,numpy,torch,jax,tensorflow]")
    words = session.posargs or ("--library", "all", "--verb", "all")
    session.run("python", "-P", "-m", "upconv", "bench", *words)


@nox.session
def lint(session):
    """Style, and nothing left unformatted."""
    session.install(*PINS, "ruff")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session):
    """Strict types of the package, no library installed."""
    session.install(*PINS, "mypy", ".")
    session.run("mypy")


@nox.session
def package(session):
    """Build both distributions, install the wheel alone, and call it."""
    session.install(*PINS, "build", "numpy")
    out = session.create_tmp()
    session.run("python", "-m", "build", "--outdir", out, silent=True)
    session.install(*PINS, "--no-index", "--find-links", out, "--no-deps", "--force-reinstall", "upconv")
    session.install(*PINS, "array-api-compat")
    session.run("python", "-P", "-c", "import numpy, upconv; upconv.conv_transpose1d(*[numpy.ones((1, 1, 2))] * 2)")


@nox.session(default=False)
def pin(session):
    """Take the newest versions that work together, PyTorch's excepted, and write them to constraints.txt."""
    pins = Path("constraints.txt")
    torch = next(line for line in pins.read_text().splitlines() if line.startswith("torch=="))
    extras = ".[numpy,torch,jax,tensorflow,dask,strict,demo,bench,plot,scipy]"
    session.install("--upgrade", torch, *TEST, *PROGRAMS, "ml_dtypes", "ruff", "mypy", "build", "hatchling", extras)
    found = session.run("python", "-m", "pip", "freeze", "--exclude", "upconv", silent=True)
    lines = (line.partition("+")[0] for line in sorted(found.splitlines(), key=str.lower) if "==" in line)
    header = "# Written by `nox -s pin`; PyTorch's version is kept, see noxfile.py."
    pins.write_text("\n".join([header, *lines, ""]))
