"""Tiles hold every edge once, and find the structure that is there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import radixfmt as rx
from radixfmt.export.costs import COSTS, costs_of
from radixfmt.model.tiling import tiling, tilings


def of_mask(mask):
    import scipy.sparse as sp

    return rx.Pattern.from_scipy(sp.csc_array(mask))


def cost(groups, m, k):
    return COSTS["cpu"].blocked(groups, m, k, 256)


def rebuilt(tiles, shape, weights):
    """Return the dense W that the tiles hold."""
    w = np.zeros(shape)
    blocks = tiles.blocks(weights, np.dtype(np.float64))
    for block, outputs, inputs in zip(blocks, tiles.outputs, tiles.inputs, strict=True):
        real_out, real_in = outputs >= 0, inputs >= 0
        assert not block[~real_out].any()
        assert not block[:, ~real_in].any()
        w[np.ix_(inputs[real_in], outputs[real_out])] += block[np.ix_(real_out, real_in)].T
    return w


@given(
    seed=st.integers(0, 2**32 - 1),
    n_in=st.integers(1, 50),
    n_out=st.integers(1, 90),
    density=st.sampled_from([0, 0.05, 0.5, 1]),
)
@settings(max_examples=60, deadline=None)
def test_tiles_hold_every_edge_once(seed, n_in, n_out, density):
    rng = np.random.default_rng(seed)
    mask = rng.random((n_in, n_out)) < density
    pattern = of_mask(mask)
    weights = rng.standard_normal(pattern.nnz)
    tiles = tiling(pattern, cost)
    assert np.array_equal(
        rebuilt(tiles, pattern.shape, weights), pattern.to_scipy(weights).toarray()
    )
    place = tiles.place(n_out)
    assert np.array_equal(tiles.outputs.reshape(-1)[place], np.arange(n_out))
    key = rng.integers(0, 3, rng.integers(1, n_out + 1))  # of some outputs, or of all
    other = tiles.ordered(key)
    assert np.array_equal(
        rebuilt(other, pattern.shape, weights), pattern.to_scipy(weights).toarray()
    )
    for outputs, before in zip(other.outputs, tiles.outputs, strict=True):
        assert set(outputs) == set(before)
        known = outputs[(outputs >= 0) & (outputs < key.size)]
        assert np.array_equal(outputs[: known.size], known)
        assert (np.diff(key[known]) >= 0).all()
    parts = tilings(pattern, lambda groups, m, k: 1.0 + groups * (m * k + k), 0.5)
    assert np.array_equal(
        sum(rebuilt(part, pattern.shape, weights) for part in parts),
        pattern.to_scipy(weights).toarray(),
    )
    held = np.concatenate([part.outputs[part.outputs >= 0] for part in parts])
    assert np.array_equal(np.sort(held), np.arange(n_out))


def size(**parameters):
    index = parameters.pop("index", 0)
    return tiling(rx.generate("radix-net", **parameters).layers[index].pattern, cost).size


@pytest.mark.parametrize("direction", [-1, 1])
def test_finds_equal_input_sets(direction):
    parameters = {"systems": [[2] * 6], "widths": [16] * 7, "direction": direction}
    assert size(**parameters) in {(64, 16, 32), (32, 32, 48)}  # exact, or pairs that share half
    assert size(**parameters, index=5) == (32, 32, 32)


@pytest.mark.parametrize("index", range(5))
def test_tiles_that_share_inputs_follow_each_other(index):
    network = rx.generate("radix-net", systems=[[2] * 6], widths=[16] * 7)
    pattern = network.layers[index].pattern
    rng = np.random.default_rng(0)
    rows, columns = rng.permutation(1024), rng.permutation(1024)
    shuffled = of_mask(pattern.to_scipy(np.ones(pattern.nnz)).toarray()[rows][:, columns] > 0)
    for of in (pattern, shuffled):
        # whatever the cost, outputs of equal sets: blocks of 16 in rings, each of two neighbours
        tiles = tiling(of, lambda groups, m, k: float(k))
        assert tiles.size == (64, 16, 32)
        shared = [
            np.intersect1d(a, b).size
            for a, b in zip(tiles.inputs[:-1], tiles.inputs[1:], strict=True)
        ]
        rings = 2**index
        assert shared.count(16) == 64 - rings


@pytest.mark.parametrize("direction", [-1, 1])
@pytest.mark.parametrize("index", [0, 1])
def test_finds_windows_of_any_stride(direction, index):
    groups, m, k = size(systems=[[32, 16, 2]], direction=direction, index=index)
    edges = (32, 16)[index] * 1024
    assert groups * m * k <= 2.1 * edges


def test_finds_equal_sets_after_relabelling():
    layer = rx.generate("graph-challenge", neurons=1024, layers=9).layers[8]
    assert tiling(layer.pattern, cost).size in {(64, 16, 32), (32, 32, 48)}


def shuffled(mask, seed=0):
    rng = np.random.default_rng(seed)
    return mask[rng.permutation(mask.shape[0])][:, rng.permutation(mask.shape[1])]


def cells(mask):
    parts = tilings(of_mask(mask), cost, 1e-6)
    return sum(groups * m * k for groups, m, k in (part.size for part in parts))


def a_band(rng):
    return (np.arange(512)[:, None] - np.arange(512)) % 512 < 32


def blocks_with_holes(rng):
    return np.kron(np.eye(16, dtype=bool), rng.random((32, 32)) < 2) & (
        rng.random((512, 512)) < 0.9
    )


def blocks_of_many_sizes(rng):
    block = np.repeat(np.arange(512), rng.integers(8, 65, 512))[:512]
    return block[:, None] == block


def scattered_blocks(rng):
    return np.kron(rng.random((32, 32)) < 0.06, np.ones((16, 16), bool))


@pytest.mark.parametrize(
    ("make", "fill"),
    [
        (a_band, 2.3),
        (blocks_with_holes, 1.3),
        (blocks_of_many_sizes, 1.6),
        (scattered_blocks, 2.0),
    ],
)
def test_finds_what_was_shuffled(make, fill):
    mask = make(np.random.default_rng(1))
    assert cells(mask) <= fill * mask.sum()
    assert cells(shuffled(mask)) <= fill * mask.sum()


def test_few_full_outputs_do_not_widen_the_others():
    mask = np.random.default_rng(1).random((1024, 1024)) < 0.01
    sparse = cells(mask)
    mask[:, ::64] = True
    assert cells(mask) <= 1.2 * sparse + 16 * 1024


def test_uneven_groups_are_padded():
    mask = np.zeros((12, 13), bool)
    mask[:3, :8] = True
    mask[3:12, 8:] = True
    tiles = tiling(of_mask(mask), cost)
    assert tiles.size[0] * tiles.size[1] >= 13


def test_unknown_target():
    with pytest.raises(rx.RadixfmtError, match="expected cpu or cuda, got 'tpu'"):
        costs_of("tpu")
