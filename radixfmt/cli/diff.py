"""`radixfmt diff`: do two files hold the same network, and if not, what differs?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from radixfmt.cli.options import spoken
from radixfmt.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from radixfmt.cli.output import Output
    from radixfmt.comparison import Difference

SHOWN = 12
"""Lines of each kind unless -v asks for all."""

PARTIAL = ("layers", "shape", "edges", "recipe")
"""Differences of topology that leave values without a counterpart."""


@click.command(epilog="Example: radixfmt diff a.rx.h5 b.rx.h5")
@click.argument("a")
@click.argument("b")
@spoken
def command(a: str, b: str, output: Output) -> int:
    """Compare two networks, however they are stored; exit 1 if they differ."""
    from radixfmt.comparison import diff

    difference = diff(a, b, progress=output.progress("comparing layers"))
    output.answer(as_text(a, b, difference, output), difference.as_json())
    return 0 if difference.equal else 1


def as_text(a: str, b: str, difference: Difference, output: Output) -> str:
    """Return the difference for a person: a verdict, then what differs, `a` before `b`."""
    if difference.equal:
        verdict = output.style("equal", "green")
        return printable(f"{a} and {b} are ") + f"{verdict}: metadata, topology and values"
    lines = [printable(f"{a} and {b} ") + output.style("differ", "red")]
    line: dict[str, Callable[[dict[str, Any]], str]] = {
        "metadata": _metadata, "topology": _topology, "values": _values,
    }  # fmt: skip
    whole = not any(entry["what"] in PARTIAL for entry in difference.topology)
    for kind, of in line.items():
        nothing = "equal" if whole or kind != "values" else "equal where both networks have them"
        found = getattr(difference, kind)
        shown = found if output.verbosity > 0 or len(found) <= SHOWN else found[: SHOWN - 1]
        lines.append(f"{kind}:" if found else f"{kind}: {nothing}")
        lines += [f"  {printable(of(entry))}" for entry in shown]
        if len(found) > len(shown):
            lines.append(f"  … {len(found) - len(shown)} more (-v shows all)")
    return "\n".join(lines)


def _metadata(entry: dict[str, Any]) -> str:
    return f"{entry['key']}: {_sides(entry)}"


def _topology(entry: dict[str, Any]) -> str:
    what = entry["what"]
    if what in ("inputs", "outputs", "nodes"):
        return f"graph, {what[:-1]} {entry['index']}: {_graph_sides(entry['a'], entry['b'])}"
    if what == "feeds":
        return f"layers that feed each other: {_sides(entry)}"
    if what == "layers":
        return f"number of layers: {_sides(entry)}"
    if what != "edges":
        return f"layer {entry['layer']}: {what}: {_sides(entry)}"
    parts = []
    for side in "ab":
        if count := entry[f"only_{side}"]:
            neuron, column = entry[f"first_only_{side}"]
            parts.append(f"{_count(count, 'edge')} only in {side} (first {neuron} → {column})")
    return f"layer {entry['layer']}: {', '.join(parts)}; {entry['a']} and {entry['b']} in all"


def _values(entry: dict[str, Any]) -> str:
    array = entry["array"]
    name = f"layer {entry['layer']}: {array}" if entry["layer"] is not None else array
    parts = [f"{what}: {_shown(entry[what][0])} → {_shown(entry[what][1])}"
             for what in ("dtype", "shape") if what in entry]  # fmt: skip
    if entry["max_abs"] is not None:
        ulp = "" if entry["max_ulp"] is None else f" ({entry['max_ulp']} ULP)"
        parts.append(f"{_count(entry['count'], 'value')} by up to {entry['max_abs']:.6g}{ulp}")
    elif entry["count"] and not parts:
        parts.append(_count(entry["count"], "value"))
    if "not_finite" in entry:
        parts.append(f"{entry['not_finite']} of them by NaN or infinity")
    return f"{name}: {', '.join(parts)}"


def _graph_sides(a: dict[str, Any] | None, b: dict[str, Any] | None) -> str:
    """Return only the members that differ."""
    if a is None or b is None:
        return f"{_shown(a and a.get('op', a))} → {_shown(b and b.get('op', b))}"
    keys = [key for key in sorted(a.keys() | b.keys()) if a.get(key) != b.get(key)]
    return ", ".join(f"{key}: {_shown(a.get(key))} → {_shown(b.get(key))}" for key in keys)


def _sides(entry: dict[str, Any]) -> str:
    return f"{_shown(entry['a'])} → {_shown(entry['b'])}"


def _shown(value: Any) -> str:
    import json

    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _count(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
