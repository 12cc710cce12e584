"""Handwritten digits: MNIST's test set where it is at hand, scikit-learn's small ones elsewhere."""

from __future__ import annotations

import gzip
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

HERE = Path(__file__).resolve().parents[3] / "shared" / "data"
MNIST = "MNIST test digits, 8000 to train and 2000 to test"
SMALL = "scikit-learn digits, 8x8 pixels made 28x28, 1437 to train and 360 to test"


@dataclass(frozen=True, slots=True, eq=False)
class Digits:
    """Images of 28 x 28 pixels, standardised by the training images' mean and deviation.

    Attributes:
        source: what they are.
        train: float32 `[n, 1, 28, 28]`.
        train_labels: int64 `[n]`.
        test: float32 `[m, 1, 28, 28]`.
        test_labels: int64 `[m]`.
    """

    source: str
    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor

    def first(self, train: int, test: int) -> Digits:
        """Return the first so many of each."""
        return Digits(
            self.source,
            self.train[:train],
            self.train_labels[:train],
            self.test[:test],
            self.test_labels[:test],
        )


def digits() -> Digits:
    """Return MNIST's digits from `$RADIXFMT_TEST_DATA/mnist`, or scikit-learn's."""
    folder = Path(os.environ.get("RADIXFMT_TEST_DATA", HERE)) / "mnist"
    images = folder / "t10k-images-idx3-ubyte.gz"
    if images.exists():
        pixels = _idx(images, 16).reshape(-1, 28, 28)
        return _split(MNIST, pixels, _idx(folder / "t10k-labels-idx1-ubyte.gz", 8), 8000)
    from sklearn.datasets import load_digits

    found = load_digits()
    larger = np.kron(found.images / 16 * 255, np.ones((3, 3)))
    return _split(SMALL, np.pad(larger, ((0, 0), (2, 2), (2, 2))), found.target, 1437)


def _idx(path: Path, header: int) -> np.ndarray:
    """Return the bytes of an IDX file after its header."""
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


def _split(source: str, pixels: np.ndarray, labels: np.ndarray, train: int) -> Digits:
    """Return the digits in an order that depends on nothing, `train` of them to train on."""
    order = np.random.Generator(np.random.Philox(key=0)).permutation(len(pixels))
    x = torch.from_numpy(pixels[order].astype(np.float32) / 255)[:, None]
    y = torch.from_numpy(labels[order].astype(np.int64))
    x = (x - x[:train].mean()) / x[:train].std()
    return Digits(source, x[:train], y[:train], x[train:], y[train:])
