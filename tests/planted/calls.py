"""Faults between the call and its lowering: what is remembered, which algorithm runs, and what is made of calls."""

from planted.fault import Fault

__all__ = ["FAULTS"]

LOOKED_UP = "test_torch_overlap_add.py -k looked_up"
REMEMBERED = "test_calls.py"
VJP = "test_vjp.py -k differences"
LINEAR = "test_linear.py"


def _known_by(key):
    get, keep = f"        plan = _PLANS.get({key})\n", f"        remember(_PLANS, {key}, plan)"
    refused = "    except TypeError:  # a symbolic size\n        return _known(make, _constant(key))\n"
    return f"{get}{refused}    if plan is None:\n        plan = make(*key[1:])\n{keep}"


KNOWN = _known_by("key")
FAULTS = (
    Fault(
        "what is remembered forgets the rank asked for",
        "numpy",
        REMEMBERED,
        "_calls.py",
        "key = verb, rank, seen, words",
        "key = verb, seen, words",
    ),
    Fault(
        "what is remembered forgets the layout",
        "numpy",
        REMEMBERED,
        "_calls.py",
        "key = verb, rank, seen, words",
        "key = verb, rank, seen, words[:-1]",
    ),
    Fault(
        "what is remembered forgets the algorithm",
        "torch",
        LOOKED_UP,
        "_calls.py",
        "key = verb, rank, seen, words",
        "key = verb, rank, seen, words[1:]",
    ),
    Fault(
        "plans are told apart without the dilation",
        "numpy",
        REMEMBERED,
        "_plans.py",
        KNOWN,
        _known_by("key[:8] + key[9:]"),
    ),
    Fault(
        "plans are told apart without the layout",
        "numpy",
        REMEMBERED,
        "_plans.py",
        KNOWN,
        _known_by("key[:-1]"),
    ),
    Fault(
        "plans are told apart without the bias",
        "numpy",
        REMEMBERED,
        "_plans.py",
        KNOWN,
        _known_by("key[:3] + key[4:]"),
    ),
    Fault(
        "a memory has no bound",
        "numpy",
        "test_memory.py",
        "_memory.py",
        "if size + sum(tuple(self.sizes.values())) > self.most:",
        "if False:",
    ),
    Fault(
        "1.0 is looked up as 1",
        "numpy",
        REMEMBERED,
        "_calls.py",
        "if type(word) not in _EXACT and not (type(word) is tuple and len(word) <= MOST_AXES and _are_exact(word)):",
        "if False:",
    ),
    Fault(
        "NumPy's arrays are told apart without the dtype",
        "numpy",
        REMEMBERED,
        "_operands.py",
        '_ARRAY = attrgetter("shape", "dtype")',
        '_ARRAY = attrgetter("shape", "shape")',
    ),
    Fault(
        "PyTorch's tensors are told apart without the layout",
        "torch",
        LOOKED_UP,
        "_lower/_torch/_watch.py",
        '_of = attrgetter("shape", "dtype", "device", "layout")',
        '_of = attrgetter("shape", "dtype", "device")',
    ),
    Fault(
        "PyTorch's tensors are told apart without the device",
        "torch",
        LOOKED_UP,
        "_lower/_torch/_watch.py",
        '_of = attrgetter("shape", "dtype", "device", "layout")',
        '_of = attrgetter("shape", "dtype", "layout")',
    ),
    Fault(
        "a call is looked up under autocast",
        "torch",
        LOOKED_UP,
        "_lower/_torch/_watch.py",
        "or _autocasts() or",
        "or",
    ),
    Fault(
        "autocast casts float64",
        "torch",
        "test_torch.py -k 'dtype_of_the_op or mixed_dtypes'",
        "_operands.py",
        " and array.dtype != torch.float64:",
        ":",
    ),
    Fault(
        "an algorithm runs that does not take the call",
        "torch",
        "test_arguments.py -k algorithm",
        "_route.py",
        "if not refusal and not slow:",
        "if not slow:",
    ),
    Fault(
        "'auto' takes the first, however slow",
        "numpy",
        "test_threads.py -k what_auto_takes",
        "_route.py",
        "if not refusal and not slow:",
        "if not refusal:",
    ),
    Fault(
        "an algorithm that is asked for by name is asked how fast it is",
        "torch",
        "test_contract.py -k explain",
        "_route.py",
        '"" if refusal or algorithm == name else',
        '"" if refusal else',
    ),
    Fault(
        "the way back asks for what refuses its way forth",
        "jax",
        "test_vjp.py -k integers",
        "_route.py",
        'getattr(lowering, f"refusal_{verb}", lowering.refusal)',
        "lowering.refusal",
    ),
    Fault(
        "the pullback crops at the other end", "numpy", VJP, "_vjp.py", "zip(plan.lo, plan.hi,", "zip(plan.hi, plan.lo,"
    ),
    Fault("the pullback forgets the dilation", "numpy", VJP, "_vjp.py", '"dilation": plan.dilation', '"dilation": 1'),
    Fault(
        "the pullback forgets the algorithm",
        "numpy",
        "test_vjp.py -k algorithm",
        "_vjp.py",
        '"algorithm": self.algorithm}',
        '"algorithm": "auto"}',
    ),
    Fault("the adjoint operator is not conjugated", "numpy", LINEAR, "_linear.py", "kernel.conj()", "kernel"),
    Fault(
        "the matrix has all groups in the first",
        "numpy",
        LINEAR,
        "_entries.py",
        "_ravel(plan, group * each + k, o,",
        "_ravel(plan, k, o,",
    ),
    Fault(
        "the matrix has channels first always",
        "numpy",
        LINEAR,
        "_entries.py",
        "*((last,) if plan.channels_last else ())",
        "*((last,) if False else ())",
    ),
)
