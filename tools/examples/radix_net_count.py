"""How many RadiX-Nets there are, beside explicit X-Nets: python tools/examples/radix_net_count.py.

arXiv 1905.00416 calls RadiX-Nets much more diverse than X-Nets (Deep Expander Networks, arXiv
1711.08757). What is counted decides the answer, so this table counts two things, for layers of n
to 4·n neurons. The papers' full texts were not at hand; the reading of both families is ours.

`systems`: lists of mixed-radix systems of n with that many radices (one list = one RadiX-Net whose
layers all have n neurons, see radixfmt.topologies.radix_enumeration).

`layer sizes`: sequences of layer sizes that the family has members for. An explicit X-Net layer is
a Cayley graph, with a neuron for each element of a group on both sides, so all its layers have one
size; a RadiX-Net chooses a number of blocks for each layer. This is the diversity that is meant.

`networks`: all networks of those sizes. RadiX-Nets: systems times sizes. X-Nets: one symmetric
generating set of the cyclic group Z_m, without 0, used in every layer (circulant graphs; other
groups would add to them). By this count X-Nets win as soon as n is large, since almost every set
generates; but whether a set's network is path-connected in that few layers has to be checked one by
one, while every RadiX-Net is, by equally many paths.
"""

from __future__ import annotations

from radixfmt.topologies.radix_enumeration import count_radix_systems, divisors

BLOCKS = 4
ROWS = ((8, 3), (12, 3), (16, 4), (36, 4), (64, 6), (100, 6), (1024, 10))


def symmetric_generating_sets(order: int) -> int:
    """Return how many sets S = -S of nonzero elements generate the cyclic group of this order.

    Each set generates one subgroup; Z_d has floor(d/2) pairs {s, -s} of nonzero elements.
    """
    count: dict[int, int] = {}
    for d in divisors(order):
        count[d] = 2 ** (d // 2) - sum(count[smaller] for smaller in count if d % smaller == 0)
    return count[order]


def short(number: int) -> str:
    """Return a count for the table, rounded if it is long."""
    return str(number) if number < 10**9 else f"10^{len(str(number)) - 1}"


def main() -> None:
    """Print the table."""
    columns = (
        "n",
        "layers",
        "systems",
        "sizes: RadiX-Net",
        "X-Net",
        "networks: RadiX-Net",
        "X-Net",
    )
    print("  ".join(columns))
    for n, layers in ROWS:
        systems = count_radix_systems(n, layers)
        sizes = BLOCKS ** (layers + 1)
        x_nets = sum(symmetric_generating_sets(n * blocks) for blocks in range(1, BLOCKS + 1))
        cells = (n, layers, systems, sizes, BLOCKS, systems * sizes, x_nets)
        print(
            "  ".join(
                short(cell).rjust(len(column)) for cell, column in zip(cells, columns, strict=True)
            )
        )


if __name__ == "__main__":
    main()
