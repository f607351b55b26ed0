"""Faults of JAX's lowerings: XLA's own calls, the columns, and the rules of their derivatives."""

from planted.fault import Fault

__all__ = ["FAULTS"]

FOLDER = "_lower/_jax"
SOME = "(pairs or groups or dilation)"
VALUES = f"test_values.py -k 'both_layouts and {SOME}'"
RULES = "test_jax.py -k 'both_orders'"
BLOCKS = "test_jax.py -k blocks_of_channels"
IMAGES = "test_jax.py -k images_in_turn"
PHASES = "test_jax.py -k auto_takes_phases"


def _faults(file, *rows):
    return (Fault(breaks, "jax", tests, f"{FOLDER}/{file}.py", *texts) for breaks, tests, *texts in rows)


FAULTS = (
    *_faults(
        "_shared",
        ("crops change places", VALUES, "(n - lo, n - hi) for", "(n - hi, n - lo) for"),
        (
            "halves added in their own precision",
            "test_values.py -k 'halves and (native or lhs)'",
            "jnp.float32 if _half(x) else None",
            "None",
        ),
        (
            "halves added in their own precision on the way back",
            "test_adjoint.py -k halves",
            "return array.astype(jnp.float32) if _half(array) else array",
            "return array",
        ),
        ("no bias", VALUES, "    if bias is not None:", "    if False:"),
        (
            "integers are differentiated",
            "test_adjoint.py -k integers",
            "not jnp.issubdtype(x.dtype, jnp.inexact)",
            "False",
        ),
    ),
    *_faults(
        "lhs_dilation",
        ("the kernel is flipped", VALUES, "weight = jnp.flip(weight, range(2, weight.ndim))\n    ", ""),
        ("one axis of the kernel is flipped", VALUES, "range(2, weight.ndim))", "range(3, weight.ndim))"),
        (
            "channels stay in their groups",
            VALUES,
            "jnp.moveaxis(weight, 0, 1).reshape(-1,",
            "weight.reshape(-1,",
        ),
    ),
    *_faults(
        "native",
        ("groups are given to the op", "test_arguments.py -k algorithm", "    if plan.groups > 1:", "    if False:"),
    ),
    *_faults(
        "_tangents",
        (
            "one of two tangents is lost",
            RULES,
            "return differentiated(plan, x, weight), sum(terms[1:], terms[0])",
            "return differentiated(plan, x, weight), terms[0]",
        ),
        (
            "the weight's tangent is the weight",
            RULES,
            "by_columns_of_images(plan, wide(x), dweight, ",
            "by_columns_of_images(plan, wide(x), wide(weight), ",
        ),
        (
            "the input's gradient is never a convolution",
            "test_jax.py -k no_convolution",
            "own = max(plan.stride) == 1 and",
            "own = False and",
        ),
    ),
    *_faults(
        "sub_pixel",
        ("phases have their taps turned round", VALUES, "jnp.flip(part, range(3 + plan.rank, part.ndim))", "part"),
        (
            "the last phases multiply a tap of zeros",
            "test_jax.py -k no_zeros",
            "[[a for a in (Alike(0, r, n + 1), Alike(r, s, n)) if a.start < a.stop] for",
            "[[Alike(0, s, n + (r > 0))] for",
        ),
        (
            "the kernel has zeros for phases that no tap reaches",
            "test_jax.py -k no_tap",
            "reached = [min(k, s) for k, s in zip(",
            "reached = [s for k, s in zip(",
        ),
        (
            "phases change places",
            VALUES,
            "jnp.concatenate(parts, 2 + len(chosen))",
            "jnp.concatenate(parts[::-1], 2 + len(chosen))",
        ),
        ("nothing is skipped in front", VALUES, "[lo - first * s for lo,", "[0 * lo for lo,"),
        (
            "channels leave their groups",
            VALUES,
            "kernel.transpose(1, 0, 2,",
            "kernel.transpose(1, 2, 0,",
        ),
    ),
    *_faults(
        "_columns",
        (
            "one of two tangents of a product is lost",
            RULES,
            "return _product(weight, x), sum(terms[1:], terms[0])",
            "return _product(weight, x), terms[0]",
        ),
        (
            "the product's tangent by x is that of the weight",
            RULES,
            "terms.append(product_for_image(weight, dx))",
            "terms.append(product_for_image(weight, x))",
        ),
        (
            "samples are never transposed",
            "test_jax.py -k few_samples",
            "MANY = 4, 64",
            "MANY = 400, 6400",
        ),
        (
            "samples are transposed for a small kernel",
            "test_jax.py -k few_samples",
            "MANY = 4, 64",
            "MANY = 4, 6",
        ),
        (
            "blocks of channels at the side of the groups",
            BLOCKS,
            "moveaxis(y, 0, -2 if plan.channels_last else 2)",
            "moveaxis(y, 0, -1 if plan.channels_last else 1)",
        ),
        (
            "the first block of the weight in all",
            BLOCKS,
            "jnp.moveaxis(weight, 2, 0).reshape(blocks, -1)",
            "jnp.stack([weight[:, :, 0]] * blocks).reshape(blocks, -1)",
        ),
        (
            "the first images in all blocks",
            IMAGES,
            "_in_turn(part, image.reshape(blocks, -1))",
            "_in_turn(part, jnp.stack([image.reshape(blocks, -1)[0]] * blocks))",
        ),
        ("images in turn that lie on many devices", IMAGES, "jax.device_count() > 1", "False"),
        ("sums over images are forgotten", IMAGES, "whole // blocks + kept > WORKSPACE", "whole // blocks > WORKSPACE"),
        ("blocks of images are small", IMAGES, "whole / max(BLOCK, ", "whole / min(BLOCK, "),
        (
            "a depthwise product with the next channel",
            VALUES.replace("groups", "depthwise"),
            "jnp.moveaxis(x[:, :, 0], 0, 1)",
            "jnp.moveaxis(jnp.roll(x[:, :, 0], 1, 1), 0, 1)",
        ),
    ),
    *_faults(
        "_phases",
        (
            "axes interleaved in each other's order",
            VALUES,
            "axes = [n for axis in range(rank) for n in (3 + rank + axis, 2 + axis)]",
            "axes = [n for axis in range(rank) for n in (3 + rank + axis, 1 + rank - axis)]",
        ),
        (
            "windows without their shift",
            VALUES,
            "slice(run.start + run.shift, run.stop + run.shift)",
            "slice(run.start, run.stop)",
        ),
        ("zeros between the taps of every axis", VALUES, "(d - 1) * (n == axis)", "(d - 1) * (n >= axis)"),
        (
            "taps spread, and phases not",
            VALUES,
            "slice(r.phase, r.phase + (r.taps - 1) * d + 1)",
            "slice(r.phase, r.phase + r.taps)",
        ),
        (
            "a run that ends one input early",
            VALUES,
            "max(start, min(i, q - shift))",
            "max(start, min(i, q - shift - 1))",
        ),
    ),
    *_faults(
        "_choice",
        (
            "'auto' takes columns at stride 1",
            "test_jax.py -k auto_leaves",
            "if max(plan.stride) == 1 and",
            "if max(plan.stride) == 0 and",
        ),
        ("'auto' takes columns in blocks", PHASES, "if blocks > (1 if", "if blocks > (1000 if"),
        ("'auto' has phases where they are refused", PHASES, " or spreads(plan):", ":"),
        ("'auto' has no phases of a long kernel", PHASES, "additions(plan) > ADDITIONS or ", ""),
        ("'auto' has phases of four axes", PHASES, " or plan.rank > 3", ""),
        ("'auto' has phases of many groups", PHASES, "plan.groups > 8", "plan.groups > 64"),
        ("'auto' has phases of few numbers", PHASES, "and columns >= 100_000", "and columns >= 10_000"),
        ("'auto' has phases that are few", PHASES, "made >= 24 and made > 2 * ins", "made > 2 * ins"),
        ("'auto' has few phases of many channels", PHASES, "made >= 24 and made > 2 * ins", "made >= 24"),
        ("'auto' has phases without overlaps", PHASES, " and prod(plan.kernel) > 4", ""),
        ("'auto' has no phases for columns in blocks", PHASES, " > 1 and (outs >= 8 or made >= 32)", " > 1000"),
        ("'auto' has phases of few channels for blocks", PHASES, " > 1 and (outs >= 8 or made >= 32)", " > 1"),
        ("'auto' has XLA's op of many channels for blocks", PHASES, "return True", "return ins < 512"),
        ("'auto' has small phases of many channels", PHASES, "ins <= min(128, made)", "ins <= made"),
        ("'auto' has phases from many channels to few", PHASES, " if outs >= 256 else", " if outs >= 64 else"),
        ("'auto' has no phases of many channels", PHASES, "4_000_000 if", "40_000_000 if"),
        ("'auto' has phases of volumes of few channels", PHASES, "outs >= 32 and", "outs >= 16 and"),
    ),
    *_faults(
        "overlap_add",
        (
            "'auto' leaves the ways back to the phases",
            "test_jax.py -k ways_back",
            "return slow_overlap_add_back(plan, y)",
            "return slow_overlap_add(plan, y)",
        ),
    ),
    *_faults(
        "_explicit",
        (
            "zeros lie on another device than the operands",
            "test_jax.py -k zeros_that_no_tap",
            "in_auto_axes(jax.jit(function, static_argnums=0, inline=True, keep_unused=True))",
            "in_auto_axes(jax.jit(function, static_argnums=0, inline=True))",
        ),
    ),
)
