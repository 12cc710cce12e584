"""Which form a convolution gets: the cheapest by estimate, or the one asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.errors import UnsupportedError
from radixfmt.export.convolutions import convolution
from radixfmt.export.convolutions.case import case_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from radixfmt.export.convolutions.case import Case
    from radixfmt.export.lowerings import Estimate, Setting
    from radixfmt.model.layer import Layer

DENSE = "dense"

WORTH = 0.85
"""Share of another form's seconds that one with Gathers, or a compiled one, may take: by default,
onnxruntime has a blocked layout that goes from Conv to Conv, which these interrupt."""

LARGEST = 2**33
"""Bytes of a convolution's weights, zeros included."""

MEANT = {"blocked": "grouped"}
"""What lowerings of linear layers are called for convolutions."""


def choose(
    layer: Layer,
    size: Sequence[int | None] | None,
    setting: Setting,
    wanted: str,
    *,
    compiled: bool = False,
) -> tuple[str, Estimate]:
    """Return the name of a way to express a convolution, and its estimate.

    Args:
        layer: of kind "conv", with weights.
        size: of the input's spatial axes, None where one is open.
        setting: batch, target and costs.
        wanted: "auto", or the name of a lowering; `dense` stands in for one that convolutions do
            not have, and says so.
        compiled: let "auto" choose a compiled operator.

    Raises:
        UnsupportedError: a layer too large for any Conv.
    """
    n_in, n_out = layer.pattern.shape
    if n_in * n_out * setting.itemsize > LARGEST:
        raise UnsupportedError(
            f"{layer.name}: as a Conv, its weights take {n_in * n_out * setting.itemsize} bytes; "
            f"at most {LARGEST} can be exported",
            hint="split the layer by its filters",
        )
    case = case_of(layer, size, setting)
    dense = convolution[DENSE](case)
    assert dense is not None  # noqa: S101  it expresses every pattern
    if wanted != "auto":
        name = MEANT.get(wanted, wanted)
        found = convolution[name](case) if name in convolution else None
        if found is None:
            name, found = DENSE, dense._replace(why=f"no {wanted} form of it: {dense.why}")
        return name, found
    offers = {DENSE: dense}
    for name in convolution:
        # cuDNN's grouped convolutions are slow
        slow = setting.target == "cuda" and name == "grouped"
        if name not in offers and not slow and (compiled or not convolution.facts(name)):
            offer = convolution[name](case)
            if offer is not None:
                offers[name] = offer
    chosen = min(offers, key=lambda name: _weighed(offers[name], case))
    rivals = "".join(
        f"; {name} {'would take' if ratio >= 1 else 'is not worth its Gathers, though it takes'} "
        f"{ratio:.2g}x as long"
        for name, offer in offers.items()
        if name != chosen
        for ratio in [offer.seconds / offers[chosen].seconds]
    )
    return chosen, offers[chosen]._replace(why=offers[chosen].why + rivals)


def _weighed(offer: Estimate, case: Case) -> float:
    """Return the seconds by which forms are compared."""
    form = offer.form
    moves = form is None or form.gathered(case.channels) or form.restored
    return offer.seconds / WORTH if moves else offer.seconds
