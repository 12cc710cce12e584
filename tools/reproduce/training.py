"""The one training loop of all studies: minibatches, cross entropy, test accuracy per epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable

    from digits import Digits


def train(
    module: nn.Module,
    data: Digits,
    *,
    epochs: int,
    seed: int,
    batch: int = 100,
    optimizer: torch.optim.Optimizer | None = None,
    before_epoch: Callable[[int], None] | None = None,
    after_step: Callable[[int], None] | None = None,
    after_epoch: Callable[[int], None] | None = None,
) -> list[float]:
    """Train `module` in place and return its test accuracy (0 to 1) after each epoch.

    Args:
        module: `[n, 1, 28, 28]` → scores `[n, 10]`.
        data: to train and test on.
        epochs: passes over the training images.
        seed: of the order of the images.
        batch: images per step.
        optimizer: of the module; Adam with a rate of 0.001 by default.
        before_epoch: called with the number of the epoch, from 0, before its first step.
        after_step: called with the number of the step, from 0, counted over all epochs.
        after_epoch: called with the number of the epoch, from 0, before its accuracy is taken.
    """
    optimizer = optimizer or torch.optim.Adam(module.parameters(), lr=1e-3)
    order = torch.Generator().manual_seed(seed)
    curve, step = [], 0
    for epoch in range(epochs):
        if before_epoch:
            before_epoch(epoch)
        module.train()
        for chosen in torch.randperm(len(data.train), generator=order).split(batch):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(
                module(data.train[chosen]), data.train_labels[chosen]
            )
            loss.backward()
            optimizer.step()
            if after_step:
                after_step(step)
            step += 1
        if after_epoch:
            after_epoch(epoch)
        curve.append(accuracy(module, data))
    return curve


def accuracy(module: nn.Module, data: Digits) -> float:
    """Return the share of test images that `module` names rightly."""
    module.eval()
    with torch.no_grad():
        right = module(data.test).argmax(1) == data.test_labels
    return float(right.double().mean())
