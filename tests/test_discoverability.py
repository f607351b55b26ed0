"""What a person finds without the README: names by completion, types of every argument, and help for each call."""

import copy
import inspect
import pickle
import pydoc
import subprocess
import sys
import typing

import pytest

import upconv
from refusals import refused
from upconv import _typedefs
from upconv._libraries import LIBRARIES

pytestmark = pytest.mark.usefixtures("once")
PUBLIC = [name for name in upconv.__all__ if name != "__version__"]
RANKED = [(f"{verb}{rank}d", rank) for verb in ("conv_transpose", "conv") for rank in (1, 2, 3)]
SECTIONS = ("Parameters", "Returns", "Raises", "See Also", "Examples")


def run(code, *flags):
    return subprocess.run([sys.executable, *flags, "-c", code], capture_output=True, text=True, check=True).stdout


def test_dir_lists_the_public_names():
    assert run("import upconv; print(dir(upconv) == upconv.__all__)") == "True\n"
    assert run("import upconv; upconv.diagram, upconv.as_matrix; print(dir(upconv) == upconv.__all__)") == "True\n"


def test_star_import_agrees():
    code = "before = {*dir(), 'before'}; from upconv import *; found = {*dir()} - before; import upconv; "
    assert run(f"{code}print(found == set(upconv.__all__))") == "True\n"


def test_no_other_name_is_found():
    with refused(AttributeError, match="module 'upconv' has no attribute 'conv4d'"):
        _ = upconv.conv4d
    with refused(AttributeError, match=r"module 'upconv\._types' has no attribute 'Sizes'"):
        _ = upconv._types.Sizes
    with refused(AttributeError, match=r"module 'upconv\._typedefs' has no attribute 'Axes'"):
        _ = _typedefs.Axes


def methods():
    yield from ((name, getattr(upconv, name)) for name in PUBLIC)
    for name, function in vars(upconv.Explanation).items():
        if inspect.isfunction(function):
            yield f"Explanation.{name}", function


@pytest.mark.parametrize("function", [pytest.param(function, id=name) for name, function in methods()])
def test_types_of_every_argument(function):
    hints = typing.get_type_hints(function)
    if inspect.isfunction(function):
        named = {one.name for one in inspect.signature(function).parameters.values()} - {"self"}
        assert set(hints) == named | {"return"}
    else:
        assert set(hints) == set(function._fields)


def test_types_without_matplotlib():
    code = "import sys, typing; sys.modules['matplotlib'] = None; import upconv; "
    assert "Any" in run(f"{code}print(typing.get_type_hints(upconv.diagram)['return'])")


def test_import_brings_no_typing():
    # Without the site's own imports, which may bring it.
    code = f"import sys; sys.path[:0] = {sys.path!r}; import upconv; print('typing' in sys.modules)"
    assert run(code, "-S") == "False\n"


def test_algorithms_are_those_of_the_table():
    named = typing.get_args(_typedefs.Algorithm)
    assert set(named) == {"auto"}.union(*(library.algorithms for library in LIBRARIES))
    assert list(named) == ["auto", *sorted(named[1:])]


def test_words_are_those_that_calls_take():
    for word in typing.get_args(_typedefs.DataFormat):
        assert (
            len(upconv.output_shape((2, 3, 5), (3, 4, 2) if word == "channels_first" else (5, 4, 2), data_format=word))
            == 3
        )
    literal = next(part for part in typing.get_args(_typedefs.Padding) if typing.get_origin(part) is typing.Literal)
    assert set(typing.get_args(literal)) == {"same", "valid"}
    for word in typing.get_args(literal):
        assert upconv.output_shape((2, 3, 5), (3, 4, 2), padding=word)


@pytest.mark.parametrize("name, rank", RANKED)
def test_calls_of_one_rank_have_all_sections(name, rank):
    text = inspect.getdoc(getattr(upconv, name))
    at = [text.index(f"\n{section}\n{'-' * len(section)}\n") for section in SECTIONS]
    assert at == sorted(at)
    assert [text.count(f"\n{section}\n-") for section in SECTIONS] == [1] * len(SECTIONS)
    shape = ", ".join("DHW"[3 - rank :]) if rank > 1 else "L"
    assert f"x : array, shape (N, C_in, {shape}) or (C_in, {shape})" in text
    assert r"\*" not in text.partition("Parameters")[2].replace(r"\\", "")
    assert "per axis, default 1" not in text
    arguments = text.partition("Parameters\n")[2].partition("Returns\n")[0]
    for argument in inspect.signature(getattr(upconv, name)).parameters:
        assert f"\n{argument} : " in arguments
    assert f"upconv.{name}(" in text.partition("Examples\n")[2]


@pytest.mark.parametrize("name", PUBLIC)
def test_help_and_copies(name):
    function = getattr(upconv, name)
    assert name in pydoc.render_doc(function, renderer=pydoc.plaintext)
    assert copy.deepcopy(function) is function
    assert pickle.loads(pickle.dumps(function)) is function


def test_help_of_the_package():
    text = pydoc.render_doc(upconv, renderer=pydoc.plaintext)
    assert all(f"    {name}(" in text or f"class {name}(" in text for name in PUBLIC)


def test_no_docstrings_are_needed():
    code = "import upconv; print(upconv.conv2d.__doc__, upconv.conv_transpose3d.__doc__)"
    assert run(code, "-OO") == "None None\n"
