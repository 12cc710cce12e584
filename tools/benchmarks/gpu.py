"""Sparse networks on a GPU: first whether results are right, then how fast every engine is.

    python tools/benchmarks/gpu.py --output tools/benchmarks/results/NAME.json
    python tools/benchmarks/gpu.py --part 4096 --layers 120 --output …

RadiX-Nets of the Graph Challenge's shape (32 edges into each neuron), He-normal weights, Relu,
60000 rows that stay on the GPU, full work: nothing is skipped. Work per layer is constant, so large
networks run fewer than 120 layers by default, and dense ones as many as fit; every line says how
many. Each engine runs alone, with the best of its tilings and CUDA graphs. Engines that have not
begun when the time is up are listed as not run. The compiled operators come last in each part, in
models of their own nodes (gpu_native.py): `--engine ort-native` runs nothing else. Needs the extras
`gpu` and `torch`; cupy is used if it is installed. This script has not run on a GPU yet: `--device
cpu --quick` tries its parts.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gpu_native

import radixfmt as rx
from radixfmt.backends.device import CUDA, resolve
from radixfmt.backends.precision import FLOAT32, TF32, TOLERANCES
from radixfmt.benchmark import bench
from radixfmt.benchmark.environment import environment
from radixfmt.export.lowerings import lowering
from radixfmt.files import check_target, replacing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from radixfmt.model.network import Network

BITS = {1024: 6, 4096: 8, 16384: 10}
"""Layers of a cycle, by neurons."""

LAYERS = {1024: 120, 4096: 24, 16384: 10}
"""Layers that are run by default."""

DENSE_BYTES = {"ort": 1.9e9, "torch": 24e9}
"""Weights of a dense network: one ONNX file holds 2 GB, torch what leaves room for samples."""

DENSE_FORMS = frozenset({"ort-dense", "ort-sparse_initializer", "torch-dense"})

CORRECT = "correctness"
PARTS = (CORRECT, *map(str, BITS))

LITERATURE = {
    "source": "TeraEdges/s = 60000 * 32 * neurons * layers / seconds, from SNICIT (ICPP 2023), "
    "table 3, one RTX A6000, and SNIG's results.png, one RTX 2080 Ti; 120 layers. All skip rows "
    "that died or converged; the figures measured here do not.",
    "SNICIT, A6000": {"1024": 17.6, "4096": 29.1, "16384": 33.7},
    "XY 2021, A6000": {"1024": 15.8, "4096": 24.2, "16384": 26.4},
    "SNIG 2020, A6000": {"1024": 0.97, "4096": 1.29, "16384": 1.50},
    "Bisson and Fatica 2019, A6000": {"1024": 0.47, "4096": 0.53, "16384": 0.56},
    "SNIG 2020, 2080 Ti": {"1024": 0.30, "4096": 0.59, "16384": 0.85},
}

AUTO, DENSE_TF32 = ("ort-auto", FLOAT32), ("ort-dense", TF32)
NATIVE = (gpu_native.ENGINE, FLOAT32), (gpu_native.ENGINE, TF32)

NO_SLOWER = 0.9
"""Share of dense TF32's speed below which `auto` under TF32 has chosen wrongly."""


def entries(device: str) -> Iterator[tuple[str, str]]:
    """Yield engines and precisions, what matters most first."""
    known = [AUTO, DENSE_TF32, ("ort-auto", TF32), ("ort-dense", FLOAT32)]
    known += [("torch-dense", TF32), ("torch-dense", FLOAT32), ("torch-csr", FLOAT32)]
    known += [("ort-auto", "float16"), ("ort-dense", "float16"), ("ort-auto", "bfloat16")]
    known += [(f"ort-{name}", FLOAT32) for name in lowering if name != "dense"]
    known += [("cupy-csr", FLOAT32)]
    return (entry for entry in known if device == "cuda" or entry[1] == FLOAT32)


def network(neurons: int, layers: int) -> Network:
    """Return the first layers of the RadiX-Net of this size."""
    bits = BITS[neurons]
    cycles = -(-layers // bits)
    whole = rx.generate(
        "radix-net", systems=[[2] * bits] * cycles, widths=[16] * (bits * cycles + 1), weights="he"
    )
    return rx.chain([whole.layers[i] for i in range(layers)], activation="Relu")


def main() -> int:
    """Run the parts; return 0 if all is well, 1 if a result is wrong, 2 for trouble."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--part", action="append", choices=PARTS, help="repeat it; else all")
    parser.add_argument("--engine", action="append", help="repeat it; else all")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--rows", type=int, default=60000)
    parser.add_argument("--layers", type=int, help="of every network; else 120, 24 and 10")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=420, help="after which no engine begins")
    parser.add_argument("--output", type=Path, help="JSON file, written anew after every engine")
    parser.add_argument("--overwrite", action="store_true", help="replace that file")
    parser.add_argument(
        "--quick", action="store_true", help="a smoke test: 16 rows, 2 layers, 1024 neurons"
    )
    arguments = parser.parse_args()
    try:
        resolve(arguments.device)
        if arguments.output:
            check_target(arguments.output, overwrite=arguments.overwrite)
        return _run(arguments)
    except rx.RadixfmtError as error:
        print(f"{error}\n{error.hint or ''}".rstrip(), file=sys.stderr)
        return 2


def _run(arguments: argparse.Namespace) -> int:
    deadline = time.monotonic() + arguments.seconds
    if arguments.quick:
        arguments.rows, arguments.layers, arguments.rounds = 16, 2, 3
    parts = arguments.part or ([CORRECT, "1024"] if arguments.quick else PARTS)
    names = ("device", "rows", "rounds", "seconds", "quick")
    content: dict[str, Any] = {
        "environment": environment(),
        "settings": {name: getattr(arguments, name) for name in names},
        "literature": LITERATURE,
        "entries": [],
        "wrong": [],
    }
    for part in parts:
        print(f"{part}:", flush=True)
        for engine, precision in entries(arguments.device):
            if arguments.engine and engine not in arguments.engine:
                continue
            late = time.monotonic() > deadline
            entry = _entry(part, engine, precision, arguments, late=late)
            content["entries"].append(entry)
            print(f"  {_line(entry)}", flush=True)
            _write(content, arguments)
        asked = not arguments.engine or gpu_native.ENGINE in arguments.engine
        for entry in native(part, arguments, deadline) if asked else ():
            content["entries"].append(entry)
            print(f"  {_line(entry)}", flush=True)
            _write(content, arguments)
        _beside(part)
    content["wrong"] = wrong(content["entries"], arguments.device)
    for problem in content["wrong"]:
        print(f"WRONG: {problem}")
    _write(content, arguments)
    return 1 if content["wrong"] else 0


def _entry(
    part: str, engine: str, precision: str, arguments: argparse.Namespace, *, late: bool
) -> dict[str, Any]:
    """Return what came of one engine, as JSON values."""
    entry: dict[str, Any] = {"part": part, "engine": engine, "precision": precision}
    entry["late"] = late
    if late:
        return entry | {"error": "not run: the time was up"}
    neurons = 1024 if part == CORRECT else int(part)
    layers = 6 if part == CORRECT else arguments.layers or LAYERS[neurons]
    if engine in DENSE_FORMS:
        fitting = int(DENSE_BYTES[engine.partition("-")[0]] // (4 * neurons * neurons))
        layers = max(1, min(layers, fitting))
    entry["layers"] = layers
    try:
        [result] = bench(
            network(neurons, layers),
            engines=[engine],
            batch=min(256, arguments.rows) if part == CORRECT else arguments.rows,
            device=arguments.device,
            precision=precision,
            repeats=3 if part == CORRECT else arguments.rounds,
            time_budget=30,
        )
    except rx.RadixfmtError as error:  # others may still run
        return entry | {"error": f"{error}"}
    return entry | {"tera_edges": result.edges_per_second / 1e12, "result": result.as_json()}


def native(part: str, arguments: argparse.Namespace, deadline: float) -> Iterator[dict[str, Any]]:
    """Yield what the compiled operators did, in models of nothing else."""
    layers = 0 if part == CORRECT else arguments.layers or LAYERS[int(part)]
    known = (
        gpu_native.checks(arguments.device, quick=arguments.quick)
        if part == CORRECT
        else gpu_native.timed(
            network(int(part), layers), arguments.rows, arguments.device, arguments.rounds
        )
    )
    while time.monotonic() <= deadline:
        try:
            case, found = next(known)
        except StopIteration:
            return
        entry = {
            "part": part,
            "engine": gpu_native.ENGINE,
            "precision": case.precision,
            "late": False,
            "layers": len(case.network.layers),
            "case": f"{case.name}, {case.form}, {case.precision}" + ", CUDA graph" * case.graph,
        }
        if isinstance(found, rx.RadixfmtError):
            yield entry | {"error": f"{found}"}
        else:
            entry["case"] += f", {found.batch} rows"
            speed = found.edges_per_second / 1e12
            yield entry | {"tera_edges": speed, "result": found.as_json()}


def _line(entry: dict[str, Any]) -> str:
    name = f"{entry['engine']}, {entry.get('case', entry['precision'])}"
    if "error" in entry:
        return f"{name}: {entry['error'].splitlines()[0]}"
    result: dict[str, Any] = entry["result"]
    seconds = result["seconds"]
    return (
        f"{name}: {entry['tera_edges']:.3g} TeraEdges/s, {entry['layers']} layers, "
        f"{seconds['median'] * 1e3:.3g} ms ({seconds['p10'] * 1e3:.3g} to "
        f"{seconds['p90'] * 1e3:.3g}), {result['lowering']} on {result['provider']}, "
        f"max rel {result['parity']['max_rel']:.1e}"
    )


def _beside(part: str) -> None:
    """Print what others reached at this size."""
    for name, found in LITERATURE.items():
        if isinstance(found, dict) and part in found:
            print(f"  beside: {name}: {found[part]} TeraEdges/s")


def wrong(found: list[dict[str, Any]], device: str) -> list[str]:
    """Return what should not be: results too far off, nodes off the GPU, a wrong choice."""
    problems = []
    for entry in found:
        name = f"{entry['part']}: {entry['engine']}, {entry.get('case', entry['precision'])}"
        if "result" not in entry:  # peers may be missing, ours may not
            ours = (entry["engine"], entry["precision"]) in (AUTO, *NATIVE)
            if ours and not entry["late"]:
                problems.append(f"{name}: {entry['error']}")
            continue
        off = entry["result"]["parity"]["max_rel"]
        # deep networks add up roundings: 1e-5 is asked of the six layers made for that
        allowed = TOLERANCES[entry["precision"]] * (1 if entry["part"] == CORRECT else 10)
        if not off <= allowed:
            problems.append(f"{name}: {off:.1e} from the reference, expected {allowed:.0e}")
        placed = entry["result"]["placement"]
        if device == "cuda" and placed and (set(placed["nodes"]) != {CUDA} or placed["copies"]):
            problems.append(f"{name}: expected every node on {CUDA}, got {placed}")
    speeds = {
        (entry["part"], entry["engine"], entry["precision"]): entry["tera_edges"]
        for entry in found
        if "result" in entry and entry["part"] != CORRECT
    }
    for (part, engine, precision), speed in speeds.items():
        dense = speeds.get((part, *DENSE_TF32))
        if (engine, precision) == ("ort-auto", TF32) and dense:
            times = speed / dense
            print(f"  {part}: auto is {times:.2f} times as fast as dense, both with TF32")
            if times < NO_SLOWER:
                problems.append(f"{part}: auto is slower than dense, both with TF32")
    return problems


def _write(content: dict[str, Any], arguments: argparse.Namespace) -> None:
    if arguments.output:
        again = arguments.overwrite or len(content["entries"]) > 1
        with replacing(arguments.output, overwrite=again) as path:
            path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
