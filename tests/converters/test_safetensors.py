"""State dicts come in, as a chain or onto a network, and go out to the module they are of."""

from __future__ import annotations

import importlib.util
import json
import pickle

import numpy as np
import pytest
import torch
from models import MODELS, mlp, pruned
from torch import nn

import radixfmt as rx
from radixfmt.backends.parity import check
from radixfmt.errors import InputError, MissingDependencyError, PathError, UnsupportedError

safetensors = pytest.importorskip("safetensors.torch", reason="needs safetensors")


@pytest.fixture(autouse=True)
def seeded(tmp_path, monkeypatch):
    torch.manual_seed(3)
    monkeypatch.chdir(tmp_path)


def save(state, name="s.safetensors", **settings):
    state = {key: value.detach().clone() for key, value in state.items()}
    safetensors.save_file(state, name, **settings)


def outputs_of(net, x):
    with rx.Session(net, device="cpu", threads=1) as session:
        return session.run(x.numpy())


@pytest.mark.parametrize("name", ["lenet-5", "resnet", "transformer", "gpt"])
def test_a_network_goes_out_to_a_fresh_module_and_back_onto_its_edges(name):
    model = MODELS[name]
    module, x = pruned(model.make()).eval(), model.samples(3)
    rx.write("net.rx.h5", rx.from_torch(module, x))
    done = rx.convert("net.rx.h5", "net.safetensors")
    assert done.losses == ("the graph", "which weights are edges", "the metadata")
    state = safetensors.load_file("net.safetensors")
    fresh = model.make().eval()
    missing = fresh.load_state_dict(state, strict=False).missing_keys
    assert [key for key in missing if not key.endswith("num_batches_tracked")] == []
    with torch.no_grad():
        expected = module(x)
        assert torch.equal(fresh(x), expected)
    back = rx.convert("net.safetensors", "back.rx.h5", like="net.rx.h5")
    assert rx.diff("back.rx.h5", "net.rx.h5").values == ()
    check(outputs_of("back.rx.h5", x), expected, tolerance=1e-5)
    assert not any(" come from " in loss for loss in back.losses)


def test_retrained_weights_fill_the_edges_of_a_topology(radixfmt):
    """The core exchange: a topology from one lab, weights from another."""
    topology = rx.generate("radix-net", fit=[24, 16, 10], density=0.5, activation="relu")
    first, second = topology.layers
    module = nn.ModuleDict(
        {layer.name: nn.Linear(*layer.pattern.shape) for layer in (first, second)}
    )
    rx.nn.apply(module, topology)
    rx.write("net.rx.h5", topology)
    save(module.state_dict())
    done = radixfmt("convert", "s.safetensors", "out.rx.h5", "--like", "net.rx.h5", "--json")
    assert done.code == 0, done.err
    net = rx.read("out.rx.h5")
    assert rx.diff(net, topology).topology == ()
    x = torch.randn(5, 24)
    with torch.no_grad():
        expected = module[second.name](module[first.name](x).relu()).relu()
    check(outputs_of(net, x), expected, tolerance=1e-5)
    assert net.metadata.provenance[-1]["source"] == "s.safetensors"


def test_a_chain_of_linear_layers_needs_no_architecture():
    """Names sort as numbers do, and masks of pruning are edges, zeros inside them too."""
    widths = [6, 5, 4, 7, 3, 8, 2]  # 0.weight to 10.weight
    module = pruned(mlp(*widths), 0.5)
    with torch.no_grad():
        module[0].weight_orig[tuple(module[0].weight_mask.nonzero()[0])] = 0
    save(module.state_dict(), metadata={"format": "pt"})
    done = rx.convert("s.safetensors", "s.rx.h5")
    net = rx.read("s.rx.h5")
    assert [layer.name for layer in net.layers] == [f"{i}.weight" for i in range(0, 12, 2)]
    for layer, part in zip(net.layers, module[::2], strict=True):
        mask = part.weight_mask.numpy()
        np.testing.assert_array_equal(layer.pattern.to_scipy().toarray().T, mask)
    assert any("no activation" in loss for loss in done.losses)
    assert any("order of layers, which come from their names" in loss for loss in done.losses)
    assert done.losses[0] == "the metadata of the file"
    x = torch.randn(4, 6)
    with torch.no_grad():
        module(x)  # prune computes its weights when it is called
        expected = nn.Sequential(*module[::2])(x)
    check(outputs_of(net, x), expected, tolerance=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_element_types_stay(dtype):
    module = pruned(nn.Sequential(nn.Linear(6, 4)).to(dtype), 0.5)
    save(module.state_dict())
    rx.convert("s.safetensors", "s.rx.h5")
    (layer,) = rx.read("s.rx.h5").layers
    assert layer.dtype.name == layer.bias.dtype.name == str(dtype).removeprefix("torch.")
    rx.convert("s.rx.h5", "t.safetensors")
    found = safetensors.load_file("t.safetensors")
    module(torch.ones(1, 6, dtype=dtype))
    assert torch.equal(found["0.weight"], module[0].weight)
    assert torch.equal(found["0.bias"], module[0].bias)


ONE = torch.ones(3, 2)
REFUSED = {
    "a convolution": ({"c.weight": torch.ones(3, 2, 3, 3)}, "tensor 'c.weight' of shape"),
    "a norm": ({"n.weight": torch.ones(3), "n.bias": torch.ones(3)}, "expected a chain"),
    "other tensors": ({"l.weight": ONE, "scale": torch.ones(1)}, "tensor 'scale' of shape .1."),
    "sizes that do not meet": ({"a.weight": ONE, "b.weight": ONE}, "'b.weight' takes 2 inputs"),
    "nothing": ({}, "expected NAME.weight"),
    "a weight of 2^40 by 0": ({"a.weight": torch.ones(1 << 40, 0)}, "expected a chain"),
    "complex": ({"a.weight": torch.ones(3, 2, dtype=torch.complex64)}, "C64 of rank 2"),
    "truth values": ({"a.weight": ONE.bool()}, "expected elements of type"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_chain_is_refused_with_the_way_in(case):
    state, message = REFUSED[case]
    save(state)
    with pytest.raises(UnsupportedError, match=message) as caught:
        rx.convert("s.safetensors", "s.rx.h5")
    assert "s.safetensors" in str(caught.value)
    assert "expected a chain" not in str(caught.value) or "--like" in caught.value.hint


def test_a_bias_of_another_length_is_refused():
    save({"a.weight": ONE, "a.bias": torch.ones(2)})
    with pytest.raises(InputError, match="'a.bias': expected a bias of 3 values"):
        rx.convert("s.safetensors", "s.rx.h5")


def test_weights_have_to_fit_the_network_they_are_put_into():
    module = pruned(mlp(6, 5, 3), 0.5)
    rx.write("net.rx.h5", rx.from_torch(module, torch.ones(2, 6)))
    module(torch.ones(2, 6))
    fits = {
        f"{i}.{name}": getattr(module[i], name).clone()
        for i in (0, 2)
        for name in ("weight", "bias")
    }

    def refused(message, **changes):
        save({k: v for k, v in (fits | changes).items() if v is not None})
        with pytest.raises(InputError, match=message):
            rx.convert("s.safetensors", "s.rx.h5", like="net.rx.h5")

    outside = fits["0.weight"].clone()
    outside[tuple((module[0].weight_mask == 0).nonzero()[0])] = 2.5
    refused(
        r"'0.weight': expected zeros outside the edges, got 2.5 .*\(1 such", **{"0.weight": outside}
    )
    refused(r"'2.weight': expected shape \[3, 5\], got \[5, 3\]", **{"2.weight": torch.ones(5, 3)})
    refused("expected the weight of layer '2.weight' of net.rx.h5", **{"2.weight": None})
    refused("'0.bias': expected a bias of 5 values", **{"0.bias": torch.ones(4)})
    save(fits | {"more": torch.ones(2)})
    losses = rx.convert("s.safetensors", "s.rx.h5", like="net.rx.h5").losses
    assert losses == ("tensors that net.rx.h5 has no place for: 'more'",)


def test_what_has_no_dense_state_is_refused(monkeypatch):
    rx.write("t.rx.h5", rx.generate("radix-net", fit=[24, 16, 10], density=0.5))
    with pytest.raises(UnsupportedError, match="it has no weights"):
        rx.convert("t.rx.h5", "t.safetensors")
    wide = rx.generate("graph-challenge", neurons=65536, layers=2)
    rx.write("wide.rx.h5", wide)  # 17 GB of dense weights in a layer
    with pytest.raises(UnsupportedError, match="layer0.*bytes too many"):
        rx.convert("wide.rx.h5", "wide.safetensors")


def header(tensors, *, size=None, data=b"\0" * 16):
    text = json.dumps(tensors).encode()
    return (len(text) if size is None else size).to_bytes(8, "little") + text + data


def entry(*offsets, shape=(2, 2), dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


HOSTILE = {
    "empty": b"",
    "a header of 2^63 bytes": header({}, size=2**63),
    "a header of 1 GB": header({"w": entry(0, 16)}, size=1 << 30),
    "no JSON": (4).to_bytes(8, "little") + b"{{{{",
    "a claim of 2 TB": header({"w": entry(0, 1 << 41, shape=(1 << 20, 1 << 19))}),
    "sizes that overflow": header({"w": entry(0, 16, shape=(1 << 40, 1 << 40))}),
    "negative sizes": header({"w": entry(0, 16, shape=(-2, -2))}),
    "overlapping tensors": header({"v": entry(0, 16), "w": entry(0, 16)}),
    "a hole": header({"v": entry(0, 16), "w": entry(20, 36)}, data=bytes(36)),
    "offsets that fall": header({"w": entry(16, 0)}),
    "too short a tensor": header({"w": entry(0, 16, shape=(3, 2))}),
    "bytes after the last": header({"w": entry(0, 16)}, data=bytes(20)),
    "an unknown type": header({"w": entry(0, 16, dtype="F7")}),
    "a pickle": pickle.dumps({"w": 1}, protocol=2),
    "a zip archive": b"PK\x03\x04" + bytes(100),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_files_that_lie_are_refused(case, tmp_path):
    (tmp_path / "s.safetensors").write_bytes(HOSTILE[case])
    with pytest.raises(InputError, match=r"s\.safetensors: expected a safetensors file") as caught:
        rx.convert("s.safetensors", "s.rx.h5")
    assert len(str(caught.value)) < 600
    seems = {"a pickle": "Python pickle", "a zip archive": "zip archive"}.get(case, "")
    assert seems in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["s.safetensors"]


def test_any_byte_may_be_wrong(tmp_path):
    save({"a.weight": ONE, "a.bias": torch.ones(3)})
    whole = (tmp_path / "s.safetensors").read_bytes()
    random = np.random.default_rng(1)
    for at in range(len(whole)):
        broken = bytearray(whole)
        broken[at] = random.integers(256)
        (tmp_path / "b.safetensors").write_bytes(broken)
        try:
            rx.convert("b.safetensors", "b.rx.h5", overwrite=True)
        except rx.RadixfmtError as error:
            assert "b.safetensors" in str(error)  # noqa: PT017


def test_limits_and_what_is_missing(tmp_path, monkeypatch):
    save({"a.weight": ONE})
    monkeypatch.setattr("radixfmt.converters.safetensors_file.LARGEST_FILE", 10)
    with pytest.raises(InputError, match="more than 10 bytes"):
        rx.convert("s.safetensors", "s.rx.h5")
    (tmp_path / "f.safetensors").mkdir()
    with pytest.raises(PathError, match="no such regular file"):
        rx.convert("f.safetensors", "s.rx.h5")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "safetensors" else find(name)
    )
    with pytest.raises(MissingDependencyError, match="not installed") as caught:
        rx.convert("s.safetensors", "s.rx.h5")
    assert caught.value.hint == "pip install safetensors"
