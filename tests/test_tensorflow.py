"""TensorFlow's own ways: gradients of an empty batch, eager and in graphs, and models for TFLite."""

import numpy as np
import pytest

import upconv

SIZES, KERNELS, STRIDES = (5, 4, 3), (3, 2, 2), (2, 3, 1)
PADDINGS = (1, "same", ((1, 0), (0, 2), (1, -1)))


@pytest.fixture
def tf(library):
    if library.name != "tensorflow":
        pytest.skip(f"{library.name} is not TensorFlow")
    return pytest.importorskip("tensorflow")


def drawn(tf, *shape):
    return tf.constant(np.random.default_rng(9).standard_normal(shape), tf.float32)


@pytest.mark.parametrize("how", ["eager", "known", "unknown"])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("padding", PADDINGS, ids=str)
def test_gradients_of_an_empty_batch(tf, how, rank, padding):
    weight, padding = drawn(tf, 3, 2, *KERNELS[:rank]), padding if isinstance(padding, (int, str)) else padding[:rank]
    variable = tf.Variable(drawn(tf, 2, 3, *SIZES[:rank]))

    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch([x, weight])
            y = upconv.conv_transpose(x, weight, stride=STRIDES[:rank], padding=padding)
            loss = tf.reduce_sum(y * y)
        return tape.gradient(loss, [x, weight])

    if how != "eager":
        batch = None if how == "unknown" else 0
        gradients = tf.function(gradients, input_signature=[tf.TensorSpec((batch, 3, *SIZES[:rank]))])
    for x in (variable[:0], tf.zeros((0, 3, *SIZES[:rank]))):
        dx, dweight = gradients(x)
        assert dx.shape == x.shape
        assert dweight.shape == weight.shape
        assert not np.any(dweight)


@pytest.mark.value
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_gradients_of_an_unknown_batch(tf, rank):
    x, weight = drawn(tf, 2, 3, *SIZES[:rank]), drawn(tf, 3, 2, *KERNELS[:rank])

    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch([x, weight])
            loss = tf.reduce_sum(upconv.conv_transpose(x, weight, stride=STRIDES[:rank], padding="same") ** 2)
        return tape.gradient(loss, [x, weight])

    graph = tf.function(gradients, input_signature=[tf.TensorSpec((None, 3, *SIZES[:rank]))])
    for ours, theirs in zip(graph(x), gradients(x), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.value
@pytest.mark.filterwarnings("ignore")  # of the converter, about itself
@pytest.mark.parametrize("verb", ["conv_transpose", "conv"])
@pytest.mark.parametrize("rank, padding", [(1, "same"), (1, 0), (2, "same"), (2, "valid"), (2, 1), (3, "same")])
def test_tflite_runs_what_it_converts(tf, verb, rank, padding):
    kernel = (4, 5) if padding == 1 else KERNELS[:rank]  # of which 'SAME' is the crop of 1 on both sides
    words = {"stride": STRIDES[:rank], "padding": padding}
    weight = drawn(tf, 3, 2, *kernel)
    shape = (2, 3, *SIZES[:rank])
    shape = shape if verb == "conv_transpose" else upconv.output_shape(shape, tuple(weight.shape), **words)
    x = drawn(tf, *shape)
    function = tf.function(lambda x: getattr(upconv, verb)(x, weight, **words), input_signature=[tf.TensorSpec(shape)])
    model = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()]).convert()
    interpreter = tf.lite.Interpreter(model_content=model)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(found, function(x), rtol=1e-4, atol=1e-5)
