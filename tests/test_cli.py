"""The commands, run in this process: what they print, what they save, and how they end."""
# ruff: noqa: E402  the commands import what may be missing

import re
from importlib import util
from pathlib import Path

import pytest

np = pytest.importorskip("numpy")
pytest.importorskip("rich", reason="the commands print with rich")
pytest.importorskip("matplotlib", reason="the demo draws with matplotlib")

from PIL import Image

from upconv import _calls
from upconv.__main__ import main
from upconv._cli import CommandError, advice, check, photo, pixels, present
from upconv._cli.arrays import Arrays
from upconv._cli.libraries import ARRAYS
from upconv._cli.oracle import reference
from upconv._cli.pixels import read
from upconv._cli.upsampling import Upsampling
from upconv._libraries import LIBRARIES, lowerings

INSTALLED = [row.name for row in LIBRARIES if util.find_spec(ARRAYS[row.name].module.partition(".")[0])]


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(check, "MOST", 3)
    monkeypatch.setattr(check, "LEAST", 3)


@pytest.fixture
def numpy_alone(once, monkeypatch):
    monkeypatch.setattr(present, "LIBRARIES", [row for row in LIBRARIES if row.name == "numpy"])


@pytest.fixture
def save(tmp_path):
    """Save a photograph of 12 by 9 pixels in a mode of Pillow's."""

    def save(mode="RGB", suffix="png"):
        pixels = np.random.default_rng(0).integers(0, 256, (9, 12, 4), dtype=np.uint8)
        path = tmp_path / f"photo.{suffix}"
        Image.fromarray(pixels).convert(mode).save(path)
        return str(path)

    return save


@pytest.fixture
def wrong(without_numba, monkeypatch):
    """Make NumPy's preferred lowering slightly wrong."""
    monkeypatch.setattr(_calls, "_CALLS", {})  # which remembers lowerings
    lowering = lowerings("numpy")["overlap_add"]
    right = lowering.conv_transpose

    def conv_transpose(*call):
        y = right(*call)
        return y + (abs(y) * 1e-2).astype(y.dtype)

    monkeypatch.setattr(lowering, "conv_transpose", conv_transpose)


def hide(monkeypatch, *names):
    find_spec = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name: None if name in names else find_spec(name))


def test_every_library_of_the_table_has_its_arrays():
    assert list(ARRAYS) == [row.name for row in LIBRARIES]


def test_demo_on_every_library(save, tmp_path, capsys):
    out = tmp_path / "out.png"
    assert main(["demo", save(), "--factor", "2", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("agrees") == len(INSTALLED)
    absent = [row.name for row in LIBRARIES if row.name not in INSTALLED]
    assert printed.count("Not installed") == bool(absent)
    assert f"Not installed: {', '.join(absent)}." in printed or not absent
    with Image.open(out) as picture:
        assert picture.size == (1800, 150 * (6 * (9 / 12 + 1 / 2) + 0.6))  # the detail is 2 by 1


@pytest.mark.usefixtures("numpy_alone")
@pytest.mark.parametrize("mode, suffix", [("L", "png"), ("RGBA", "png"), ("LA", "png"), ("P", "png"), ("L", "jpg")])
def test_demo_reads_other_images(save, tmp_path, mode, suffix):
    path = save(mode, suffix)
    pixels, remarks = read(path, 3)
    assert (pixels.shape, pixels.dtype, remarks) == ((3, 9, 12), np.float32, ())
    assert main(["demo", path, "--out", str(tmp_path / "out.png")]) == 0


def test_a_transparent_pixel_is_white_and_a_large_photograph_is_reduced(tmp_path):
    path = tmp_path / "photo.png"
    Image.new("RGBA", (3000, 2000)).save(path)
    pixels, (remark,) = read(path, 8)
    assert pixels.shape == (3, 250, 375)
    assert "reduced 8 times" in remark
    assert (pixels == 1).all()


@pytest.mark.parametrize("factor", [1, 2, 3, 8])
def test_the_photograph_is_interpolated_to_its_borders(factor):
    image = np.random.default_rng(0).random((3, 4, 5), dtype=np.float32)
    expected = image.astype(np.float64)
    for axis in (1, 2):  # numpy.interp is flat beyond the ends, as an edge that is replicated
        n = image.shape[axis]
        at = (np.arange(n * factor) + 0.5) / factor - 0.5
        expected = np.apply_along_axis(lambda line, at=at, n=n: np.interp(at, range(n), line), axis, expected)
    np.testing.assert_allclose(Upsampling(image, factor).expected.exact[0], expected, atol=1e-6)


def test_check_on_every_library(capsys):
    assert main(["check"]) == 0
    printed = capsys.readouterr().out
    rows = re.findall(r" (\d+) +(\d+) .*(agrees|not run)", printed)
    assert len(rows) == sum(len(row.algorithms) for row in LIBRARIES if row.name in INSTALLED)
    for cases, refused, verdict in rows:
        assert int(cases) + int(refused) == 3
        assert verdict == ("agrees" if int(cases) else "not run")


@pytest.mark.usefixtures("numpy_alone", "wrong")
def test_demo_names_what_disagrees(save, tmp_path, capsys):
    assert main(["demo", save(), "--out", str(tmp_path / "out.png")]) == 1
    assert re.search(r"numpy disagrees: .* units in the last place off the oracle", capsys.readouterr().out)


@pytest.mark.usefixtures("numpy_alone", "wrong")
def test_check_prints_a_program_that_makes_the_wrong_call(capsys):
    assert main(["check"]) == 1
    printed = capsys.readouterr().out
    assert "numpy, overlap_add: 3 of 3 wrong, the first: Wrong: " in printed
    assert "numpy, generic" not in printed
    exec(printed[printed.index("from upconv") :], {})
    assert capsys.readouterr().out


@pytest.mark.usefixtures("numpy_alone", "without_numba")
def test_a_lowering_that_raises_is_a_finding(save, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(_calls, "_CALLS", {})  # which remembers lowerings
    monkeypatch.setattr(lowerings("numpy")["overlap_add"], "conv_transpose", lambda *call: call.nothing)
    assert main(["demo", save(), "--out", str(tmp_path / "out.png")]) == 1
    assert main(["check"]) == 1
    printed = capsys.readouterr().out
    assert "numpy fails: AttributeError" in printed
    assert "numpy, overlap_add: 3 of 3 wrong, the first: AttributeError" in printed


def test_libraries_that_cannot_be_used_are_said_once(save, tmp_path, monkeypatch, capsys):
    class Broken(Arrays):
        def __init__(self):
            raise OSError("no such file: libbroken.so")

    hide(monkeypatch, *(ARRAYS[row.name].module.partition(".")[0] for row in LIBRARIES if row.name != "numpy"))
    monkeypatch.setitem(ARRAYS, "numpy", type("Broken", (Broken,), {"module": "numpy"}))
    for command in (["check"], ["demo", save(), "--out", str(tmp_path / "out.png")]):
        assert main(command) == 2
        printed, said = capsys.readouterr()
        assert "numpy: installed, but cannot be used: OSError: no such file: libbroken.so" in printed
        assert printed.count("broken.so") == printed.count("Not installed: torch, jax, ") == 1
        assert "agrees" not in printed
        assert said.startswith(f"upconv {command[0]}: nothing was ")


def test_what_a_command_needs_is_named(monkeypatch, capsys):
    hide(monkeypatch, "rich", "matplotlib")
    assert main(["check"]) == 2
    assert main(["demo"]) == 2
    assert capsys.readouterr().err == (
        'upconv check: needs rich: pip install "upconv[demo]"\n'
        'upconv demo: needs rich and matplotlib: pip install "upconv[demo]"\n'
    )


def test_files_that_cannot_be_read_or_written(save, tmp_path, capsys):
    (tmp_path / "text.png").write_text("text")
    assert main(["demo", str(tmp_path / "text.png")]) == 2
    assert main(["demo", str(tmp_path / "none.png")]) == 2
    assert main(["demo", save(), "--out", str(tmp_path / "none" / "out.png")]) == 2
    lines = capsys.readouterr().err.splitlines()
    for line, fault in zip(lines, ("text.png as an image", "none.png as an image", "there is no folder"), strict=True):
        assert line.startswith("upconv demo: ")
        assert fault in line


def test_a_picture_that_cannot_be_written(tmp_path):
    small, path = np.zeros((3, 8, 8)), tmp_path / "gone" / "out.png"
    for write in (lambda: photo.draw(small, np.zeros((3, 16, 16)), 2, path), lambda: photo.save(small, path)):
        with pytest.raises(CommandError, match=f"cannot write {path}: "):
            write()


def test_an_interrupt_ends_quietly(monkeypatch, capsys):
    def interrupt(library):
        raise KeyboardInterrupt

    monkeypatch.setattr(present, "load", interrupt)
    assert main(["check"]) == 130
    assert capsys.readouterr().err == "upconv check: interrupted\n"


def test_usage(capsys):
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("usage: python -m upconv")
    for arguments, code in ((["--help"], 0), (["--version"], 0), (["bake"], 2), (["demo", "--factor", "0"], 2)):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == code


def test_the_oracle_adds_grows_and_crops():
    x, weight = np.asarray([[[1, 2, 3]]]), np.asarray([[[1, 10]]])
    made = {"stride": (2,), "dilation": (3,), "groups": 1}
    assert reference(x, weight, padding=((0, 0),), **made).exact.tolist() == [[[1, 0, 2, 10, 3, 20, 0, 30]]]
    assert reference(x, weight, padding=((2, -1),), **made).exact.tolist() == [[[2, 10, 3, 20, 0, 30, 0]]]
    assert reference(x, weight, padding=((9, -3),), **made).exact.tolist() == [[[0, 0]]]


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128", "float16", "bfloat16"])
def test_the_oracle_takes_rounding_and_no_more(dtype):
    x, weight = np.full((1, 2, 3), 0.5, "float32"), np.full((2, 1, 1), 0.5, "float32")
    expected = reference(x, weight, stride=(2,), padding=((0, 0),), dilation=(1,), groups=1)
    tolerance = expected.tolerance(dtype)
    assert expected.agrees(expected.exact + tolerance, dtype)
    assert not expected.agrees(expected.exact + 2 * tolerance + 1e-30 * (tolerance == 0), dtype)
    assert not expected.agrees(expected.exact * np.nan, dtype)


def test_nothing_to_compare(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(present, "LIBRARIES", [])
    assert main(["check"]) == 2
    assert "nothing was checked: no library that can be used here ran a case" in capsys.readouterr().err
    assert main(["demo"]) == 2
    assert "nothing was upsampled: no library can be used here" in capsys.readouterr().err


def refused_output(capsys, *words):
    assert main(["demo", *map(str, words)]) == 2
    said = capsys.readouterr()
    assert said.out == ""  # before the work
    assert said.err.count("\n") == 1
    return said.err


@pytest.mark.usefixtures("numpy_alone")
def test_the_photograph_is_never_overwritten(save, tmp_path, capsys, monkeypatch):
    path = Path(save())
    before = path.read_bytes()
    (tmp_path / "link.png").symlink_to(path)
    (tmp_path / "twin.png").hardlink_to(path)
    monkeypatch.chdir(tmp_path)
    for out in (path, path.name, "link.png", "twin.png", tmp_path / "." / path.name):
        for option in ("--out", "--image"):
            assert f"`{option} {out}` would overwrite" in refused_output(capsys, path, option, out)
    assert "would overwrite" in refused_output(capsys, path, "--out", "a.png", "--image", "a.png")
    assert path.read_bytes() == before


@pytest.mark.usefixtures("numpy_alone")
def test_what_cannot_be_written_is_said_before_the_work(save, tmp_path, capsys):
    path = save()
    for out, told in (
        (tmp_path / "a.gif", "has the suffix .gif: use one of .png, "),
        (tmp_path / "a", "has no suffix: use one of .png, "),
        (tmp_path / "no folder" / "a.png", "cannot be written: there is no folder"),
        (tmp_path / ("a" * 300 + ".png"), "cannot be written: "),
        (tmp_path, "is a folder: name a file in it"),
    ):
        assert told in refused_output(capsys, path, "--out", out)
    assert sorted(tmp_path.iterdir()) == [Path(path)]


@pytest.mark.usefixtures("numpy_alone")
def test_the_upsampled_image_alone(save, tmp_path):
    image = tmp_path / "large.tiff"
    assert main(["demo", save(), "--factor", "3", "--out", str(tmp_path / "out.pdf"), "--image", str(image)]) == 0
    with Image.open(image) as found:
        assert (found.size, found.mode, found.format) == ((36, 27), "RGB", "TIFF")
    assert (tmp_path / "out.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("high, dtype", [(1.0, "float32"), (0.5, "float32"), (300.0, "float32"), (65535, "uint16")])
def test_grey_values_of_more_than_8_bits(tmp_path, high, dtype):
    values = (np.linspace(0, 1, 35).reshape(5, 7) * high).astype(dtype)
    path = tmp_path / "grey.tiff"
    Image.fromarray(values).save(path)
    found, remarks = pixels.read(path, 2)
    assert bool(remarks) == (high == 300)
    expected = values / (high if dtype == "uint16" or high > 1 else 1)
    np.testing.assert_allclose(found, np.stack([expected] * 3), atol=1e-5)


@pytest.mark.usefixtures("once")
def test_advice_does_no_harm(monkeypatch):
    monkeypatch.setattr(advice, "_has_gpu", lambda: False)
    told = advice.install(["torch", "jax", "mxnet", "cupy", "dask"])
    assert 'pip install "upconv[jax,dask]"' in told
    assert "gigabytes of CUDA" in told
    assert "mxnet only in an environment of its own" in told
    assert "[cupy]" not in told
    assert "\n" not in told
    monkeypatch.setattr(advice, "_has_gpu", lambda: True)
    assert "[cupy]" in advice.install(["mxnet", "cupy"])
    assert "pip" not in advice.install(["torch", "jax"])  # beside MXNet, which holds NumPy back
    assert advice.install([]) == ""


@pytest.mark.usefixtures("once")
def test_advice_on_speed(monkeypatch):
    monkeypatch.setattr(advice.util, "find_spec", lambda name: None)
    assert "Without numba and threadpoolctl" in advice.faster(["numpy"])
    assert advice.faster(["jax"]) == ""
    monkeypatch.setattr(advice.util, "find_spec", lambda name: name)
    assert advice.faster(["numpy", "torch"]) == ""


@pytest.mark.usefixtures("numpy_alone")
def test_an_algorithm_without_a_case_was_not_run(monkeypatch, capsys):
    lowering = lowerings("numpy")["fft"]
    monkeypatch.setattr(lowering, "refusal", lambda plan, x: "a call of this test")
    monkeypatch.setattr(_calls, "_CALLS", {})
    assert main(["check"]) == 0
    printed = capsys.readouterr().out
    (row,) = (line for line in printed.splitlines() if " fft " in line)
    assert "not run" in row
    assert "agrees" not in row
    assert "numpy, fft: not run, because it does not take a call of this test" in printed
