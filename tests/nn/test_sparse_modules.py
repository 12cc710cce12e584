"""SparseLinear and SparseConv: what masked dense layers compute, with one weight per edge."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

import radixfmt as rx
from radixfmt.nn import SparseConv1d, SparseConv2d, SparseConv3d, SparseLinear

F = torch.nn.functional


def random_pattern(n_in, n_out, density, seed=0):
    rng = np.random.default_rng(seed)
    return rx.Pattern.from_scipy(sp.csc_array(rng.random((n_in, n_out)) < density))


def both(module, x, dense):
    """Outputs and gradients of the module, and of `dense` with the module's own parameters."""
    found = []
    for run in (module, dense):
        module.zero_grad()
        x.grad = None
        y = run(x)
        y.backward(torch.sin(torch.arange(y.numel(), dtype=y.dtype)).view(y.shape))
        found.append([y.detach(), x.grad, *(p.grad for p in module.parameters())])
    return found


@given(
    seed=st.integers(0, 2**32 - 1),
    n_in=st.integers(0, 20),
    n_out=st.integers(0, 40),
    density=st.sampled_from([0, 0.1, 0.6, 1]),
    kernel=st.sampled_from(["auto", "dense", "blocked", "edges"]),
    batch=st.sampled_from([(), (1,), (0,), (5,), (2, 3), (2, 0, 3), (130,)]),
    bias=st.booleans(),
)
def test_equals_masked_dense_with_gradients(seed, n_in, n_out, density, kernel, batch, bias):
    torch.manual_seed(seed)
    pattern = random_pattern(n_in, n_out, density, seed)
    module = SparseLinear(pattern, bias, kernel=kernel, dtype=torch.float64)
    x = torch.randn(*batch, n_in, dtype=torch.float64, requires_grad=True)
    ours, theirs = both(module, x, lambda x: F.linear(x, module.dense_weight(), module.bias))
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


PATTERNS = {
    "equal input sets": lambda: (
        rx.generate("radix-net", systems=[[2] * 6], widths=[16] * 7).layers[3].pattern
    ),
    "windows": lambda: rx.generate("radix-net", systems=[[32, 32]]).layers[0].pattern,
    "random": lambda: (
        rx.generate("random-regular", widths=[1024, 1024], degree=8).layers[0].pattern
    ),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_float32_gradients_are_close_to_masked_dense(name):
    torch.manual_seed(0)
    module = SparseLinear(PATTERNS[name]())
    x = torch.randn(256, 1024, requires_grad=True)
    ours, theirs = both(module, x, lambda x: F.linear(x, module.dense_weight(), module.bias))
    for a, b in zip(ours, theirs, strict=True):
        assert (a - b).abs().max() <= 1e-5 * b.abs().max()


def test_the_rule_sees_structure():
    kinds = {name: type(SparseLinear(make()).kernel).__name__ for name, make in PATTERNS.items()}
    assert kinds["random"] == "Edges"
    assert kinds["equal input sets"] == "Blocked"
    assert type(SparseLinear(random_pattern(30, 20, 0.3)).kernel).__name__ == "Dense"


@pytest.mark.parametrize("kernel", ["dense", "blocked", "edges"])
def test_only_the_input_is_saved_and_parameters_are_the_edges(kernel):
    pattern = PATTERNS["windows"]()
    module = SparseLinear(pattern, kernel=kernel)
    assert sum(p.numel() for p in module.parameters()) == pattern.nnz + 1024
    x = torch.randn(200, 1024, requires_grad=True)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        module(x)
    places = {t.untyped_storage().data_ptr() for t in saved}
    assert places == {
        x.untyped_storage().data_ptr(), module.weights.untyped_storage().data_ptr()
    }  # fmt: skip


def test_frozen_parts_get_no_gradient():
    module = SparseLinear(random_pattern(9, 8, 0.4))
    module.weights.requires_grad_(False)
    x = torch.randn(3, 9)
    module(x).sum().backward()
    assert module.weights.grad is None
    assert module.bias.grad is not None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kernel", ["dense", "blocked", "edges"])
def test_narrow_types(dtype, kernel):
    torch.manual_seed(1)
    module = SparseLinear(random_pattern(40, 30, 0.2), kernel=kernel, dtype=dtype)
    x = torch.randn(7, 40, requires_grad=True)  # converted, as the module's type is narrower
    y = module(x)
    y.sum().backward()
    assert y.dtype == dtype
    assert x.grad.dtype == torch.float32
    wide = F.linear(x.detach().double(), module.dense_weight().double())
    torch.testing.assert_close(y.double(), wide, rtol=0.03, atol=0.03)


def test_new_weights_keep_the_scale_of_each_neuron():
    torch.manual_seed(0)
    pattern = rx.Pattern.from_scipy(sp.csc_array(np.arange(4000)[:, None] < [4000, 400]))
    weights = SparseLinear(pattern).values()
    assert float(weights[:4000].std()) == pytest.approx((2 / 4000) ** 0.5, rel=0.1)
    assert float(weights[4000:].std()) == pytest.approx((2 / 400) ** 0.5, rel=0.1)


def test_state_dict_brings_its_edges():
    a = SparseLinear(random_pattern(12, 10, 0.4, 1))
    b = SparseLinear(random_pattern(12, 10, 0.2, 2))
    kept = b.weights
    b.load_state_dict(a.state_dict())
    assert sorted(a.state_dict()) == ["bias", "indices", "indptr", "weights"]
    assert b.weights is kept
    x = torch.randn(3, 12)
    torch.testing.assert_close(b(x), a(x))
    for other in (copy.deepcopy(a), pickle.loads(pickle.dumps(a))):  # noqa: S301
        torch.testing.assert_close(other(x), a(x))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"indices": torch.full((40,), 99)}, "edges: "),
        ({"indices": torch.zeros(3)}, "edges: "),
        ({"indptr": None}, "indptr"),
        ({"weights": torch.zeros(3)}, "weights"),
    ],
)
def test_a_damaged_state_dict_is_refused(change, message):
    module = SparseLinear(random_pattern(12, 10, 0.4, 1))
    before = module.weights.detach().clone()
    state = {k: v for k, v in (module.state_dict() | change).items() if v is not None}
    with pytest.raises(RuntimeError, match=message):
        module.load_state_dict(state)
    assert module.weights.shape == before.shape


CUBES = rx.ConvGeometry((2, 1, 2), (1,) * 3, (0,) * 6, (1,) * 3)


@pytest.mark.parametrize(
    ("kind", "geometry", "channels", "shape"),
    [
        (SparseConv1d, rx.ConvGeometry((3,), (2,), (1, 0), (1,)), 2, (2, 2, 9)),
        (SparseConv2d, rx.ConvGeometry((3, 2), (1, 2), (1, 0, 1, 0), (1, 2), 2), 4, (2, 4, 6, 7)),
        (SparseConv3d, CUBES, 1, (2, 1, 4, 4, 3)),
    ],
)  # fmt: skip
def test_convolutions_equal_masked_ones(kind, geometry, channels, shape):
    torch.manual_seed(0)
    per_group = channels // geometry.group
    n_in = per_group * int(np.prod(geometry.kernel_shape))
    pattern = random_pattern(n_in, 6, 0.5)
    module = kind(pattern, geometry, dtype=torch.float64)
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    rank = len(geometry.kernel_shape)
    function = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]

    def dense(x):
        sides = zip(geometry.pads[:rank][::-1], geometry.pads[rank:][::-1], strict=True)
        x = F.pad(x, [size for side in sides for size in side])
        weight = module.dense_weight().view(6, per_group, *geometry.kernel_shape)
        return function(
            x, weight, module.bias, geometry.strides, 0, geometry.dilations, geometry.group
        )

    ours, theirs = both(module, x, dense)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)
    assert module.weights.shape == (pattern.nnz,)


POINTS = rx.ConvGeometry((2,), (1,), (0, 0), (1,))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: SparseLinear(p)(torch.zeros(2, 5)), "expected a last axis of 12 values"),
        (lambda p: SparseLinear(p)(torch.zeros(())), "expected a last axis of 12 values"),
        (lambda p: SparseLinear(p, kernel="fast"), "kernel: expected one of auto, dense"),
        (
            lambda p: SparseConv2d(p, POINTS),
            "expected a kernel of rank 2",
        ),
        (
            lambda p: SparseConv1d(p, POINTS)(torch.zeros(1, 5, 9)),
            r"expected an input \[B, 6\] and 1 more axes",
        ),
        (
            lambda p: SparseLinear(p).set_edges(random_pattern(12, 9, 1), torch.zeros(108)),
            "expected a pattern of shape",
        ),
    ],
)  # fmt: skip
def test_misuse_is_told(call, message):
    with pytest.raises(rx.RadixfmtError, match=message):
        call(random_pattern(12, 10, 0.4))


def test_a_closed_file_is_not_needed(tmp_path):
    rx.write(tmp_path / "net.rx.h5", rx.generate("erdos-renyi", widths=[9, 8], density=0.5))
    with rx.open(tmp_path / "net.rx.h5") as net:
        module = SparseLinear(net.layers[0].pattern)
    assert copy.deepcopy(module)(torch.ones(2, 9)).shape == (2, 8)


def test_without_torch_the_package_says_what_to_install():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import radixfmt as rx\n"
        "for name in ('nn', 'to_torch'):\n"
        "    try: getattr(rx, name)\n"
        "    except rx.RadixfmtError as error: print(error, error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["torch is not installed pip install 'radixfmt[torch]'"] * 2
