"""Options that several verbs share."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

import click

from radixfmt.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


def spoken(function: F) -> F:
    """Add --json, -q, -v, --color and --debug, and pass them on as one `Output`."""

    @click.option("--json", "as_json", is_flag=True, help="Answer with one JSON object.")
    @click.option("-q", "--quiet", count=True, help="Say less.")
    @click.option("-v", "--verbose", count=True, help="Say more.")
    @click.option(
        "--color", type=click.Choice(["auto", "always", "never"]), default="auto",
        show_default=True, help="Colour of the answer; NO_COLOR also turns it off.",
    )  # fmt: skip
    @click.option("--debug", is_flag=True, help="Show tracebacks.")
    @functools.wraps(function)
    def wrapper(
        *args: Any, as_json: bool, quiet: int, verbose: int, color: str, debug: bool, **kwargs: Any
    ) -> Any:
        del debug  # read where errors are reported
        return function(*args, output=Output(as_json, verbose - quiet, color), **kwargs)

    return wrapper  # type: ignore[return-value]  # click commands hide their signature anyway


def overwritable(function: F) -> F:
    """Add --overwrite."""
    option = click.option("--overwrite", is_flag=True, help="Replace what exists.")
    return option(function)


def target_option(help_text: str) -> Callable[[F], F]:
    """Return a decorator that adds the required option -o."""
    return click.option("-o", "--output", "target", required=True, metavar="FILE", help=help_text)


def limits_option(help_text: str) -> Callable[[F], F]:
    """Return a decorator that adds --limits, as `radixfmt.limits.Limits.parse` takes them."""
    return click.option("--limits", multiple=True, metavar="NAME=N", help=help_text)


device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where to run; cuda fails where there is none, it never falls back.",
)

threads_option = click.option(
    "--threads", type=click.IntRange(min=1), help="Threads; by default every core available."
)


def metadata_options(function: F) -> F:
    """Add what a person says of a network, and pass it on as one dict `said`."""

    @click.option("--name", help="Short name of the network.")
    @click.option("--description", metavar="TEXT", help="What it is.")
    @click.option("--license", metavar="SPDX", help="Licence, such as CC-BY-4.0.")
    @click.option(
        "--author", "authors", multiple=True, metavar="'NAME [ORCID]'", help="May repeat."
    )
    @click.option("--cite", "citations", multiple=True, metavar="DOI", help="Or URL; may repeat.")
    @click.option("--created", metavar="TIME", help="ISO 8601; written only when given.")
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        names = ("name", "description", "license", "authors", "citations", "created")
        said = {name: kwargs.pop(name) for name in names}
        return function(*args, said=said, **kwargs)

    return wrapper  # type: ignore[return-value]  # click commands hide their signature anyway


weights_options = (
    click.option(
        "--weights",
        metavar="RULE",
        help="none, constant=V, normal[=STD], he, variance (the last two by each neuron's fan-in).",
    ),
    click.option("--bias", type=float, metavar="V", help="One bias for every neuron."),
    click.option(
        "--seed", type=int, default=0, show_default=True, help="Of everything random; recorded."
    ),
)
