"""The contract of a lowering: one module, one algorithm of one library, in the folder of that library.

The folder lists what it has, by the names that ``algorithm=`` takes, as ``LOWERINGS``. What each of them defines is
spelled in ``_contract.py``: ``conv_transpose``, and ``refusal``, ``reason`` and ``workspace`` for `explain`.

A lowering gets arguments that are known to be right: of one library, dtype and device, and with a batch axis. It never
checks them again, never raises about them, and never copies through another library or device. The result has the
dtype, the device and the memory format of ``x``.
An inf or a NaN stays in its receptive field, or the lowering says in ``LEAKS`` where it may not.

Its first comment says what the library's own call does differently, and how it makes up for it. float16 and bfloat16
accumulate in float32 and are rounded once; integers stay exact; what no tap reaches is exactly zero plus bias.
"""
