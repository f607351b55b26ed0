"""The same layer in PyTorch, whose convolutions are cuDNN's, and in JAX: in each of their modes, on the same GPU."""

from contextlib import contextmanager

__all__ = ["jax_calls", "kernel_names", "torch_calls", "torch_modes"]


def torch_modes(dtype):
    """(name, TF32 allowed, channels last) of what PyTorch can be told about a layer."""
    words = [("nchw", False), ("channels_last", True)]
    if dtype != "float32":
        return [(name, False, last) for name, last in words]
    return [
        (f"{name}-{precision}", precision == "tf32", last) for precision in ("fp32", "tf32") for name, last in words
    ]


@contextmanager
def tf32(torch, *, allowed):
    """Set PyTorch's own switches for the time of a `with`."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = allowed, True
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = before


def torch_calls(torch, layer, inputs, *, channels_last):
    """One call for each input. PyTorch has no memory format for one spatial axis: there, None."""
    formats = {2: torch.channels_last, 3: torch.channels_last_3d}
    if channels_last and layer.rank not in formats:
        return None
    op = getattr(torch.nn.functional, f"conv_transpose{layer.rank}d")
    if channels_last:
        inputs = [tuple(a.contiguous(memory_format=formats[layer.rank]) for a in pair) for pair in inputs]
    return [lambda x=x, weight=weight: op(x, weight, **layer.arguments) for x, weight in inputs]


def kernel_names(torch, call):
    """Return the GPU kernels of one call, the longest first."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as found:
        call()
        torch.cuda.synchronize()
    rows = sorted(found.key_averages(), key=lambda row: -getattr(row, "self_device_time_total", 0))
    return [row.key for row in rows if getattr(row, "self_device_time_total", 0) > 0][:4]


def jax_calls(jax, layer, inputs, precision):
    """One call for each input: the input dilated by the stride, the kernel flipped, as XLA spells the transpose."""
    import jax.numpy as jnp

    words = {name: (word,) * layer.rank if isinstance(word, int) else word for name, word in layer.arguments.items()}
    axes = zip(layer.weight[2:], *(words[name] for name in ("dilation", "padding", "output_padding")), strict=True)
    padding = [(d * (k - 1) - p, d * (k - 1) - p + op) for k, d, p, op in axes]
    digits = "".join(map(str, range(layer.rank)))
    layout = (f"NC{digits}", f"IO{digits}", f"NC{digits}")

    def run(x, weight):
        g, ins = layer.groups, layer.weight[0]
        kernel = jnp.flip(weight, tuple(range(2, weight.ndim)))
        kernel = jnp.moveaxis(kernel.reshape(g, ins // g, *weight.shape[1:]), 0, 1)
        kernel = kernel.reshape(ins // g, g * weight.shape[1], *weight.shape[2:])
        return jax.lax.conv_general_dilated(
            *(x, kernel, (1,) * layer.rank, padding),
            lhs_dilation=words["stride"],
            rhs_dilation=words["dilation"],
            dimension_numbers=layout,
            feature_group_count=g,
            precision=precision,
        )

    compiled = jax.jit(run)
    return [lambda x=x, weight=weight: compiled(x, weight) for x, weight in inputs]
