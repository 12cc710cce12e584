"""Calibration finds the constants of the machine that it measures, and is not led astray."""

from dataclasses import astuple, replace

import numpy as np
import pytest

import radixfmt as rx
from radixfmt.export import calibration
from radixfmt.export.costs import COSTS, Costs

BUILT_IN = COSTS["cpu"]
OTHER = replace(
    BUILT_IN, multiply=5e10, move=4e10, spill=9e9, cache=4e6, node=3e-6, row=8e-9, transpose=1e10
)
"""A slower machine with a larger cache."""


def calibrated(monkeypatch, machine, disturbed=0):
    """Return what is found where probes take as long as on `machine`, some of them much longer."""

    def measured(probes, threads):
        seconds = np.array([probe.seconds(machine) for probe in probes])
        if disturbed:
            seconds[::disturbed] *= 3
        return seconds

    monkeypatch.setattr(calibration, "_measured", measured)
    return calibration.calibrate()


def test_the_machine_of_the_built_in_constants(monkeypatch):
    assert astuple(calibrated(monkeypatch, BUILT_IN)) == pytest.approx(astuple(BUILT_IN), rel=1e-3)


@pytest.mark.parametrize("disturbed", [0, 9])
def test_another_machine(monkeypatch, disturbed):
    found = calibrated(monkeypatch, OTHER, disturbed)
    for batch in (1, 32, 200, 800):
        for what, sizes in {
            "blocked": (40, 24, 60),
            "dense": (300, 500),
            "turn": (600,),
            "join": (900,),
        }.items():
            estimated, real = (getattr(costs, what)(*sizes, batch) for costs in (found, OTHER))
            assert estimated == pytest.approx(real, rel=0.25), (what, batch)


def test_real_probes(monkeypatch):
    layers = [("blocked", (16, 16, 32)), ("dense", (1, 64, 64)), ("transpose", (1, 64, 64))]
    monkeypatch.setattr(calibration, "ROUNDS", 1)
    monkeypatch.setattr(calibration, "BATCHES", (1, 8))
    monkeypatch.setattr(calibration, "BIASES", dict.fromkeys(layers, (1.0, 1.0)))
    found = calibration.calibrate(threads=2)
    assert isinstance(found, Costs)
    assert all(0 < value < np.inf for value in astuple(found))


@pytest.mark.parametrize("wrong", [{"threads": 0}, {"target": "cuda"}, {"target": "tpu"}])
def test_what_cannot_be_calibrated(wrong):
    with pytest.raises(rx.RadixfmtError):
        calibration.calibrate(**wrong)
