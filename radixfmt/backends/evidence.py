"""Is a model the network it was made from? Samples of several kinds through both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from radixfmt.backends.evaluator import evaluate
from radixfmt.backends.layer_products import TooLargeError
from radixfmt.backends.ort import Session
from radixfmt.backends.parity import check, tolerance_of, weakness
from radixfmt.backends.precision import FLOAT32, TOLERANCES
from radixfmt.backends.prefix import telling_prefix
from radixfmt.backends.samples import probes
from radixfmt.backends.scipy import reference, width
from radixfmt.backends.sparse_walk import check as check_network
from radixfmt.backends.trials import trials
from radixfmt.errors import UnsupportedError
from radixfmt.export.accepts import element_type, native
from radixfmt.export.graph import FEATURE_MAJOR
from radixfmt.export.nodes import FLOAT16

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
    precision: str = FLOAT32,
) -> Evidence:
    """Return how far a model is from its network; of a chain that saturates, a prefix is checked.

    A graph that is no chain is compared on a few inputs, all its outputs of floats together.

    Args:
        network: with weights.
        model: made from it.
        remake: makes a model from another network in the same way.
        layout: of the models' inputs and outputs.
        precision: in which they compute.

    Raises:
        UncheckedError: the reference does not run the network, or no CPU runs the model.
        UnsupportedError: the model does not run on CPU.
        ParityError: further than rounding explains.
    """
    if precision == "bfloat16":
        raise UncheckedError("onnxruntime computes in bfloat16 on CUDA alone")
    allowed = 0.0 if precision == FLOAT32 else TOLERANCES[precision]
    try:
        check_network(network)
    except UnsupportedError:
        return _general(network, model, layout, allowed)
    try:
        x = _probes(network)
        wanted = reference(network, x)
    except UnsupportedError as error:
        raise UncheckedError(str(error), hint=error.hint) from error
    weak = weakness(wanted)
    compared = [(model, wanted)]
    found = telling_prefix(network, x) if weak else None
    if found is not None:
        compared.append((remake(found[0]), found[1]))
    tolerance = max(tolerance_of(x.dtype), allowed)
    parities = [
        check(_run(made, x, layout), expected, tolerance=tolerance) for made, expected in compared
    ]
    return Evidence(
        max(parity.max_abs for parity in parities),
        max(parity.max_rel for parity in parities),
        weak,
        0 if found is None else len(found[0].layers),
    )


def _general(network: Network, model: onnx.ModelProto, layout: str, allowed: float) -> Evidence:
    """Return how far a model is from a network that is no chain, over all outputs of floats."""
    inputs, wanted = _expected(network, _fixed(network, model, layout))
    turned = layout == FEATURE_MAJOR
    with Session(model, device="cpu", threads=1) as session:
        found = session.run_named({n: x.T if turned else x for n, x in inputs.items()})
    tolerance = max(_tolerance(network), allowed)
    parities, weak = [], []
    for name, expected in wanted.items():
        y = found[name].T if turned else found[name]
        parities.append(check(y, expected, tolerance=tolerance))
        weak.append(weakness(np.atleast_1d(expected)))
    return Evidence(
        max(parity.max_abs for parity in parities),
        max(parity.max_rel for parity in parities),
        next((reason for reason in weak if reason), None) if all(weak) else None,
        0,
    )


def _expected(
    network: Network, fixed: Mapping[str, int]
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Return inputs on which the reference runs, and its outputs of floats.

    Raises:
        UncheckedError: there are none among the trials.
    """
    problem = UnsupportedError("the network has no inputs")
    try:
        for inputs in trials(network, fixed):
            try:
                outputs = evaluate(network, inputs)
            except TooLargeError:
                raise
            except UnsupportedError as error:
                problem = error
                continue
            floats = {
                name: y
                for name, y in outputs.items()
                if isinstance(y, np.ndarray) and y.dtype.kind == "f"
            }
            if floats and all(np.isfinite(y).all() for y in floats.values()):
                return inputs, floats
            what = "not all finite" if floats else "no floats"
            problem = UnsupportedError(f"the reference's outputs are {what}")
    except UnsupportedError as error:
        problem = error
    raise UncheckedError(str(problem), hint=problem.hint)


def _fixed(network: Network, model: onnx.ModelProto, layout: str) -> dict[str, int]:
    """Return the sizes that the model gives to symbols of the network, as its batch."""
    found: dict[str, int] = {}
    for value, given in zip(network.inputs, model.graph.input, strict=True):
        sizes = [dim.dim_value for dim in given.type.tensor_type.shape.dim]
        pairs = zip(value.shape, reversed(sizes) if layout == FEATURE_MAJOR else sizes, strict=True)
        found |= {symbol: size for symbol, size in pairs if isinstance(symbol, str) and size}
    return found


def _tolerance(network: Network) -> float:
    """Return what rounding explains in the coarsest of the network's floats."""
    kinds = {element_type(v.name, v.dtype) for v in (*network.inputs, *network.outputs)}
    kinds |= {native(array).dtype for array in network.tensors.values()}
    if any(node.attributes.get("to") == FLOAT16 for node in network.graph):
        kinds.add(np.dtype(np.float16))
    if any("Quantize" in node.op for node in network.graph):
        kinds.add(np.dtype(np.float16))  # a code that is rounded the other way is as far off
    return max(tolerance_of(kind) for kind in kinds if kind.kind == "f")


def _probes(network: Network) -> NDArray[Any]:
    value = network.inputs[0]
    return probes(width(network) or 1, element_type(value.name, value.dtype))


def _run(model: onnx.ModelProto, x: NDArray[Any], layout: str) -> NDArray[Any]:
    with Session(model, device="cpu", threads=1) as session:
        return session.run(x.T).T if layout == "feature-major" else session.run(x)
