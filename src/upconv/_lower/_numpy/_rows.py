"""Rows of samples copied in vectors, in LLVM's own words: of images as small as 14 x 14 most of a loop is its end.

A row is taken in vectors of the largest power of two that it has, and the last of them overlaps the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from upconv._lower._numpy._micro import BYTES

__all__ = ["copy", "unweave", "weave"]

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
    even, odd = (builder.load(_place(builder, scalar, size, lanes, row, at), align=size) for row in rows[:2])
    target = _place(builder, scalar, size, 2 * lanes, rows[2], builder.mul(at, at.type(2)))
    both = _shuffle(builder, even, odd, [place for lane in range(lanes) for place in (lane, lanes + lane)])
    builder.store(both, target, align=size)


def _unweave(builder: Any, scalar: Any, size: int, lanes: int, rows: Any, at: Any) -> None:
    first = builder.mul(at, at.type(2))
    # Not a sample beyond the last that is taken: it may be none of the array's.
    second = builder.add(first, at.type(lanes - 1))
    a, b = (builder.load(_place(builder, scalar, size, lanes, rows[0], place), align=size) for place in (first, second))
    order = [*range(0, lanes, 2), *range(lanes + 1, 2 * lanes, 2)]
    taken = a if lanes == 1 else _shuffle(builder, a, b, order)
    builder.store(taken, _place(builder, scalar, size, lanes, rows[1], at), align=size)


copy = _by_vectors(_copy, 2)
weave = _by_vectors(_weave, 3)
unweave = _by_vectors(_unweave, 2)
