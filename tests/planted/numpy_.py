"""Faults of what NumPy alone computes with: tiles, windows, sub-pixel phases, FFTs, threads, and the two ways back."""

from planted.fault import Fault

__all__ = ["FAULTS", "of_numpy"]

FOLDER = "_lower/_numpy"
VALUES = "test_values.py -k both_layouts"
BACK = "test_adjoint.py -k 'named and overlap_add'"
HALVES = "test_values.py -k halves"
TILES = "test_tiles.py -k 'named or many_tiles'"
TILES_BACK = "test_tiles.py -k ways_back"
NOT_FINITE = "-k not_finite"
FFT = "test_fft.py -k many_blocks"
THREADS = "test_threads.py"


def of_numpy(file, *rows):
    """Faults of a file of NumPy's lowerings."""
    return (Fault(breaks, "numpy", tests, f"{FOLDER}/{file}.py", *texts) for breaks, tests, *texts in rows)


FAULTS = (
    *of_numpy(
        "_grid",
        (
            "one sample more than is kept",
            VALUES,
            "(plan.out[axis] - 1 + lo - residue)",
            "(plan.out[axis] + lo - residue)",
        ),
        ("a trimmed kernel keeps its crop", VALUES, "lo - p.start * s - a.start * d", "lo - p.start * s"),
        ("trimmed inputs keep their crop", VALUES, "lo - p.start * s - a.start * d", "lo - a.start * d"),
        ("the grid without the dilation", VALUES, "i + (k - 1) * d // s", "i + (k - 1) // s"),
        (
            "the second half of x lies where the first does",
            TILES_BACK,
            "plan.lo[axis] - first * plan.stride[axis]",
            "plan.lo[axis]",
        ),
        ("float16 added in float16", HALVES, 'in ("float16", "bfloat16")', 'in ("bfloat16",)'),
        (
            "float16 added in float16 over many tiles",
            "test_tiles.py -k halves",
            'in ("float16", "bfloat16")',
            'in ("bfloat16",)',
        ),
    ),
    *of_numpy(
        "_operands",
        (
            "what is not finite is taken for finite",
            f"test_adjoint.py {NOT_FINITE}",
            'if array.dtype.kind in "iu":',
            "if True:",
        ),
        (
            "the first number says whether all are finite",
            f"test_adjoint.py {NOT_FINITE}",
            "np.isfinite(line[n : n + BLOCK])",
            "np.isfinite(line[n : n + 1])",
        ),
        (
            "the first block says whether all are finite",
            "test_tiles.py -k every_block",
            "range(0, line.size, BLOCK)",
            "range(1)",
        ),
        (
            "groups change places with their channels",
            TILES,
            ".reshape(plan.groups, outs),",
            ".reshape(outs, plan.groups).T,",
        ),
        (
            "no bias where no input reaches",
            TILES,
            "    of.out[...] = of.background(of.plan.rank)",
            "    of.out[...] = 0",
        ),
    ),
    *of_numpy(
        "_window",
        (
            "the overlap is not handed on",
            TILES,
            "by_row[:overlap] = by_row[here : here + overlap]",
            "by_row[:overlap] = 0",
        ),
        (
            "a later tile has no bias",
            TILES,
            "window[(*(ALL,) * (plan.rank + 2), slice(overlap, None))] = fill",
            "window[(*(ALL,) * (plan.rank + 2), slice(overlap, None))] = 0",
        ),
        ("the first tile has no bias", TILES, "        window[...] = fill", "        window[...] = 0"),
        ("the last overlap is not written", TILES, "else here + overlap", "else here + max(0, overlap - 1)"),
        ("no bias where no two taps meet", TILES, "                columns += fill", "                columns += 0"),
        ("what no tap reaches is left as it was", TILES, "if not schedule.covers or not x.size:", "if not x.size:"),
        (
            "channels of a tile have another's bias",
            TILES,
            "bias[groups, channels],",
            "bias[groups, : channels.stop - channels.start],",
        ),
        (
            "no bias for more than one image",
            TILES,
            "y, ours = operands(plan, x, weight, bias)",
            "y, ours = operands(plan, x, weight, None if len(x) > 1 else bias)",
        ),
    ),
    *of_numpy(
        "_schedule",
        (
            "taps of one shift side by side, whatever the dilation",
            TILES,
            "slice(taps[0] * d % s, taps[-1] * d % s + 1, d)",
            "slice(taps[0] * d % s, taps[0] * d % s + len(taps), 1)",
        ),
        ("rows added one too early", TILES, "shifts[0], tuple(place))", "max(0, shifts[0] - 1), tuple(place))"),
        (
            "all samples are taken for written",
            TILES,
            "(square or not disjoint) and min(plan.lo + plan.hi) >= 0",
            "True",
        ),
        (
            "taps of unequal phases are taken for phases",
            TILES,
            "disjoint = grid == plan.size and (square or not folds)",
            "disjoint = grid == plan.size",
        ),
        ("a folded axis keeps its crop", TILES, "slice(first - lo, stop - lo)", "slice(first, stop)"),
    ),
    *of_numpy(
        "_few",
        ("the table's missing terms are its first", VALUES, "most), columns.size)", "most), 0)"),
        (
            "the table's outputs have one order",
            VALUES,
            "np.moveaxis(table, 0, -2) if plan.channels_last else table",
            "table",
        ),
    ),
    *of_numpy(
        "_columns",
        (
            "every group has the bias of the first",
            BACK,
            "total += fill[tile.groups, :, None]",
            "total += fill[:1, :, None]",
        ),
        (
            "one tile of output channels",
            TILES_BACK,
            "total = found if total is None else np.add(total, found, out=total)",
            "total = found",
        ),
        ("no bias for what takes nothing", BACK, "x[...] = 0 if bias is None else np", "x[...] = 0 if True else np"),
        ("what was cropped is what the last tile left", BACK, "        window[...] = 0\n", ""),
        (
            "a thread's channels go to the first",
            "test_tiles.py -k divide",
            "weight[tile.groups, ins, some]",
            "weight[tile.groups, : x.shape[1], some]",
        ),
        (
            "no thread divides the channels",
            "test_tiles.py -k divide",
            "elif of.weight.nbytes >= LARGE",
            "elif of.weight.nbytes < LARGE",
        ),
        (
            "a half of the tiles is lost",
            "test_tiles.py -k two_threads",
            "            of.weight[...] += other\n",
            "            pass\n",
        ),
        (
            "an infinite weight is multiplied by zeros",
            f"test_adjoint.py {NOT_FINITE}",
            "if not is_finite(weight):",
            "if False:",
        ),
        ("an infinite x is multiplied by zeros", f"test_adjoint.py {NOT_FINITE}", "if not is_finite(x):", "if False:"),
        (
            "float16 added in float16 between tiles",
            "test_tiles.py -k halves",
            "np.zeros(plan.weight_shape, work_dtype(x.dtype))",
            "np.zeros(plan.weight_shape, x.dtype)",
        ),
    ),
    *of_numpy(
        "_by_tap",
        (
            "tap by tap, the last tap alone",
            f"test_adjoint.py {NOT_FINITE}",
            "target += np.moveaxis(found",
            "target[...] = np.moveaxis(found",
        ),
        ("tap by tap, without the bias", f"test_adjoint.py {NOT_FINITE}", "    if bias is not None:", "    if False:"),
        (
            "tap by tap, the tap beside",
            f"test_adjoint.py {NOT_FINITE}",
            "(..., *(tap.a for tap in taps)), samples",
            "(..., *(tap.a - 1 for tap in taps)), samples",
        ),
    ),
    *of_numpy(
        "sub_pixel",
        ("columns begin beside their shift", VALUES, "start = margin - sum(", "start = margin - margin % 2 - sum("),
        (
            "what no tap reaches is left as it was",
            VALUES,
            "if reached < prod(of.plan.stride) or min(of.plan.lo + of.plan.hi) < 0:",
            "if False:",
        ),
        ("rows are laid over those of the call before", VALUES, "    flat[...] = 0\n", ""),
        (
            "an infinite weight is multiplied by zeros",
            f"test_values.py {NOT_FINITE}",
            "if not is_finite(weight):",
            "if False:",
        ),
        ("groups share a bias", VALUES, "by_channel += of.bias[group][:, None]", "by_channel += of.bias[0][:, None]"),
        (
            "a row of the next tile",
            TILES,
            "first, stop = max(0, front), min(plan.size[0], q + rows)",
            "first, stop = max(0, front), min(plan.size[0], q + rows - 1)",
        ),
    ),
    *of_numpy(
        "_phases",
        ("phases in the order of taps", VALUES, "key=lambda a: a * d % s)", "key=lambda a: -a)"),
    ),
    *of_numpy(
        "fft",
        (
            "shifts of a phase side by side",
            FFT,
            "slice(tap * d // s, last * d // s + 1, d * step // s)",
            "slice(tap * d // s, tap * d // s + len(range(tap, k, step)))",
        ),
        ("a block without the inputs before it", FFT, "begins = [max(0, a - lap)", "begins = [max(0, a - lap + 1)"),
        ("groups share a bias", FFT, "of.bias[group, row.channel]", "of.bias[0, row.channel]"),
        ("computed in single precision", "test_fft.py -k rounded_once", 'else "float64")', 'else "float32")'),
    ),
    *of_numpy(
        "_threads",
        (
            "BLAS is left with one thread",
            THREADS,
            "            self._set(turn.before)\n",
            "            pass\n",
        ),
        ("two threads share a buffer", THREADS, "_kept = local()", '_kept = type("Kept", (), {})()'),
    ),
)
