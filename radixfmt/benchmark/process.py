"""The benchmark's end of a worker: start it, ask it, end it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import radixfmt
from radixfmt import errors
from radixfmt.errors import RadixfmtError

if TYPE_CHECKING:
    from types import TracebackType

    from radixfmt.benchmark.job import Job

THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)  # fmt: skip
"""Libraries read their number of threads from these before any call can set it."""

LAST_LINES = 8
"""Lines of a dead worker's stderr that its error repeats."""


class WorkerProcess:
    """A process with one engine at work; use it in a `with` block, which ends the process.

    Args:
        job: what the worker does; its stderr goes beside the outputs.

    Raises:
        RadixfmtError: what the engine refused, of its own class, or that the process died.
    """

    def __init__(self, job: Job) -> None:
        self._engine = job.engine
        self._log = Path(f"{job.outputs}.stderr")
        threads = dict.fromkeys(THREAD_VARIABLES, str(job.settings.threads))
        # the worker must find the package where this process found it
        home = str(Path(radixfmt.__file__).parents[1])
        path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "radixfmt.benchmark.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | threads | {"PYTHONPATH": path},
                encoding="utf-8",
            )
        try:
            self.ready: dict[str, Any] = self._ask(asdict(job))["ready"]
        except BaseException:  # an interrupt too: no `with` block has this process yet
            self.kill()
            raise

    def run(self) -> int:
        """Run the batch once and return its nanoseconds."""
        return int(self._ask("run")["ns"])

    def finish(self) -> dict[str, Any]:
        """Write the outputs of the checked rows and return `{peak_bytes, placement}`."""
        answer: dict[str, Any] = self._ask("finish")["finished"]
        return answer

    def kill(self) -> None:
        """End the process and wait until it is gone."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was not yet said is lost
                pipe.close()  # type: ignore[union-attr]  # opened as pipes above
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()

    def _ask(self, message: Any) -> dict[str, Any]:
        """Say one line and return the answer."""
        assert self._process.stdin is not None  # noqa: S101  (mypy: opened as pipes above)
        assert self._process.stdout is not None  # noqa: S101
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise self._death()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            problem = answer["error"]
            kind: type[RadixfmtError] = getattr(errors, problem["type"], RadixfmtError)
            message = f"engine {self._engine!r}: {problem['message']}"
            raise kind(message, hint=problem["hint"], code=problem["code"])
        return answer

    def _death(self) -> RadixfmtError:
        """Return the error for a process that ended without an answer."""
        status = self._process.wait()
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        last = "\n".join(lines[-LAST_LINES:]) or "(nothing on stderr)"
        how = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
        return RadixfmtError(
            f"engine {self._engine!r}: its process died ({how}); its last words:\n{last}",
            hint="If memory ran out: a smaller batch, or fewer engines at a time.",
            code="worker-died",
        )
