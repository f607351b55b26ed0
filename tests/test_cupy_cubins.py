"""NVRTC compiles every specialisation for every chip, and no register of it spills into memory. No device is asked."""

from collections import defaultdict

import pytest

from cuda_on_cpu.cubins import CHIPS, build, name


@pytest.fixture
def compiler(library):
    if library.name != "cupy":
        pytest.skip("the CUDA kernel is tested in the session of cupy")
    nvrtc = pytest.importorskip("cupy_backends.cuda.libs.nvrtc", reason="CuPy's binding of NVRTC is not installed")
    try:
        nvrtc.getVersion()
    except (RuntimeError, AttributeError) as error:
        pytest.skip(f"NVRTC is not here: {error}")


# Every other chip, the oldest and the newest among them: all of them take two minutes more. `cubins.py` asks all.
SOME = CHIPS[::2]


@pytest.mark.parametrize("dtype", ["F32", "TF32", "F16", "BF16", "F64", "C64", "C128"])
@pytest.mark.parametrize("chip", SOME)
def test_compiles_without_a_spill(chip, dtype, compiler, record_property):
    from cuda_on_cpu.forms import specs

    ours = [spec for spec in specs(chip) if dict(spec.macros)["DTYPE"] == dtype]
    assert ours or (dtype, chip) == ("TF32", 75)
    registers = defaultdict(list)
    for spec in ours:
        use = build(spec, chip)
        assert use.spilled == 0, f"{name(spec)} on sm_{chip}: {use}"
        registers[spec.kernel].append(use.registers)
    used = ", ".join(f"{kernel} {min(n)} to {max(n)}" for kernel, n in registers.items())
    record_property("registers", f"sm_{chip:<4} {dtype:5} {used}")
