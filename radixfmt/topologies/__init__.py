"""Topology families, one file each: a keyword-only function that returns a `Network`.

The command line's options come from the function's signature, so a family is one file.
"""

from __future__ import annotations

import difflib
import inspect
import operator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import ParameterError
from radixfmt.initialization import weighted
from radixfmt.model.graph import ACTIVATIONS
from radixfmt.model.network import Network, chain
from radixfmt.registry import Registry
from radixfmt.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

topology: Registry[Callable[..., Network]] = Registry("topology", __name__)


def generate(
    name: str,
    /,
    *,
    weights: str | None = None,
    bias: float | None = None,
    activation: str | None = None,
    seed: int = 0,
    **parameters: Any,
) -> Network:
    """Return a network of the family `name`; its layers are made one at a time, on demand.

    Args:
        name: a registered family ("radix-net", "graph-challenge", …).
        weights: "none", "constant=V", "normal[=STD]", "he" or "variance"; None keeps what the
            family gives (no weights, except where the family defines them).
        bias: one bias for every neuron; None keeps what the family gives.
        activation: ONNX operator, any case, applied after every layer, the last one included.
        seed: of weights and of random families; recorded in the metadata.
        **parameters: the family's own, see `radixfmt generate NAME --help`.

    Raises:
        UnknownNameError: no such family.
        ParameterError: a parameter is unknown, missing, or breaks a rule of the family.
    """
    make = topology[name]
    known = inspect.signature(make).parameters
    for parameter in parameters:
        if parameter not in known:
            close = difflib.get_close_matches(parameter, known, n=1)
            raise ParameterError(
                f"{name}: unknown parameter {parameter!r}; expected {', '.join(known)}",
                hint=f"Did you mean {close[0]!r}?" if close else None,
            )
    missing = [p.name for p in known.values() if p.default is p.empty and p.name not in parameters]
    if missing:
        raise ParameterError(f"{name}: missing {', '.join(missing)}")
    if "seed" in known:
        parameters["seed"] = seed
    try:
        network = make(**parameters)
    except (TypeError, AttributeError) as error:  # a value of a type no option of ours has
        raise ParameterError(f"{name}: {error}") from error
    step: dict[str, Any] = {"topology": name, "parameters": _plain(parameters)}
    step["random"] = topology.facts(name).get("random")  # the generator, of families that draw
    if weights is not None or bias is not None:
        network = weighted(network, weights=weights, bias=bias, seed=seed)
        step |= {"weights": weights, "bias": bias, "seed": seed}
    if activation is not None:
        network = chain(network.layers, activation=_operator(activation), metadata=network.metadata)
        step["activation"] = _operator(activation)
    provenance = {"activity": "generate", "tool": f"radixfmt {__version__}"}
    provenance |= {key: value for key, value in step.items() if value is not None}
    return replace(network, metadata=replace(network.metadata, name=name, provenance=(provenance,)))


def integers(what: str, values: Iterable[Any]) -> list[int]:
    """Return `values` as plain integers, numpy's included.

    Raises:
        ParameterError: one of them is no integer, as a bool is not, or `values` is no list.
    """
    try:
        found = list(values)
        indices = [operator.index(value) for value in found]
    except TypeError as error:
        raise ParameterError(f"{what}: expected integers: {error}") from None
    if bool in map(type, found):
        raise ParameterError(f"{what}: expected integers, got a bool")
    return indices


def _operator(name: str) -> str:
    """Return the ONNX operator that `name` spells in any case."""
    by_case = {op.casefold(): op for op in ACTIVATIONS}
    try:
        return by_case[name.casefold()]
    except KeyError:
        close = difflib.get_close_matches(name.casefold(), by_case, n=1)
        raise ParameterError(
            f"activation: expected one of {', '.join(sorted(ACTIVATIONS))}, got {name!r}",
            hint=f"Did you mean {by_case[close[0]]!r}?" if close else None,
        ) from None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
