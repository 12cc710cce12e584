"""Mutate models with native operators: the compiled kernels must refuse them or be right.

    python tools/fuzz_native.py [--mutants 50000] [--seed 0] [--processes 2]
    python tools/fuzz_native.py --only 1234

A mutant is a small model in which indices, sizes, shapes, element types, attributes or inputs have
been changed, also to what no tool would write. onnxruntime may refuse to load or to run it. If it
answers, the answer has to be what the model's arrays say, as numpy reads them. A process that dies,
hangs or grows beyond its memory is a failure. Mutant N of a seed is the same on every run.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx  # noqa: TID253  mutants are made with it
import onnxruntime as ort  # noqa: TID253
from native_mutant_convolutions import convolved
from native_mutants import base, mutate
from onnx import helper, numpy_helper  # noqa: TID253

from radixfmt import native

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

CHUNK = 500
"""Mutants per process."""

SECONDS = 120
"""Of processor time for a chunk; by the clock ten times as long, for others may keep it waiting."""

MEMORY = 16 << 30
"""Bytes of address space of a process: libraries and onnxruntime's own arenas take most."""

SANITIZED = "ASAN_OPTIONS" in os.environ
"""Whether a refusal of memory, which definitions rely on, would end the process."""

BATCHES = (0, 1, 2, 4, 5, 16, 20, 33, 64, 70)


def oracle(model: onnx.ModelProto, x: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return what the model's arrays say, in float64; index errors are raised."""
    constants = {c.name: numpy_helper.to_array(c) for c in model.graph.initializer}
    values: dict[str, NDArray[np.float64]] = {"x": x.astype(np.float64)}
    for node in model.graph.node:
        arrays = [constants[name].astype(np.float64) for name in node.input[1:]]
        given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        y = values[node.input[0]]
        if node.op_type == "SparseStack":
            y = _stack(y, arrays, given)
        elif node.op_type == "SparseConv":
            y = convolved(y, arrays, given)
        else:
            y = _layer(y, node.op_type == "BlockLinear", *arrays, given["min"], given["max"])
        values[node.output[0]] = y
    return values["y"]


def _stack(
    y: NDArray[np.float64], arrays: list[NDArray[np.float64]], given: dict[str, Any]
) -> NDArray[np.float64]:
    pieces = [iter(array) for array in arrays]

    def take(i: int, *shape: int) -> NDArray[np.float64]:
        return np.array(list(islice(pieces[i], int(np.prod(shape))))).reshape(shape)

    for form, n_out, a, b, c, low, high in zip(
        *np.reshape(given["layers"], (-1, 5)).T, given["min"], given["max"], strict=True
    ):
        outputs = take(1, n_out if form else n_out + 1)
        inputs = take(1, a, c) if form else take(1, a)
        weights = take(0, a, b, c) if form else take(0, a)
        y = _layer(y, form, weights, inputs, outputs, take(2, n_out), take(3, n_out), low, high)
    return y


def _layer(
    x: NDArray[np.float64],
    blocks: Any,
    weights: NDArray[np.float64],
    inputs: NDArray[np.float64],
    outputs: NDArray[np.float64],
    bias: NDArray[np.float64],
    scale: NDArray[np.float64],
    low: float,
    high: float,
) -> NDArray[np.float64]:
    inputs, outputs = inputs.astype(np.int64), outputs.astype(np.int64)
    if (inputs < 0).any() or (outputs < 0).any():
        raise IndexError
    with np.errstate(all="ignore"):
        if blocks:
            made = np.einsum("gmk,bgk->bgm", weights, x[:, inputs])
            y = made.reshape(x.shape[0], weights.shape[0] * weights.shape[1])[:, outputs]
        else:
            y = np.zeros((x.shape[0], bias.size))
            for o, (start, stop) in enumerate(pairwise(outputs)):
                y[:, o] = x[:, inputs[start:stop]] @ weights[start:stop]
        return np.clip(y * scale + bias, np.float64(low), np.float64(high))


def verdict(seed: int, number: int) -> str:
    """Return what became of one mutant; an AssertionError tells of a wrong answer."""
    rng = np.random.default_rng([seed, number])
    model = base(rng)
    for _ in range(rng.integers(1, 4)):
        mutate(model, rng)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    native.register(options)
    kernels = bool(rng.integers(16)) or SANITIZED
    if not kernels:  # the definition, which checks less, must not crash either
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
    batch = int(rng.choice(BATCHES))
    _, width, *image = (d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim)
    x = rng.normal(size=(batch, min(width, 1 << 16), *image)).astype(np.float32)
    try:
        session = ort.InferenceSession(model.SerializeToString(), options)
    except Exception:  # noqa: BLE001  onnxruntime's own share no base but this one
        return "refused"
    try:
        found = session.run(None, {"x": x})[0]
    except Exception:  # noqa: BLE001
        return "failed to run"
    if not kernels:
        return "defined"
    wanted = oracle(model, x)
    if found.shape != wanted.shape:
        raise AssertionError(f"shape {found.shape}, expected {wanted.shape}")
    both = np.isfinite(wanted) & (np.abs(wanted) < 1e30)
    size = np.abs(np.where(both, wanted, 0)).max(initial=1.0)
    if not _overflows(model):
        np.testing.assert_allclose(found[both], wanted[both], rtol=1e-3, atol=1e-3 * size)
    return "right"


def _overflows(model: onnx.ModelProto) -> bool:
    """Return whether float32 may overflow where float64 does not."""
    floats = [numpy_helper.to_array(c).astype(np.float64) for c in model.graph.initializer]
    for node in model.graph.node:
        for attribute in node.attribute:
            floats.append(np.array([attribute.f, *attribute.floats]))
            floats[-1][np.isinf(floats[-1])] = 0  # no bound
    with np.errstate(invalid="ignore"):
        return any(not (np.abs(values) < 1e18).all() for values in floats)


def work(seed: int, memory: int, first: int, last: int) -> None:
    """Print the verdict of each mutant, in a process made for them."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    for number in range(first, last):
        try:
            said = verdict(seed, number)
        except Exception as error:  # noqa: BLE001  wrong answers, whatever form they take
            said = f"WRONG {type(error).__name__}: {error}".replace("\n", " ")
        print(number, said, flush=True)


def chunks(arguments: argparse.Namespace) -> Iterator[tuple[int, str]]:
    """Yield every mutant's number and verdict."""

    def chunk(first: int) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        last = min(first + CHUNK, arguments.mutants)
        while first < last:
            words = [sys.executable, __file__, "--seed", str(arguments.seed)]
            words += ["--memory", str(arguments.memory), "--work", str(first), str(last)]
            try:
                done = subprocess.run(
                    words, capture_output=True, text=True, timeout=10 * SECONDS, check=False
                )
                text, end = done.stdout, f"died with {done.returncode}: {done.stderr[-2000:]}"
            except subprocess.TimeoutExpired as expired:
                text, end = (expired.stdout or b"").decode(), "hung"
            for line in text.splitlines():
                number, _, said = line.partition(" ")
                found.append((int(number), said))
                first = int(number) + 1
            if first < last:
                found.append((first, f"CRASH {end}"))
                first += 1
        return found

    with ThreadPoolExecutor(arguments.processes) as pool:
        for found in pool.map(chunk, range(arguments.first, arguments.mutants, CHUNK)):
            yield from found


def main() -> int:
    """Run the mutants; return 1 if one crashed or was answered wrongly."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, default=50_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--memory", type=int, default=MEMORY, help="bytes per process; 0: no limit")
    parser.add_argument("--only", type=int)
    parser.add_argument("--work", type=int, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if native.library() is None:
        print(native.MISSING, file=sys.stderr)
        return 2
    if arguments.only is not None:
        print(verdict(arguments.seed, arguments.only))
        return 0
    if arguments.work:
        work(arguments.seed, arguments.memory, *arguments.work)
        os._exit(0)
    began, tally, bad = time.perf_counter(), Counter[str](), 0
    for number, said in chunks(arguments):
        tally[said.split(" ")[0]] += 1
        if said.startswith(("WRONG", "CRASH")):
            bad += 1
            print(f"mutant {number} of seed {arguments.seed}: {said}", flush=True)
    print(f"{dict(tally)} in {time.perf_counter() - began:.0f} s")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
