"""What every topology family can be asked for."""

from __future__ import annotations

import numpy as np
import pytest

import radixfmt as rx
from radixfmt.errors import ParameterError, UnknownNameError
from radixfmt.topologies import topology

FAMILIES = list(topology)


def make(name, **options):
    return rx.generate(name, **topology.facts(name)["example"], **options)


@pytest.mark.parametrize("name", FAMILIES)
def test_family_is_deterministic_valid_and_survives_its_file(name, tmp_path):
    first, second = (make(name, weights="he", seed=5) for _ in range(2))
    digests = {rx.write(tmp_path / f"{i}.rx.h5", n) for i, n in enumerate((first, second))}
    assert len(digests) == 1
    assert (tmp_path / "0.rx.h5").read_bytes() == (tmp_path / "1.rx.h5").read_bytes()
    assert rx.validate(tmp_path / "0.rx.h5").ok
    explicit = rx.write(tmp_path / "explicit.rx.h5", first, storage="explicit")
    assert explicit in digests
    back = rx.read(tmp_path / "explicit.rx.h5")
    for a, b in zip(first.layers, back.layers, strict=True):
        assert (a.pattern.indices == b.pattern.indices).all()
        assert (a.weights == b.weights).all()
    step = back.metadata.provenance[-1]
    assert (step["topology"], step["weights"], step["seed"]) == (name, "he", 5)


def test_weight_rules():
    def weights(rule, **options):
        return make("radix-net", weights=rule, **options).layers[2].weights

    assert weights("none") is None
    assert weights("constant=0.25").tolist() == [0.25]
    assert weights("normal").dtype == np.float32
    assert (weights("normal=0.5") == np.float32(0.5) * weights("normal")).all()
    assert (weights("he") != weights("he", seed=1)).any()
    # layer 2 has 3·2 = 6 inputs per neuron: he is √(2/6), variance √(1/6) of a unit normal
    assert np.allclose(weights("he"), weights("normal") * np.sqrt(2 / 6))
    assert np.allclose(weights("variance"), weights("normal") * np.sqrt(1 / 6))


def test_variance_rule_keeps_the_scale_through_uneven_fan_in():
    rng = np.random.default_rng(0)
    dense = rng.random((400, 2000)) < rng.random(2000)
    layer = rx.Layer("a", rx.Pattern.from_scipy(dense.astype(float)))
    from radixfmt.initialization import weighted

    drawn = weighted(rx.chain([layer]), weights="variance").layers[0]
    y = rng.standard_normal((300, 400)) @ drawn.pattern.to_scipy(drawn.weights)
    alive = layer.pattern.fan_in() > 5
    assert y[:, alive].var() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": "hee"}, "weights: expected one of"),
        ({"weights": "constant"}, "float32 after '='"),
        ({"weights": "constant=nan"}, "finite number"),
        ({"weights": "he=2"}, "weights: expected one of"),
        ({"bias": float("inf")}, "bias: expected a finite number in float32"),
        ({"seed": -1, "weights": "he"}, "seed: expected 0 to"),
        ({"seed": 2**53, "weights": "he"}, "seed: expected 0 to"),
        ({"weights": "constant=1e39"}, "float32"),
        ({"bias": 1e39}, "float32"),
        ({"activation": "reluu"}, "activation: expected one of"),
        ({"sistems": 1}, "unknown parameter 'sistems'"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        make("radix-net", **options)


def test_misspelt_names_get_a_suggestion():
    with pytest.raises(UnknownNameError) as caught:
        rx.generate("radixnet")
    assert caught.value.hint == "Did you mean 'radix-net'?"
    with pytest.raises(ParameterError) as wrong:
        rx.generate("radix-net", sistems=[[2]])
    assert wrong.value.hint == "Did you mean 'systems'?"
    with pytest.raises(ParameterError, match="missing systems"):
        rx.generate("radix-net")


def test_activation_follows_every_layer_in_any_case():
    network = make("radix-net", activation="LEAKYRELU")
    assert [node.op for node in network.graph] == ["SparseLinear", "LeakyRelu"] * 4


def test_sizes_that_do_not_meet_are_refused(small):
    with pytest.raises(rx.RadixfmtError, match="RX6005"):
        rx.chain([small.layers[0], small.layers[0]])


def test_numpy_integers_are_integers_and_other_types_are_named():
    systems = np.array([[2, 3]])
    network = rx.generate("radix-net", systems=systems, widths=np.array([1, 2, 1]))
    assert network.headers[0][1] == (6, 12)
    for wrong in ({"systems": [2, 3]}, {"systems": [[2.5]]}, {"systems": [["2"]]}):
        with pytest.raises(ParameterError):
            rx.generate("radix-net", **wrong)
    with pytest.raises(ParameterError):
        rx.generate("graph-challenge", neurons=1024.0, layers=1)
    with pytest.raises(ParameterError, match="weights"):
        rx.generate("radix-net", systems=[[2]], weights=3)
    with pytest.raises(ParameterError, match="seed"):
        rx.generate("radix-net", systems=[[2]], weights="he", seed=1.5)
