"""Faults of PyTorch's lowerings: its own op, the tiles, and their derivatives."""

from planted.fault import Fault

__all__ = ["FAULTS"]

FOLDER = "_lower/_torch"
NATIVE = "test_values.py -k 'both_layouts and native'"
OVERLAP_ADD = "test_values.py -k 'both_layouts and overlap_add'"
BACK = "test_adjoint.py -k 'named and native'"
TILES = "test_torch_overlap_add.py -k 'many_tiles or side_by_side'"
LAYERS = "test_torch_overlap_add.py -k 'derivatives or looks_on'"
WHERE = "test_torch_direct.py -k where_auto"
BACKWARDS = "test_torch_direct.py -k where_the_ways_back"
HALVES = "test_torch_halves.py -k 'come_to_the_whole'"
WIDE = "test_torch_halves.py -k 'wide_at_once'"
SUBSET = "test_torch.py -k 'subset and overlap_add'"


def _faults(file, *rows):
    return (Fault(breaks, "torch", tests, f"{FOLDER}/{file}.py", *texts) for breaks, tests, *texts in rows)


FAULTS = (
    *_faults(
        "_own",
        (
            "float16 added in float16 by the op",
            "test_values.py -k 'halves and native'",
            "array.dtype in WIDENED and array.is_cpu",
            "array.dtype is torch.bfloat16 and array.is_cpu",
        ),
        ("all images of halves are wide at once", WIDE, "(most := images_at_a_time(plan, batch)) >= batch", "True"),
        ("parts of a batch are not added up", HALVES, "dweight.add_(of_all)", "of_all"),
        ("a part has no image", "test_torch_halves.py -k one_image", "-(-batch // parts)", "batch // parts"),
        (
            "an empty image is given to the op",
            "test_values.py -k 'named and no-'",
            "    if plan.is_empty:",
            "    if False:",
        ),
        (
            "no bias where the op's result is cropped",
            NATIVE,
            "y = y.clone() if bias is None else y + bias.reshape(-1, *(1,) * plan.rank)",
            "y = y.clone()",
        ),
        (
            "what is appended has no bias",
            NATIVE,
            "inside = None if said.remains else bias",
            "inside, bias = bias, None",
        ),
        (
            "the op's result is cropped at its front alone",
            NATIVE,
            "slice(front, -back or None) for",
            "slice(0, -back - front or None) for",
        ),
        (
            "zeros appended to each other's axes",
            NATIVE,
            "tuple(chain.from_iterable(reversed(grow)))",
            "tuple(chain.from_iterable(grow))",
        ),
        (
            "zeros of the convolution on each other's axes",
            BACK,
            "tuple(chain.from_iterable(reversed(said.crop)))",
            "tuple(chain.from_iterable(said.crop))",
        ),
        (
            "the convolution keeps windows behind the last",
            BACK,
            "if any(op >= s for op, s in zip(said.output_padding, plan.stride, strict=True)):",
            "if False:",
        ),
        (
            "a crop alone keeps the whole result alive",
            "test_contract.py -k memory",
            "y = y.clone() if bias is None",
            "y = y if bias is None",
        ),
        (
            "the weight's gradient takes complex numbers",
            "test_adjoint.py -k complex",
            "real = x.dtype in FLOATING and not x.dtype.is_complex",
            "real = x.dtype in FLOATING",
        ),
    ),
    *_faults(
        "_scatter",
        (
            "float16 added in float16 in tiles",
            "test_values.py -k 'halves and overlap_add'",
            "work = torch.float32 if x.dtype in WIDENED else x.dtype",
            "work = x.dtype",
        ),
        (
            "sums begin without the bias",
            OVERLAP_ADD,
            "sums.zero_() if fill is None else sums.copy_(fill)",
            "sums.zero_()",
        ),
        (
            "no bias where there is nothing to add",
            OVERLAP_ADD,
            "                made += fill",
            "                made += 0",
        ),
        (
            "the cell that is cut short is not written",
            OVERLAP_ADD,
            "[(0, n // s, s), (n // s, 1, n % s)]",
            "[(0, n // s, s)]",
        ),
        (
            "the weight of the first channels in every tile",
            TILES,
            "weight[tile.groups, :, tile.channels],",
            "weight[tile.groups, :, : tile.lengths[2]],",
        ),
        (
            "the bias of the first channels in every tile",
            TILES,
            "bias[tile.groups, tile.channels],",
            "bias[tile.groups, : tile.lengths[2]],",
        ),
        (
            "images side by side in their channels' order",
            TILES,
            "block.permute(1, 2, 0, *range(3, block.ndim)).reshape",
            "block.transpose(0, 1).reshape",
        ),
    ),
    *_faults(
        "_schedule",
        (
            "a step adds the rows of the one before",
            TILES,
            "start - first, *(run.start for run in others))",
            "0, *(run.start for run in others))",
        ),
        (
            "windows without their shift",
            OVERLAP_ADD,
            "*(run.start + run.shift for run in axes))",
            "*(run.start for run in axes))",
        ),
        (
            "phases side by side, whatever the dilation",
            OVERLAP_ADD,
            "*map(mul, phases.stride[2:], dilation),",
            "*phases.stride[2 : rank + 2],",
        ),
        (
            "a run that ends one tap late",
            OVERLAP_ADD,
            "behind = min(k, -((-lo - (shift + 1) * s) // d))",
            "behind = min(k, -((-lo - (shift + 1) * s) // d) + 1)",
        ),
        (
            "the first tap of the first run is lost",
            OVERLAP_ADD,
            "tap = max(0, -((-lo - (1 - i) * s) // d))",
            "tap = max(0, 1 - ((-lo - (1 - i) * s) // d))",
        ),
    ),
    *_faults(
        "_tiles",
        (
            "a half of a half begins with the image",
            TILES,
            "slice(inputs[axis].start + taken.start, inputs[axis].start + taken.stop)",
            "taken",
        ),
        ("cropped columns are taken for phases", OVERLAP_ADD, " and not any(plan.lo) and", " and"),
        ("dilated columns are taken for phases", OVERLAP_ADD, " and set(plan.dilation) == {1}", ""),
    ),
    *_faults(
        "_choice",
        (
            "halves are slow as float64 is",
            "test_torch_overlap_add.py -k layers_are_taken",
            "if x.dtype == torch.float64:\n        # PyTorch's own op makes",
            "if x.dtype != torch.float64:\n        # PyTorch's own op makes",
        ),
        (
            "narrow vectors sum as many channels",
            "test_torch_direct.py -k narrow",
            "return IS_NARROW and dense and",
            "return False and dense and",
        ),
        (
            "narrow vectors make no columns of many channels",
            "test_torch_direct.py -k narrow",
            "2 * prod(plan.kernel) > 5 * prod(plan.stride)",
            "True",
        ),
        (
            "a large result of a depthwise layer is the own op's too",
            WHERE,
            "(plan.groups >= 16 and batch * prod(plan.image_shape) < 2**23)",
            "plan.groups >= 16",
        ),
        (
            "few channels of output are left to the own op",
            WHERE,
            "if ins > 1 and outs <= 4 and 600_000",
            "if ins > 1 and outs <= 2 and 600_000",
        ),
        (
            "few channels of output that overhang much are taken",
            WHERE,
            "roomy = strided or (plan.groups == 1 and samples**2 >= 100 * _grid(plan))",
            "roomy = strided or plan.groups == 1",
        ),
        (
            "up to 8 channels of output are left to the own op",
            WHERE,
            "if strided and outs <= 8 and ins <= 128",
            "if strided and outs <= 4 and ins <= 128",
        ),
        (
            "volumes that overhang much are taken",
            WHERE,
            "samples**2 < 240 * _grid(plan)",
            "samples**2 < 24 * _grid(plan)",
        ),
        (
            "volumes of which oneDNN takes 16 channels at a time are taken",
            WHERE,
            "plan.rank > 2 and outs % 16 == 0 and ins >= 32",
            "plan.rank > 2 and outs % 16 == 0 and ins >= 64",
        ),
        (
            "long windows close to each other are taken",
            WHERE,
            "plan.stride[0] < 512",
            "plan.stride[0] < 128",
        ),
        (
            "the way back: depthwise layers without much padding are taken",
            BACKWARDS,
            "plan.symmetric.padding[-1] > 6",
            "plan.symmetric.padding[-1] > 5",
        ),
        (
            "the way back: small depthwise layers are taken",
            BACKWARDS,
            "if given >= 7_000_000 and",
            "if given >= 700_000 and",
        ),
        (
            "the way back: few channels in all are taken",
            BACKWARDS,
            "of_all * ins >= 2_200_000",
            "of_all * ins >= 220_000",
        ),
        (
            "the way back: what oneDNN takes 16 at a time is taken",
            BACKWARDS,
            "and (ins % 16 or outs % 16)  # of both",
            "and (ins % 32 or outs % 32)  # of both",
        ),
        (
            "the weight of few channels of a group is left to the own op",
            BACKWARDS,
            "few = ins <= (64 if plan.groups > 1 else 24)",
            "few = ins <= 24",
        ),
        (
            "the weight of many channels is taken",
            BACKWARDS,
            "few = ins <= (64 if plan.groups > 1 else 24)",
            "few = ins <= 64",
        ),
    ),
    *_faults(
        "direct",
        ("all images of halves are wide in the compiled loops", WIDE, "images_at_a_time(plan, len(first))) <", "0) >"),
        ("parts of a batch are not added up by the compiled loops", HALVES, "total += wide", "total = wide"),
        ("a part is left in the buffer", HALVES, "place.copy_(wide[: len(images)])", "place.copy_(wide[: 1])"),
        (
            "the compiled loops change the memory format",
            "test_torch_direct.py -k format",
            "return _fill(_last(plan), x.movedim(1, -1), weight, bias).movedim(-1, 1)",
            "return _fill(_last(plan), x.movedim(1, -1), weight, bias).movedim(-1, 1).contiguous()",
        ),
        (
            "the ways back change the memory format",
            "test_torch_direct.py -k format",
            "return _fill_conv(_last(plan), y.movedim(1, -1), weight, bias).movedim(-1, 1)",
            "return _fill_conv(_last(plan), y.movedim(1, -1), weight, bias).movedim(-1, 1).contiguous()",
        ),
        (
            "the gradient by x is that of other operands",
            "test_torch_direct.py -k ways_back",
            "return _dx(plan, y, given) if by_x else None",
            "return _dx(plan, y, given * 2) if by_x else None",
        ),
        (
            "the way back is always the compiled loops",
            "test_torch_direct.py -k faster",
            "(own_conv if slow_conv(plan, y) else conv)",
            "conv",
        ),
        (
            "the compiled loops take all cores",
            "test_torch_direct.py -k threads",
            "min(MOST_THREADS, torch.get_num_threads())",
            "MOST_THREADS",
        ),
        (
            "'auto' gives four threads what many would do",
            "test_torch_openmp.py -k more_threads",
            "if torch.get_num_threads() > MOST_THREADS:",
            "if False:",
        ),
    ),
    *_faults(
        "_openmp",
        ("one thread takes all tasks", "test_torch_openmp.py -k both", "min(threads, todo)", "1"),
        ("an error on the team is lost", "test_torch_openmp.py -k error", "raise raised[0]", "return"),
        (
            "an interrupt that C drops leaves tasks undone",
            "test_torch_openmp.py -k way_in",
            "if len(done) < todo or get_ident() not in ended:",
            "if False:",
        ),
        (
            "a forked process waits for threads that it has not",
            "test_torch_openmp.py -k forked",
            "    _parallel = None\n\n\nif",
            "    pass\n\n\nif",
        ),
    ),
    *_faults(
        "_eager",
        ("no gradient is recorded", SUBSET, "return torch.is_grad_enabled() and any(", "return False and any("),
        (
            "the bias's gradient where channels are last",
            "test_torch.py -k 'derivatives_in_both and channels-last and overlap_add'",
            "image.ndim - 1 if plan.channels_last else 1",
            "1",
        ),
        (
            "no derivative by the compiled loops",
            "test_torch_direct.py -k derivatives",
            "if _wants_gradients(first, second, bias):",
            "if False:",
        ),
    ),
    *_faults(
        "_watch",
        (
            "tangents are lost",
            "test_torch.py -k 'derivatives_in_both and 1d and overlap_add'",
            "or torch.autograd.forward_ad._current_level >= 0",
            "or False",
        ),
        (
            "batched cotangents are taken for plain ones",
            "test_torch_direct.py -k batched",
            "bool(_include().raw_repr() & _OF_A_MODE)",
            "torch._C._are_functorch_transforms_active()",
        ),
        (
            "wrapped tensors are taken for memory",
            "test_torch_watch.py -k 'wrapped'",
            "type(tensor) not in _OWN or _keys(tensor).raw_repr() & _OF_A_WRAPPER",
            "type(tensor) not in _OWN",
        ),
        (
            "torch-function modes are not seen",
            "test_torch_watch.py -k 'every_mode'",
            "or _functions() > 0",
            "or False",
        ),
        (
            "a call is remembered whatever the number of threads",
            "test_torch_watch.py -k 'number_of_threads'",
            "torch.get_num_threads(), is_here()",
            "0, is_here()",
        ),
        (
            "a freed storage is read",
            "test_torch_watch.py -k 'freed'",
            "return bool(end <= tensor.untyped_storage().nbytes())",
            "return True",
        ),
        (
            "sizes are read as a tracer sees them",
            "test_torch_trace.py -k 'any_batch_and_size'",
            "_C._set_tracing_state(None)",
            "pass",
        ),
    ),
)
