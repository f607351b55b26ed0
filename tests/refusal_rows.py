"""What `conv_transpose` refuses, on shapes and words alone: what is changed about a legal call; the error; its text."""

import numpy as np

X, W = (2, 4, 3, 5), (4, 2, 3, 2)


class Yes:
    """A bool of a library that lets it count: PyTorch's is an index."""

    dtype = "bool"

    def __index__(self):
        return 1


ENDLESS = []
ENDLESS.append(ENDLESS)

SHAPES = [
    ({"weight": (4, 2)}, ValueError, r"`weight` must have at least 3 axes, \(C_in, C_out/groups, \*kernel\); got 2"),
    ({"weight": (4,)}, ValueError, "`weight` must have at least 3 axes"),
    ({"x": (4, 5)}, ValueError, r"`x` must have 4 axes, \(N, C_in, \*size\), or 3 without the batch; got 2 axes"),
    ({"x": (1, 2, 4, 3, 5)}, ValueError, "`x` must have 4 axes"),
    ({"x": (4, 5), "data_format": "channels_last"}, ValueError, r"`x` must have 4 axes, \(N, \*size, C_in\)"),
    ({"x": (2, 3, 3, 5)}, ValueError, r"`x` has 3 channels where `weight`, \(4, 2, 3, 2\), has 4 on its first axis"),
    ({"x": (2, 4, 3, 5), "data_format": "channels_last"}, ValueError, "`x` has 5 channels"),
    ({"weight": (4, 2, 0, 2)}, ValueError, r"`weight` must have every kernel size at least 1, got 0 on axis 0 of"),
    ({"bias": (3,)}, ValueError, r"`bias` must have shape \(2,\), one value per output channel, got \(3,\)"),
    ({"bias": (2, 1)}, ValueError, r"`bias` must have shape \(2,\)"),
    ({"bias": ()}, ValueError, r"`bias` must have shape \(2,\)"),
]
GEOMETRY = [
    ({"groups": 3}, ValueError, "`groups` must divide the 4 input channels, got 3"),
    ({"groups": 0}, ValueError, "`groups` must have every value at least 1, got 0"),
    ({"groups": (2, 2)}, TypeError, r"`groups` must be an int, got \(2, 2\) of type tuple"),
    ({"groups": None}, TypeError, "`groups` must be an int, got None"),
    ({"stride": 0}, ValueError, r"`stride` must have every value at least 1, got 0 on axis 0 of \(0, 0\)"),
    ({"stride": (1, -2)}, ValueError, "`stride` must have every value at least 1, got -2 on axis 1"),
    ({"stride": 1.0}, TypeError, "`stride` must be an int or a tuple of ints, got 1.0 of type float"),
    ({"stride": True}, TypeError, "`stride` must be an int or a tuple of ints, got True of type bool"),
    ({"stride": (1, True)}, TypeError, "`stride` must be an int or a tuple of ints, got True of type bool"),
    ({"stride": np.True_}, TypeError, "`stride` must be an int or a tuple of ints"),
    ({"stride": Yes()}, TypeError, "`stride` must be an int or a tuple of ints"),
    ({"stride": ENDLESS}, TypeError, r"`stride` must be an int or a tuple of ints, got \[\[...\]\] of type list"),
    ({"stride": np.ones(2)}, TypeError, "`stride` must be an int or a tuple of ints"),
    ({"stride": "two"}, TypeError, "`stride` must be an int or a tuple of ints, got 'two' of type str"),
    ({"stride": None}, TypeError, "`stride` must be an int or a tuple of ints, got None"),
    ({"stride": (2,)}, ValueError, r"`stride` must be one int or one for each of the 2 spatial axes, got \(2,\)"),
    ({"stride": ((1, 2), 1)}, TypeError, "`stride` must be an int or a tuple of ints"),
    ({"stride": b"ab"}, TypeError, "`stride` must be an int or a tuple of ints, got b'ab' of type bytes"),
    ({"stride": [[[[1]]]]}, TypeError, "`stride` must be an int or a tuple of ints"),
    ({"stride": {1, 2}}, TypeError, "`stride` must be an int or a tuple of ints"),
    (
        {"stride": range(10**8)},
        ValueError,
        "`stride` must have one value for each axis, at most 64, got more in a range",
    ),
    ({"stride": range(10**30)}, ValueError, "`stride` must have one value .* more in a range"),
    ({"stride": (1, range(10**8))}, ValueError, "`stride` must have one value .* more in a range"),
    ({"stride": (1,) * 10**6}, ValueError, "`stride` must have one value .* more in a tuple"),
    ({"stride": [1] * 65}, ValueError, "`stride` must have one value .* more in a list"),
    ({"stride": (1,) * 64}, ValueError, "`stride` must be one int or one for each of the 2 spatial axes"),
    ({"padding": range(10**8)}, ValueError, "`padding` must have one value .* more in a range"),
    ({"padding": ((0, 1), range(10**8))}, ValueError, "`padding` must have one value .* more in a range"),
    ({"dilation": range(1, 10**8)}, ValueError, "`dilation` must have one value .* more in a range"),
    ({"groups": range(10**8)}, ValueError, "`groups` must have one value .* more in a range"),
    ({"output_padding": range(10**8)}, ValueError, "`output_padding` must have one value .* more in a range"),
    ({"output_size": range(10**8)}, ValueError, "`output_size` must have one value .* more in a range"),
    ({"dilation": (1, 0)}, ValueError, "`dilation` must have every value at least 1, got 0 on axis 1"),
    ({"dilation": 1.5}, TypeError, "`dilation` must be an int or a tuple of ints, got 1.5"),
    ({"padding": -1}, ValueError, r"`padding` must be at least 0, got -1 on axis 0; to append zeros give a pair"),
    ({"padding": (0, -1)}, ValueError, r"got -1 on axis 1; .* \(-1, -1\)"),
    ({"padding": 1.5}, TypeError, "`padding` must be an int or a tuple of ints, got 1.5"),
    ({"padding": "full"}, ValueError, "`padding` must be 'same' or 'valid' where it is a word, got 'full'"),
    ({"padding": "SAME"}, ValueError, "`padding` must be 'same' or 'valid' where it is a word, got 'SAME'"),
    ({"padding": None}, TypeError, r"`padding` must be an int, one int or \(lo, hi\) pair per axis, 'same' or 'valid'"),
    ({"padding": (1, 1, 1)}, ValueError, "`padding` must have one entry for each of the 2 axes"),
    ({"padding": ((1, 1),)}, ValueError, "`padding` must have one entry for each of the 2 axes"),
    (
        {"padding": ((1, 1), (1, 1, 1))},
        ValueError,
        r"must be an int or a \(lo, hi\) pair on each axis, got \(1, 1, 1\)",
    ),
    ({"padding": ((1, (2, 3)), 1)}, TypeError, r"`padding` must be an int .*, got \(2, 3\) of type tuple"),
    ({"padding": ((1, 1), "same")}, ValueError, r"\(lo, hi\) pair on each axis, got 'same' on axis 1"),
    ({"padding": ((1, None), 1)}, ValueError, r"\(lo, hi\) pair on each axis, got \(1, None\) on axis 0"),
    ({"padding": 4}, ValueError, "`padding` leaves a size of -3 on axis 0: the output has 5 samples there before"),
    ({"padding": ((0, 0), (5, 2))}, ValueError, "`padding` leaves a size of -1 on axis 1"),
    (
        {"output_padding": 1},
        ValueError,
        "`output_padding` must be less than the larger of stride 1 and dilation 1, got 1",
    ),
    ({"output_padding": (0, 3), "stride": 2, "dilation": 3}, ValueError, "got 3 on axis 1; .* give `output_size`"),
    ({"output_padding": -1}, ValueError, "`output_padding` must have every value at least 0, got -1"),
    (
        {"output_padding": 1, "stride": 2, "padding": "same"},
        ValueError,
        "must be 0 with padding='same', .* `output_size`",
    ),
    (
        {"output_padding": 1, "stride": 2, "output_size": 9},
        ValueError,
        "`output_padding` .* and `output_size` both state",
    ),
    ({"output_size": -1}, ValueError, "`output_size` must have every value at least 0, got -1"),
    ({"output_size": (2, 4, 7, 9)}, ValueError, "`output_size` must be one int or one for each of the 2 spatial axes"),
    ({"output_size": "large"}, TypeError, "`output_size` must be an int or a tuple of ints"),
    ({"data_format": "NHWC"}, ValueError, "`data_format` must be 'channels_first' or 'channels_last', got 'NHWC'"),
    ({"data_format": np.ones(2)}, ValueError, "`data_format` must be 'channels_first' or 'channels_last'"),
    ({"data_format": None}, ValueError, "`data_format` must be 'channels_first' or 'channels_last', got None"),
]
B = 2**63
HUGE = [
    (
        {"stride": 2**62},
        ValueError,
        r"an image would have shape \(2, \d+, \d+\), \d+ samples on axis 1, more than \d+ elements",
    ),
    (
        {"output_size": (3, 2**60)},
        ValueError,
        r"\(2, 3, 1152921504606846976\), 1152921504606846976 samples on axis 1, more",
    ),
    (
        {"output_size": 2**40},
        ValueError,
        "an image would have .* make `x`, `stride`, `dilation` or `output_size` smaller, or `pad",
    ),
    ({"dilation": 2**60}, ValueError, r"an image would have shape \(2, \d+, \d+\), \d+ samples on axis 0, more than"),
    (
        {"stride": (1, B)},
        ValueError,
        r"`stride` must have every value at most 9223372036854775807, got 9223372036854775808 on axis 1",
    ),
    (
        {"dilation": (B, 1)},
        ValueError,
        "`dilation` must have every value at most 9223372036854775807, got 9223372036854775808 on",
    ),
    ({"output_padding": (0, B)}, ValueError, "`output_padding` must have every value at most 9223372036854775807, got"),
    ({"output_size": (5, B)}, ValueError, "`output_size` must have every value at most 9223372036854775807, got"),
    (
        {"padding": B - 1},
        ValueError,
        r"`padding` leaves a size of -\d+ on axis 0: the output has 5 samples there before",
    ),
    ({"groups": B - 1}, ValueError, "`groups` must divide the 4 input channels, got 9223372036854775807"),
    ({"groups": B}, ValueError, "`groups` must have every value at most 9223372036854775807, got 9223372036854775808"),
]
# Of shapes that no array of its own memory has.
GIANT = [
    (
        {"weight": (4, 2, 3, 2**40)},
        ValueError,
        "`weight` must have every kernel size at most 16777216, got 1099511627776 on axis 1",
    ),
    (
        {"x": (1, 4, 2**28, 2**29)},
        ValueError,
        r"an image would have shape \(2, \d+, \d+\), 536870913 samples on axis 1, more",
    ),
    ({"x": (2, 2**40, 3, 5)}, ValueError, "`x` has 1099511627776 channels where `weight`"),
]
