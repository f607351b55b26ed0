"""The sum as columns: one matrix product gives what each tap makes of each sample, then columns of an output are added.

Output ``q*s + r`` is sample ``q`` of phase ``r``, and all taps of one shift add to one window of their phases. So an
axis takes one addition for each of its about k/s shifts rather than for each tap: four for a kernel of 1024 at a stride
of 256. Zeros are appended to products and never multiplied, because 0 * inf would leak a NaN.

Operands are made matrices first: the transpose of a product of more axes copies all columns once more. Where columns
would be large, blocks take turns: of output channels forward, since XLA writes the result of a turn on one thread; and
of images on the way back, which copies less, unless they may lie on as many devices, which would wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from upconv._lower._jax._phases import add_up, interleave
from upconv._plan import Plan

__all__ = [
    "by_columns",
    "by_columns_of_images",
    "columns_workspace",
    "count_blocks",
    "product_for_image",
    "product_for_weight",
]

# Bytes that all may take beside operands and result, and the least that the columns of a block are given of it.
WORKSPACE, LEAST = 2**25, 2**21
# Bytes of columns of a block of images, where not all fit; or of the kernel, which each block reads, where that is
# more. Against blocks of channels 1.4 times as fast to the input and 1.6 to the weight; as few as fit, 1.3 and 1.5
# times (22 layers drawn at random, of up to 16 images, 2 cores, JAX 0.10).
BLOCK = 2**22
# With as many input channels or fewer, a kernel that is transposed in memory beforehand takes the product 0.7 to 0.9 of
# the time; with 512 channels 1.3 of it (2 cores, JAX 0.10).
FEW = 128
# As many times more numbers of the kernel for each input channel than samples, and the samples are transposed, not the
# kernel: 0.7 of the time above FEW channels, and from 64 times on in the same way below (180 layers drawn at random).
MANY = 4, 64

Product = Callable[[Any, Any], Any]


def by_columns(plan: Plan, image: Any, weight: Any, product: Product | None = None) -> Any:
    """Multiply, add, interleave; linear in the image and in the weight, (C_in, C_out/groups, *kernel)."""
    product = product or _product
    if plan.channels_last:
        image = jnp.moveaxis(image, -1, 1)
    ins, outs = plan.in_channels // plan.groups, plan.out_channels // plan.groups
    batch = image.shape[0]
    # A batch that is not known while tracing counts as one image.
    blocks = count_blocks(plan, batch if type(batch) is int else 1, image.dtype.itemsize)
    image = image.reshape(batch, plan.groups, ins, *plan.size)
    weight = weight.reshape(plan.groups, ins, blocks, outs // blocks, *plan.kernel)
    if blocks == 1:
        return _block(plan, image, weight[:, :, 0], product).reshape(batch, *plan.image_shape)

    def part(vector: Any) -> Any:
        return _block(plan, image, vector.reshape(*weight.shape[:2], *weight.shape[3:]), product)

    y = _in_turn(part, jnp.moveaxis(weight, 2, 0).reshape(blocks, -1))
    channels = (plan.groups, outs // blocks)
    y = y.reshape(blocks, batch, *((*plan.out, *channels) if plan.channels_last else (*channels, *plan.out)))
    return jnp.moveaxis(y, 0, -2 if plan.channels_last else 2).reshape(batch, *plan.image_shape)


def by_columns_of_images(plan: Plan, image: Any, weight: Any, product: Product, kept: int = 0) -> Any:
    """The same for as many images at a time as have few columns, to be transposed, with so many bytes ``kept``."""
    if type(image.shape[0]) is not int or jax.device_count() > 1:
        return by_columns(plan, image, weight, product)
    batch, itemsize = image.shape[0], image.dtype.itemsize
    whole = _whole(plan, batch) * itemsize
    blocks = _fewest(batch, whole / max(BLOCK, prod(plan.weight_shape) * itemsize)) if whole > WORKSPACE else 1
    if blocks == 1 or whole // blocks + kept > WORKSPACE:
        return by_columns(plan, image, weight, product)

    def part(vector: Any) -> Any:
        return by_columns(plan, vector.reshape(batch // blocks, *plan.sample_shape), weight, product)

    return _in_turn(part, image.reshape(blocks, -1)).reshape(batch, *plan.image_shape)


def _in_turn(part: Callable[[Any], Any], vectors: Any) -> Any:
    """Call with each vector, and stack the results as vectors.

    Blocks enter and leave the loop as these, because XLA copies arrays of more axes once more to lay them out; and
    their steps are not kept for the gradient, because keeping is a copy too.
    """
    return lax.map(jax.checkpoint(lambda vector: part(vector).ravel(), prevent_cse=False), vectors)


def _block(plan: Plan, image: Any, weight: Any, product: Product) -> Any:
    return interleave(plan, add_up(plan, _columns(plan, image, weight, product)))


def columns_workspace(plan: Plan, batch: int, itemsize: int) -> int:
    """Bytes of columns and of the phases that they are added to; where in blocks, of copies of kernel and result."""
    blocks = count_blocks(plan, batch, itemsize)
    copies = 0 if blocks == 1 else prod(plan.weight_shape) + batch * prod(plan.image_shape)
    return (_whole(plan, batch) // blocks + copies) * itemsize


def _columns(plan: Plan, x: Any, weight: Any, product: Product) -> Any:
    """(N, groups, C, *size) and (groups, C, O, *kernel), summed over C: (groups, O, *kernel, N, *size)."""
    kernel, images = (*weight.shape[2:],), (x.shape[0], *plan.size)
    if plan.in_channels == plan.groups:  # a sum of one term, which XLA multiplies where it is added
        weight = weight.reshape(plan.groups, *kernel, *(1,) * len(images))
        return weight * jnp.moveaxis(x[:, :, 0], 0, 1).reshape(plan.groups, *(1,) * len(kernel), *images)
    x = jnp.moveaxis(x, 0, 2).reshape(*weight.shape[:2], prod(images))
    weight = weight.reshape(*weight.shape[:2], prod(kernel))
    return product(weight, x).reshape(plan.groups, *kernel, *images)


@partial(jax.custom_jvp, nondiff_argnums=())
def _product(weight: Any, x: Any) -> Any:
    """(groups, C, M) and (groups, C, P), summed over C: (groups, M, P)."""
    few, samples = weight.shape[1] <= FEW, x.shape[2]
    # What is not known while tracing counts as many samples.
    if type(samples) is int and weight.shape[2] >= MANY[few] * samples:
        return jnp.swapaxes(_dot(_transposed(x), weight, 2, 1), 1, 2)
    if not few:
        return _dot(weight, x, 1, 1)
    return _dot(_transposed(weight), x, 2, 1)


@partial(_product.defjvp, symbolic_zeros=True)
def _product_tangent(operands: Any, tangents: Any) -> Any:
    (weight, x), (dweight, dx) = operands, tangents
    terms = []
    if type(dweight) is not SymbolicZero:
        terms.append(product_for_weight(dweight, x))
    if type(dx) is not SymbolicZero:
        terms.append(product_for_image(weight, dx))
    return _product(weight, x), sum(terms[1:], terms[0])


def product_for_image(weight: Any, x: Any) -> Any:
    """The same, in the order of operands whose transpose by x is XLA's fastest product."""
    return _dot(weight, x, 1, 1)


def product_for_weight(weight: Any, x: Any) -> Any:
    """The same for the transpose by the weight.

    That is swapped, a product with M rows rather than C: XLA takes half the time for it where these are many more.
    """
    swapped = weight.shape[1] <= min(FEW, weight.shape[2] // 2)
    return _dot(_transposed(weight), x, 2, 1) if swapped else _dot(weight, x, 1, 1)


def _transposed(a: Any) -> Any:
    """Swap the last axes in memory; without the barrier XLA would tell the product to swap them.

    JAX 0.5 has no derivative of the barrier; the versions between were not tried.
    """
    swapped = jnp.swapaxes(a, 1, 2)
    return lax.optimization_barrier(swapped) if jax.__version_info__ >= (0, 10, 2) else swapped


def _dot(a: Any, b: Any, i: int, j: int) -> Any:
    """One product for each group, axis i of a summed with axis j of b."""
    if a.shape[0] == 1:
        return lax.dot_general(a[0], b[0], (((i - 1,), (j - 1,)), ((), ())))[None]
    return lax.dot_general(a, b, (((i,), (j,)), ((0,), (0,))))


def _whole(plan: Plan, batch: int) -> int:
    """Elements of all columns, and of the phases that they are added to."""
    taps, phases = (prod(n) for n in (plan.kernel + plan.size, plan.phase_size + plan.stride))
    return batch * plan.out_channels * (taps + phases)


def count_blocks(plan: Plan, batch: int, itemsize: int) -> int:
    """One, where all fits; else the fewest of one size that leave room for copies of operands and result."""
    whole = _whole(plan, batch) * itemsize
    if whole <= WORKSPACE:
        return 1
    copied = prod(plan.weight_shape) + batch * (prod(plan.sample_shape) + prod(plan.image_shape))
    return _fewest(plan.out_channels // plan.groups, whole / max(LEAST, WORKSPACE - copied * itemsize))


def _fewest(of: int, least: float) -> int:
    """The least number of blocks of one size that is enough, or one block for each."""
    return next(n for n in range(1, of + 1) if of % n == 0 and (n >= least or n == of))
