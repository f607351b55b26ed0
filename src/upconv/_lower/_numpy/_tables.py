"""What the compiled loops of a direct convolution read in place of a plan: whole numbers, worked out once.

Samples of the grid are lines of one pitch, those of all images one after the other. A plane holds them for one channel
and phase of the input; a term of a sum takes a plane from an offset on; a row of the result is a channel and a phase.
"""

from __future__ import annotations

from itertools import takewhile
from math import prod
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "GATHERED",
    "LINE",
    "MOST_GATHERED",
    "ROWS",
    "SHORT_RUN",
    "TILE_BYTES",
    "Sizes",
    "Steps",
    "Tables",
    "make_tables",
    "plain",
]

ROWS = 8  # that are computed side by side
# Bytes of a line of the cache: a vector that begins with one is read from one, and all others from two. Layers whose
# terms all begin so, each tap at a stride of its own or samples laid out apart, take 5 to 10 % less.
LINE = 64
# Of the input, laid out: it stays in the L2 cache beside what it is multiplied with.
TILE_BYTES = 1 << 20
# Of samples that are gathered in panels: what is aimed at, what is not exceeded, and the least of a run.
GATHERED, MOST_GATHERED, SHORT_RUN = 1 << 20, 4 << 20, 96
# To be divided between threads: of eight, which took 3 % longer on ten layers, a slow core keeps the others waiting.
PIECES = 12
# Samples of a piece for which the whole weight is read, where some channels are laid out at a time.
SAMPLES = 256
# Such pieces, and parts of a line times parts of the rows: with more, what is read or laid out for each takes longer.
LONG_PIECES = 4


class Steps(NamedTuple):
    """From one sample of an array to the next image, group, channel and column; and where the first one is."""

    image: int
    group: int
    channel: int
    column: int
    base: int


class Sizes(NamedTuple):
    images: int
    rows: int  # lines of each
    pitch: int  # samples of a line
    lines: int  # of a piece
    before: int  # lines above a piece that it reads
    plane: int  # samples of a plane of a piece
    planes: int
    parts: int  # into which the rows are divided
    packed: int  # weights of a group, as they are read
    pieces: int  # of a group
    channels: int  # that are laid out
    chunks: int  # into which those are divided
    in_order: int  # one, where terms that follow each other are neighbours in the weight


class Tables(NamedTuple):
    """Arrays of int64."""

    sizes: Sizes
    starts: Any  # of each term, where its samples begin
    terms: Any  # of each term, where in the weight
    blocks: Any  # (first term, last, where in the packed weight, rows) of rows that are computed side by side
    rows: Any  # (phase, channel, where in the weight, rows from here on that are written side by side) of each
    sources: Any  # (first column, last, where in the input) of each phase, then where each of its lines is, or -1
    targets: Any  # the same in the output


def plain(tables: Tables) -> tuple[Any, ...]:
    """Without the names: of a tuple that has them, Numba takes 5 microseconds to find out what it is."""
    return (tuple(tables.sizes), *tables[1:])


def _together(rows: list[list[int]]) -> list[list[int]]:
    """Say of each row how many, from it on, are phases of one channel that lie beside each other in the output."""
    found: list[list[int]] = []
    for n, (line, channel, phase, at) in enumerate(rows):
        more = takewhile([line, channel].__eq__, (row[:2] for row in rows[n:]))
        found.append([phase, channel, at, len(list(more))])
    return found


def make_tables(
    grid: tuple[int, ...],
    batch: int,
    itemsize: int,
    divided: int,
    channels: int,
    terms: Any,
    rows: Any,
    sources: Any,
    targets: Any,
    beside: int = 0,
) -> Tables:
    """Divide lines into pieces and rows into blocks, and find the place of each term in a piece that is laid out."""
    *outer, pitch = grid
    planes, lines, offsets = channels * len(sources), batch * prod(outer), [offset for _, offset, _ in terms]
    before, after = -(min(offsets) // pitch), -(-max(offsets) // pitch)
    alone = not (any(offsets) or beside)  # lines that need no others
    most = max(1, TILE_BYTES // ((planes + beside) * pitch * itemsize))
    # Short pieces read the lines above them more often than they need to be; an odd one leaves a thread without work.
    pieces = max(-(-lines // most), min(PIECES, lines // 8), 1)
    if alone and most * pitch < SAMPLES:
        # For longer pieces with fewer channels at a time, the weight is read fewer times.
        all_rows = sum(len(of_class) for *_, of_class in rows)
        most = max(1, min(SAMPLES, TILE_BYTES // (all_rows * itemsize)) // pitch)
        pieces = max(-(-lines // most), min(LONG_PIECES, lines // 8), 1)
    height = -(-lines // (pieces + pieces % 2 if pieces > 1 else 1))
    plane = -(-(before + height + after) * pitch * itemsize // LINE) * LINE // itemsize
    chunks = min(channels, -(-planes * plane * itemsize // TILE_BYTES)) if alone else 1
    blocks, of_block, packed = [], [], 0
    for begin, end, of_class in rows:
        for first in range(0, len(of_class), ROWS):
            some = _together(of_class[first : first + ROWS])
            blocks.append((begin, end, packed, len(some)))
            of_block.append((some * ROWS)[:ROWS])
            packed += ROWS * (end - begin)
    # Each part of the rows lays out the same lines anew: of a call that is divided there are few.
    most = PIECES if divided == 1 else max(1, LONG_PIECES // divided)
    parts = min(most, len(blocks)) if height == lines else 1
    pieces = -(-lines // height) * parts
    starts, of_weight = [of * plane + offset for of, offset, _ in terms], [at for *_, at in terms]
    in_order = int(of_weight == list(range(len(terms))))
    sizes = Sizes(
        batch, prod(outer), pitch, height, before, plane, planes, parts, packed, pieces, channels, chunks, in_order
    )
    tables = starts, of_weight, blocks, of_block, sources, targets
    return Tables(sizes, *(np.array(table, np.int64) for table in tables))
