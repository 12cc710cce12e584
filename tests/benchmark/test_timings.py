"""The picture of a benchmark."""

import pytest

from radixfmt.errors import InputError, ParameterError, TargetExistsError
from radixfmt.plots.timings import timings


def test_the_same_results_give_the_same_picture(result, tmp_path):
    found = [
        result("ort-auto", 0.1, 0.2, 0.3),
        result("scipy", 1.0, 1.0, 4.0),
        result("$scipy$", 1e-9, batch=1),
    ]
    results = [r.as_json() for r in found]
    for name in ("a.svg", "b.svg", "a.png"):
        timings(results, str(tmp_path / name))
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_it_refuses_what_cannot_be_drawn(result, tmp_path):
    results = [result("ort-auto", 0.1).as_json()]
    with pytest.raises(InputError, match="expected results"):
        timings([], str(tmp_path / "a.png"))
    with pytest.raises(ParameterError, match=r"\.png or \.svg"):
        timings(results, str(tmp_path / "a.jpeg"))
    (tmp_path / "a.png").touch()
    with pytest.raises(TargetExistsError):
        timings(results, str(tmp_path / "a.png"))
    timings(results, str(tmp_path / "a.png"), overwrite=True)
