"""A call on few numbers: one product, one look-up, one sum, because each of NumPy's calls takes a microsecond."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import prod
from typing import Any

import numpy as np

from upconv._lower._numpy._grid import work_dtype
from upconv._plan import Plan

__all__ = ["few", "is_few"]

# Entries of the table: outputs, each with the taps of one phase; of one image, and of all of them. On a 5x7 image with
# two channels (2160 entries) this takes 36 microseconds and tiles 109, on 12x13 with three (5400) 62 and 81, on 16x17
# with four (14280) 107 and 91.
MOST = 4096
MOST_OF_ALL = 8192


def is_few(plan: Plan, batch: int) -> bool:
    """Whether the table stays small."""
    terms = prod(-(-k // s) for k, s in zip(plan.kernel, plan.stride, strict=True))
    entries = prod(plan.image_shape) * terms
    columns = plan.out_channels * prod(plan.kernel) * prod(plan.size)  # also those of what is cropped
    few = max(entries, columns // 4) <= MOST and batch * entries <= MOST_OF_ALL
    return few and entries > 0 and not plan.is_empty and max(plan.dilation) == 1


def few(plan: Plan, x: Any, weight: Any, bias: Any) -> Any:
    """Add up, for each output, the columns that reach it; where there are fewer than for another, zeros are added."""
    x, weight = np.asarray(x), np.asarray(weight)
    work, batch, groups, positions = work_dtype(x.dtype), len(x), plan.groups, prod(plan.size)
    ins = plan.in_channels // groups
    if plan.channels_last:
        x = np.moveaxis(x, -1, 1)
    image = x.reshape(batch, groups, ins, positions).astype(work, copy=False)
    matrix = weight.reshape(groups, ins, -1).astype(work, copy=False).swapaxes(1, 2)
    table = _table(plan)
    shape = (batch, groups, matrix.shape[1], positions)
    columns = np.zeros((batch, prod(shape[1:]) + 1), work)
    np.matmul(matrix, image, out=columns[:, :-1].reshape(shape))
    y = np.add.reduce(columns.take(table, axis=1), axis=-1, dtype=work)
    y = y.reshape(batch, *plan.image_shape)
    if bias is not None:
        y += np.asarray(bias).astype(work).reshape(-1, *(1,) * (0 if plan.channels_last else plan.rank))
    return y.astype(x.dtype, copy=False)


@lru_cache(maxsize=256)
def _table(plan: Plan) -> Any:
    """For each output, the places of its terms in the columns, (C_out, *kernel, *size), and of the zero behind them."""
    columns = np.arange(plan.out_channels * prod(plan.kernel) * prod(plan.size))
    columns = columns.reshape(plan.out_channels, *plan.kernel, *plan.size)
    terms: dict[tuple[int, ...], list[int]] = {}
    for taps in product(*plan.taps):
        for p in product(*(range(tap.start, tap.stop) for tap in taps)):
            o = tuple((q + tap.shift) * s + tap.phase for q, tap, s in zip(p, taps, plan.stride, strict=True))
            for channel in range(plan.out_channels):
                terms.setdefault((channel, *o), []).append(columns[(channel, *(tap.a for tap in taps), *p)])
    most = max(map(len, terms.values()), default=1)
    table = np.full((plan.out_channels, *plan.out, most), columns.size)
    for place, found in terms.items():
        table[(*place, slice(0, len(found)))] = found
    table = np.moveaxis(table, 0, -2) if plan.channels_last else table
    return table.reshape(-1, most)
