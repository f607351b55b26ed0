"""Faults planted in the package, to see that the tests see them: `python tests/planted` runs all, or `nox -s mutants`.

Each must be seen by the tests that it names. One that stays unseen is a test that is missing.
"""

from planted import arguments, calls, generic, jax_, numpy_, numpy_compiled, others, plan, torch_
from planted.fault import Fault

__all__ = ["FAULTS", "Fault"]

FAULTS = (
    *plan.FAULTS,
    *arguments.FAULTS,
    *calls.FAULTS,
    *generic.FAULTS,
    *numpy_.FAULTS,
    *numpy_compiled.FAULTS,
    *torch_.FAULTS,
    *jax_.FAULTS,
    *others.FAULTS,
)
