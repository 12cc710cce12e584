"""Reading strangers' files in a process that may crash, hang or run out of memory."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

from radixfmt.errors import FormatError, ParameterError
from radixfmt.files import a_path, replacing
from radixfmt.findings import Finding, refuse
from radixfmt.limits import Limits
from radixfmt.validation.options import Options
from radixfmt.validation.process import WorkerProcess
from radixfmt.validation.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType


class Isolated:
    """Reads files in another process; use it in a `with` block, which ends that process.

    The process starts on first use and serves any number of requests, each in a fork of its own
    with limits. It is replaced when it dies.
    """

    def __init__(self) -> None:
        self._worker = WorkerProcess()

    def validate(self, path: str | os.PathLike[str], options: Options | None = None) -> Report:
        """Return the report about one file; a crash or a limit is the finding RX0199.

        Raises:
            PathError: missing, a folder, or the system refuses.
        """
        asked = options or Options()
        a_path(path)
        file = os.fsdecode(path)
        request = {"task": "validate", "path": file, "options": asked.as_json()}
        try:
            answer = self._ask(request, file, asked.limits)
            return replace(Report.from_json(answer.get("report", {})), path=file)
        except FormatError as error:
            if isinstance(error.finding, Finding):
                finding = error.finding
            else:
                finding = Finding("RX0199", str(error)[:300])
        except ParameterError as error:
            finding = Finding("RX0199", f"the process that read it gave no report: {error}")
        return Report(file, None, (finding,), ok=False)

    def rewrite(self, source: str, target: str, source_format: str, limits: Limits) -> list[str]:
        """Read `source`, which may be any HDF5 file, and write it as `target`; see `rewrite`."""
        request = {"task": "rewrite", "source": source, "target": target, "format": source_format}
        losses = self._ask(request, source, limits).get("losses")
        if not isinstance(losses, list):
            raise _died("it gave no proper answer", source, limits)
        return [str(loss) for loss in losses]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._worker.close()

    def _ask(self, request: dict[str, Any], file: str, limits: Limits) -> dict[str, Any]:
        """Return the answer to one request.

        Raises:
            FormatError: RX0199, there is none; or what the reader refuses.
            RadixfmtError: another error of the worker's, of its own class.
        """
        request |= {"limits": asdict(limits), "folder": str(Path.cwd())}
        try:
            answer = self._worker.ask(request, limits.wall)
        except TimeoutError:
            raise _died("wall", file, limits) from None
        except EOFError:
            raise _died("its parent died with it", file, limits) from None
        if "died" in answer:
            raise _died(str(answer["died"])[:300], file, limits)
        return answer


def validate_isolated(
    paths: Iterable[str | os.PathLike[str]], options: Options | None = None
) -> Iterator[Report]:
    """Yield the report about each file, all read by one other process.

    Raises:
        PathError: a file is missing, a folder, or the system refuses.
    """
    with Isolated() as isolated:
        for path in paths:
            yield isolated.validate(path, options)


def rewrite(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    source_format: str = "radixfmt",
    limits: Limits | None = None,
) -> list[str]:
    """Read any HDF5 file of a network in another process and write it as this version asks.

    Args:
        source: may be of an older draft, have an old superblock or variable-length strings, all
            of which `open` refuses.
        target: appears when it is complete.
        overwrite: whether an existing target may be replaced.
        source_format: "radixfmt" or "binsparse".
        limits: of what the file may use.

    Returns:
        What `target` does not hold, or what was assumed.

    Raises:
        FormatError: what the reader refuses; RX0199 if the process died.
        TargetExistsError: the target exists and `overwrite` is false.
        PathError: the system refuses.
    """
    a_path(source)
    with (
        replacing(target, overwrite=overwrite) as temporary,
        # a killed process cannot clean up: it works in a folder that goes
        TemporaryDirectory(prefix=".", suffix=".tmp", dir=temporary.parent) as folder,
        Isolated() as isolated,
    ):
        written = Path(folder) / "written"
        losses = isolated.rewrite(
            os.fsdecode(source), str(written), source_format, limits or Limits()
        )
        written.replace(temporary)
    return losses


def _died(how: str, file: str, limits: Limits) -> FormatError:
    said = {
        "wall": f"reading took more than {limits.wall} s (limit wall)",
        "SIGXCPU": f"reading took more than {limits.cpu} s of processor time (limit cpu)",
        "memory": f"reading took more than {limits.memory} bytes of memory (limit memory)",
    }
    message = said.get(how, f"the process that read it died: {how}")
    return refuse(Finding("RX0199", message), file=file)
