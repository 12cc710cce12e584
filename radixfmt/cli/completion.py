"""`radixfmt completion`: click's completion script for a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command(epilog='Example: eval "$(radixfmt completion bash)"')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    """Print a shell's completion script."""
    root = ctx.find_root().command
    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"no completion for {shell!r}")
    click.echo(made(root, {}, "radixfmt", "_RADIXFMT_COMPLETE").source())
    return 0
