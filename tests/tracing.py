"""Arrays without values: how a library announces one, and how it traces a function of such arrays."""

import pytest


def tracer(library):
    """Return both, for the libraries that trace; a call on PyTorch's meta tensors is its own trace."""
    if library.name == "jax":
        import jax

        return jax.ShapeDtypeStruct, jax.eval_shape
    if library.name == "torch":
        import torch

        def empty(shape, dtype):
            return torch.empty(shape, dtype=getattr(torch, dtype), device="meta")

        return empty, lambda function, *arrays: function(*arrays)
    if library.name == "tensorflow":
        import tensorflow as tf

        return tf.TensorSpec, lambda function, *arrays: tf.function(function).get_concrete_function(*arrays)
    return pytest.skip(f"{library.name} does not trace")
