"""Several threads over one session: the same bits, and nothing lost when one fails."""

import _thread
import signal
import threading
import time

import numpy as np
import pytest

import radixfmt as rx
from radixfmt.backends.ort import Session
from radixfmt.errors import UnsupportedError


@pytest.fixture(scope="module")
def net():
    return rx.generate(
        "radix-net", systems=[[2] * 6], widths=[4] * 7, weights="he", bias=0.1, activation="relu"
    )


@pytest.mark.parametrize("lowering", ["auto", "dense", "native"])
def test_the_number_of_threads_changes_no_bit(net, lowering):
    x = np.random.default_rng(0).random((517, 256), dtype=np.float32)
    sessions = [Session(net, device="cpu", threads=n, lowering=lowering) for n in (1, 2, 3)]
    for rows in (1, 2, 31, 33, 64, 65, 66, 67, 97, 131, 256, 257, 513, 517):
        wanted, *others = (session.run(x[:rows]) for session in sessions)
        for y in others:
            assert np.array_equal(y, wanted), rows


def test_what_a_thread_raises_is_raised(net, monkeypatch):
    right = Session._call

    def fails(self, x):
        if x[0, 0] == 3:
            raise UnsupportedError("row 3")
        return right(self, x)

    monkeypatch.setattr(Session, "_call", fails)
    x = np.arange(8, dtype=np.float32)[:, None].repeat(256, 1)
    with Session(net, device="cpu", threads=2, tile=1) as session:
        session._sized = True  # tiles of one row
        monkeypatch.setattr(Session, "_tile_of", lambda self, rows: 1)
        with pytest.raises(UnsupportedError, match="row 3"):
            session.run(x)
        assert session.run(x[4:]).shape == (4, 256)  # it still works


def test_an_interrupt_stops_waiting_tiles(net, monkeypatch):
    done, begun = [], threading.Event()

    def slow(self, x):
        begun.set()
        time.sleep(0.05)
        done.append(1)
        return x

    monkeypatch.setattr(Session, "_call", slow)
    # a job in the background is born without interrupts
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Session(net, device="cpu", threads=2, tile=32) as session:
            threading.Thread(target=lambda: (begun.wait(), _thread.interrupt_main())).start()
            with pytest.raises(KeyboardInterrupt):
                session.run(np.ones((32 * 200, 256), np.float32))
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(done) < 20
