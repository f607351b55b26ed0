"""The same call to the library's own op gives the same result: every algorithm, in that op's own words."""

import numpy as np
import pytest

import upconv
from cases import LAYERS
from natives import (
    gluon_layer,
    jax_adjoint,
    keras_layer,
    largest_difference,
    lax_pairs,
    lax_word,
    tf_op,
    torch_functional,
    torch_module,
)

pytestmark = pytest.mark.value


@pytest.fixture
def draw(plain):
    rng = np.random.default_rng(7)
    return lambda *shape: plain.make(rng.standard_normal(shape))


@pytest.fixture
def needs(library):
    def skip_unless(name):
        if library.name != name:
            pytest.skip(f"{library.name} has no op of this kind: compared in the session of {name}")

    return skip_unless


@pytest.mark.parametrize(
    "x, weight, bias, arguments",
    [
        ((2, 3, 7), (3, 4, 5), True, (3, 2, 1, 1, 1)),
        ((2, 4, 4, 5), (4, 3, 3, 2), True, ((2, 3), (1, 0), (1, 2), 2, 1)),
        ((1, 3, 4, 5), (3, 2, 3, 4), False, ((2, 3), (2, 3), (2, 1), 1, (3, 2))),
        ((4, 3, 5), (4, 2, 2, 3), True, (2, (0, 1), 0, 1, 1)),
        ((1, 4, 3, 2, 4), (4, 1, 2, 3, 1), True, ((2, 1, 3), (1, 1, 0), (1, 0, 2), 4, (1, 2, 1))),
        ((0, 3, 4, 5), (3, 2, 3, 4), True, (2, 1, 1, 1, 1)),
    ],
)
def test_torch_functional(needs, draw, algorithm, x, weight, bias, arguments):
    needs("torch")
    x, weight = draw(*x), draw(*weight)
    bias = draw(weight.shape[1] * arguments[3]) if bias else None
    batched = x if x.ndim == weight.ndim else x[None]
    theirs, arguments = torch_functional(batched, weight, bias, *arguments)
    ours = upconv.conv_transpose(x, weight, bias, *arguments, algorithm=algorithm)
    assert largest_difference(ours, theirs if batched is x else theirs[0]) < 1e-13


@pytest.mark.parametrize("extra", [(0, 0), (1, 0), (1, 2)])
def test_torch_module_with_an_output_size(needs, draw, algorithm, extra):
    needs("torch")
    x, weight, bias = draw(1, 3, 4, 5), draw(3, 2, 3, 4), draw(2)
    size = (3 * 2 + 3 - 2 + extra[0], 4 * 3 + 4 - 2 + extra[1])
    theirs = torch_module(x, weight, bias, (2, 3), 1, size)
    ours = upconv.conv_transpose2d(x, weight, bias, (2, 3), 1, output_size=size, algorithm=algorithm)
    assert largest_difference(ours, theirs) < 1e-13


@pytest.mark.parametrize("word", ["same", "valid"])
@pytest.mark.parametrize("kernel", [(3, 4), (1, 2), (5, 2)])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 3)])
def test_lax_words(needs, draw, algorithm, word, kernel, dilation):
    needs("jax")
    x, weight = draw(2, 3, 4, 5), draw(3, 2, *kernel)
    if algorithm == "sub_pixel" and dilation != (1, 1):
        pytest.skip("sub_pixel takes no stride and dilation on one axis")
    theirs = lax_word(x, weight, (2, 3), dilation, word.upper())
    ours = upconv.conv_transpose2d(x, weight, None, (2, 3), word, dilation=dilation, algorithm=algorithm)
    assert largest_difference(ours, theirs) < 1e-13


@pytest.mark.parametrize("pairs", [((1, 2), (0, 3)), ((4, 0), (1, 1)), ((2, 3), (5, 4))])
def test_lax_pairs(needs, draw, algorithm, pairs):
    needs("jax")
    x, weight = draw(2, 3, 4, 5), draw(3, 2, 3, 4)
    theirs, crops = lax_pairs(x, weight, (2, 3), pairs)
    ours = upconv.conv_transpose2d(x, weight, None, (2, 3), crops, algorithm=algorithm)
    assert largest_difference(ours, theirs) < 1e-13


def test_adjoint_of_a_grouped_convolution(needs, draw):
    needs("jax")
    x, weight = draw(1, 6, 4, 3), draw(6, 2, 3, 4)
    out = upconv.output_shape(x.shape, weight.shape, None, (2, 3), (1, 2), groups=3, dilation=(2, 1))[2:]
    theirs = jax_adjoint(x, weight, (2, 3), (1, 2), 3, (2, 1), out)
    ours = upconv.conv_transpose2d(x, weight, None, (2, 3), (1, 2), groups=3, dilation=(2, 1))
    assert largest_difference(ours, theirs) < 1e-13


def test_keras_22876_same_begins_with_the_first_tap(plain, algorithm):
    # An odd kernel at stride 2: Keras on PyTorch cropped the odd sample in front, which shifted the image by one.
    x, weight = (plain.make(np.asarray([[row]], "float32")) for row in ([1, 10, 100], [1, 2, 3]))
    y = upconv.conv_transpose1d(x, weight, stride=2, padding="same", algorithm=algorithm)
    assert plain.back(y).tolist() == [[[1, 2, 13, 20, 130, 200]]]


@pytest.mark.parametrize("kernel", [(3, 4), (1, 2), (5, 2)])
@pytest.mark.parametrize("back", [(0, 0), (1, 0), (0, 2)])
def test_tf_words(needs, draw, algorithm, kernel, back):
    needs("tensorflow")
    x, weight = draw(2, 3, 4, 5), draw(3, 2, *kernel)
    same = (4 * 2 - back[0], 5 * 3 - back[1])
    valid = tuple((i - 1) * s + k + n for i, s, k, n in zip((4, 5), (2, 3), kernel, back, strict=True))
    for word, size in (("same", same), ("valid", valid)):
        theirs = tf_op(x, weight, size, (2, 3), word.upper())
        ours = upconv.conv_transpose2d(x, weight, None, (2, 3), word, output_size=size, algorithm=algorithm)
        assert largest_difference(ours, theirs) < 1e-13


@pytest.mark.parametrize(
    "x, weight, stride", [((2, 3, 7), (3, 2, 5), (3,)), ((1, 2, 2, 3, 4), (2, 3, 3, 2, 1), (2, 3, 1))]
)
def test_tf_words_on_other_ranks(needs, draw, algorithm, x, weight, stride):
    needs("tensorflow")
    x, weight = draw(*x), draw(*weight)
    size = tuple(i * s for i, s in zip(x.shape[2:], stride, strict=True))
    theirs = tf_op(x, weight, size, stride, "SAME")
    ours = upconv.conv_transpose(x, weight, None, stride, "same", algorithm=algorithm)
    assert largest_difference(ours, theirs) < 1e-13


@pytest.mark.parametrize("pairs, size", [(((1, 2), (0, 3)), (6, 13)), (((2, 0), (3, 1)), (8, 14))])
def test_tf_pairs(needs, draw, algorithm, pairs, size):
    needs("tensorflow")
    x, weight = draw(2, 3, 4, 5), draw(3, 2, 3, 4)
    theirs = tf_op(x, weight, size, (2, 3), pairs)
    crops = tuple((lo, full - lo - n) for (lo, _), full, n in zip(pairs, (9, 16), size, strict=True))
    ours = upconv.conv_transpose2d(x, weight, None, (2, 3), crops, algorithm=algorithm)
    assert largest_difference(ours, theirs) < 1e-13


@pytest.mark.parametrize("kernel", [(3,), (3, 4), (1, 2), (3, 2, 4)])
@pytest.mark.parametrize("word, extra", [("same", None), ("same", 1), ("valid", None), ("valid", 0), ("valid", 1)])
def test_keras_layers(needs, draw, algorithm, kernel, word, extra):
    needs("tensorflow")
    size, stride = (4, 5, 3)[: len(kernel)], (2, 3, 2)[: len(kernel)]
    x, weight, bias = draw(2, 3, *size), draw(3, 2, *kernel), draw(2)
    theirs = keras_layer(x, weight, bias, stride, word, extra)
    out = None
    if extra is not None:  # Keras: full + op, and (i-1)*s + k%2 + op with 'same'
        axes = zip(size, stride, kernel, strict=True)
        out = tuple((i - 1) * s + (k % 2 if word == "same" else k) + extra for i, s, k in axes)
    ours = upconv.conv_transpose(x, weight, bias, stride, word, output_size=out, algorithm=algorithm)
    assert largest_difference(ours, theirs) < 1e-13


@pytest.mark.parametrize(
    "x, weight, bias, arguments",
    [
        ((2, 3, 7), (3, 4, 5), True, ((3,), (2,), (1,), 1, (1,))),
        ((2, 4, 4, 5), (4, 3, 3, 2), True, ((2, 3), (1, 0), (1, 2), 2, (1, 1))),
        ((1, 3, 4, 5), (3, 2, 3, 4), False, ((1, 3), (2, 0), (0, 2), 1, (2, 1))),
        ((1, 4, 3, 2, 4), (4, 1, 2, 3, 1), True, ((2, 1, 3), (1, 1, 0), (1, 0, 2), 4, (1, 1, 1))),
    ],
)
def test_gluon_layers(needs, plain, algorithm, x, weight, bias, arguments):
    needs("mxnet")
    rng = np.random.default_rng(7)
    shapes = x, weight, (weight[1] * arguments[3],)
    # float32, because MXNet has three spatial axes in no other precision.
    x, weight, b = (plain.make(rng.standard_normal(shape).astype("float32")) for shape in shapes)
    theirs, arguments = gluon_layer(x, weight, b if bias else None, *arguments)
    ours = upconv.conv_transpose(x, weight, b if bias else None, *arguments, algorithm=algorithm)
    assert largest_difference(ours, theirs) < 1e-6


@pytest.mark.parametrize(
    "layer", [layer for layer in LAYERS if np.prod(layer["weight"]) < 2**20], ids=lambda x: x["name"]
)
def test_real_layers_at_full_size(needs, plain, layer):
    needs("torch")
    rng = np.random.default_rng(3)
    # float64: the comparison is of geometry and of sums over thousands of terms.
    x, weight = plain.make(rng.standard_normal(layer["x"])), plain.make(rng.standard_normal(layer["weight"]))
    words = [layer[name] for name in ("stride", "padding", "output_padding", "groups", "dilation")]
    theirs, arguments = torch_functional(x, weight, None, *words)
    assert largest_difference(upconv.conv_transpose(x, weight, None, *arguments), theirs) < 1e-12
    if np.prod(layer["weight"]) * np.prod(layer["x"][2:]) < 2**26:
        generic = upconv.conv_transpose(x, weight, None, *arguments, algorithm="generic")
        assert largest_difference(generic, theirs) < 1e-12
