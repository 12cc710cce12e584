"""Heavy packages stay out until they are needed (and the test can tell)."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"torch", "onnx", "onnxruntime", "matplotlib"}

REPORT = "; import sys; print('LOADED', *sorted({m.split('.')[0] for m in sys.modules}))"


def loaded(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", code + REPORT], capture_output=True, text=True, check=True
    )
    return set(done.stdout.rpartition("LOADED ")[2].split())


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import radixfmt", HEAVY | {"numpy", "scipy", "h5py", "click"}),
        (
            "from radixfmt.__main__ import main; main(['--help'])",
            HEAVY | {"numpy", "scipy", "h5py"},
        ),
        ("from radixfmt.__main__ import main; main(['generate', '--list'])", HEAVY | {"h5py"}),
        ("from radixfmt.__main__ import main; main(['info', 'nothing'])", HEAVY | {"scipy"}),
        ("from radixfmt.__main__ import main; main(['validate', 'nothing'])", HEAVY),
    ],
)
def test_light_verbs_load_nothing_heavy(code, absent):
    assert loaded(code) & absent == set()


def test_the_test_can_fail():
    assert "onnx" in loaded("import onnx")


def test_public_names_are_all_there():
    import radixfmt

    for name in radixfmt.__all__:
        assert getattr(radixfmt, name) is not None
    with pytest.raises(AttributeError):
        radixfmt.nothing  # noqa: B018
