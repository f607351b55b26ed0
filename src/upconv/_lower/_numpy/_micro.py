"""The innermost loops of a direct convolution, in LLVM's own words for vectors: sums that stay in registers.

Given the loop in scalars, a compiler keeps the sums in memory and takes half of the width of a machine with AVX-512.
On the layer of a VAE, on one core: 38 GF/s from a BLAS product of copied columns, 51 from such a loop, 66 from this.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from upconv._lower._numpy._tables import ROWS

__all__ = ["BYTES", "IS_WIDE", "accumulate", "correlate"]


def _is_wide() -> bool:
    try:
        return bool(llvm.get_host_cpu_features().get("avx512f"))
    except RuntimeError:  # LLVM cannot tell on every machine
        return False


# A vector: LLVM makes two or four of it where registers are narrower.
IS_WIDE = _is_wide()
BYTES = 64 if IS_WIDE else 32
INT32, INT64 = ir.IntType(32), ir.IntType(64)


def accumulate(rows: int, vectors: int) -> Any:
    """Make ``f(like, laid, starts, terms, weight, bias, sums, step)`` for Numba: a zero, then addresses and sizes.

    It writes rows of sums, so many vectors in each and ``step`` bytes from one to the next: the row's bias, or what the
    row holds already if the address of the bias is zero, and the products of each term, the weight of the row, of
    `ROWS` that a term has, with the samples from ``laid[starts[term]]`` on.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        like, laid, starts, terms, weight, bias, sums, step = args
        scalar, number = like.type, laid.type
        size = 4 if isinstance(scalar, ir.FloatType) else 8
        lanes = BYTES // size
        vector = ir.VectorType(scalar, lanes)
        everywhere = ir.Constant(ir.VectorType(INT32, lanes), None)

        def load(address: Any, kind: Any, offset: int = 0) -> Any:
            place = builder.inttoptr(builder.add(address, number(offset)), kind.as_pointer())
            return builder.load(place, align=size)

        def spread(value: Any) -> Any:
            first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, INT32(0))
            return builder.shuffle_vector(first, first, everywhere)

        lines = [builder.add(sums, builder.mul(step, number(row))) for row in range(rows)]
        names = "first", "again", "entry", "term", "done"
        first, again, entry, loop, done = (builder.append_basic_block(name) for name in names)
        builder.cbranch(builder.icmp_signed("==", bias, number(0)), again, first)

        builder.position_at_end(first)
        biases = [spread(load(bias, scalar, row * size)) for row in range(rows) for _ in range(vectors)]
        builder.branch(entry)

        builder.position_at_end(again)
        found = [load(line, vector, v * BYTES) for line in lines for v in range(vectors)]
        builder.branch(entry)

        builder.position_at_end(entry)
        before = [builder.phi(vector) for _ in found]
        for phi, value, total in zip(before, biases, found, strict=True):
            phi.add_incoming(value, first)
            phi.add_incoming(total, again)
        builder.branch(loop)

        builder.position_at_end(loop)
        k, totals = builder.phi(number), [builder.phi(vector) for _ in before]
        samples = builder.add(
            laid, builder.mul(load(builder.add(starts, builder.mul(k, number(8))), INT64), number(size))
        )
        xs = [load(samples, vector, v * BYTES) for v in range(vectors)]
        of_term = builder.add(weight, builder.mul(k, number(ROWS * size)))
        after = []
        for row in range(rows):
            w = spread(load(of_term, scalar, row * size))
            for x, total in zip(xs, totals[row * vectors :], strict=False):
                # 'contract' lets a product and a sum be one instruction, rounded once; nothing else may change.
                after.append(builder.fadd(total, builder.fmul(w, x, flags=("contract",)), flags=("contract",)))
        following = builder.add(k, number(1))
        for phi, start, then in zip((k, *totals), (number(0), *before), (following, *after), strict=True):
            phi.add_incoming(start, entry)
            phi.add_incoming(then, loop)
        builder.cbranch(builder.icmp_signed("<", following, terms), loop, done)

        builder.position_at_end(done)
        for n, total in enumerate(after):
            place = builder.add(lines[n // vectors], number(n % vectors * BYTES))
            builder.store(total, builder.inttoptr(place, vector.as_pointer()), align=size)
        return context.get_dummy_value()

    @intrinsic
    def function(
        context: Any, like: Any, laid: Any, starts: Any, terms: Any, weight: Any, bias: Any, sums: Any, step: Any
    ) -> Any:
        return types.void(like, *[types.intp] * 7), emit

    return function


def correlate(rows: int, terms: int) -> Any:
    """Make ``f(like, x, step, y, starts, vectors, sums)`` for Numba: a zero, then addresses and sizes.

    It adds to ``sums[rows, terms]``, to each the sum of the products of so many vectors of a row of x, ``step`` bytes
    behind the row before it, with those from ``y[starts[term]]`` on.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        like, x, step, y, starts, vectors, sums = args
        scalar, number = like.type, x.type
        size = 4 if isinstance(scalar, ir.FloatType) else 8
        vector = ir.VectorType(scalar, BYTES // size)

        def load(address: Any, kind: Any) -> Any:
            return builder.load(builder.inttoptr(address, kind.as_pointer()), align=size)

        lines = [builder.add(x, builder.mul(step, number(row))) for row in range(rows)]
        for term in range(terms):
            start = load(builder.add(starts, number(8 * term)), INT64)
            lines.append(builder.add(y, builder.mul(start, number(size))))
        entry, loop, done = builder.block, builder.append_basic_block("samples"), builder.append_basic_block("done")
        builder.branch(loop)

        builder.position_at_end(loop)
        k, totals = builder.phi(number), [builder.phi(vector) for _ in range(rows * terms)]
        offset = builder.mul(k, number(BYTES))
        samples = [load(builder.add(line, offset), vector) for line in lines]
        after = []
        for n, total in enumerate(totals):
            product = builder.fmul(samples[n // terms], samples[rows + n % terms], flags=("contract",))
            after.append(builder.fadd(total, product, flags=("contract",)))
        following = builder.add(k, number(1))
        for phi, first, then in zip(
            (k, *totals), (number(0), *[ir.Constant(vector, None)] * len(totals)), (following, *after), strict=True
        ):
            phi.add_incoming(first, entry)
            phi.add_incoming(then, loop)
        builder.cbranch(builder.icmp_signed("<", following, vectors), loop, done)

        builder.position_at_end(done)
        place = sums
        for found in _totals(builder, after):
            address = builder.inttoptr(place, found.type.as_pointer())
            builder.store(builder.fadd(builder.load(address, align=size), found), address, align=size)
            place = builder.add(place, number(found.type.count * size))
        return context.get_dummy_value()

    @intrinsic
    def function(context: Any, like: Any, x: Any, step: Any, y: Any, starts: Any, vectors: Any, sums: Any) -> Any:
        return types.void(like, *[types.intp] * 6), emit

    return function


def _totals(builder: Any, vectors: list[Any]) -> list[Any]:
    """Add up each vector: as many sums, in vectors as long and then shorter ones.

    One by one, 24 vectors take eight instructions each; halves of two at a time, a third of them.
    """
    lanes, sums = vectors[0].type.count, []
    while vectors:
        several = 1 << min(len(vectors).bit_length(), lanes.bit_length()) - 1
        some, vectors = vectors[:several], vectors[several:]
        parts = lanes  # of each sum, side by side
        while parts > 1:
            parts //= 2
            pairs = zip(some[::2], some[1::2], strict=True) if len(some) > 1 else [(some[0], None)]
            some = [_fold(builder, a, b, parts) for a, b in pairs]
        sums += some
    return sums


def _fold(builder: Any, a: Any, b: Any, parts: int) -> Any:
    """Add every second run of so many lanes of a, and then of b, to the run before it."""
    lanes = a.type.count * (1 if b is None else 2)
    first = [lane for lane in range(lanes) if lane // parts % 2 == 0]
    halves = [ir.Constant(ir.VectorType(INT32, len(first)), [lane + more for lane in first]) for more in (0, parts)]
    return builder.fadd(*(builder.shuffle_vector(a, a if b is None else b, half) for half in halves))
