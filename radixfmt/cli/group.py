"""A command group that answers a misspelt name with the one that was meant."""

from __future__ import annotations

import click


class Suggesting(click.Group):
    """A group whose unknown names get a suggestion."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that `args` begins with.

        Raises:
            click.UsageError: there is none; its `hint` names the closest.
        """
        names = self.list_commands(ctx)
        if args and args[0] not in names and not args[0].startswith("-"):
            import difflib  # only for misspelt names

            close = difflib.get_close_matches(args[0], names, n=1)
            error = click.UsageError(
                f"unknown {ctx.command_path} name {args[0]!r}; expected one of {', '.join(names)}",
                ctx,
            )
            error.hint = f"Did you mean {close[0]!r}?" if close else None  # type: ignore[attr-defined]
            raise error
        return super().resolve_command(ctx, args)
