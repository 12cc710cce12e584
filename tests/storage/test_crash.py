"""Whatever ends a write, there is the old file or the whole new one."""

from __future__ import annotations

import os
import resource
import signal
import time

import numpy as np
import pytest

import radixfmt as rx

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and kill")

KILLS = 200


def network(weights):
    return rx.generate("radix-net", systems=[[8, 8]], weights=f"constant={weights}", bias=0.5)


def in_child(work):
    """Run `work` in a fork of this process; return its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:  # noqa: BLE001  the child must not return into pytest
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(3)
    return pid


def test_kill_at_any_moment(tmp_path):
    target = tmp_path / "net.rx.h5"
    networks = [network(1), network(2)]
    whole = []
    for each in networks:
        began = time.perf_counter()
        rx.write(target, each, overwrite=True, storage="explicit")
        took = time.perf_counter() - began
        whole.append(target.read_bytes())

    def write_for_ever():
        while True:
            for each in networks:
                rx.write(target, each, overwrite=True, storage="explicit")

    seen = set()
    rng = np.random.default_rng(0)
    for _ in range(KILLS):
        pid = in_child(write_for_ever)
        time.sleep(rng.uniform(0, 3 * took))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        now = target.read_bytes()
        assert now in whole
        seen.add(whole.index(now))
    assert seen == {0, 1}
    assert rx.validate(target).ok


def test_a_full_disk(tmp_path):
    """A limit on file size stands in for it: the system refuses the same calls."""
    target = tmp_path / "net.rx.h5"
    rx.write(target, network(1))
    before = target.read_bytes()

    def write_too_much():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        big = rx.generate("radix-net", systems=[[16, 16]], weights="he")
        with pytest.raises(rx.RadixfmtError, match="cannot write"):
            rx.write(target, big, overwrite=True, storage="explicit")

    _, status = os.waitpid(in_child(write_too_much), 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["net.rx.h5"]


def test_two_writers_and_a_reader(tmp_path):
    target = tmp_path / "net.rx.h5"
    networks = [network(1), network(2)]
    digests = {rx.write(target, each, overwrite=True) for each in networks}

    def write_often(each):
        for _ in range(60):
            rx.write(target, each, overwrite=True)

    children = [in_child(lambda each=each: write_often(each)) for each in networks]
    waiting = set(children)
    while waiting:
        report = rx.validate(target)
        assert report.ok, report
        with rx.open(target) as now:
            assert float(now.layers[0].weights[0]) in (1, 2)
        for pid in list(waiting):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                assert os.waitstatus_to_exitcode(status) == 0
                waiting.remove(pid)
    assert len(digests) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["net.rx.h5"]
