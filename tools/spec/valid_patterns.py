"""Valid vectors of each generator."""

from __future__ import annotations

from typing import Any

import numpy as np
from valid_edits import wider_permutations
from valid_vectors import Valid
from vector_networks import chain, generated, numbers, said

import radixfmt as rx
from radixfmt.generators.permuted import permuted


def generators() -> dict[str, Valid]:
    """Return them by name."""
    nets = {"systems": [[2, 3], [3, 2]], "widths": [1, 2, 2, 3, 1]}
    one_bias = np.array([0.5], np.float32)

    def single(
        name: str, about: str, *patterns: rx.Pattern, bias: Any = None, edit: Any = None
    ) -> Valid:
        layers = [rx.Layer(f"layer{i}", p, 0.25, bias) for i, p in enumerate(patterns)]
        return Valid(about, chain(name, layers), edit)

    base = generated("radix-net", **nets, direction=-1, index=2)
    n_in, n_out = base.shape
    turned, swapped = np.roll(np.arange(n_in), 5), np.arange(n_out) ^ 1
    square = generated("radix-net", systems=[[4, 4]], widths=[1, 1, 1], direction=-1, index=1)
    huge = {"systems": [[16] * 9 + [2]], "widths": [1] * 11, "direction": -1}
    return {
        "radix-net": Valid(
            "radix-net/1: the four layers of a RadiX-Net, both directions, with weights.",
            chain(
                "radix-net",
                [
                    rx.Layer(f"layer{i}", p, numbers(p.nnz), numbers(p.shape[1]))
                    for i, p in enumerate(
                        generated("radix-net", **nets, direction=(-1, 1)[i % 2], index=i)
                        for i in range(4)
                    )
                ],
            ),
        ),
        "graph-challenge": Valid(
            "graph-challenge/1: layers 1 and 13 of 1024 neurons, weights 1/16, Clip(0, 32).",
            rx.chain(
                [
                    rx.Layer(f"layer{k}", p, 1 / 16, -0.3)
                    for k, p in (
                        (k, generated("graph-challenge", neurons=1024, layer=k)) for k in (1, 13)
                    )
                ],
                clip=(0.0, 32.0),
                metadata=said("graph-challenge"),
            ),
        ),
        "dense": single("dense", "dense/1.", generated("dense", inputs=3, outputs=5)),
        "identity": single("identity", "identity/1.", generated("identity", size=6)),
        "permuted": single(
            "permuted",
            "permuted/1 with a permutation of the inputs, of the outputs, and of both (as u64).",
            permuted(square, np.roll(np.arange(16), 5), None),
            permuted(square, None, np.arange(16) ^ 5),
            permuted(square, np.arange(16)[::-1], np.roll(np.arange(16), 3)),
            edit=wider_permutations,
        ),
        "permuted-wide": Valid(
            "permuted/1 of a rectangular layer, with a weight for each edge in canonical order.",
            chain(
                "permuted-wide",
                [rx.Layer("layer", permuted(base, turned, swapped), numbers(base.nnz))],
            ),
        ),
        "recipe-radix-net": single(
            "recipe-radix-net",
            "radix-net/1 with 2^37 neurons and 2^41 edges: digests are of the recipe.",
            generated("radix-net", **huge, index=0),
            bias=one_bias,
        ),
        "recipe-dense": single(
            "recipe-dense",
            "dense/1 with 2^40 edges before identity/1 with 2^38: digests are of the recipe.",
            generated("dense", inputs=4, outputs=2**38),
            generated("identity", size=2**38),
            bias=one_bias,
        ),
    }
