"""PyTorch modules with one weight per edge, masks on dense ones, and edges that move.

`SparseLinear` and `SparseConv1d`-`3d` train the edges of a `Pattern`; `apply` masks a module's own
layers. `init_`, `prune_`, `rewire_` (SET) and `rigl_` change weights and edges of both, in place.
`radixfmt.to_torch` makes a module of a whole network.
"""

from __future__ import annotations

from radixfmt.errors import MissingDependencyError

try:
    import torch as _  # noqa: F401
except ImportError:
    raise MissingDependencyError(
        "torch is not installed", hint="pip install 'radixfmt[torch]'"
    ) from None

from radixfmt.nn.conv import SparseConv1d, SparseConv2d, SparseConv3d
from radixfmt.nn.evolution import init_, prune_, rewire_, rigl_
from radixfmt.nn.gradients import dense_gradients
from radixfmt.nn.linear import SparseLinear
from radixfmt.nn.masks import apply
from radixfmt.nn.network import TorchNetwork

__all__ = [
    "SparseConv1d", "SparseConv2d", "SparseConv3d", "SparseLinear", "TorchNetwork", "apply",
    "dense_gradients", "init_", "prune_", "rewire_", "rigl_",
]  # fmt: skip
