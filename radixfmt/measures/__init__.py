"""Measures of networks, one file each: a function from a `Network` to a dict of JSON values."""

from __future__ import annotations

import difflib
import inspect
from typing import TYPE_CHECKING, Any

from radixfmt.errors import ParameterError
from radixfmt.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from radixfmt.model.network import Network

measurement: Registry[Callable[..., dict[str, Any]]] = Registry("measure", __name__)
"""Facts: `columns`, heading and place of each value that a table shows; `slow`, left out unless it
is named."""


def measure(network: Network, name: str, /, **options: Any) -> dict[str, Any]:
    """Return what the measure `name` says of a network, as plain JSON values.

    Integers are exact, however large; a value that cannot be had is None, and a key beside it
    says why.

    Args:
        network: may be lazily opened; its layers are walked one at a time.
        name: a registered measure ("paths", "spectral", "degree", …).
        **options: the measure's own.

    Raises:
        UnknownNameError: no such measure.
        ParameterError: an option is unknown or breaks a rule of the measure.
        UnsupportedError: the measure is not defined for this network.
    """
    function = measurement[name]
    known = [known for known in inspect.signature(function).parameters if known != "network"]
    for option in options:
        if option not in known:
            close = difflib.get_close_matches(option, known, n=1)
            raise ParameterError(
                f"{name}: unknown option {option!r}; expected one of: {', '.join(known) or 'none'}",
                hint=f"Did you mean {close[0]!r}?" if close else None,
            )
    return function(network, **options)
