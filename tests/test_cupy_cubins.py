"""NVRTC compiles every specialisation, and no register of it spills into memory. No device is asked."""

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


def in_turn():
    """Each specialisation with one chip, all chips in turn: all with all take five minutes, and are `nox -s cubins`."""
    from cuda_on_cpu.forms import specs

    for turn, spec in enumerate(dict.fromkeys(spec for chip in CHIPS for spec in specs(chip))):
        chips = [chip for chip in CHIPS if spec in specs(chip)]
        yield spec, chips[turn % len(chips)]


@pytest.mark.parametrize("dtype", ["F32", "TF32", "F16", "BF16", "F64", "C64", "C128"])
def test_compiles_without_a_spill(dtype, compiler, record_property):
    ours = [(spec, chip) for spec, chip in in_turn() if dict(spec.macros)["DTYPE"] == dtype]
    assert ours
    for spec, chip in ours:
        use = build(spec, chip)
        assert use.spilled == 0, f"{name(spec)} on sm_{chip}: {use}"
        record_property("registers", f"{name(spec):32} sm_{chip:<4} {use.registers}")


def test_every_chip_has_its_turn(compiler):
    assert {chip for _, chip in in_turn()} == set(CHIPS)
