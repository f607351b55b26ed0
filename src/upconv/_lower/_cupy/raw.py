"""A CUDA kernel of ours, ``conv_transpose.cu``: CuPy has no transposed convolution, and since version 14 no cuDNN.

Each output phase is a dense matrix product over taps and input channels, gathered from ``x`` as it lies in memory, and
written once, bias included. A module is compiled for one specialisation when it is first needed, for the device of
``x``, and runs on that device's current stream. float32 is multiplied as TF32 only where CuPy's own ``CUPY_TF32=1``
allows it; float16 and bfloat16 are multiplied on tensor cores and summed in float32.

CuPy has every kernel flush denormals to zero, this one too.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

import cupy

from upconv._lower._cupy._choice import Device, choose, partial_bytes
from upconv._lower._cupy._form import DTYPES, SUMS, THREADS, Form, spec, threads, word_bytes
from upconv._lower._cupy._grid import make_grid
from upconv._lower._cupy._module import kernel
from upconv._lower._cupy._problem import make_problem
from upconv._lower._cupy._weights import PreparedWeight, packed, plain
from upconv._plan import Plan

__all__ = ["conv_transpose", "launch", "prepare", "reason", "refusal", "workspace"]

LARGEST = 2**31 - 1
LARGEST_STRIDE = 2**16 - 1  # the kernel multiplies two residues in 32 bits
NOMINAL = Device(90, 132)  # what `workspace` assumes: it is told no device


def refusal(plan: Plan, x: Any) -> str:
    """Refuse what the kernel has no type, no axis or no room for."""
    if plan.rank > 3:
        return f"{plan.rank} spatial axes: the kernel has 3"
    if x.dtype.name not in DTYPES:
        return f"{x.dtype.name}: the kernel multiplies floating and complex numbers"
    if plan.is_empty:
        return "an empty image: the kernel has nothing to read"
    axes = zip(plan.size, plan.kernel, plan.stride, plan.dilation, plan.out, plan.lo, strict=True)
    # Every coordinate and shift in the kernel is a sum of some of these.
    if max(i + k * d + 2 * s + out + abs(lo) for i, k, s, d, out, lo in axes) > LARGEST:
        return "an axis beyond 31 bits: the kernel has no room for it"
    if max(plan.stride) > LARGEST_STRIDE:
        return f"a stride beyond {LARGEST_STRIDE}: the kernel has no room for it"
    return ""


def reason(plan: Plan) -> str:
    """Say how."""
    return "a raw CUDA kernel: each output phase is one dense product over taps and channels, and is written once"


def workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """The weight as the tiles read it, and the parts of a sum that is divided."""
    form = choose(plan, batch, {2: "float16", 4: "float32", 8: "float64", 16: "complex128"}[itemsize], NOMINAL)
    parts = form.splits * partial_bytes(plan, batch, form) if form.splits > 1 else 0
    return make_grid(plan, batch, form).words * word_bytes(form) + parts


def prepare(weight: Any) -> PreparedWeight:
    """Give a weight that keeps the layouts in which the kernel reads it."""
    return PreparedWeight(weight)


def conv_transpose(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Choose a form and launch it."""
    with x.device:
        tf32 = os.environ.get("CUPY_TF32") == "1"
        form = choose(
            plan, x.shape[0], x.dtype.name, _properties(x.device.id), by_channel=_by_channel(plan, x), tf32=tf32
        )
        return launch(plan, form, x, weight, bias)


def launch(plan: Plan, form: Form, x: Any, weight: Any, bias: Any) -> Any:
    """Run one form on the current device, which is that of ``x``."""
    device = x.device.id
    y = cupy.empty((x.shape[0], *plan.image_shape), x.dtype)
    if not y.size:
        return y
    grid = make_grid(plan, x.shape[0], form)
    x, bias = _whole(x), None if bias is None else _whole(bias)
    arrays = {"x": x, "weight": _whole(plain(weight)), "bias": bias, "y": y}
    if form.kernel == "tile":
        arrays["packed"] = packed(plan, form, grid, arrays, weight)
    if form.splits > 1:
        arrays["partial"] = cupy.empty(form.splits * y.size, SUMS[form.dtype])
    problem = make_problem(plan, form, grid, arrays)
    kernel(device, spec(form, form.kernel))((grid.blocks,), (threads(form),), (problem,))
    if form.splits > 1:
        kernel(device, spec(form, "combine"))((-(-y.size // THREADS["combine"]),), (THREADS["combine"],), (problem,))
    return y


def _whole(array: Any) -> Any:
    """Copy a view that does not lie on whole elements, as that of a field of a record: the kernel counts in them."""
    size = array.itemsize
    return array.copy() if array.data.ptr % size or any(n % size for n in array.strides) else array


def _by_channel(plan: Plan, x: Any) -> bool:
    """Whether channels lie side by side, as pairs in aligned words where they are halves."""
    axis = x.ndim - 1 if plan.channels_last else 1
    if x.strides[axis] != x.itemsize or x.shape[axis] == 1:
        return False
    if x.itemsize > 2:
        return True
    pairs = not plan.in_channels // plan.groups % 2 and not x.data.ptr % 4
    return pairs and not any(n % 4 for k, n in enumerate(x.strides) if k != axis)


@lru_cache(maxsize=64)
def _properties(device: int) -> Device:
    found = cupy.cuda.Device(device)
    return Device(int(found.compute_capability), found.attributes["MultiProcessorCount"])
