"""Faults of the lowerings for TensorFlow, MXNet and CuPy, whose sessions are their own.

Those of the CUDA text are in tests/cuda_on_cpu/planted.py.
"""

from planted.fault import Fault

__all__ = ["FAULTS"]

VALUES = "test_values.py -k both_layouts"
NAMED = "test_values.py -k named"
LAUNCH = "test_cupy_launch.py"


def _faults(library, file, *rows):
    return (Fault(breaks, library, tests, f"_lower/_{library}/{file}.py", *texts) for breaks, tests, *texts in rows)


FAULTS = (
    Fault(
        "ops run on the default device",
        "tensorflow",
        "test_contract.py -k as_the_input",
        "_dispatch.py",
        'if library.name == "tensorflow":',
        "if False:",
    ),
    *_faults(
        "tensorflow",
        "native",
        ("a stride appended is said to the op", VALUES, "-s < hi <= 0 for s", "-s <= hi <= 0 for s"),
        ("crops change places", VALUES, "(max(0, lo), max(0, hi))", "(max(0, hi), max(0, lo))"),
        ("what is appended changes places", VALUES, "(max(0, -lo), max(0, -hi))", "(max(0, -hi), max(0, -lo))"),
        (
            "the kernel's axes change places",
            VALUES,
            "tf.transpose(weight, [*range(2, plan.rank + 2), 1, 0])",
            "tf.transpose(weight, [*reversed(range(2, plan.rank + 2)), 1, 0])",
        ),
        (
            "dilation is given to the op",
            "test_arguments.py -k algorithm",
            "    if max(plan.dilation) > 1:",
            "    if False:",
        ),
        ("three axes with the crop of two", VALUES, "plan.rank < 3 and lo >= 0", "lo >= 0"),
        ("no bias", VALUES, "    if bias is not None:", "    if False:"),
        ("cropped at the front alone", VALUES, "slice(lo, lo + n) for (lo, _), n", "slice(0, n) for (lo, _), n"),
    ),
    *_faults(
        "tensorflow",
        "_namespace",
        ("small integers as they are", "test_values.py -k integers", "    if wider is None:", "    if True:"),
        (
            "an axis moved to the place before",
            VALUES,
            "order.insert(destination % len(order),",
            "order.insert((destination - 1) % len(order),",
        ),
        (
            "an unknown batch is one image",
            "test_transforms.py -k unknown_batch",
            "tf.shape(array)[0] if batch is None else batch",
            "1 if batch is None else batch",
        ),
    ),
    *_faults(
        "mxnet",
        "native",
        (
            "stride and dilation are given to the op",
            NAMED,
            "    if any(s > 1 and d > 1 for s, d in zip(plan.stride, plan.dilation, strict=True)):",
            "    if False:",
        ),
        (
            "no bias where the op's result is cropped",
            VALUES,
            "y = y if bias is None else y + bias.reshape(-1, *(1,) * plan.rank)",
            "y = y + 0",
        ),
        ("cropped at the front alone", VALUES, "slice(front, front + n)", "slice(0, n)"),
        ("zeros appended to the channels", VALUES, "((0, 0), (0, 0), *grow)", "((0, 0), *grow, (0, 0))"),
        ("channels last as they are", VALUES, "np.moveaxis(y, 1, -1) if plan.channels_last else y", "y"),
    ),
    *_faults(
        "mxnet",
        "_namespace",
        ("integers multiplied as matrices on their side", "test_values.py -k integers", '"ik,kj->ij"', '"ki,kj->ij"'),
    ),
    *_faults(
        "cupy",
        "_weights",
        ("a prepared weight is a view", LAUNCH, "self.array = weight.copy()", "self.array = weight"),
    ),
    *_faults(
        "cupy",
        "_problem",
        ("the crop is not taken apart", "test_cupy_kernel.py", "lo // s, lo % s,", "lo // s, 0,"),
    ),
    *_faults(
        "cupy",
        "raw",
        (
            "a view between elements",
            LAUNCH,
            "return array.copy() if array.data.ptr % size or",
            "return array.copy() if False and",
        ),
    ),
)
