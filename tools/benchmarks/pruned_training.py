"""Pruned models to measure: trained on digits, which they lose weights to, or as they start.

The dense model of a comparison learns from the same start, as long, and in the same order.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch  # noqa: TID253  models are classes of torch's
from models import LeNet5, encoder_block, mlp, pruned
from torch import nn  # noqa: TID253
from torch.nn.utils import parametrize, prune  # noqa: TID253

import radixfmt as rx
from radixfmt.pruning import gradual_sparsity

sys.path.append(str(Path(__file__).parents[1] / "reproduce"))

from digits import Digits
from training import train

if TYPE_CHECKING:
    from collections.abc import Callable

STEP_SIZE = 100
"""Images of one training step."""

BEGIN, END, PRUNINGS = 0.2, 0.7, 20
"""Shares of all steps between which weights go, and in how many turns."""


class Kind(NamedTuple):
    """A kind of model.

    Attributes:
        make: returns one with the random weights that torch gives it.
        shape: of one sample.
        batches: at which it is measured.
        least: how many times as fast as its dense export it has to be, at every batch.
        learns: whether it is trained on digits.
    """

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    batches: tuple[int, ...]
    least: float
    learns: bool = True


KINDS = {
    "LeNet-5": Kind(LeNet5, (1, 28, 28), (1, 64, 1024), 0.95),
    "MLP 784-1024-1024-10": Kind(lambda: mlp(784, 1024, 1024, 10), (784,), (1, 64, 1024), 2.0),
    # 64 sequences are 4096 rows for its linear layers
    "transformer block": Kind(encoder_block, (64, 256), (1, 8, 64), 0.95, learns=False),
}


def dense_accuracy(kind: Kind, data: Digits, epochs: int) -> float:
    """Return the accuracy (0 to 1) of the model that is not pruned, trained as the others are."""
    module = _start(kind)
    train(module, _shaped(data, kind), epochs=epochs, seed=0, batch=STEP_SIZE)
    return accuracy(rx.from_torch(module, torch.zeros(2, *kind.shape)), kind, data)


def sparse_module(kind: Kind, sparsity: float, data: Digits, epochs: int) -> nn.Module:
    """Return a model with zeros for the smallest of all its weights, or of each layer's.

    A model that learns loses them gradually, and where they matter least: few in the first
    convolution of LeNet-5, which has 150. A model that does not learn loses as many everywhere.
    """
    module = _start(kind)
    if not kind.learns:
        return _plain(pruned(module, sparsity))
    whole = rx.from_torch(module, torch.zeros(2, *kind.shape), sparsity_threshold=0)
    rx.nn.apply(module, whole)
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    steps = epochs * -(-len(data.train) // STEP_SIZE)
    begin, end = int(BEGIN * steps), int(END * steps)
    turns = set(np.linspace(begin, end, PRUNINGS + 1).astype(int)[1:].tolist())

    def after_step(step: int) -> None:
        if step in turns:
            share = gradual_sparsity(step, final=sparsity, begin=begin, end=end)
            rx.nn.prune_(module, share, scope="global", optimizer=optimizer)

    train(
        module,
        _shaped(data, kind),
        epochs=epochs,
        seed=0,
        batch=STEP_SIZE,
        optimizer=optimizer,
        after_step=after_step,
    )
    return _plain(module)


def accuracy(network: rx.Network, kind: Kind, data: Digits) -> float:
    """Return the share (0 to 1) of the test digits that a `Session` names rightly."""
    with rx.Session(network, threads=1) as session:
        scores = session.run(_shaped(data, kind).test.numpy())
    return float((scores.argmax(1) == data.test_labels.numpy()).mean())


def _start(kind: Kind) -> nn.Module:
    """Return the model before training, the same every time."""
    torch.manual_seed(0)
    return kind.make()


def _shaped(data: Digits, kind: Kind) -> Digits:
    """Return the digits as the model takes them."""
    train, test = (x.reshape(len(x), *kind.shape) for x in (data.train, data.test))
    return Digits(data.source, train, data.train_labels, test, data.test_labels)


def _plain(module: nn.Module) -> nn.Module:
    """Make masks zeros of the weights themselves; return the module."""
    for part in module.modules():
        if parametrize.is_parametrized(part, "weight"):
            parametrize.remove_parametrizations(part, "weight")
        for name, _ in list(part.named_buffers(recurse=False)):
            if name.endswith("_mask"):
                prune.remove(part, name.removesuffix("_mask"))
    return module
