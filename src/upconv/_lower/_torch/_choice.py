"""Where another algorithm is faster on a CPU, from shapes and dtype: thresholds, and figures that they came from.

All figures are of two cores. PyTorch's op of float32 is oneDNN's: hard to beat at stride 1 and with many channels on
both sides, slow elsewhere. That of float64 makes columns, and adds them on one thread. Halves go through float32. The
thresholds were fitted to 2500 layers drawn at random, of 1 to 1500 million products and one to three axes. On others,
the 200 of ``benchmarks/choices.py torch --seed 1``, the choice is 1.88 times as fast as PyTorch's op of float32 in the
geometric mean, and the best algorithm for each 2.04 times.

On the way back to the input and to the weight they were fitted to 1300 and 900 layers of float32, some with memory kept
and some with fresh memory at each call, and to 110 of float16. On the 200 of ``--seed 2`` the choice is 1.16 and 1.75
times as fast as PyTorch's op (the faster of the two for each 1.25 and 1.96), to the input in float16 1.07 (1.11). To
the weight halves have the rules of float32 since few images are wide at a time: on the 240 of ``--layers 80`` and the
seeds 41 to 43 1.51 times (1.71), by the rules before 1.50 (1.75).
Those of float64 were fitted again to some 150 layers each way when the loops had two layouts. On the 120 of ``--dtype
float64 --seed 9`` the choice is 3.00 times as fast forward, 2.94 times to the input and, before few samples of few
channels were taken too, 3.21 times to the weight. The best algorithm for each is 3.30, 3.15 and 3.61 times as fast.
"""

from __future__ import annotations

from math import prod
from typing import Any

import torch

from upconv._lower._torch._tiles import is_direct
from upconv._plan import Plan

__all__ = ["slow_direct", "slow_direct_conv", "slow_direct_conv_weight", "slow_overlap_add"]

# Without AVX-512 oneDNN's products of many channels are nearer to the peak than the loops are. On 24 layers of 256 to
# 512 channels, two axes and 512 samples or more (two cores of a Zen 3) the loops have 0.87 of its speed; tiles have
# 1.06 of it where the kernel is at most two and a half strides, and 0.92 beyond.
IS_NARROW = torch.backends.cpu.get_cpu_capability() == "AVX2"
# Output phases, of which PyTorch's op writes one after the other.
MANY_PHASES = 64


def slow_direct(plan: Plan, x: Any) -> str:
    """Say where the compiled loops are slower."""
    ins, outs, *_ = _sizes(plan, x)
    # Of few channels on one side and few taps, the loops read more than they add.
    is_narrow = ins >= 32 * outs and plan.groups == 1 and (ins > 96 or prod(plan.kernel) < 36)
    return (_slow_direct64 if x.dtype == torch.float64 else _slow_direct32)(plan, x, is_narrow)


def _slow_direct64(plan: Plan, x: Any, is_narrow: bool) -> str:
    ins, outs, samples, columns = _sizes(plan, x)
    of_all = x.shape[0] * samples
    # Rows that have their terms in common, enough of them to be added side by side.
    alike = outs * prod(s for k, s in zip(plan.kernel, plan.stride, strict=True) if k % s == 0)
    many = alike >= 8 and of_all >= 4000 and ins <= 256
    if columns < (100_000 if ins <= 16 else 250_000) or (samples < 100 and ins > 16 and columns < 500_000):
        return f"in float64 for {columns} columns: 1.9 ms against 0.7 for few"
    if (is_narrow and not many) or (plan.rank > 2 and ins >= 16 * outs):
        return f"in float64 from {ins} channels to {outs}: 2.2 ms against 1.2 for 64 to 1, two images of 64 x 64"
    enough = many or of_all >= (200 if outs >= 16 else 1024 if ins <= 96 else float("inf"))
    if ins > 64 and not enough and not (samples >= 2000 and ins <= 256):
        return f"in float64 from {of_all} samples of {ins} channels: 1.3 ms against 0.7 for 1792 of 512, to 2"
    return ""


def _slow_direct32(plan: Plan, x: Any, is_narrow: bool) -> str:
    ins, outs, samples, columns = _sizes(plan, x)
    of_all, strided = x.shape[0] * samples, max(plan.stride) > 1
    if _is_depthwise(plan, x.shape[0]):
        return "where oneDNN has a depthwise kernel: 2.3 ms against 0.4 for 2048 channels of 7 x 7, 3 x 3 at 2 x 2"
    # oneDNN computes 16 channels at a time, whether there are as many or not.
    roomy = strided or (plan.groups == 1 and samples**2 >= 100 * _grid(plan))
    if ins > 1 and outs <= 4 and 600_000 <= ins * columns < (2_000_000 if is_narrow else float("inf")) and roomy:
        return ""  # 1.4 ms against 0.5 for two groups of 192 channels to one, 64 lines of 56, 4 at a stride of 2
    if strided and outs <= 8 and ins <= 128 and columns >= 250_000 and not is_narrow:
        return ""  # 1.5 ms against 0.4 for four groups of 3 channels to 8, 64 images of 7 x 14, 3 x 4 at 2 x 1
    if columns < (350_000 if samples >= 100 else 3_000_000):
        return f"for {columns} columns of images of {samples}: 0.6 ms against 0.2 for few"
    if not strided and not (ins <= 48 and outs > 1 and samples >= 2400) and not (ins <= 8 and samples >= 100):
        return f"at stride 1 from {ins} channels: 10 ms against 8 for 64 to 64, 128 x 128"
    if is_narrow:
        return f"from {ins} channels to {outs}: 3.5 ms against 2.3 for 128 to 3, 16 images of 32 x 32"
    if plan.rank > 2 and outs > 8 and samples**2 < 240 * _grid(plan):
        return "with a kernel that overhangs much: 2.6 ms against 5.1 for 48 channels, 8 x 8 x 28, 4 x 16 x 4"
    if plan.rank > 2 and outs % 16 == 0 and ins >= 32 and samples < 8000 and prod(plan.kernel) >= 64:
        return f"from {ins} channels to {outs} by many taps: 2.1 ms against 1.8 for 12 x 12 x 12, 4 x 4 x 4 at stride 2"
    if _is_left_to_products(plan):
        return f"with AVX2 from {ins} channels: 31 ms against 26 for 256 to 128, two images of 32 x 48, 4 x 4 at 2 x 2"
    if plan.groups == 1 and ins >= 256 and samples >= 512 and of_all >= 1000 and plan.size[-1] >= 16:
        return ""  # 122 ms against 63 for 512 channels, two images of 32 x 32, a kernel of 3 x 3 at a stride of 2
    if plan.rank == 1 and of_all >= 800 and ins <= 512:
        return ""  # 7.1 ms against 5.9 for 256 channels to 48, 32 lines of 112, a kernel of 6 at a stride of 3
    if 4 <= outs <= 8 and of_all >= 400 and ins <= 512:
        return ""  # 11.7 ms against 5.8 for 128 channels to 8, 16 images of 28 x 64
    least = 1000 if is_direct(plan) else 3000 if plan.rank > 1 else float("inf")
    if ins > 256 or (ins > 64 and samples < least):
        return f"from {ins} channels for images of {samples}: 14 ms against 12 for 512 channels, 16 images of 4 x 4"
    return ""


def slow_direct_conv(plan: Plan, y: Any) -> str:
    """Say where the compiled loops are slower on the way back."""
    ins, outs, samples, columns = _sizes(plan, y)
    if y.dtype == torch.float64:
        if columns < 250_000:
            return f"on the way back in float64 for {columns} columns: 0.4 ms against 0.1 for few"
        if ins > 40 and prod(plan.weight_shape) > 350_000 and y.shape[0] == 1 and samples < 256:
            return f"on the way back in float64 to one image of {samples}: 3.2 ms against 1.8 for 192 channels of 4 x 4"
        if ins >= 32 * outs and prod(plan.kernel) < 30:
            return f"on the way back in float64 from {outs} channels to {ins}: 28 ms against 21 for 1 to 64"
        if ins == outs == 1 and prod(plan.kernel) <= 9 and max(plan.stride) == 1:
            return "on the way back in float64 depthwise: 14 ms against 8 for 48 channels, 128 x 128, 3 x 3"
        return ""
    if outs > 1 and columns > 2_000_000 and ins <= 6:
        return ""  # 20 ms against 9 for 8 channels to 24, four images of 128 x 128, 4 x 4 at a stride of 2
    if y.dtype == torch.float32 and max(plan.stride) > 1:
        of_all, given = y.shape[0] * samples, y.shape[0] * prod(plan.image_shape)
        if plan.in_channels == plan.out_channels == plan.groups:
            if plan.symmetric.padding[-1] > 6 and plan.rank < 3 and columns > 250_000:
                return ""  # where oneDNN's depthwise kernel ends: 9.1 ms against 2.4 for 384 channels, 28 x 28, 4 x 16
            # oneDNN brings both images into an order of its own, and writes them to fresh memory.
            if given >= 7_000_000 and samples**2 >= 350 * _grid(plan):
                return ""  # 23 ms against 7 for 384 channels of 64 x 56, 6 x 3 at a stride of 3
        elif (
            (plan.groups > 1 or ins <= 24 or of_all * ins >= 2_200_000)
            and plan.size[-1] >= 16
            and of_all >= 3000
            and given >= 140_000
            and (ins % 16 or outs % 16)  # of both, oneDNN takes 16 at a time
        ):
            return ""  # 9.3 ms against 4.3 for two groups of 192 channels to 4, eight images of 64 x 32, 3 x 2
    if y.dtype == torch.float32 and outs > 1:
        if columns > 12_000_000:
            return ""  # 24 ms against 11 for groups of 21 channels to 8, eight images of 64 x 64, 4 x 4
        if columns > 4_000_000 and prod(plan.stride) >= MANY_PHASES and ins * outs * prod(plan.kernel) < 2**17:
            return ""  # 9.3 ms against 4.6 for 21 channels, 32 x 32, a kernel of 16 x 16 at a stride of 8
        if columns > 900_000 and ins <= 6 and samples > 82 and max(plan.stride) <= 2:
            return ""  # 4.1 ms against 2.3 for 128 channels, each to two, two images of 28 x 28
    return f"on the way back for {columns} columns to {ins} channels: 4.7 ms against 3.1 for 786432 to 128"


def slow_direct_conv_weight(plan: Plan, x: Any) -> str:
    """Say where the compiled loops give the weight slower."""
    ins, outs, samples, columns = _sizes(plan, x)
    of_all = x.shape[0] * samples
    if x.dtype == torch.float64:
        if columns < 200_000:
            return f"for the weight in float64 for {columns} columns: 0.5 ms against 0.2 for few"
        if ins > 256 or of_all < (25 if ins <= 4 else 200 if ins <= 16 else 650 if ins <= 56 else 1800):
            return f"for the weight in float64 from {of_all} samples of {ins} channels: 12 ms against 5 for 64 of 32"
        if ins > 80 and 2 * _grid(plan) > 3 * samples:
            return "for the weight in float64 with a kernel that overhangs much: 6.9 ms against 3.7 for 256 of 400 x 7"
        return ""
    if columns < 300_000:
        return f"for the weight for {columns} columns: 0.4 ms against 0.2 for few"
    if ins <= 6:
        return ""  # 2.4 ms against 0.8 for 21 channels, each to one, 64 x 64, 4 x 4 at a stride of 2
    if ins * outs * prod(plan.kernel) < 2**17 and (plan.rank > 1 or x.shape[0] > 1):
        if prod(plan.stride) >= MANY_PHASES and ins <= 48:
            return ""  # 13 ms against 6 for 21 channels, 32 x 32, a kernel of 16 x 16 at a stride of 8
        if max(plan.stride) > 1 and outs > 3 and samples > 400 and of_all > 4000:
            return ""  # 17 ms against 13 for 128 channels to 64, 128 x 128, each sample to 2 x 2
    few = ins <= (64 if plan.groups > 1 else 24) and (ins % 16 or outs % 16)
    if few and plan.size[-1] >= 14 and of_all >= 1800:
        return ""  # 10 ms against 3 for 8 groups of 32 channels to 2, 32 images of 16 x 32, 6 x 3 at a stride of 2
    return f"for the weight from {of_all} samples of {ins} channels: 3.2 ms against 2.1 for 12544 of 32"


def slow_overlap_add(plan: Plan, x: Any) -> str:
    """Say where PyTorch's own op is faster than tiles of columns."""
    ins, outs, samples, columns = _sizes(plan, x)
    direct, many = is_direct(plan), prod(plan.stride) >= MANY_PHASES
    if x.dtype == torch.float64:
        # PyTorch's own op makes the same columns, but adds them on one thread. Many small windows cost as much.
        if columns < (100_000 if many else 300_000):
            return f"in float64 for {columns} columns: 0.1 ms against 0.01 for few"
        if not direct and (plan.rank > 2 or not (many or ins == 1 or ins >= 256 or samples >= 512)):
            return "in float64 for small images: 1.9 ms against 1.2 for 64 channels, 4 x 4 x 4, a kernel of 3 x 3 x 3"
        return ""
    if ins * columns < (10_000_000 if plan.rank > 2 and not direct else 2_000_000):
        return f"for {ins * columns} products: 0.1 ms against 0.01 for few"
    dense, strided = plan.groups == 1, max(plan.stride) > 1
    few = ins >= 32 * outs or (outs <= 3 and ins >= 16)
    if plan.rank == 1 and ins >= 512 and prod(plan.kernel) >= 256 and plan.stride[0] < 512:
        return f"of lines from {ins} channels by a long kernel: 3.1 ms against 2.9 for 224 windows of 1024, 256 apart"
    if not dense and samples < 200:
        return f"in groups for images of {samples}: 5.0 ms against 0.9 for 2 groups of 96 channels to one, lines of 56"
    if few and (strided or (dense and plan.rank <= 2 and x.shape[0] * samples >= 4096)):
        return ""  # 12 ms against 3 for 128 channels to 3, of 16 images of 32 x 32
    if _is_left_to_products(plan) and 2 * prod(plan.kernel) > 5 * prod(plan.stride):
        return f"with AVX2 from {ins} channels: 57 ms against 51 for 512 to 64, two images of 64 x 48, 4 x 4 at 3 x 2"
    if dense and direct and plan.rank <= 2 and ins * columns >= 15_000_000 and samples >= 100:
        return ""  # 40 ms against 20 for 128 channels to 64, 128 x 128, each sample to 2 x 2
    if dense and ins >= 16 and many:
        return ""  # 8.0 ms against 6.4 for 21 channels, 32 x 32, a kernel of 16 x 16 at a stride of 8
    if dense and strided and plan.rank <= 2 and ins >= 256 and samples >= 512:
        return ""  # 107 ms against 80 for 512 channels, two images of 32 x 32, a kernel of 3 x 3 at a stride of 2
    return (
        f"from {ins} channels to {outs} at stride {plan.stride}: 14 ms against 8 for 64 channels, 128 x 128, stride 1"
    )


def _is_left_to_products(plan: Plan) -> bool:
    dense = plan.groups == 1 and plan.in_channels >= 256
    return IS_NARROW and dense and plan.rank == 2 and max(plan.stride) > 1 and prod(plan.size) >= 512


def _sizes(plan: Plan, x: Any) -> tuple[int, int, int, int]:
    """Channels of a group on each side, samples of an image, and numbers that all taps make of all samples."""
    ins, outs, samples = plan.in_channels // plan.groups, plan.out_channels // plan.groups, prod(plan.size)
    return ins, outs, samples, x.shape[0] * plan.out_channels * prod(plan.kernel) * samples


def _grid(plan: Plan) -> int:
    """Samples of an image with all that the kernel reaches beyond them."""
    axes = zip(plan.size, plan.kernel, plan.dilation, plan.stride, strict=True)
    return prod(i + (k - 1) * d // s for i, k, d, s in axes)


def _is_depthwise(plan: Plan, batch: int) -> bool:
    """Whether oneDNN has a kernel for it: no volumes, 16 channels at a time, and little to write; at stride 1 any."""
    if not plan.in_channels == plan.out_channels == plan.groups or plan.rank > 2 or max(plan.dilation) > 1:
        return False
    return max(plan.stride) == 1 or (plan.groups >= 16 and batch * prod(plan.image_shape) < 2**23)
