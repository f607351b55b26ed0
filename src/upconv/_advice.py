"""What to do with an object that is no array of the table: advice for those that people have in their hands."""

from __future__ import annotations

from upconv._classes import is_masked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["advice"]

# By the first module and the name of a class or of one that it derives from.
KINDS = {
    (
        "keras",
        "KerasTensor",
    ): "it stands for a result of later: call upconv in the `call` of your own keras.layers.Layer",
    ("torch", "Proxy"): "torch.fx cannot look into upconv: name the function to torch.fx.wrap(...) at the top of your "
    "module, or trace with torch.export",
    ("pandas", "DataFrame"): "pass its .to_numpy()",
    ("pandas", "Series"): "pass its .to_numpy()",
    ("xarray", "DataArray"): "pass its .data, or call through xarray.apply_ufunc, which keeps dims and coordinates",
    ("mxnet", "Symbol"): "it has no values yet: pass arrays of mxnet.numpy, in a block that is not hybridized",
    ("mxnet", "NDArray"): "pass its .as_np_ndarray()",
    ("scipy", "sparray"): "pass its .toarray()",
    ("scipy", "spmatrix"): "pass its .toarray()",
    ("tensorflow", "RaggedTensor"): "pass its .to_tensor(), which pads it",
    ("tensorflow", "SparseTensor"): "pass tf.sparse.to_dense(...) of it",
    ("tensorflow", "IndexedSlices"): "pass tf.convert_to_tensor(...) of it",
    ("jax", "JAXSparse"): "pass its .todense()",
    ("jax", "ShapeDtypeStruct"): "it has no values: pass the arrays, or call inside of jax.eval_shape(...)",
    ("tensorflow", "TypeSpec"): "it has no values: pass it to .get_concrete_function(...) of a tf.function",
    ("numpy", "ndarray"): "pass numpy.asarray(...) of it, which is the values alone, without their unit",
}
OTHERWISE = (
    "pass the array that it holds, as by `.value`, `[...]` or `.data()` of a variable, or make one first, as by "
    "numpy.asarray(..., dtype=...), which carries no gradient"
)


def advice(array: Any) -> str:
    """Say what to pass in place of an object."""
    if is_masked(array):
        return "fill it by .filled(...)"
    if type(array).__module__ == "builtins":
        return "make one first, as by numpy.asarray(..., dtype=...)"
    for kind in type(array).__mro__:
        found = KINDS.get((kind.__module__.partition(".")[0], kind.__name__))
        if found is not None:
            return found
    return OTHERWISE
