"""`dense`: every filter, channel and tap, zeros included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radixfmt.export.convolutions import convolution
from radixfmt.export.convolutions.cost import estimate
from radixfmt.export.convolutions.form import Form

if TYPE_CHECKING:
    from radixfmt.export.convolutions.case import Case
    from radixfmt.export.lowerings import Estimate


@convolution("dense")
def dense(case: Case) -> Estimate:
    """Return the cost of one Conv of the layer's own shape."""
    (outputs, width), groups = case.pairs.shape, case.geometry.group
    form = Form(
        np.arange(outputs).reshape(groups, outputs // groups),
        np.arange(groups * width).reshape(groups, width),
        tuple(map(range, case.geometry.kernel_shape)),
        np.arange(outputs),
    )
    why = f"{100 * case.layer.pattern.density:.3g} % of the weights are edges"
    return estimate(case, form, f"its weights are scattered into a dense Conv; {why}")
