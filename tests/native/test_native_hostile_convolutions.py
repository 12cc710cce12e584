"""A convolution that lies gets an error that names the lie, and no memory for what it says."""

import numpy as np
import onnxruntime as ort
import pytest
from onnx import numpy_helper

import radixfmt as rx
from radixfmt import native
from radixfmt.native.nodes import convolution, model_of
from radixfmt.native.packed import pack

pytestmark = pytest.mark.skipif(native.library() is None, reason=native.MISSING)

GEOMETRY = rx.ConvGeometry((2, 3), (1, 1), (1, 1, 1, 1), (1, 1), 2)
PATTERN = rx.Pattern.explicit((12, 4), [0, 2, 5, 5, 7], [0, 11, 3, 4, 5, 6, 7])


def model():
    """Return a convolution of 4 channels in 2 groups, 2 by 3 taps each."""
    weights = np.arange(1, 8, dtype=np.float32)
    made = rx.Layer("conv", PATTERN, weights, kind="conv", geometry=GEOMETRY)
    return model_of([convolution(pack(made), GEOMETRY, "x", "y", "conv")], 4, 4, rank=2)


def start(changed):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    native.register(options)
    return ort.InferenceSession(changed.SerializeToString(), options)


def changed(**attributes):
    """Return the model with other attributes."""
    made = model()
    for attribute in made.graph.node[0].attribute:
        value = attributes.get(attribute.name)
        if isinstance(value, list):
            attribute.ints[:] = value
        elif isinstance(value, int):
            attribute.i = value
        elif value is not None:
            attribute.f = value
    return made


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"n_in": 5}, "group: expected one that divides n_in = 5 and n_out = 4, got 2"),
        ({"n_in": -2}, "group: expected one that divides n_in = -2"),
        ({"n_in": 2**62}, "group: expected one that divides"),
        ({"n_in": 2}, r"inputs\[1\]: expected above 0 and below cells = 6, got 11"),
        ({"group": 0}, "group: expected one that divides"),
        ({"group": 3}, "group: expected one that divides"),
        ({"group": -(2**63)}, "group: expected one that divides"),
        ({"kernel_shape": [2, 0]}, "kernel_shape, strides"),
        ({"kernel_shape": [2, 2]}, r"inputs\[1\]: expected above 0 and below cells = 8"),
        ({"kernel_shape": [2**30, 2**30]}, "kernel_shape: expected at most 2147483392 cells"),
        ({"kernel_shape": [2**62, 2**62]}, "kernel_shape, strides"),
        ({"kernel_shape": [12]}, "strides: expected 1 integers, got 2"),
        ({"kernel_shape": []}, "kernel_shape: expected 3 integers, got 0|kernel_shape"),
        ({"kernel_shape": [1, 1, 2, 3]}, "kernel_shape: expected 3 integers, got 4"),
        ({"strides": [0, 1]}, "kernel_shape, strides"),
        ({"strides": [1, -(2**63)]}, "kernel_shape, strides"),
        ({"dilations": [1, 2**40]}, "kernel_shape, strides"),
        ({"pads": [1, 1, 1, -1]}, "kernel_shape, strides"),
        ({"pads": [1, 1]}, "pads: expected 4 integers, got 2"),
        ({"min": 1.0, "max": 0.0}, "expected min <= max, got 1 and 0"),
    ],
)
def test_attributes(attributes, message):
    with pytest.raises(Exception, match=message):
        start(changed(**attributes))


@pytest.mark.parametrize(
    ("attributes", "size", "message"),
    [
        ({"pads": [2**30] * 4}, (5, 5), "pads: expected at most 65536 outputs, or 8 for each"),
        ({"pads": [2**31 - 512] * 4}, (5, 5), "pads: expected at most 65536 outputs"),
        ({"dilations": [1, 2**31 - 512]}, (5, 5), "the kernel has a place, got 5"),
        ({"n_in": 2**20}, (5, 5), r"expected \[B, 1048576\] and 2 more sizes, got rank 4, 4"),
        ({}, (5, 0), "expected sizes from 1"),
        ({}, (5,), "and 2 more sizes, got rank 3"),
        ({}, (5, 5, 5, 5), "and 2 more sizes, got rank 6"),
    ],
)
def test_what_only_shows_when_it_runs(attributes, size, message):
    made = changed(**attributes)
    for value in (*made.graph.input, *made.graph.output):
        value.type.tensor_type.ClearField("shape")
    session = start(made)
    with pytest.raises(Exception, match=message):
        session.run(None, {"x": np.ones((1, 4, *size), np.float32)})


def test_far_taps_take_no_memory_for_what_lies_between():
    far = 2**28
    made = changed(dilations=[1, far], pads=[1, far, 1, far])
    found = start(made).run(None, {"x": np.ones((1, 4, 3, 4), np.float32)})[0]
    assert found.shape == (1, 4, 4, 4)
    assert (found[0, 0, 1] == 0).all()  # taps 0 and 11 are at the sides, in the padding
    assert (found[0, 3, 1:] == 7).all()  # tap 7 is in the middle
    assert found.max() < 10


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("inputs", lambda a: a[::-1], r"inputs\[1\]: expected above"),
        ("inputs", lambda a: a - 1, r"inputs\[0\].*got -1"),
        ("inputs", lambda a: a.astype(np.float32), "indices: expected int32 or int64"),
        ("pointers", lambda a: a[:-1], r"pointers: expected n_out \+ 1 = 5, got 4"),
        ("pointers", lambda a: a * [0, 1, 1, 1, 2], r"pointers\[4\]: expected 5 to 7, got 14"),
        ("weights", lambda a: a[:-1], "weights: expected 7"),
        ("weights", lambda a: a.astype(np.float64), "weights: expected float, float16"),
        ("bias", lambda a: a[:-1], "group: expected one that divides n_in = 4 and n_out = 3"),
        ("bias", lambda a: a[:0], r"pointers: expected n_out \+ 1 = 1"),
        ("scale", lambda a: np.ones(3, np.float32), "scale: expected 1 or 4 floats, got 3"),
    ],
)
def test_arrays(name, change, message):
    made = model()
    held = next(c for c in made.graph.initializer if c.name == f"conv/{name}")
    array = np.ascontiguousarray(change(numpy_helper.to_array(held)))
    held.CopyFrom(numpy_helper.from_array(array, held.name))
    with pytest.raises(Exception, match=message):
        start(made)
