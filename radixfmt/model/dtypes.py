"""Element types by the format's names, which are numpy's, with bfloat16 beside them."""

from __future__ import annotations

from typing import Any

import numpy as np

VALUE_TYPES = (
    "float64", "float32", "float16", "bfloat16", "int8", "int16", "int32", "int64", "uint8",
)  # fmt: skip
"""Types of weights and biases (spec §4)."""

TENSOR_TYPES = (*VALUE_TYPES, "uint16", "uint32", "uint64", "bool")
"""Types of dense tensors; bool is stored as uint8 (spec §5)."""

LARGEST_RANK = 8
"""Of dense tensors (spec §5)."""

QUANTIZED_TYPES = ("int8", "uint8")
"""Types of quantised codes."""

FLOAT_TYPES = ("float64", "float32", "float16", "bfloat16")

FOREIGN_TYPES = ("float16", "bfloat16")
"""Types of weights that the matrices of scipy and Binsparse do not hold."""


def dtype_of(name: str) -> np.dtype[Any]:
    """Return the numpy dtype of a type of the format."""
    if name == "bfloat16":
        import ml_dtypes

        found: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        return found
    return np.dtype(name)


def is_float(dtype: np.dtype[Any]) -> bool:
    """Return whether elements are floats, bfloat16 included (whose numpy kind is not "f")."""
    return dtype.name in FLOAT_TYPES
