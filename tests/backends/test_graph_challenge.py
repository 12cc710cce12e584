"""The published Graph Challenge images through 120 layers, against the published categories."""

import os
from pathlib import Path

import numpy as np
import pytest

import radixfmt as rx
from radixfmt.backends.ort import Session
from radixfmt.backends.scipy import reference


def folder():
    default = Path(__file__).parents[3] / "shared" / "data"
    return Path(os.environ.get("RADIXFMT_TEST_DATA", default)) / "graph_challenge"


def market(name):
    import scipy.io

    path = folder() / name
    if not path.exists():
        pytest.skip(f"no {name}: set RADIXFMT_TEST_DATA to the folder of test data")
    return scipy.io.mmread(path)


@pytest.fixture(scope="module")
def images():
    return market("sparse-images-1024_subset.mtx").toarray().astype(np.float32)


@pytest.fixture(scope="module")
def categories():
    return {int(row) + 1 for row in market("neuron1024-l120-categories_subset.mtx").tocoo().row}


@pytest.fixture(scope="module")
def network():
    return rx.generate("graph-challenge", neurons=1024, layers=120)


def alive(y):
    return {int(row) + 1 for row in np.flatnonzero(y.sum(axis=1))}


def test_reference_finds_the_published_categories(network, images, categories):
    assert len(categories) == 19
    assert alive(reference(network, images)) == categories


@pytest.mark.parametrize("lowering", ["auto", "dense"])
def test_models_find_the_published_categories(network, images, categories, lowering):
    with Session(network, lowering=lowering, device="cpu") as session:
        assert alive(session.run(images)) == categories


@pytest.mark.parametrize("lowering", ["auto", "dense"])
def test_values_agree_before_they_saturate(images, lowering):
    network = rx.generate("graph-challenge", neurons=1024, layers=10)
    wanted = reference(network, images)
    assert np.count_nonzero((wanted > 0) & (wanted < 32)) > 0
    with Session(network, lowering=lowering, device="cpu") as session:
        np.testing.assert_allclose(session.run(images), wanted, rtol=1e-5, atol=32e-5)
