"""Tests of the operators on a GPU that is emulated; started by test_native_cuda.py.

Those of TF32 lie in emulated_tf32.py.

RADIXFMT_EMULATED_GPU names a folder that holds the emulation as libcuda.so.1 and libnvrtc.so.13,
where the loader looks first; RADIXFMT_EMULATED the compiled operators.
"""

import ctypes
import os
import sys
from functools import partial
from itertools import cycle
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from radixfmt import native
from radixfmt.native.nodes import linear, model_of, stack
from radixfmt.native.packed import Packed

HERE = Path(__file__).parent
SUITES = {
    "test_native_operators.py": "one_layer or a_stack or no_numbers or serves_many or neither_on",
    "test_native_hostile.py": "arrays or attributes",
}
"""Tests of the CPU's kernels that the GPU's have to pass as well."""

HOSTILE = "test_native_hostile.py"
"""Those of models that lie, which are refused before anything is copied to the GPU."""

KERNELS = ("stack_28", "stack_64", "tensor_28", "tensor_64")
KERNELS += ("layer_1", "layer_8", "layer_64", "turn_in", "turn_out")

GPUS = cycle([(1, 232448, 50 << 20), (132, 0, 50 << 20), (20, 232448, 1 << 20), (132, 0, 0)])
"""Multiprocessors, bytes of shared memory, bytes of L2 cache: each way to run a stack in turn."""


class Gpu:
    """The emulation."""

    def __init__(self):
        self.path = str(Path(os.environ["RADIXFMT_EMULATED_GPU"]) / "libcuda.so.1")
        self.library = ctypes.CDLL(self.path)

    def register(self, options, *, tf32=False):
        self.library.emulate(*next(GPUS))
        if tf32:
            options.add_session_config_entry(native.TF32, "1")
        options.register_custom_ops_library(self.path)
        return True

    def calls(self, function):
        return self.library.calls_of(function.encode())

    def let_fail(self, function):
        self.library.let_fail(function.encode())


GPU = Gpu()


def started(model):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    GPU.register(options)
    return ort.InferenceSession(model.SerializeToString(), options)


def wide(groups, m, k, n_in, rng):
    """Return a layer of groups, with outputs in disorder, and its matrix."""
    inputs = rng.integers(0, n_in, (groups, k)).astype(np.int32)
    weights = rng.normal(size=(groups, m, k)).astype(np.float32) / np.float32(k)
    n_out = groups * m - 1  # one row is nobody's
    place = rng.permutation(groups * m)[:n_out].astype(np.int32)
    matrix = np.zeros((groups * m, n_in))
    for group in range(groups):
        np.add.at(matrix[group * m : (group + 1) * m].T, inputs[group], weights[group].T)
    bias, scale = rng.normal(size=n_out).astype(np.float32), np.ones(1, np.float32)
    return Packed("blocks", n_in, weights, inputs, place, bias, scale, 0.0), matrix[place].T


@pytest.mark.parametrize("m", [1, 4, 6, 8, 31])
@pytest.mark.parametrize("batch", [1, 8, 29, 150])
def test_groups_of_every_height(m, batch):
    rng = np.random.default_rng(m)
    first, one = wide(9, m, 7, 40, rng)
    second, other = wide(5, m, 3, first.n_out, rng)
    model = model_of([stack([first, second], "x", "y", "a")], 40, second.n_out)
    x = rng.normal(size=(batch, 40)).astype(np.float32)
    wanted = np.maximum(np.maximum(x @ one + first.bias, 0) @ other + second.bias, 0)
    for _ in range(4):  # each kind of GPU
        room = np.full((batch + 64, second.n_out), 7, np.float32)
        session = started(model)
        binding = session.io_binding()
        binding.bind_cpu_input("x", x)
        binding.bind_output("y", "cpu", 0, np.float32, wanted.shape, room.ctypes.data)
        session.run_with_iobinding(binding)
        np.testing.assert_allclose(room[:batch], wanted, 1e-5, 1e-5)
        assert (room[batch:] == 7).all()
        allocated = GPU.calls("cuMemAlloc")
        session.run_with_iobinding(binding)
        assert GPU.calls("cuMemAlloc") == allocated, "a graph may be recorded from now on"


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("cuMemAlloc", "CUDA: no memory for weights: made to fail"),
        ("cuMemcpyHtoD", "CUDA: weights cannot be copied: made to fail"),
        ("cuStreamSynchronize", "CUDA: weights cannot be copied: made to fail"),
        ("cuModuleLoadData", "CUDA: the kernels cannot be loaded: made to fail"),
        ("nvrtcCompileProgram", "NVRTC: the CUDA kernels do not compile: error: it is so"),
        ("cuLaunchKernel", "CUDA: a kernel does not start: made to fail"),
    ],
)
def test_what_fails_is_told(function, message):
    rng = np.random.default_rng(0)
    layer, _ = wide(2, 4, 4, 8, rng)
    model = model_of([linear(layer, "x", "y", "a")], 8, layer.n_out)
    GPU.let_fail(function)
    try:
        with pytest.raises(Exception, match=message):
            started(model).run(None, {"x": np.ones((3, 8), np.float32)})
    finally:
        GPU.let_fail("")
    assert started(model).run(None, {"x": np.ones((3, 8), np.float32)})[0].shape == (3, 7)


def main():
    """Run the tests; return 0 if all passed and each kernel has been used."""
    native.register = GPU.register
    options = ["-q", "-p", "no:cacheprovider"]
    code = pytest.main([__file__, str(HERE / "emulated_tf32.py"), *options])
    for suite, names in SUITES.items():
        code |= pytest.main([str(HERE / suite), *options, "-k", names])
    native.register = partial(GPU.register, tf32=True)
    moved = GPU.calls("cuMemcpyHtoD"), GPU.calls("cuLaunchKernel")
    code |= pytest.main([str(HERE / HOSTILE), *options, "-k", SUITES[HOSTILE]])
    if moved != (GPU.calls("cuMemcpyHtoD"), GPU.calls("cuLaunchKernel")):
        sys.stderr.write("a model that lies reached the GPU\n")
        code |= 1
    unused = [name for name in KERNELS if not GPU.calls(name)]
    if unused:
        sys.stderr.write(f"kernels that nothing used: {unused}\n")
    return int(code) or len(unused)


if __name__ == "__main__":
    sys.exit(main())
