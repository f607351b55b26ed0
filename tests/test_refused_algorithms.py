"""What an algorithm says against a call, by its text; and every such sentence of a library's lowerings is said here."""

import ast
import re
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

import upconv
from refusals import PACKAGE, refused

LINE = {"x": (1, 4, 3), "weight": (4, 2, 3)}
EMPTY = {"x": (1, 4, 0), "weight": (4, 2, 3)}
FOUR = {"x": (1, 2, 2, 2, 2, 2), "weight": (2, 2, 1, 1, 1, 2)}
BEYOND = {"x": (1, 2, 3), "weight": (2, 2, 1), "dilation": 2**31}
STRIDE = {"x": (1, 2, 1), "weight": (2, 2, 3), "stride": 2**31}
FAR = LINE | {"stride": 2**30, "padding": ((2**30 - 1, 0),), "output_size": 5}
BOTH = LINE | {"stride": 2**30, "dilation": 2**30, "padding": ((2**30 - 1, 0),), "output_size": 5}
WORDS = "a stride or a crop far beyond the output: .* samples would be laid out for 5"
BITS = "numbers beyond 32 bits: "

# Algorithm, call, text. A call is a legal one with what is changed: shapes, dtype, verb and words.
ROWS = {
    "numpy": [
        ("loops", LINE | {"dtype": "float16"}, "float16: it is compiled for float32 and float64"),
        ("loops", FOUR, "4 spatial axes: its loops are 3 deep"),
        ("loops", BEYOND, BITS),
        ("direct", LINE | {"dtype": "float16"}, "float16: it is compiled for float32 and float64"),
        ("direct", EMPTY | {"output_size": 0}, "nothing to multiply; use 'auto' or 'generic'"),
        ("direct", BOTH, WORDS),
        ("direct", {"x": (1, 64, 3, 3), "weight": (64, 1, 300, 300)}, "a kernel so long that what it reaches"),
        ("sub_pixel", EMPTY | {"output_size": 0}, "nothing to multiply; use 'auto' or 'generic'"),
        ("sub_pixel", BOTH, WORDS),
        ("overlap_add", BOTH, WORDS),
        ("fft", LINE | {"dtype": "int32"}, "integers: they must be exact"),
        ("fft", LINE | {"dtype": "longdouble"}, "long doubles: it computes in double precision"),
        ("fft", LINE | {"verb": "conv"}, "conv: it computes transposed convolutions alone"),
    ],
    "torch": [
        ("direct", LINE | {"dtype": "complex64"}, "torch.complex64: it is for real floating numbers"),
        ("native", FOUR, "4 spatial axes: PyTorch's op has at most 3"),
        ("native", EMPTY, "an empty image: PyTorch's op has none"),
        ("native", BEYOND, BITS),
        ("native", FAR, WORDS),
        ("overlap_add", FAR, WORDS),
        ("native", LINE | {"dtype": "int32"}, "torch.int32 on cpu: PyTorch's op has no kernel for it"),
        (
            "native",
            LINE | {"dtype": "complex64", "verb": "conv_weight"},
            "torch.complex64: the backward of PyTorch's op",
        ),
        ("overlap_add", LINE | {"dtype": "complex64"}, "torch.complex64: it is for real floating numbers"),
    ],
    "jax": [
        ("overlap_add", EMPTY, "an empty image: there is nothing to multiply"),
        ("overlap_add", FAR, WORDS),
        ("overlap_add", {"x": (1, 2, 200), "weight": (2, 2, 200)}, "a kernel of 200 shifts: each is an operation"),
        ("sub_pixel", LINE | {"stride": 2, "dilation": 2}, "stride and dilation on one axis: its phases would"),
        ("native", LINE | {"groups": 2}, "groups: jax.lax.conv_transpose has none"),
        ("native", LINE | {"dtype": "int32", "verb": "conv"}, "int32: JAX transposes no function of integers"),
        *(
            (algorithm, *row)
            for algorithm in ("sub_pixel", "native", "lhs_dilation")
            for row in ((EMPTY, "an empty image: XLA sizes it otherwise"), (STRIDE, BITS), (FAR, WORDS))
        ),
    ],
    "tensorflow": [
        ("native", FOUR, "4 spatial axes: TensorFlow's ops have at most 3"),
        ("native", LINE | {"groups": 2}, "groups: TensorFlow's ops have none"),
        ("native", LINE | {"dilation": 2}, "dilation: TensorFlow's kernels for CPUs have none"),
        ("native", EMPTY, "an empty image: TensorFlow's ops refuse or size it otherwise"),
        ("native", STRIDE, BITS),
        ("native", FAR, WORDS),
        ("native", LINE | {"dtype": "int32"}, "int32: TensorFlow's ops are for real floating numbers"),
        ("native", LINE | {"verb": "conv"}, "conv: it computes transposed convolutions alone"),
    ],
    "mxnet": [
        ("native", EMPTY, "an empty image or batch: MXNet's op has none"),
        ("native", LINE | {"x": (0, 4, 3)}, "an empty image or batch: MXNet's op has none"),
        ("native", LINE | {"dtype": "int32"}, "int32: MXNet's op has no kernel for integers"),
        ("native", LINE | {"stride": 2, "dilation": 2}, "stride and dilation on one axis: MXNet's op gives wrong"),
        ("native", STRIDE, BITS),
        ("native", FAR, WORDS),
        ("native", LINE | {"dilation": 3, "output_padding": 2}, "an output_padding that is not below the stride"),
        ("native", FOUR, "4 spatial axes: MXNet's op has at most 3"),
        ("native", {"x": (1, 1, 2, 2, 2), "weight": (1, 1, 1, 1, 2), "dilation": 2}, "dilation on 3 spatial axes"),
        ("native", {"x": (1, 1, 2, 2, 2), "weight": (1, 1, 1, 1, 2), "records": True}, "3 spatial axes where autograd"),
        ("native", {"x": (1, 1, 2, 2, 2), "weight": (1, 1, 1, 1, 2)}, "float64 on 3 spatial axes: MXNet's op has them"),
        ("generic", FOUR, "4 spatial axes: MXNet slices arrays of at most 5 axes$"),
        ("auto", FOUR, "4 spatial axes: MXNet slices arrays of at most 5 axes$"),
        ("native", LINE | {"verb": "conv"}, "conv: it computes transposed convolutions alone"),
    ],
}
# What no machine that runs these tests can be made to say.
NOT_HERE = {
    "an array on {x.device.type}: it is for a CPU": "PyTorch has no other device here that computes",
    "a call without Numba, which is not installed: pip install 'upconv[numba]'": "said in test_torch_direct.py",
}


def arrays(plain, verb, x, weight, dtype):
    """The operands of a verb that have the plan of a transposed convolution of these shapes."""
    x, weight = plain.make(np.ones(x, dtype)), plain.make(np.ones(weight, dtype))
    if verb == "conv_transpose":
        return x, weight
    y = plain.make(np.ones((1, 2, 5), dtype))
    return (y, weight) if verb == "conv" else (x, y, (3,))


def test_what_an_algorithm_says(plain, library):
    if library.name not in ROWS:
        pytest.skip(f"every algorithm of {library.name} takes every call, or needs a GPU to be asked")
    said = []
    for algorithm, call, text in ROWS[library.name]:
        words = {"verb": "conv_transpose", "dtype": "float64", "records": False} | call
        verb, dtype, records = (words.pop(name) for name in ("verb", "dtype", "records"))
        operands = arrays(plain, verb, words.pop("x"), words.pop("weight"), dtype)
        with recording() if records else nullcontext(), refused(ValueError, f"does not take {text}") as caught:
            getattr(upconv, verb)(*operands, **words, algorithm=algorithm)
        said.append(str(caught.value))
    folder = PACKAGE / "_lower" / f"_{library.name}"
    missed = [
        sentence
        for path in (*folder.glob("*.py"), PACKAGE / "_plan.py")
        for sentence, pattern in sentences(path)
        if sentence not in NOT_HERE and not any(re.search(pattern, words) for words in said)
    ]
    assert not missed


def recording():
    import mxnet as mx

    return mx.autograd.record()


def sentences(path):
    """What the functions that refuse return, but for nothing: the words, and a pattern with gaps for its values."""
    for function in ast.walk(ast.parse(Path(path).read_text())):
        if isinstance(function, ast.FunctionDef) and re.match("_?refus|unfit|limits|_far", function.name):
            for node in ast.walk(function):
                if isinstance(node, ast.Return):
                    yield from pieces(node.value)


def pieces(value):
    if isinstance(value, ast.IfExp):
        yield from (*pieces(value.body), *pieces(value.orelse))
    elif isinstance(value, ast.BoolOp):
        for part in value.values:
            yield from pieces(part)
    elif isinstance(value, ast.Constant) and value.value:
        yield value.value, re.escape(value.value)
    elif isinstance(value, ast.JoinedStr):
        literal = [part.value if isinstance(part, ast.Constant) else None for part in value.values]
        yield ast.unparse(value)[2:-1], ".*".join(".*" if part is None else re.escape(part) for part in literal)


def test_a_sentence_that_no_test_hears_is_seen():
    found = [sentence for sentence, _ in sentences(PACKAGE / "_lower" / "_torch" / "_own.py")]
    assert "an empty image: PyTorch's op has none" in found
    assert any("spatial axes: PyTorch's op" in sentence for sentence in found)
