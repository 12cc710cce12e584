"""Ways to express a sparse convolution in ONNX, one file each: a function found by its name.

All but the compiled one are one Conv, between a Gather of input channels and a Gather that puts
the filters where they belong; both are left out where nothing has to move. A way says which
channels, filters and kernel taps take part and in which groups (a `Form`), and what that costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from radixfmt.export.convolutions.case import Case
    from radixfmt.export.lowerings import Estimate

convolution: Registry[Callable[[Case], Estimate | None]] = Registry("conv lowering", __name__)
"""Each returns what the layer costs so, with a `Form`; None where there is nothing to gain."""
