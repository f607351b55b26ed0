"""Rows of samples copied in vectors, in LLVM's own words: of images as small as 14 x 14 most of a loop is its end.

A row is taken in vectors of the largest power of two that it has, and the last of them overlaps the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from upconv._lower._numpy._micro import BYTES
from upconv._lower._numpy._tables import ROWS

__all__ = ["at_strides", "copy", "every_fourth", "every_second", "every_third", "weave", "weave_all"]

INT32 = ir.IntType(32)


def _by_vectors(move: Callable[..., None], addresses: int) -> Any:
    """Make ``f(like, *addresses, n)`` for Numba, which moves n samples of the kind of ``like``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        like, *rows, n = args
        number, size = n.type, 4 if isinstance(like.type, ir.FloatType) else 8
        done = builder.append_basic_block("done")
        lanes = BYTES // size
        while lanes:
            vectors, shorter = (builder.append_basic_block(f"{name}{lanes}") for name in ("vectors", "shorter"))
            builder.cbranch(builder.icmp_signed(">=", n, number(lanes)), vectors, shorter)
            entry = builder.block
            builder.position_at_end(vectors)
            first = builder.phi(number)
            move(builder, like.type, size, lanes, rows, first)
            last = builder.sub(n, number(lanes))
            following = builder.add(first, number(lanes))
            nearer = builder.select(builder.icmp_signed("<", following, last), following, last)
            first.add_incoming(number(0), entry)
            first.add_incoming(nearer, vectors)
            builder.cbranch(builder.icmp_signed("<", first, last), vectors, done)
            builder.position_at_end(shorter)
            lanes //= 2
        builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    if addresses == 2:

        @intrinsic
        def two(context: Any, like: Any, source: Any, target: Any, n: Any) -> Any:
            return types.void(like, *[types.intp] * 3), emit

        return two

    @intrinsic
    def three(context: Any, like: Any, even: Any, odd: Any, target: Any, n: Any) -> Any:
        return types.void(like, *[types.intp] * 4), emit

    return three


def _place(builder: Any, scalar: Any, size: int, lanes: int, row: Any, at: Any) -> Any:
    address = builder.add(row, builder.mul(at, at.type(size)))
    return builder.inttoptr(address, ir.VectorType(scalar, lanes).as_pointer())


def _shuffle(builder: Any, a: Any, b: Any, order: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INT32, len(order)), order))


def _copy(builder: Any, scalar: Any, size: int, lanes: int, rows: Any, at: Any) -> None:
    source, target = (_place(builder, scalar, size, lanes, row, at) for row in rows)
    builder.store(builder.load(source, align=size), target, align=size)


def _weave(builder: Any, scalar: Any, size: int, lanes: int, rows: Any, at: Any) -> None:
    *sources, target = rows
    woven = [builder.load(_place(builder, scalar, size, lanes, row, at), align=size) for row in sources]
    while len(woven) > 1:
        half, long = len(woven) // 2, woven[0].type.count
        order = [place for lane in range(long) for place in (lane, long + lane)]
        woven = [_shuffle(builder, even, odd, order) for even, odd in zip(woven[:half], woven[half:], strict=True)]
    place = _place(builder, scalar, size, len(sources) * lanes, target, builder.mul(at, at.type(len(sources))))
    builder.store(woven[0], place, align=size)


def _weave_all(builder: Any, scalar: Any, size: int, lanes: int, rows: Any, at: Any) -> None:
    """Weave the `ROWS` that begin so many samples behind the first address as the table at the second one says."""
    first, table, target = rows
    sources = []
    for row in range(ROWS):
        place = builder.inttoptr(builder.add(table, at.type(8 * row)), at.type.as_pointer())
        sources.append(builder.add(first, builder.mul(builder.load(place), at.type(size))))
    _weave(builder, scalar, size, lanes, (*sources, target), at)


def _every(stride: int) -> Callable[..., None]:
    def move(builder: Any, scalar: Any, size: int, lanes: int, rows: Any, at: Any) -> None:
        source, last = builder.mul(at, at.type(stride)), (lanes - 1) * stride
        taken, found = None, 0
        while found < lanes:
            # Not a sample beyond the last that is taken: it may be none of the array's.
            begin = min(found * stride, last - lanes + 1)
            place = _place(builder, scalar, size, lanes, rows[0], builder.add(source, at.type(begin)))
            some = builder.load(place, align=size)
            here = [lanes + lane * stride - begin for lane in range(lanes)]
            order = [lane if lane < found else min(here[lane], 2 * lanes - 1) for lane in range(lanes)]
            taken = some if lanes == 1 else _shuffle(builder, some if taken is None else taken, some, order)
            found = 1 + (begin + lanes - 1) // stride
        builder.store(taken, _place(builder, scalar, size, lanes, rows[1], at), align=size)

    return move


copy = _by_vectors(_copy, 2)
weave, weave_all = _by_vectors(_weave, 3), _by_vectors(_weave_all, 3)
every_second, every_third, every_fourth = (_by_vectors(_every(stride), 2) for stride in (2, 3, 4))


@intrinsic
def at_strides(context: Any, like: Any, source: Any, step: Any, target: Any, stride: Any, n: Any) -> Any:
    """Copy n samples one by one, so many from one to the next on either side."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        like, source, step, target, stride, n = args
        size = 4 if isinstance(like.type, ir.FloatType) else 8
        with cgutils.for_range(builder, n) as loop:
            a, b = builder.mul(loop.index, step), builder.mul(loop.index, stride)
            value = builder.load(_place(builder, like.type, size, 1, source, a), align=size)
            builder.store(value, _place(builder, like.type, size, 1, target, b), align=size)
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 5), emit
