"""How much memory this process has had resident."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def peak_bytes() -> int | None:
    """Return the largest resident memory of this process, None where the system does not tell."""
    with suppress(OSError):
        # Linux' ru_maxrss starts at the parent's memory: it outlives exec. VmHWM does not.
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS
