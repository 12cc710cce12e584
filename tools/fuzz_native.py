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
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx  # noqa: TID253  mutants are made with it
import onnxruntime as ort  # noqa: TID253
from native_mutants import NOTHING, base, lie, mutate, samples
from native_oracle import constants_read, oracle
from onnx import numpy_helper  # noqa: TID253

from radixfmt import native

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

CHUNK = 500
"""Mutants per process."""

SECONDS = 120
"""Of processor time for a chunk."""

INSTRUCTIONS = ("avx512", "avx2", "generic")
"""Instruction sets, chunk by chunk, as far as the machine has them."""

LOOKS = 120
"""Looks, a second apart, that find a process with no processor time used since the last: it hangs.
The clock alone says nothing, for the machine may stand still or serve others."""

MEMORY = 16 << 30
"""Bytes of address space of a process: libraries and onnxruntime's own arenas take most."""


def verdict(seed: int, number: int, *, limited: bool = True) -> str:
    """Return what became of one mutant; an AssertionError tells of a wrong answer.

    Without a limit of memory, as sanitizers need it, nothing asks for what cannot be had: they end
    the process, where onnxruntime returns an error.
    """
    rng = np.random.default_rng([seed, number])
    model = base(rng)
    for _ in range(rng.integers(1, 3)):
        mutate(model, rng)
    if not rng.integers(12):
        lie(model, rng)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    kernels = bool(rng.integers(16))  # else the definition, which checks less, must not crash
    if kernels:
        native.register(options)
    x = samples(model, rng)
    if not limited and (not kernels or x.shape[:1] == (NOTHING,)):
        return "skipped"
    if x.shape[:1] == (NOTHING,) and not kernels:
        return "skipped"
    try:
        feeds = {"x": x} | _fed(model)
        session = ort.InferenceSession(_without(model, feeds, rng), options)
    except Exception:  # noqa: BLE001  onnxruntime's own share no base but this one
        return "refused"
    try:
        found = session.run(None, feeds)[0]
    except Exception:  # noqa: BLE001
        return "failed to run"
    if not kernels:
        return "defined"
    _compare(model, feeds, found)
    return "right"


def _compare(
    model: onnx.ModelProto, feeds: dict[str, NDArray[Any]], found: NDArray[np.float32]
) -> None:
    """Raise AssertionError where kernels answered what the model does not say."""
    x = feeds["x"]
    if any(name in feeds for node in model.graph.node for name in node.input[1:]):
        raise AssertionError("kernels took what was fed in place of a constant")
    if x.shape[:1] == (NOTHING,):
        assert found.size == 0  # noqa: S101  no array of float64 has as many rows
        return
    wanted = oracle(model, x)
    if found.shape != wanted.shape:
        raise AssertionError(f"shape {found.shape}, expected {wanted.shape}")
    both = np.isfinite(wanted) & (np.abs(wanted) < 1e30)
    size = np.abs(np.where(both, wanted, 0)).max(initial=1.0)
    if not _extreme(model, x):
        np.testing.assert_allclose(found[both], wanted[both], rtol=1e-3, atol=1e-3 * size)


def _fed(model: onnx.ModelProto) -> dict[str, NDArray[Any]]:
    """Return the constants that are inputs of the model as well."""
    inputs = {i.name for i in model.graph.input}
    constants = model.graph.initializer
    return {c.name: numpy_helper.to_array(c) for c in constants if c.name in inputs}


def _without(
    model: onnx.ModelProto, fed: dict[str, NDArray[Any]], rng: np.random.Generator
) -> bytes:
    """Return the model; half of the time without the constants that are fed."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    if rng.integers(2):
        kept = [c for c in copy.graph.initializer if c.name not in fed]
        del copy.graph.initializer[:]
        copy.graph.initializer.extend(kept)
    return copy.SerializeToString()


def _extreme(model: onnx.ModelProto, x: NDArray[np.float32]) -> bool:
    """Return whether float32 may become infinite, or zero, where float64 does not."""
    floats = [np.nan_to_num(x.astype(np.float64), posinf=0, neginf=0)]
    floats += [constant.astype(np.float64) for constant in constants_read(model).values()]
    for node in model.graph.node:
        for attribute in node.attribute:
            floats.append(np.array([attribute.f, *attribute.floats]))
            floats[-1][np.isinf(floats[-1])] = 0  # no bound
    sizes = [np.abs(values[values != 0]) for values in floats]
    return any(not ((size < 1e18) & (size > 1e-18)).all() for size in sizes)


def work(seed: int, memory: int, first: int, last: int) -> None:
    """Print the verdict of each mutant, in a process made for them."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    _choose_instructions(first)
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    for number in range(first, last):
        try:
            said = verdict(seed, number, limited=memory > 0)
        except Exception as error:  # noqa: BLE001  wrong answers, whatever form they take
            said = f"WRONG {type(error).__name__}: {error}".replace("\n", " ")
        print(number, said, flush=True)


def _choose_instructions(number: int) -> None:
    """Let this process use the instruction set of a mutant's chunk."""
    chosen = INSTRUCTIONS[number // CHUNK % len(INSTRUCTIONS)]
    os.environ.setdefault("RADIXFMT_NATIVE_ISA", chosen)


def _run(words: list[str]) -> tuple[str, str]:
    """Return what a process printed, and how it ended."""
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True) as process:
        idle, used = 0, ""
        while idle < LOOKS:
            try:
                out, errors = process.communicate(timeout=1)
            except subprocess.TimeoutExpired:
                before, used = used, _processor_time(process.pid)
                idle = idle + 1 if used == before else 0
            else:
                return out, f"died with {process.returncode}: {errors[-2000:]}"
        process.kill()
        return process.communicate()[0], "hung"


def _processor_time(process: int) -> str:
    """Return the ticks that all threads of a process have used, as Linux writes them."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return " ".join(fields[11:13])


def chunks(arguments: argparse.Namespace) -> Iterator[tuple[int, str]]:
    """Yield every mutant's number and verdict."""

    def chunk(first: int) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        last = min(first + CHUNK, arguments.mutants)
        first = max(first, arguments.first)
        while first < last:
            words = [sys.executable, __file__, "--seed", str(arguments.seed)]
            words += ["--memory", str(arguments.memory), "--work", str(first), str(last)]
            text, end = _run(words)
            for line in text.splitlines():
                number, _, said = line.partition(" ")
                found.append((int(number), said))
                first = int(number) + 1
            if first < last:
                found.append((first, f"CRASH {end}"))
                first += 1
        return found

    with ThreadPoolExecutor(arguments.processes) as pool:
        starts = range(arguments.first // CHUNK * CHUNK, arguments.mutants, CHUNK)
        for found in pool.map(chunk, starts):
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
        _choose_instructions(arguments.only)
        print(verdict(arguments.seed, arguments.only, limited=arguments.memory > 0))
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
