"""The command line: one file per verb, loaded only when that verb is used.

Exit codes: 0 yes or done, 1 the answer is no, 2 trouble, 130 interrupted. The answer goes to
stdout, everything else to stderr.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from typing import TYPE_CHECKING

import click

from radixfmt.cli.group import Suggesting
from radixfmt.errors import ParityError, RadixfmtError

if TYPE_CHECKING:
    from collections.abc import Sequence

NO, TROUBLE, INTERRUPTED = 1, 2, 130

VERBS = {
    "bench": "Measure how fast engines run a network.",
    "completion": "Print a shell's completion script.",
    "convert": "Convert between formats; extract a layer; give weights.",
    "demo": "Go the whole way once, on built-in defaults.",
    "diff": "Compare two networks.",
    "distance": "Tell how far apart two topologies are.",
    "export": "Write a network as an ONNX model.",
    "generate": "Make a network of a topology family.",
    "info": "Say what a file holds, without reading its data.",
    "measure": "Measure networks, and compare many in one table.",
    "plot": "Draw networks.",
    "run": "Run samples through a network.",
    "validate": "Check files against the specification.",
}
"""Verbs and what they do, so that `--help` loads none of them."""


class Verbs(Suggesting):
    """Commands that are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the verbs."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a verb's module and return its command."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"radixfmt.cli.{cmd_name}").command
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002  click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the verbs from the table above."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from radixfmt.cli.versions import versions

    click.echo(versions(verbose=bool(ctx.params.get("verbose"))))
    ctx.exit()


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: radixfmt generate radix-net --system 2,3 --system 3,2 -o net.rx.h5",
)
@click.option("-v", "--verbose", is_flag=True, is_eager=True, help="With --version: of libraries.")
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    callback=_print_version,
    help="Show the versions of package and format.",
)
def group(verbose: bool) -> None:
    """Sparse neural networks: store, check, exchange, export and run them."""


def execute(argv: Sequence[str]) -> int:
    """Run the command line `argv` and return the exit code."""
    as_json, debug = "--json" in argv, "--debug" in argv
    try:
        found = group.main(list(argv), prog_name="radixfmt", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return TROUBLE
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        _usage(error, as_json=as_json)
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
        return 0
    except Exception as error:  # noqa: BLE001  a person must never see a traceback unasked
        _report(error, _help_of(argv), as_json=as_json)
        if debug:
            traceback.print_exc()
        return NO if isinstance(error, ParityError) else TROUBLE
    else:
        return found if isinstance(found, int) else 0
    return TROUBLE


def _usage(error: click.ClickException, *, as_json: bool) -> None:
    ctx = getattr(error, "ctx", None)
    hint = getattr(error, "hint", None)
    if hint is None and ctx is not None:
        hint = f"{ctx.command_path} --help"
    _say(error.format_message(), hint, "usage", as_json=as_json)


def _help_of(argv: Sequence[str]) -> str:
    """Return the command that explains the verb in use: the hint of errors that have none."""
    verb = next((word for word in argv if word in VERBS), None)
    return f"radixfmt {verb} --help" if verb else "radixfmt --help"


def _report(error: Exception, usual: str, *, as_json: bool) -> None:
    """Say what went wrong: our own errors as they are, others as the defects they are."""
    if isinstance(error, RadixfmtError):
        _say(str(error), error.hint or usual, error.code, as_json=as_json)
    elif isinstance(error, OSError):  # a full disk behind stdout, say
        _say(f"the system refuses: {error.strerror or error}", usual, "path", as_json=as_json)
    elif isinstance(error, MemoryError):
        hint = "use a smaller network or batch"
        _say(f"not enough memory: {error}", hint, "memory", as_json=as_json)
    else:
        message = f"unexpected {type(error).__name__}: {error}"
        hint = "this is a defect; run again with --debug and report what it prints"
        _say(message, hint, "internal", as_json=as_json)


def _say(message: str, hint: str | None, code: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"error": message, "hint": hint, "code": code}), err=True)
        return
    from radixfmt.cli.output import printable

    click.echo(f"Error: {printable(message, keep=chr(10))}", err=True)
    if hint:
        click.echo(f"Hint: {printable(hint)}", err=True)


__all__ = ["execute", "group"]
