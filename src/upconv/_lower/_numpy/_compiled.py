"""The loops of a direct convolution around the innermost one, compiled by Numba.

Samples are found by their addresses: an index that may be negative is checked at each sample, and each slice counts its
references. Both cost more than the copies.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from upconv._lower._numpy._layout import lay
from upconv._lower._numpy._micro import BYTES
from upconv._lower._numpy._numba import compiled
from upconv._lower._numpy._panels import (
    add_up_panels,
    alike,
    gather,
    is_gathered,
    most_gathered,
    run_of,
    steps_of_panels,
)
from upconv._lower._numpy._placing import put
from upconv._lower._numpy._scratch import scratch
from upconv._lower._numpy._sums import VECTORS, add_up
from upconv._lower._numpy._tables import ROWS, Sizes, Steps, Tables
from upconv._lower._numpy._taken import take

__all__ = ["direct"]

# Samples of a run: eight rows of sums stay in the L1 cache.
RUN = 960
# Terms that take as long as to copy their sums to where they belong: of dcgan-32-rgb's dx 48 take 1.9 ms, the copy 1.0.
COPY = 24


@compiled()
def direct(
    following: Any,
    stop: int,
    of: tuple[Any, ...],
    given: Any,
    from_given: tuple[int, ...],
    weight: Any,
    bias: Any,
    result: Any,
    from_result: tuple[int, ...],
) -> None:
    """Compute the ``following`` pieces that no thread has taken, up to ``stop``: lines and rows of a group each."""
    sizes = Sizes(*of[0])
    tables, of_given, of_result = Tables(sizes, *of[1:]), Steps(*from_given), Steps(*from_result)
    beyond = VECTORS * BYTES // given.itemsize  # what a vector may read behind the last sample
    of_channel, blocks = sizes.planes // sizes.channels, len(tables.blocks)
    most = most_gathered(tables.blocks, given.itemsize) // sizes.channels * -(-sizes.channels // sizes.chunks)
    run, at_once = run_of(most, given.itemsize, sizes.pitch) if most else (RUN, max(1, RUN // sizes.pitch))
    waiting = 1
    if sizes.chunks > 1:  # sums of some channels wait for those of the rest, all rows of a piece
        run, at_once, waiting = sizes.lines * sizes.pitch, sizes.lines, -(-blocks // sizes.parts)
    laid = scratch(-(-sizes.channels // sizes.chunks) * of_channel * sizes.plane + beyond, given)
    # Whole vectors: each row begins with a line of the cache.
    width = (1 + -(-min(run, at_once * sizes.pitch) // beyond)) * beyond
    sums, panels = scratch(waiting * ROWS * width, given), scratch(most * width, given)
    steps, start = steps_of_panels(BYTES // given.itemsize), np.empty(ROWS, given.dtype)
    all_lines = sizes.images * sizes.rows
    places: Any = np.empty((len(tables.targets), sizes.lines), np.int64)
    of_group = -(-all_lines // sizes.lines)
    piece = take(following.ctypes.data)
    while piece < stop:
        part, group, top = (
            piece % sizes.parts,
            piece // sizes.parts // of_group,
            piece // sizes.parts % of_group * sizes.lines,
        )
        height = min(sizes.lines, all_lines - top)
        for line in range(height):  # once for all rows: of images of 14 x 14 a layer takes 4 % less
            of_image, image = (top + line) % sizes.rows, (top + line) // sizes.rows * of_result.image
            for phase in range(len(places)):
                target = tables.targets[phase, 3 + of_image]
                places[phase, line] = image + target if target >= 0 else -1
        begin = top - sizes.before
        read = begin, begin + sizes.plane // sizes.pitch
        first, last = part * blocks // sizes.parts, (part + 1) * blocks // sizes.parts
        for chunk in range(sizes.chunks):
            channels = sizes.channels * chunk // sizes.chunks, sizes.channels * (chunk + 1) // sizes.chunks
            which = group, channels[0] * of_channel, channels[1] * of_channel
            lay(laid, sizes.plane, sizes, tables.sources, which, read, given, of_given)
            for line in range(0, height, at_once):
                for column in range(0, sizes.pitch, run):
                    box = line, min(line + at_once, height), column, min(column + run, sizes.pitch)
                    block = first
                    while block < last:
                        end = alike(tables.blocks, block, last)
                        gathers = is_gathered(tables.blocks, block, end, given.itemsize)
                        kept = box
                        for some in range(block, end):
                            if some == block or not gathers:
                                kept = _kept(box, places, tables, some, end if gathers else some + 1)
                            if kept[0] < kept[1] and kept[2] < kept[3]:
                                to = (some - first) % waiting * ROWS * width, width
                                _block(
                                    kept,
                                    channels,
                                    places,
                                    tables,
                                    group,
                                    some,
                                    laid,
                                    weight,
                                    bias,
                                    start,
                                    sums,
                                    to,
                                    result,
                                    of_result,
                                    (panels, steps, gathers, some == block),
                                )
                        block = end
        piece = take(following.ctypes.data)


@compiled()
def _kept(box: Any, places: Any, tables: Tables, block: int, last: int) -> tuple[int, int, int, int]:
    """Leave out lines and columns of a box of which some blocks keep nothing."""
    (first, stop, begin, end), rows, targets = box, tables.rows, tables.targets
    top, bottom, left, right = stop, first, end, begin
    for of_block in range(block, last):
        for i in range(tables.blocks[of_block, 3]):
            phase = rows[of_block, i, 0]
            left, right = min(left, targets[phase, 0]), max(right, targets[phase, 1])
            line = first
            while line < top and places[phase, line] < 0:
                line += 1
            top, line = min(top, line), stop
            while line > bottom and places[phase, line - 1] < 0:
                line -= 1
            bottom = max(bottom, line)
    return top, bottom, max(left, begin), min(right, end)


@compiled()
def _block(
    box: Any,
    channels: Any,
    places: Any,
    tables: Tables,
    group: int,
    block: int,
    laid: Any,
    weight: Any,
    bias: Any,
    start: Any,
    sums: Any,
    to: Any,
    result: Any,
    steps: Steps,
    gathered: Any,
) -> None:
    """Add some channels to up to eight rows of the result in a box of lines and columns.

    ``gathered`` is memory for panels, their steps, whether the samples are read from them, and whether they are to be
    brought there first.
    """
    (top, bottom, left, right), (at, width), (panels, of_panels, gathers, is_first) = box, to, gathered
    sizes, rows, targets = tables.sizes, tables.rows, tables.targets
    blocks = tables.blocks
    first_term, last_term, of_weight, kept = blocks[block, 0], blocks[block, 1], blocks[block, 2], blocks[block, 3]
    n = (bottom - top - 1) * sizes.pitch + right - left
    for i in range(kept):
        start[i] = bias[group, rows[block, i, 1]]
    of_channel = (last_term - first_term) // sizes.channels
    skipped, absent = of_channel * channels[0], channels[0] * (sizes.planes // sizes.channels) * sizes.plane
    zero, size = sums.dtype.type(0), sums.itemsize
    samples = laid.ctypes.data + ((sizes.before + top) * sizes.pitch + left - absent) * size
    weights = weight.ctypes.data + (group * weight.shape[1] + of_weight + ROWS * skipped) * size
    n_terms = of_channel * (channels[1] - channels[0])
    begin_with = 0 if channels[0] else start.ctypes.data
    there = sums.ctypes.data + at * size, width * size
    if gathers:
        if is_first:
            gather(zero, size, samples, (first_term + skipped, n_terms), n, panels.ctypes.data, tables.starts)
        add_up_panels(zero, size, panels.ctypes.data, n_terms, of_panels, weights, begin_with, there, kept, n)
    else:
        terms = tables.starts.ctypes.data + (first_term + skipped) * 8, n_terms
        if (
            sizes.chunks == 1
            and steps.column == 1
            and _fits(right - left, sizes.pitch, terms[1], kept, rows[block], size)
        ):
            # Neighbours in the result: sums of a line are written where they belong.
            phase = rows[block, 0, 0]
            goal = steps.base + group * steps.group + rows[block, 0, 1] * steps.channel
            goal += targets[phase, 2] + left - targets[phase, 0]
            for line in range(top, bottom):
                place = places[phase, line]
                if place >= 0:
                    of_line = samples + (line - top) * sizes.pitch * size
                    there = result.ctypes.data + (goal + place) * size, steps.channel * size
                    add_up(zero, size, of_line, terms, weights, start.ctypes.data, there, kept, right - left, True)
            return
        add_up(zero, size, samples, terms, weights, begin_with, there, kept, n, False)
    if channels[1] == sizes.channels:
        put((top, bottom, left, right), places, tables, group, block, sums, at, width, result, steps)


@compiled()
def _fits(n: int, pitch: int, terms: int, kept: int, rows: Any, size: int) -> bool:
    """Whether rows are channels side by side, of whole vectors that take no longer than all columns and a copy."""
    if kept not in (4, 8) or rows[kept - 1, 0] != rows[0, 0] or rows[kept - 1, 1] - rows[0, 1] != kept - 1:
        return False
    lanes = BYTES // size
    return n >= lanes and -(-n // lanes) * lanes * terms <= pitch * (terms + COPY)
