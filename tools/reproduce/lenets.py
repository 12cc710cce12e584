"""LeNet-300-100 and LeNet-5 with sparse layers, started as in the public code of arXiv 1810.00299.

Weights are normal with deviation 0.04 (0.05 in convolutions), cut at two deviations, whatever the
fan-in; biases are 0.1 before a ReLU and 0 before the scores. LeNet-5 pads its convolutions.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from torch import nn

import radixfmt as rx

if TYPE_CHECKING:
    from collections.abc import Sequence

Shape = tuple[int, int]

GEOMETRY = rx.ConvGeometry((5, 5), (1, 1), (2, 2, 2, 2), (1, 1))
"""Of LeNet-5's second convolution: 5 x 5, and the image keeps its size."""

DECAY = 0.004
"""The L2 term of linear layers."""


def lenet_300_100(patterns: Sequence[rx.Pattern]) -> nn.Sequential:
    """Return 784 → n → m → 10; widths come with the patterns.

    Args:
        patterns: of the first two layers, (784, n) and (n, m). The last one is dense.
    """
    fc1, fc2 = (rx.nn.SparseLinear(pattern) for pattern in patterns)
    return _started(
        flat=nn.Flatten(),
        fc1=fc1,
        relu1=nn.ReLU(),
        fc2=fc2,
        relu2=nn.ReLU(),
        fc3=nn.Linear(fc2.out_features, 10),
    )


def lenet_5(patterns: Sequence[rx.Pattern]) -> nn.Sequential:
    """Return two convolutions with pooling, and two linear layers; widths come with the patterns.

    Args:
        patterns: of the second convolution, (25·a, b), and of the first linear layer, (49·b, n).
            The first convolution, 1 → a channels, and the last layer, n → 10, are dense.
    """
    conv, linear = patterns
    return _started(
        conv1=nn.Conv2d(1, conv.shape[0] // 25, 5, padding=2),
        pool1=nn.MaxPool2d(2),
        relu1=nn.ReLU(),
        conv2=rx.nn.SparseConv2d(conv, GEOMETRY),
        pool2=nn.MaxPool2d(2),
        relu2=nn.ReLU(),
        flat=nn.Flatten(),
        fc1=rx.nn.SparseLinear(linear),
        relu3=nn.ReLU(),
        fc2=nn.Linear(linear.shape[1], 10),
    )


def patterns(module: nn.Sequential) -> list[rx.Pattern]:
    """Return the patterns of the module's sparse layers, in order."""
    sparse = rx.nn.SparseLinear, rx.nn.SparseConv2d
    return [layer.pattern for layer in module if isinstance(layer, sparse)]


def decayed(module: nn.Sequential) -> list[dict[str, Any]]:
    """Return the groups of an optimizer: an L2 term on the weights of linear layers only."""
    linear = [
        next(layer.parameters())
        for layer in module
        if isinstance(layer, nn.Linear | rx.nn.SparseLinear)
    ]
    known = {id(weight) for weight in linear}
    others = [each for each in module.parameters() if id(each) not in known]
    return [{"params": linear, "weight_decay": DECAY}, {"params": others}]


def _started(**layers: nn.Module) -> nn.Sequential:
    """Return the layers in order, with weights and biases drawn from torch's generator."""
    for name, layer in layers.items():
        for parameter, tensor in layer.named_parameters():
            if parameter.startswith("weight"):
                deviation = 0.05 if name.startswith("conv") else 0.04
                nn.init.trunc_normal_(tensor, std=deviation, a=-2 * deviation, b=2 * deviation)
            else:
                nn.init.constant_(tensor, 0.0 if isinstance(layer, nn.Linear) else 0.1)
    return nn.Sequential(OrderedDict(layers))
