"""Faults of what Numba compiles for NumPy and PyTorch: tables, layouts, copies of rows, and the innermost loops."""

from planted.numpy_ import NOT_FINITE, of_numpy

__all__ = ["FAULTS"]

DIRECT = "test_direct.py -k 'named or way_back'"
NARROW = "test_direct.py -k narrow"
LOOPS = "test_values.py -k 'both_layouts and loops'"
MIXED = "test_mixed_operands.py"

FAULTS = (
    *of_numpy(
        "direct",
        (
            "of an image that is copied nothing is left",
            "test_direct.py -k image_that_is_copied",
            "taken, inputs, taps = trim(plan)",
            "taken, inputs, taps = plan, *[[ALL] * plan.rank] * 2",
        ),
    ),
    *of_numpy(
        "_program",
        ("a half of a long line has the other's inputs", DIRECT, "x=of.x[..., inputs], out=", "x=of.x, out="),
        (
            "a long kernel takes all memory",
            "test_direct.py -k far",
            "* itemsize > MOST_BYTES",
            "* itemsize > MOST_BYTES**2",
        ),
        ("each half begins where the first does", DIRECT, "(_address(view) - _address(whole)) // size", "0"),
        ("some phases are all", DIRECT, "_is_covered(of.plan) if", "True if"),
    ),
    *of_numpy(
        "_pieces",
        (
            "an infinite weight is compiled",
            "test_direct.py -k not_finite",
            "packed if finite.all() else None",
            "packed",
        ),
        ("what no tap reaches is left as it was by the compiled loops", DIRECT, "if not of.is_all:", "if False:"),
        ("the weight of one thread is all", DIRECT, "totals.sum(axis=0)", "totals[0]"),
        (
            "an infinite sample is compiled",
            f"test_adjoint.py {NOT_FINITE}",
            "return bool(np.isfinite(rows).all())",
            "return True",
        ),
        ("a tile by columns", DIRECT, "HIGH, WIDE).swapaxes(2, 3)", "WIDE, HIGH).transpose(0, 1, 4, 2, 3)"),
    ),
    *of_numpy(
        "_correlation",
        ("one run is all", DIRECT, "range(0, samples, RUN)", "range(0, min(samples, RUN), RUN)"),
        ("some tiles of terms are all", DIRECT, "range(0, tiles, near)", "range(0, min(tiles, near), near)"),
        (
            "each part has the first channels",
            DIRECT,
            "totals.shape[1] + c // HIGH)",
            "totals.shape[1] + (c - begin) // HIGH)",
        ),
    ),
    *of_numpy(
        "_rows",
        (
            "odd samples before even ones",
            DIRECT,
            "for place in (lane, long + lane)]",
            "for place in (long + lane, lane)]",
        ),
        (
            "the end of a row is left out",
            DIRECT,
            'icmp_signed("<", first, last), vectors',
            'icmp_signed("<", n, first), vectors',
        ),
        ("every third sample is its neighbour", DIRECT, "lanes + lane * stride - begin", "lanes + lane * 2 - begin"),
    ),
    *of_numpy(
        "_layout",
        ("the next image is the same", DIRECT, "source += steps.image * size", "source += 0"),
        ("the first piece of every image is read", DIRECT, "begin % sizes.rows, begin", "0, begin"),
    ),
    *of_numpy(
        "_micro",
        ("sums of a tile in another order", DIRECT, "zip(some[::2], some[1::2]", "zip(some[1::2], some[::2]"),
    ),
    *of_numpy(
        "_trilinear",
        ("the first sample is left out", LOOPS, "max(0, -(at // s))", "max(1, -(at // s))"),
        ("groups see each other", LOOPS, "(channel // ins * outs + o)", "(channel // (groups * ins) * outs + o)"),
    ),
    *of_numpy(
        "loops",
        ("few numbers without their bias", LOOPS, "if bias is None:", "if True:"),
        ("many numbers one after the other", "test_loops.py", "if products <= MANY else", "if True else"),
    ),
    *of_numpy(
        "_tables",
        ("lines above a piece are not laid out", DIRECT, "-(min(offsets) // pitch), -(", "0, -("),
    ),
    *of_numpy(
        "_ways",
        ("a term begins a sample late", DIRECT, "else -sum(n * p for", "else 1 - sum(n * p for"),
        (
            "all phases begin with the first sample of the grid",
            DIRECT,
            "tuple(shift - begin for shift",
            "tuple(shift + 0 for shift",
        ),
        ("halves of a line have other terms", DIRECT, "apart = divided == 1 and _is_apart", "apart = _is_apart"),
        ("the image is not moved", DIRECT, "(np.arange(n) - t, i, step)", "(np.arange(n), i, step)"),
    ),
    *of_numpy(
        "_readable",
        ("an operand is read as it is aligned", MIXED, "if flags.behaved:", "if True:"),
        ("an operand is read in its own byte order", MIXED, '(array, dtype.newbyteorder("="))', "(array)"),
        ("a read-only operand is compiled for", MIXED, "if flags.behaved:", "if flags.aligned:"),
    ),
    *of_numpy(
        "_pieces",
        (
            "the second operand is read as it lies",
            MIXED,
            "readable(a, totals.dtype)",
            "np.ascontiguousarray(a).reshape(-1)",
        ),
        ("the bias is read as it lies", MIXED, "else readable(bias, given.dtype)", "else np.ascontiguousarray(bias)"),
    ),
    *of_numpy(
        "_numba",
        (
            "Numba's switch is not looked at",
            "test_numba.py -k off",
            'if _is_switched_off() else ""',
            'if False else ""',
        ),
    ),
    *of_numpy(
        "_cached",
        ("what cannot be read is an error", "test_numba.py -k damaged", "            return None", "            raise"),
    ),
    *of_numpy(
        "_packing",
        ("the weight of the first group", DIRECT, "(group * weight.shape[1] + tables.terms", "(tables.terms"),
        ("the first row of each block", DIRECT, "min(i, rows - 1), 2]", "0, 2]"),
        ("whatever the weight is", f"test_values.py {NOT_FINITE}", "finite[0] = check == zero", "finite[0] = True"),
    ),
    *of_numpy(
        "_compiled",
        ("the first piece of every image", DIRECT, "(top + line) % sizes.rows, (top", "line % sizes.rows, (top"),
        (
            "the rest of the pieces is left out",
            DIRECT,
            "height = min(sizes.lines, all_lines - top)",
            "height = min(1, all_lines - top)",
        ),
        ("the last channels are all", DIRECT, "0 if channels[0] else start", "start if channels[0] else start"),
        ("some channels have the weights of the first", DIRECT, "+ ROWS * skipped) * size", ") * size"),
        ("the bias of the first group", DIRECT, "= bias[group, rows", "= bias[0, rows"),
        (
            "a line is summed beside its samples",
            DIRECT,
            "samples + (line - top) * sizes.pitch",
            "samples + (line - top)",
        ),
    ),
    *of_numpy(
        "_sums",
        ("the end of a line is left out", DIRECT, "while j < n:", "while j + lanes <= n:"),
    ),
    *of_numpy(
        # Planted on a machine without AVX-512, or seen by the test that hides it.
        "_panels",
        ("panels after the first begin anew", NARROW, "if start and not some else 0", "if start else 0"),
        ("the weight of the first panel", NARROW, "(some * ROWS + row) * size", "row * size"),
        (
            "the last panel has terms that are none",
            NARROW,
            "of_panel, at = min(TERMS, terms - some), 0",
            "of_panel, at = TERMS, 0",
        ),
        ("samples of the first panel", NARROW, "source = samples + at * BYTES", "source = samples"),
    ),
    *of_numpy(
        "_compiled",
        ("the samples of the last box", NARROW, "if is_first:", "if is_first and top == 0:"),
        ("what the first block keeps, all do", DIRECT, "some, end if gathers else", "some, some + 1 if gathers else"),
    ),
    *of_numpy(
        "_placing",
        (
            "what is kept of one phase alone is dropped",
            DIRECT,
            "for n in range(last, b):",
            "for n in range(last, last):",
        ),
    ),
)
