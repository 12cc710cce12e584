"""`spectral`: how well layers, and products of layers, mix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from radixfmt.errors import ParameterError, UnsupportedError
from radixfmt.measures import measurement
from radixfmt.measures.layer_spectrum import layer_spectrum
from radixfmt.measures.product_spectrum import nothing_known, of_layer, product_spectrum
from radixfmt.measures.run import check_span, layer_run

if TYPE_CHECKING:
    from radixfmt.model.network import Network

CHOICES = ("each", "none")


@measurement("spectral", columns={"gap ratio": "network.gap_ratio"})
def spectral(
    network: Network, *, layers: str = "each", start: int = 0, stop: int | None = None
) -> dict[str, Any]:
    """Return spectral gap and algebraic connectivity of layers and of the product of a run.

    "Sparse Neural Networks Topologies" (Bourely et al., arXiv 1706.05683) finds that accuracy
    follows these; only its abstract was available, and the definitions are our reading. B is the
    0/1 matrix `[n_in, n_out]` of a layer's edges (weights do not count), sigma1 ≥ sigma2 are its
    largest singular values, D and A = [[0, B], [Bᵀ, 0]] degrees and adjacency of its graph. A conv
    layer is measured by its matrix W, `[C_in / group · ∏ kernel_shape, C_out]`.

    Layers that records or edges show to be made of cyclic shifts are known in closed form; small
    others by dense algebra; large ones by Lanczos from a fixed start, so that results repeat.

    Returns:
        `layers` of the run, in its order and each once, with `layer` (index), `name`, and
        `sigma1`, `sigma2` (0 where B has a single row or column);
        `gap_abs` = sigma1 - sigma2 and `gap_ratio` = 1 - sigma2/sigma1;
        `algebraic_connectivity`, second-smallest eigenvalue of L = D - A, 0 if and only if the
        graph is not connected;
        `normalised_gap`, second-smallest eigenvalue of D^(-1/2) L D^(-1/2), which is gap_ratio
        where degrees are constant (but 2 for a single edge);
        `components`, connected ones, isolated neurons included;
        `degrees`, [edges of each input, edges of each output] where both are constant;
        `ramanujan`, whether a connected graph of degrees dl and dr has
        sigma2 ≤ √(dl - 1) + √(dr - 1);
        `residual`, the largest of ‖Bv - sigma·u‖ and ‖Bᵀu - sigma·v‖ over sigma1: how surely
        sigma is a singular value (that none larger was missed rests on a start at random);
        `method` ("closed form", "Fourier transform", "components", "dense SVD", …, "Lanczos");
        `why`, reasons for the values that are None, by key. A value that an iteration did not
        converge to is None.

        `network`, of P, the product of the matrices B of the run in the order of application,
        whose entries count paths: `start`, `stop`, `sigma1` (None beyond 1.8e308),
        `log10_sigma1`, `sigma2`, `gap_abs`, `gap_ratio`, `algebraic_connectivity` (P as weights of
        edges; where rows have one sum and columns one), `residual`, `method`, `why`. A sigma2 below
        1e-12·sigma1 that is not known in closed form is called 0. A network that is no chain of
        linear layers has None and the reason.

    Args:
        network: any.
        layers: "each", or "none" for the product alone.
        start: first layer of the run, from 0 in the order of application; in the order of the
            file where the network is no chain of linear layers.
        stop: the layer after the last; None for the end.

    Raises:
        ParameterError: another word for `layers`, or no range of layers.
    """
    if layers not in CHOICES:
        raise ParameterError(f"layers: expected one of {', '.join(CHOICES)}, got {layers!r}")
    refusal: str | None = None
    try:
        run = layer_run(network, start, stop)
    except UnsupportedError as error:
        run = tuple(check_span(start, stop, len(network.layers)))
        refusal = str(error)
    entries = [_of_layer(network, i) for i in dict.fromkeys(run)] if layers == "each" else []
    if refusal is not None:
        found = nothing_known(refusal)
    elif len(run) > 1:
        found = product_spectrum(network, run)
    else:
        found = of_layer(entries[0] if entries else _of_layer(network, run[0]))
    return {"layers": entries, "network": {"start": start, "stop": start + len(run), **found}}


def _of_layer(network: Network, index: int) -> dict[str, Any]:
    layer = network.layers[index]
    found = layer_spectrum(layer.pattern, index).as_json()
    return {"layer": index, "name": layer.name, **found}
