"""`native`: a compiled operator that reads each tap alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radixfmt.export.convolutions import convolution
from radixfmt.export.convolutions.dense import dense
from radixfmt.export.lowerings import Estimate
from radixfmt.native.choice import convolution_gain
from radixfmt.native.packed import LARGEST

if TYPE_CHECKING:
    from radixfmt.export.convolutions.case import Case


@convolution("native", compiled=True)
def native(case: Case) -> Estimate | None:
    """Return the cost of the edges alone; None where there is no kernel, or the size is open."""
    pattern, setting = case.layer.pattern, case.setting
    if setting.target != "cpu" or setting.itemsize != np.dtype(np.float32).itemsize:
        return None
    if case.size is None or not pattern.nnz or max(*pattern.shape, pattern.nnz) > LARGEST:
        return None
    gain = convolution_gain(case.layer, case.size)
    why = f"compiled: {100 * pattern.density:.3g} % of the weights, each tap read alone"
    return Estimate(dense(case).seconds / gain, 8 * pattern.nnz, why)
