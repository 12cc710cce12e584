"""The near end of the worker: start it, ask it, end it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from threading import TIMEOUT_MAX, Event, Timer
from typing import Any

from radixfmt.errors import FormatError, RadixfmtError
from radixfmt.validation.report import finding_from_json

LARGEST_ANSWER = (64 << 20) + 1
"""Bytes of one answer, its newline included; the worker keeps to it unless it was taken over."""

START_SECONDS = 120
"""A worker that takes longer to import what it needs will never be ready."""

ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",  # a process with threads is not safe to fork
    "HDF5_PLUGIN_PRELOAD": "::",  # HDF5 loads no plugin, which a file could otherwise ask for
    "HDF5_PLUGIN_PATH": "",
}


class WorkerProcess:
    """A `radixfmt.validation.worker`: starts on first use, and anew after it has died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Return the answer to one request.

        Raises:
            TimeoutError: none in `seconds`; the worker has been killed.
            EOFError: the worker died.
            RadixfmtError: the error that the worker answers with, of its own class.
        """
        for last in (False, True):  # somebody may have killed the worker since the last request
            self._start()
            try:
                return self._exchange(request, seconds)
            except EOFError:
                if last:
                    raise
        raise AssertionError

    def close(self) -> None:
        """End the process, and what it started, and wait until it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        _kill(process)  # before `wait`: until then its number is its own
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):  # of what it did not read
                    stream.close()

    def _start(self) -> None:
        if self._process is not None:
            return
        # the worker must find the package where this process found it
        home = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
        with TemporaryFile() as log:
            self._process = subprocess.Popen(
                # -P: the folder a person works in, full of downloads, is no place to import from
                [sys.executable, "-P", "-m", "radixfmt.validation.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | ENVIRONMENT | {"PYTHONPATH": path},
                start_new_session=True,  # its forks die with it, and Ctrl-C is ours to handle
            )
            try:
                self._exchange(None, START_SECONDS)
            except (EOFError, TimeoutError):
                log.seek(0)
                said = log.read(1 << 20).decode("utf-8", "replace").strip().splitlines()[-3:]
                raise RadixfmtError(
                    f"the process that reads files cannot start: {' / '.join(said)}",
                    code="worker-died",
                ) from None

    def _exchange(self, request: dict[str, Any] | None, seconds: float) -> dict[str, Any]:
        """Say one line, if any, and return the next; a worker that fails at it is ended."""
        try:
            line = self._line(request, seconds)
        except BaseException:  # an interrupt too: the answer still to come is not the next one's
            self.close()
            raise
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            return {"died": "it gave no proper answer"}
        if "error" in answer:
            raise _raised(answer["error"])
        return answer

    def _line(self, request: dict[str, Any] | None, seconds: float) -> bytes:
        process = self._process
        assert process is not None  # noqa: S101  (mypy: started)
        assert process.stdin is not None  # noqa: S101  (mypy: opened as pipes)
        assert process.stdout is not None  # noqa: S101
        late = Event()

        def end() -> None:
            late.set()
            _kill(process)

        timer = Timer(min(seconds, TIMEOUT_MAX), end)
        timer.daemon = True
        timer.start()
        try:
            if request is not None:
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
            line = process.stdout.readline(LARGEST_ANSWER)
        except BrokenPipeError:
            line = b""
        finally:
            timer.cancel()
            timer.join()
        if line.endswith(b"\n"):
            return line
        raise TimeoutError if late.is_set() else EOFError


def _kill(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _raised(record: Any) -> RadixfmtError:
    """Return the error that the worker answered with."""
    facts = record if isinstance(record, dict) else {}
    kinds = {kind.__name__: kind for kind in RadixfmtError.__subclasses__()}
    kind = kinds.get(str(facts.get("type")), RadixfmtError)
    hint = facts.get("hint")
    error = kind(
        str(facts.get("message")),
        hint=None if hint is None else str(hint),
        code=str(facts.get("code")),
    )
    if isinstance(error, FormatError) and facts.get("finding") is not None:
        error.finding = finding_from_json(facts["finding"])
    return error
