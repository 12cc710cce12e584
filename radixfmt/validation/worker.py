"""The process that reads strangers' files: `python -m radixfmt.validation.worker`.

It talks JSON lines: `{ready: true}` once, then one answer to each request: `{report: …}`,
`{losses: […]}`, `{error: …}`, or `{died: HOW}`. Each request is served by a fork with limits, so
that what a hostile file does to it ends with it. The process ends when its input does.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

import numpy as np

from radixfmt.encodings import pattern_encoding, value_encoding
from radixfmt.errors import FormatError, RadixfmtError
from radixfmt.findings import Finding
from radixfmt.generators import generator
from radixfmt.limits import Limits
from radixfmt.model.layer import Layer
from radixfmt.model.metadata import Metadata
from radixfmt.model.network import chain
from radixfmt.model.pattern import Pattern
from radixfmt.storage.container import open_container
from radixfmt.storage.repack import open_for_repack
from radixfmt.storage.writer import write
from radixfmt.validation.checks import check
from radixfmt.validation.options import Options
from radixfmt.validation.validate import run_checks

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_ANSWER = 64 << 20
"""Bytes of one answer: a child that has been taken over must not fill its parent."""

STDIN = 0

READERS = {"radixfmt": open_for_repack, "binsparse": open_container}
"""What can be rewritten, by the name of its format."""


def main() -> None:
    """Serve requests over stdin and stdout."""
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints goes to stderr, not into the conversation
    try:
        _rehearse()
    except RadixfmtError as error:  # a plugin that cannot be loaded
        _say(channel, _encoded(_refusal(error)))
        return
    gc.freeze()  # forks share what is never collected
    _say(channel, _encoded({"ready": True}))
    for line in iter(sys.stdin.buffer.readline, b""):
        request = json.loads(line)
        forks = hasattr(os, "fork")  # Windows has none: there this process itself may be lost
        _say(channel, _from_fork(request, channel) if forks else _serve(request))


def _rehearse() -> None:
    """Check a file of our own: what that imports, the forks need not import one by one."""
    pattern = Pattern.explicit((2, 2), [0, 2, 4], [0, 1, 0, 1])
    layer = Layer("tiny", pattern, np.arange(4, dtype=np.float32))
    tiny = chain([layer], activation="Relu", metadata=Metadata(license="MIT"))
    for registry in (check, pattern_encoding, value_encoding, generator):
        list(registry)
    with suppress(OSError), TemporaryDirectory() as folder:  # without room it is slower
        path = Path(folder) / "tiny.rx.h5"
        write(path, tiny)
        run_checks(path, Options())


def _serve(request: Mapping[str, Any]) -> bytes:
    """Do what is asked and return the answer."""
    try:
        os.chdir(request["folder"])
        if request["task"] == "validate":
            options = Options.from_json(request["options"])
            report = run_checks(request["path"], options, trusted=True)
            return _encoded({"report": report.as_json()})
        reader, limits = READERS[request["format"]], Limits(**request["limits"])
        network, losses = reader(request["source"], trusted=True, limits=limits)
        with network:
            write(request["target"], network)
        return _encoded({"losses": losses})
    except RadixfmtError as error:
        return _encoded(_refusal(error))
    except MemoryError:
        return b'{"died": "memory"}'
    except Exception as error:  # noqa: BLE001  on a broken file anything can happen
        return _encoded({"died": repr(error)[:300]})


def _refusal(error: RadixfmtError) -> dict[str, Any]:
    finding = error.finding if isinstance(error, FormatError) else None
    return {
        "error": {
            "type": type(error).__name__,
            "message": str(error),
            "hint": error.hint,
            "code": error.code,
            "finding": finding.as_json() if isinstance(finding, Finding) else None,
        }
    }


def _from_fork(request: Mapping[str, Any], channel: BinaryIO) -> bytes:
    """Have a fork serve the request; return its answer, or how it died."""
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_the_fork(request, send, unused=(channel.fileno(), receive))
    os.close(send)
    answer = bytearray()
    while len(answer) <= LARGEST_ANSWER:
        ready, _, _ = select.select([receive, STDIN], [], [])
        part = b"" if STDIN in ready else os.read(receive, 1 << 16)  # the client is gone
        if not part:
            break
        answer += part
    else:
        ready = [STDIN]
    os.close(receive)
    if STDIN in ready:
        os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status == 0 and answer and b"\n" not in answer:
        return bytes(answer)
    return _encoded({"died": _name(-status) if status < 0 else f"exit status {status}"})


def _be_the_fork(request: Mapping[str, Any], send: int, unused: tuple[int, ...]) -> NoReturn:
    """Serve one request inside limits and end without returning to the parent's code."""
    status = 1
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nothing, standard)
        for descriptor in unused:
            os.close(descriptor)
        _limit(Limits(**request["limits"]))
        with os.fdopen(send, "wb") as stream:
            stream.write(_serve(request))
        status = 0
    finally:
        os._exit(status)


def _limit(limits: Limits) -> None:
    """Bound this process; the system enforces it."""
    import resource

    bounds = {
        resource.RLIMIT_AS: (_mapped() + limits.memory,) * 2,
        # one second between SIGXCPU, which names the limit, and SIGKILL
        resource.RLIMIT_CPU: (limits.cpu, limits.cpu + 1),
        resource.RLIMIT_CORE: (0, 0),
    }
    for which, wanted in bounds.items():
        hardest = resource.getrlimit(which)[1]
        most = sys.maxsize if hardest == resource.RLIM_INFINITY else hardest
        resource.setrlimit(which, (min(wanted[0], most), min(wanted[1], most)))


def _mapped() -> int:
    """Return the bytes of address space in use, 0 where the system does not tell."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def _encoded(answer: Mapping[str, Any]) -> bytes:
    return json.dumps(answer).encode("ascii")


def _say(channel: BinaryIO, answer: bytes) -> None:
    channel.write(answer + b"\n")
    channel.flush()


if __name__ == "__main__":
    main()
