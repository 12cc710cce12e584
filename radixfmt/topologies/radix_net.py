"""RadiX-Nets: sparse layers in which every input reaches every output by equally many paths."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from radixfmt.errors import ParameterError
from radixfmt.generators.radix_net import radix_net_layer
from radixfmt.model.layer import Layer
from radixfmt.model.metadata import Metadata
from radixfmt.model.network import LazyLayers, Network, chain
from radixfmt.model.pattern import Pattern
from radixfmt.topologies import integers, topology
from radixfmt.topologies.radix_fit import fit as design_for
from radixfmt.topologies.radix_trimmed import TrimmedColumns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from radixfmt.generators.regular import RegularColumns
    from radixfmt.topologies.radix_design import Design


@topology("radix-net", example={"systems": [[2, 3], [3, 2]], "widths": [1, 2, 2, 3, 1]})
def radix_net(
    *,
    systems: Sequence[Sequence[int]] = (),
    widths: Sequence[int] = (),
    direction: int = -1,
    fit: Sequence[int] = (),
    density: float | None = None,
) -> Network:
    """Return the RadiX-Net of these mixed-radix systems (Robinett & Kepner, arXiv 1905.00416).

    Or, with `fit` and `density` in place of `systems` and `widths`, one that is found for layer
    sizes of your own and trimmed to them, as in "Testing RadiX-Nets" (arXiv 2311.03609). Every
    input still reaches every output and every neuron has inputs; trimming ends the symmetry
    (equally many paths), the exact density of each layer, and the equal degrees of its neurons.
    The description in the file says which systems were found and whether anything was trimmed.

    Args:
        systems: the radices of one mixed-radix system; all but the last have the same product n,
            and the last one's product divides n.
        widths: blocks of n neurons in each layer, one more than there are radices; by default
            one block everywhere.
        direction: sign of the cyclic shift: -1 as in the published Graph Challenge files, 1 as in
            the paper's text. The two are transposes of each other, layer by layer.
        fit: neurons of each layer, in place of systems and widths.
        density: with fit, edges over cells of all layers together, met within 10 %.
    """
    sign = integers("direction", [direction])[0]
    if len(systems) and len(fit):
        raise ParameterError("radix-net: expected systems or fit, got both")
    if not len(systems):
        return _trimmed(_found(fit, widths, density, sign))
    if density is not None:
        raise ParameterError("radix-net: a density goes with fit, and systems have their own")
    radices = [integers(f"system {i}", system) for i, system in enumerate(systems, start=1)]
    blocks = integers("widths", widths) or [1] * (sum(map(len, radices)) + 1)

    def make(i: int) -> Layer:
        rule = radix_net_layer(systems=radices, widths=blocks, direction=sign, index=i)
        return Layer(f"layer{i}", Pattern(rule))

    first = radix_net_layer(systems=radices, widths=blocks, direction=sign, index=0)
    sizes = [first.period * width for width in blocks]
    return chain(LazyLayers([("linear", shape) for shape in pairwise(sizes)], make))


def _found(
    fit: Sequence[int], widths: Sequence[int], density: float | None, direction: int
) -> Design:
    """Return the design for `fit`, after checking what came with it."""
    if not len(fit):
        raise ParameterError(
            "radix-net: missing systems or fit: at least one mixed-radix system, or layer sizes",
            hint="radixfmt generate radix-net --system 2,3 --system 3,2 -o net.rx.h5",
        )
    if density is None or len(widths):
        raise ParameterError(
            "radix-net: fit needs a density, and finds the widths itself",
            hint="radixfmt generate radix-net --fit 784,300,100,10 --density 0.1 -o net.rx.h5",
        )
    return design_for(integers("fit", fit), density, direction)


def _trimmed(design: Design) -> Network:
    """Return the network of a design; a layer of which nothing is cut stays a generator's."""
    shapes = list(pairwise(design.sizes))
    steps = design.steps()

    def rule(i: int) -> RegularColumns:
        return radix_net_layer(
            systems=design.systems, widths=design.blocks, direction=design.direction, index=i
        )

    def make(i: int) -> Layer:
        whole = rule(i)
        cut = whole.shape != shapes[i]
        return Layer(
            f"layer{i}", Pattern(TrimmedColumns(whole, shapes[i], steps[i]) if cut else whole)
        )

    rule(0)  # refuses what is beyond the format's limits in any layer
    return chain(
        LazyLayers([("linear", shape) for shape in shapes], make),
        metadata=Metadata(description=design.description),
    )
