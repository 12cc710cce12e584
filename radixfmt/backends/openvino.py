"""OpenVINO on a model that was exported here: another runtime to measure against."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.backends.samples import tiles
from radixfmt.errors import MissingDependencyError, RadixfmtError, UnsupportedError
from radixfmt.export.save import readable

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray


class OpenVinoSession:
    """A batch-major model on OpenVINO's CPU plugin, in true float32.

    Args:
        model: of one input of samples in rows and one output.
        tile: rows per tile.
        threads: to use.

    Attributes:
        provider: OpenVINO's version and device.

    Raises:
        MissingDependencyError: openvino is not installed.
        UnsupportedError: it refuses the model.
    """

    def __init__(self, model: onnx.ModelProto, *, tile: int, threads: int) -> None:
        try:
            # its import would tell its makers of every run, from a forked process
            sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
            openvino: Any = import_module("openvino")
        except ImportError:
            raise MissingDependencyError(
                "openvino is not installed", hint="pip install openvino"
            ) from None
        options = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        core = openvino.Core()
        try:
            with readable(model) as content:
                read = core.read_model(*([content] if isinstance(content, str) else [content, b""]))
                self._compiled: Any = core.compile_model(read, "CPU", options)
        except RadixfmtError:
            raise
        except Exception as error:  # OpenVINO raises RuntimeError and its own exceptions
            raise UnsupportedError(f"OpenVINO refuses the model: {error}") from error
        self._request = self._compiled.create_infer_request()
        self._tile = tile
        self.provider = f"OpenVINO {openvino.__version__.split('-')[0]} CPU"

    def run(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return the outputs `[B, n_out]` of float32 samples `[B, n_in]`, B ≥ 1.

        Raises:
            UnsupportedError: OpenVINO fails on them.
        """
        try:
            made = [
                np.array(self._request.infer([x[slice(*ends)]])[0])
                for ends in tiles(len(x), self._tile)
            ]
        except Exception as error:  # OpenVINO raises RuntimeError and its own exceptions
            raise UnsupportedError(f"OpenVINO fails on these samples: {error}") from error
        return np.concatenate(made)
