"""Is a model the network it was made from? Samples of several kinds through both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from radixfmt.backends.ort import Session
from radixfmt.backends.parity import check, tolerance_of, weakness
from radixfmt.backends.prefix import telling_prefix
from radixfmt.backends.samples import probes
from radixfmt.backends.scipy import reference, width
from radixfmt.backends.sparse_walk import check as check_network
from radixfmt.errors import UnsupportedError
from radixfmt.export.accepts import element_type

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnx
    from numpy.typing import NDArray

    from radixfmt.model.network import Network


class UncheckedError(UnsupportedError):
    """The float64 reference cannot run this network, so nothing is known of the model."""


class Evidence(NamedTuple):
    """What a comparison with the float64 reference found.

    Attributes:
        max_abs: as `Parity` has it, the worse of the network's and its prefix'.
        max_rel: likewise.
        weakness: why the outputs of the whole network say little, None if they say enough.
        prefix: layers of the prefix that was compared as well, 0 for none.
    """

    max_abs: float
    max_rel: float
    weakness: str | None
    prefix: int


def evidence(
    network: Network,
    model: onnx.ModelProto,
    remake: Callable[[Network], onnx.ModelProto],
    *,
    layout: str,
) -> Evidence:
    """Return how far a model is from its network; of a chain that saturates, a prefix is checked.

    Args:
        network: with weights.
        model: made from it.
        remake: makes a model from another network in the same way.
        layout: of the models' inputs and outputs.

    Raises:
        UncheckedError: the reference does not run the network.
        UnsupportedError: the model does not run on CPU.
        ParityError: further than rounding explains.
    """
    try:
        check_network(network)
        x = _probes(network)
        wanted = reference(network, x)
    except UnsupportedError as error:
        raise UncheckedError(str(error), hint=error.hint) from error
    weak = weakness(wanted)
    compared = [(model, wanted)]
    found = telling_prefix(network, x) if weak else None
    if found is not None:
        compared.append((remake(found[0]), found[1]))
    tolerance = tolerance_of(x.dtype)
    parities = [
        check(_run(made, x, layout), expected, tolerance=tolerance) for made, expected in compared
    ]
    return Evidence(
        max(parity.max_abs for parity in parities),
        max(parity.max_rel for parity in parities),
        weak,
        0 if found is None else len(found[0].layers),
    )


def _probes(network: Network) -> NDArray[Any]:
    value = network.inputs[0]
    return probes(width(network) or 1, element_type(value.name, value.dtype))


def _run(model: onnx.ModelProto, x: NDArray[Any], layout: str) -> NDArray[Any]:
    with Session(model, device="cpu", threads=1) as session:
        return session.run(x.T).T if layout == "feature-major" else session.run(x)
