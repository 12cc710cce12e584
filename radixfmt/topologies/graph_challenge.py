"""The networks of the Sparse DNN Graph Challenge, exactly as published."""

from __future__ import annotations

from radixfmt.generators.graph_challenge import LARGEST_LAYER, graph_challenge_layer
from radixfmt.model.layer import Layer
from radixfmt.model.network import LazyLayers, Network, chain
from radixfmt.model.pattern import Pattern
from radixfmt.topologies import integers, topology
from radixfmt.topologies.structured import depth

WEIGHT = 1 / 16
BIAS = {1024: -0.30, 4096: -0.35, 16384: -0.40, 65536: -0.45}
CLIP = (0.0, 32.0)


@topology("graph-challenge", example={"neurons": 1024, "layers": 2})
def graph_challenge(*, neurons: int, layers: int) -> Network:
    """Return a Graph Challenge network: weights 1/16, the size's bias, Clip(0, 32).

    Kepner et al., arXiv 1909.05631. All 120 layers of 1024 neurons equal the published files; for
    other sizes the rule is inferred from the published sizes and codes (`spec/generators`).

    Args:
        neurons: per layer: 1024, 4096, 16384 or 65536.
        layers: 1 to 65536; the published depths are 120, 480 and 1920.
    """
    (neurons,) = integers("neurons", [neurons])
    layers = depth(layers, LARGEST_LAYER)
    graph_challenge_layer(neurons=neurons, layer=1)

    def make(i: int) -> Layer:
        pattern = Pattern(graph_challenge_layer(neurons=neurons, layer=i + 1))
        return Layer(f"layer{i}", pattern, WEIGHT, BIAS[neurons])

    return chain(LazyLayers([("linear", (neurons, neurons))] * layers, make), clip=CLIP)
