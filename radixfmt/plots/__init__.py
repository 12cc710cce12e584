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
    columns: int | None = None,
    overwrite: bool = False,
) -> None:
    """Draw layers of networks into a picture, a panel for each.

    The same networks give the same bytes with the same version of matplotlib.

    Args:
        networks: by title, at least one.
        target: a .png or .svg file.
        kind: a registered kind ("spy", "degree", "spectrum", "density").
        layers: which ones, counted from 0; by default the first four.
        columns: panels in a row; by default each network has a row of its own.
        overwrite: replace what exists.

    Raises:
        UnknownNameError: no such kind.
        ParameterError: another suffix, a layer that is not there, or too many panels.
        MissingDependencyError: matplotlib is not installed.
    """
    draw = plot_kind[kind]
    check_suffix(target)
    if columns is not None and (type(columns) is not int or columns < 1):
        raise ParameterError(f"columns: expected an integer of at least 1, got {columns!r}")
    if not networks or (layers is not None and not layers):
        raise ParameterError("expected at least one network and one layer to draw")
    rows = [[(name, net, i) for i in _chosen(name, net, layers)] for name, net in networks.items()]
    if columns is not None:
        panels = [panel for row in rows for panel in row]
        rows = [panels[start : start + columns] for start in range(0, len(panels), columns)]
    across = max(map(len, rows))
    if across * len(rows) > LARGEST_PANELS:
        raise ParameterError(
            f"a picture of {len(rows)} x {across} panels; expected at most {LARGEST_PANELS}",
            hint="name fewer layers, say --layers 0,1",
        )
    check_target(target, overwrite=overwrite)
    figure = new_figure(PANEL * across, PANEL * len(rows))
    grid = figure.subplots(len(rows), across, squeeze=False)
    for axes_row, row in zip(grid, rows, strict=True):
        for axes, (name, network, i) in zip(axes_row, row, strict=False):
            draw(axes, network.layers[i])
            axes.set_title(f"{name}, layer {i}", size=8, parse_math=False)
        for axes in axes_row[len(row) :]:
            axes.set_axis_off()
    write(figure, target, overwrite=overwrite)


def check_suffix(target: str) -> None:
    """Check that a picture can be written under this name.

    Raises:
        ParameterError: another suffix than those of `SUFFIXES`.
    """
    if Path(target).suffix.lower() not in SUFFIXES:
        raise ParameterError(f"{target}: expected a name that ends in {' or '.join(SUFFIXES)}")


def _chosen(title: str, network: Network, layers: Sequence[int] | None) -> list[int]:
    count = len(network.headers)
    if layers is None:
        return list(range(min(count, FIRST)))
    for i in layers:
        if type(i) is not int or not 0 <= i < count:
            raise ParameterError(f"{title}: expected layers from 0 to {count - 1}, got {i!r}")
    return list(layers)


def new_figure(width: float, height: float) -> Any:
    """Return an empty matplotlib figure of this many inches.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingDependencyError(
            "pictures need matplotlib, which is not installed",
            hint="pip install 'radixfmt[plot]'",
        ) from None
    return Figure((width, height), layout="constrained")


def write(figure: Any, target: str, *, overwrite: bool) -> None:
    """Write a figure in the form its suffix names, free of times and random names."""
    import matplotlib as mpl

    buffer, form = io.BytesIO(), Path(target).suffix.lower()[1:]
    with mpl.rc_context({"svg.hashsalt": "radixfmt", "svg.fonttype": "path"}):
        metadata = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(buffer, format=form, dpi=150, metadata=metadata)
    with replacing(target, overwrite=overwrite) as path:
        path.write_bytes(buffer.getvalue())
