"""Pictures of networks, one kind a file: a function that draws one layer into matplotlib axes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radixfmt.errors import MissingDependencyError, ParameterError
from radixfmt.files import check_target, replacing
from radixfmt.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from radixfmt.model.layer import Layer
    from radixfmt.model.network import Network

plot_kind: Registry[Callable[[Any, Layer], None]] = Registry("plot", __name__)
"""What a layer is drawn as; called with matplotlib's axes and the layer."""

SUFFIXES = (".png", ".svg")
PANEL = 2.4
"""Inches a panel is wide and high."""

FIRST = 4
"""Layers that are drawn unless others are named."""

LARGEST_PANELS = 200


def plot(
    networks: Mapping[str, Network],
    target: str,
    *,
    kind: str = "spy",
    layers: Sequence[int] | None = None,
    overwrite: bool = False,
) -> None:
    """Draw layers of networks into a picture: a row for each network, a column for each layer.

    The same networks give the same bytes with the same version of matplotlib.

    Args:
        networks: by the title of its row.
        target: a .png or .svg file.
        kind: a registered kind ("spy", "degree", "spectrum", "density").
        layers: which ones, counted from 0; by default the first four.
        overwrite: replace what exists.

    Raises:
        UnknownNameError: no such kind.
        ParameterError: another suffix, a layer that is not there, or too many panels.
        MissingDependencyError: matplotlib is not installed.
    """
    draw = plot_kind[kind]
    if Path(target).suffix.lower() not in SUFFIXES:
        raise ParameterError(f"{target}: expected a name that ends in {' or '.join(SUFFIXES)}")
    chosen = [_chosen(name, len(network.headers), layers) for name, network in networks.items()]
    columns = max(map(len, chosen))
    if columns * len(chosen) > LARGEST_PANELS:
        raise ParameterError(
            f"a picture of {len(chosen)} x {columns} panels; expected at most {LARGEST_PANELS}",
            hint="name fewer layers, say --layers 0,1",
        )
    check_target(target, overwrite=overwrite)
    figure = _figure(max(columns, 1), len(chosen))
    grid = figure.subplots(len(chosen), max(columns, 1), squeeze=False)
    for row, (title, network), indices in zip(grid, networks.items(), chosen, strict=True):
        for axes, i in zip(row, indices, strict=False):
            draw(axes, network.layers[i])
            heading = f"{title}\nlayer {i}" if i == indices[0] else f"layer {i}"
            axes.set_title(heading, size=8, parse_math=False)
        for axes in row[len(indices) :]:
            axes.set_axis_off()
    with replacing(target, overwrite=overwrite) as path:
        path.write_bytes(_rendered(figure, Path(target).suffix.lower()[1:]))


def _chosen(title: str, count: int, layers: Sequence[int] | None) -> list[int]:
    if layers is None:
        return list(range(min(count, FIRST)))
    for i in layers:
        if not 0 <= i < count:
            raise ParameterError(f"{title}: expected layers from 0 to {count - 1}, got {i}")
    return list(layers)


def _figure(columns: int, rows: int) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingDependencyError(
            "pictures need matplotlib, which is not installed",
            hint="pip install 'radixfmt[plot]'",
        ) from None
    return Figure((PANEL * columns, PANEL * rows), layout="constrained")


def _rendered(figure: Any, form: str) -> bytes:
    """Return the picture's bytes, free of times and random names."""
    import matplotlib as mpl

    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "radixfmt", "svg.fonttype": "path"}):
        metadata = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(buffer, format=form, dpi=150, metadata=metadata)
    return buffer.getvalue()
