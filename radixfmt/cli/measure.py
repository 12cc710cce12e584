"""`radixfmt measure`: what measures say of networks; one table for many."""

from __future__ import annotations

import difflib
import inspect
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from radixfmt.cli.options import spoken
from radixfmt.cli.output import printable
from radixfmt.errors import ParameterError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from radixfmt.cli.output import Output

NOTHING = "-"
RATIO = {"numerator", "denominator", "value"}


@click.command(epilog="Example: radixfmt measure net.rx.h5 --measure paths")
@click.argument("files", nargs=-1, required=True)
@click.option(
    "--measure", "names", multiple=True, metavar="NAME",
    help="components controllability degree density paths score size spectral variance; may "
    "repeat. By default all but score, which takes longest.",
)  # fmt: skip
@click.option(
    "--set", "settings", multiple=True, metavar="OPTION=VALUE",
    help="An option of the measures that have it, say start=2 or steps=100; may repeat.",
)  # fmt: skip
@click.option("--reference", metavar="FILE", help="Also tell the distance (NNSTD) to this network.")
@spoken
def command(
    files: tuple[str, ...],
    names: tuple[str, ...],
    settings: tuple[str, ...],
    reference: str | None,
    output: Output,
) -> int:
    """Measure networks. One file is told in full; many are compared in one table."""
    from radixfmt.measures import measurement

    chosen = names or tuple(n for n in measurement if not measurement.facts(n).get("slow"))
    options = _options(settings, chosen)
    alone = len(files) == 1
    draw = output.progress("measuring")
    found = []
    for i, file in enumerate(files):
        record = _measured(file, chosen, options, strict=alone and bool(names))
        if reference is not None:
            record["nnstd"] = _distance(file, reference)
        found.append(record)
        draw(i + 1, len(files))
    if alone:
        output.answer(as_text(found[0]), {"measures": found[0]})
    else:
        entries = zip(files, found, strict=True)
        listed = [{"path": file, "measures": record} for file, record in entries]
        output.answer(as_table(files, found), {"files": listed})
    return 0


def _measured(
    file: str, names: Sequence[str], options: dict[str, Any], *, strict: bool
) -> dict[str, Any]:
    """Return what each measure says of a file; where one is not defined, why."""
    from radixfmt.measures import measure, measurement
    from radixfmt.storage.reader import open as open_file

    record: dict[str, Any] = {}
    with open_file(file) as network:
        known = options | {"file_bytes": Path(file).stat().st_size}
        for name in names:
            takes = inspect.signature(measurement[name]).parameters
            mine = {key: value for key, value in known.items() if key in takes}
            try:
                record[name] = measure(network, name, **mine)
            except (ParameterError, UnsupportedError) as error:
                if strict:
                    raise
                record[name] = {"why": str(error)}
    return record


def _distance(file: str, reference: str) -> dict[str, Any]:
    from radixfmt.measures.nnstd import nnstd
    from radixfmt.storage.reader import open as open_file

    with open_file(file) as network, open_file(reference) as other:
        try:
            return nnstd(network, other).as_json()
        except (ParameterError, UnsupportedError) as error:
            return {"nnstd": None, "why": str(error)}


def _options(settings: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    """Return the options that `steps=100` and alike give; what is no JSON is a text."""
    from radixfmt.measures import measurement

    takes = {key for name in names for key in inspect.signature(measurement[name]).parameters}
    takes -= {"network", "file_bytes"}
    found: dict[str, Any] = {}
    for text in settings:
        name, equals, value = text.partition("=")
        name = name.replace("-", "_")
        if not equals or name in found:
            raise click.UsageError(f"--set: expected OPTION=VALUE, each once, got {text!r}")
        if name not in takes:
            close = difflib.get_close_matches(name, takes, n=1)
            raise ParameterError(
                f"--set: no measure named here has an option {name!r}; they have: "
                f"{', '.join(sorted(takes)) or 'none'}",
                hint=f"Did you mean {close[0]!r}?" if close else None,
            )
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def as_text(record: dict[str, Any]) -> str:
    """Return one network's measures for a person: values first, then a line for each layer."""
    lines = []
    for name, found in record.items():
        lines.append(f"{name}:")
        lines += [f"  {key:<22} {value}" for key, value in _values(found)]
        for layer in found.get("layers") if isinstance(found.get("layers"), list) else []:
            lines.append(f"  {_layer(layer)}")
        if "reading" in found:
            lines.append(f"  ({found['reading']})")
    return "\n".join(printable(line) for line in lines)


def titles(files: Sequence[str]) -> list[str]:
    """Return short names of files: without folders, unless two would have the same."""
    names = [Path(file).name.removesuffix(".rx.h5") for file in files]
    many = Counter(names)
    return [name if many[name] == 1 else file for name, file in zip(names, files, strict=True)]


def as_table(files: Sequence[str], records: Sequence[dict[str, Any]]) -> str:
    """Return a table: a line for each file, a column for each value that sums a measure up."""
    from radixfmt.measures import measurement

    columns = {
        heading: (name, path.split("."))
        for name in records[0]
        for heading, path in _columns(name, measurement).items()
    }
    names = titles(files)
    table = [["", *columns]]
    for name, record in zip(names, records, strict=True):
        cells = []
        for measure, path in columns.values():
            value: Any = record[measure]
            for key in path:
                value = value.get(key) if isinstance(value, dict) else None
            cells.append(NOTHING if value is None else _shown(value))
        table.append([printable(name), *cells])
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    )


def _values(found: dict[str, Any], inside: str = "") -> Iterator[tuple[str, str]]:
    """Yield what a measure says beside its lists of layers: `network.sigma1` and its value."""
    for key, value in found.items():
        if isinstance(value, dict) and set(value) != RATIO:
            yield from _values(value, f"{inside}{key}.")
        elif key != "reading" and not _is_table(value):
            yield f"{inside}{key}", _shown(value)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _columns(name: str, measurement: Any) -> dict[str, str]:
    """Return what a table shows of a measure: heading and place of the value."""
    if name == "nnstd":
        return {"nnstd": "nnstd"}
    return dict(measurement.facts(name).get("columns", {}))


def _layer(layer: Any) -> str:
    if not isinstance(layer, dict):
        return _shown(layer)
    simple = (f"{key}={_shown(value)}" for key, value in layer.items() if value not in ({}, None))
    return ", ".join(simple)


def _shown(value: Any) -> str:
    if isinstance(value, dict) and set(value) == RATIO:
        return _shown(value["value"] if value["denominator"] != 1 else value["numerator"])
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if value is None:
        return NOTHING
    if isinstance(value, int | str):
        return str(value)
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
