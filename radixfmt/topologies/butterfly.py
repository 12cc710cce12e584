"""Butterfly factors: the sparse factors of the fast Fourier transform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.topologies import topology
from radixfmt.topologies.structured import digit_exchange, exponent, repeated, whole

if TYPE_CHECKING:
    from radixfmt.model.network import Network


@topology("butterfly", example={"neurons": 16})
def butterfly(*, neurons: int, radix: int = 2, layers: int | None = None) -> Network:
    """Return the butterfly network: layer k joins neurons that differ in digit k at most.

    With radix 2, layer k joins i with i and i XOR 2^k: the factors of the butterfly matrices of
    Dao et al., arXiv 1903.05895 (our reading), the smallest stride first. m layers join each
    input to each output by exactly one path, like the RadiX-Net of the same radices, whose layers
    shift cyclically in place of exchanging digits.

    Args:
        neurons: of every layer, radix^m.
        radix: inputs of each neuron; 2 in the paper.
        layers: how many, beginning again with digit 0 after m of them; m by default.

    Raises:
        ParameterError: `neurons` is no power of `radix`, or a layer is too large (code "limit").
    """
    radix = whole("radix", radix, least=2)
    neurons = whole("neurons", neurons)
    digits = exponent("neurons", neurons, radix)
    return repeated([digit_exchange(neurons, radix**k, radix) for k in range(digits)], layers)
