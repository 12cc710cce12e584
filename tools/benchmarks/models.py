"""Small models of every kind that people train, with random weights, and pruned as people do.

Each is what a newcomer would write, so that tests and benchmarks see what users bring.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch  # noqa: TID253  models are classes of torch's
from torch import nn  # noqa: TID253
from torch.nn import functional  # noqa: TID253
from torch.nn.utils import prune  # noqa: TID253

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

WORDS = 20
"""Tokens that the language model knows."""


@dataclass(frozen=True, slots=True)
class Model:
    """One kind of model.

    Attributes:
        make: returns it, with the random weights that torch gives it.
        shape: of one sample.
        layers: names of the weights that pruning makes sparse, in the order in which they apply.
        tokens: whether samples are tokens, not numbers.
    """

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    layers: tuple[str, ...]
    tokens: bool = False

    def samples(self, batch: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return random samples `[batch, *shape]`."""
        if self.tokens:
            return torch.randint(0, WORDS, (batch, *self.shape))
        return torch.randn(batch, *self.shape).to(dtype)


def pruned(module: nn.Module, sparsity: float = 0.9) -> nn.Module:
    """Mask the smallest weights of every Linear, Conv and attention; return the module.

    Batch norms get statistics as if they had seen data.
    """
    for part in module.modules():
        if isinstance(part, nn.MultiheadAttention):
            prune.l1_unstructured(part, "in_proj_weight", sparsity)
        if isinstance(part, nn.Linear | nn.Conv2d):
            prune.l1_unstructured(part, "weight", sparsity)
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
    return module


def mlp(*widths: int) -> nn.Module:
    """Return Linear layers between these widths, ReLU between them."""
    parts: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        parts += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*parts[:-1])


def lenet_300_100() -> nn.Module:
    """Return LeNet-300-100 for images of 28 by 28."""
    return nn.Sequential(nn.Flatten(), *mlp(784, 300, 100, 10))


class LeNet5(nn.Module):
    """LeNet-5 for images of 28 by 28, with ReLU and maximum pooling as it is trained today."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of images `[B, 1, 28, 28]`."""
        x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2).flatten(1)
        x = functional.relu(self.fc2(functional.relu(self.fc1(x))))
        logits: Tensor = self.fc3(x)
        return logits


class Residual(nn.Module):
    """Two convolutions with batch norms, and a skip around them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.skip: nn.Module = nn.Identity()
        if stride > 1:
            conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.skip = nn.Sequential(conv, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output for `[B, C, H, W]`."""
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.skip(x))


def resnet() -> nn.Module:
    """Return a ResNet of two blocks, one of them with a stride."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), Residual(8, 8, 1), Residual(8, 16, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4),
    )  # fmt: skip


def separable() -> nn.Module:
    """Return a net of depthwise and pointwise convolutions, as for phones."""
    return nn.Sequential(
        nn.Conv2d(4, 8, 3, padding=1, groups=4), nn.Hardswish(), nn.Conv2d(8, 12, 1),
        nn.BatchNorm2d(12), nn.ReLU6(), nn.Conv2d(12, 12, 3, 2, 2, dilation=2, groups=12),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(48, 5),
    )  # fmt: skip


def transformer() -> nn.Module:
    """Return two encoder layers, which torch makes as copies of each other and training parts."""
    layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.1, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    for parameter in encoder.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
    return encoder


def encoder_block() -> nn.Module:
    """Return one encoder layer of a usual size, for sequences of 256 values per token."""
    return nn.TransformerEncoderLayer(256, 4, 1024, dropout=0.0, batch_first=True)


class Gpt(nn.Module):
    """One block of a language model: embeddings, causal attention, an MLP, a head."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(WORDS, 16), nn.Parameter(torch.randn(6, 16))
        self.norm1, self.norm2 = nn.LayerNorm(16), nn.LayerNorm(16)
        self.qkv, self.proj = nn.Linear(16, 48), nn.Linear(16, 16)
        self.up, self.down = nn.Linear(16, 64), nn.Linear(64, 16)
        self.head = nn.Linear(16, WORDS, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits `[B, 6, WORDS]` of tokens `[B, 6]`."""
        x = self.embed(tokens) + self.place
        heads = [
            part.unflatten(-1, (4, 4)).transpose(1, 2)
            for part in self.qkv(self.norm1(x)).split(16, -1)
        ]
        mixed = functional.scaled_dot_product_attention(*heads, is_causal=True)
        x = x + self.proj(mixed.transpose(1, 2).flatten(2))
        x = x + self.down(functional.gelu(self.up(self.norm2(x))))
        logits: Tensor = self.head(x)
        return logits


def _block(i: int) -> tuple[str, ...]:
    parts = ("self_attn.in_proj_weight", "self_attn.out_proj.weight", "linear1.weight")
    return tuple(f"layers.{i}.{part}" for part in (*parts, "linear2.weight"))


MODELS = {
    "mlp": Model(lambda: mlp(12, 30, 20, 7), (12,), ("0.weight", "2.weight", "4.weight")),
    "lenet-300-100": Model(
        lenet_300_100, (1, 28, 28), ("1.weight", "3.weight", "5.weight")
    ),
    "lenet-5": Model(
        LeNet5,
        (1, 28, 28),
        ("conv1.weight", "conv2.weight", "fc1.weight", "fc2.weight", "fc3.weight"),
    ),
    "resnet": Model(
        resnet,
        (3, 8, 8),
        (
            "0.weight", "1.conv1.weight", "1.conv2.weight", "2.conv1.weight", "2.conv2.weight",
            "2.skip.0.weight", "5.weight",
        ),
    ),
    "separable": Model(separable, (4, 8, 8), ("0.weight", "2.weight", "5.weight", "8.weight")),
    "transformer": Model(transformer, (5, 16), (*_block(0), *_block(1))),
    "gpt": Model(
        Gpt,
        (6,),
        ("qkv.weight", "proj.weight", "up.weight", "down.weight", "head.weight"),
        tokens=True,
    ),
}  # fmt: skip
"""By the names that tests and tables use."""
