"""`radixfmt generate`: one subcommand per topology family, its options from its signature."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from radixfmt.cli.group import Suggesting
from radixfmt.cli.options import (
    metadata_options,
    overwritable,
    spoken,
    target_option,
    weights_options,
)
from radixfmt.cli.output import Output, size

if TYPE_CHECKING:
    from radixfmt.model.network import Network


class IntegerList(click.ParamType[list[int]]):
    """Integers with commas between them."""

    name = "N,N,…"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[int]:
        """Return the integers in `value`."""
        if isinstance(value, list):
            return value
        try:
            return [int(part) for part in str(value).split(",")]
        except ValueError:
            self.fail(f"expected integers with commas between them, got {value!r}", param, ctx)


KINDS: dict[str, Any] = {
    "int": int,
    "float": float,
    "str": str,
    "Sequence[int]": IntegerList(),
    "Sequence[Sequence[int]]": IntegerList(),
}
"""Option types by the annotation of a topology's parameter."""


class Families(Suggesting):
    """One command per registered topology."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the families."""
        from radixfmt.topologies import topology

        return list(topology)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return the command of a family."""
        from radixfmt.topologies import topology

        return family(cmd_name) if cmd_name in topology else None


@click.group(
    cls=Families,
    invoke_without_command=True,
    epilog="Example: radixfmt generate radix-net --system 2,3 --system 3,2 -o net.rx.h5",
)
@click.option("--list", "listing", is_flag=True, help="List the families.")
@click.option("--json", "as_json", is_flag=True, help="With --list: one JSON object.")
@click.pass_context
def command(ctx: click.Context, listing: bool, as_json: bool) -> int | None:
    """Make a network of a topology family and write it to a file."""
    if listing:
        from radixfmt.topologies import topology

        found = {name: summary(topology[name]) for name in topology}
        Output(as_json).answer(
            "\n".join(f"{name:<20} {text}" for name, text in found.items()), {"families": found}
        )
        return 0
    if ctx.invoked_subcommand is None:
        raise click.UsageError("name a topology family, or --list", ctx)
    return None


def family(name: str) -> click.Command:
    """Return the command that generates the family `name`."""
    from radixfmt.topologies import topology

    function = topology[name]
    options = [option(parameter, function) for parameter in parameters(function)]

    @spoken
    def generate(
        target: str,
        overwrite: bool,
        storage: str,
        output: Output,
        said: dict[str, Any],
        **values: Any,
    ) -> int:
        return write(name, target, overwrite, storage, output, said, values)

    generate = overwritable(metadata_options(generate))
    for decorate in (
        click.option(
            "--storage",
            type=click.Choice(["procedural", "explicit"]),
            default="procedural",
            show_default=True,
            help="Keep the generator's record where there is one, or write every edge out.",
        ),
        click.option(
            "--activation", metavar="OP", help="ONNX operator after every layer, in any case."
        ),
        *reversed(weights_options),
        *reversed(options),
        target_option("The file to write, by custom NAME.rx.h5."),
    ):
        generate = decorate(generate)
    text = inspect.getdoc(function) or ""
    example = " ".join(example_arguments(name))
    return click.command(
        name,
        help=text.partition("\nArgs:")[0].partition("\nRaises:")[0].replace("Return ", "Make ", 1),
        short_help=summary(function),
        epilog=f"Example: radixfmt generate {name} {example} -o net.rx.h5",
    )(generate)


def write(
    name: str,
    target: str,
    overwrite: bool,
    storage: str,
    output: Output,
    said: dict[str, Any],
    values: dict[str, Any],
) -> int:
    """Generate, write, and say what was written."""
    from radixfmt.model.metadata import described
    from radixfmt.storage.writer import write as write_file
    from radixfmt.topologies import generate

    given: dict[str, Any] = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in values.items()
        if value is not None and value != ()
    }
    network = generate(name, **given)
    network = replace(network, metadata=described(network.metadata, **said))
    edges: list[int] = []
    watched = watch(network, output, edges)
    digest = write_file(target, watched, overwrite=overwrite, storage=storage)
    headers = network.headers
    record: dict[str, Any] = {
        "output": target,
        "layers": len(headers),
        "nnz": sum(edges),
        "bytes": Path(target).stat().st_size,
        "content_digest": digest,
    }
    output.answer(
        f"{target}: {name}, {len(headers)} layers, {headers[0][1][0]} → {headers[-1][1][1]}, "
        f"{sum(edges)} edges, {size(record['bytes'])}\n{digest}",
        record,
    )
    return 0


def watch(network: Network, output: Output, edges: list[int]) -> Network:
    """Return `network` with layers that draw a progress bar, and count edges, as they are made."""
    from radixfmt.model.network import LazyLayers

    draw = output.progress("writing")
    headers, layers = network.headers, network.layers

    def make(i: int) -> Any:
        layer = layers[i]
        edges.append(layer.pattern.nnz)
        draw(i + 1, len(headers))
        return layer

    return replace(network, layers=LazyLayers(headers, make, network.geometries))


def parameters(function: Any) -> list[inspect.Parameter]:
    """Return a family's own parameters; `seed` is shared by all."""
    found = inspect.signature(function).parameters.values()
    return [parameter for parameter in found if parameter.name != "seed"]


def option(parameter: inspect.Parameter, function: Any) -> Any:
    """Return the click option for a parameter: its type from the annotation, help from Args."""
    annotation = str(parameter.annotation).removesuffix(" | None")
    repeated = annotation == "Sequence[Sequence[int]]"
    required = parameter.default is parameter.empty
    settings: dict[str, Any] = {"type": KINDS[annotation], "multiple": repeated}
    if not required and parameter.default not in ((), None):
        settings |= {"default": parameter.default, "show_default": True}
    text = described(function).get(parameter.name, "")
    return click.option(
        spelled(parameter.name, repeated=repeated),
        parameter.name,
        required=required,
        help=text + (" May be given several times." if repeated else ""),
        **settings,
    )


def spelled(name: str, *, repeated: bool) -> str:
    """Return a parameter's option: `--system` for each of the `systems`."""
    return "--" + (name.removesuffix("s") if repeated else name).replace("_", "-")


def described(function: Any) -> dict[str, str]:
    """Return what a docstring's Args section says of each parameter."""
    args = (inspect.getdoc(function) or "").partition("Args:\n")[2].partition("\n\n")[0]
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", args, re.MULTILINE)
    return {name: _sentence(re.sub(r"\s+", " ", text)) for name, text in entries}


def summary(function: Any) -> str:
    """Return the first sentence of a docstring, as a short help text."""
    first = (inspect.getdoc(function) or "").split("\n")[0]
    return _sentence(first.removeprefix("Return ").removeprefix("a ").removeprefix("the "))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def example_arguments(name: str) -> list[str]:
    """Return the registered example as command-line words."""
    from radixfmt.topologies import topology

    words = []
    for key, value in topology.facts(name)["example"].items():
        repeated = isinstance(value, list) and isinstance(value[0], list)
        for item in value if repeated else [value]:
            text = ",".join(map(str, item)) if isinstance(item, list) else str(item)
            words += [spelled(key, repeated=repeated), text]
    return words
