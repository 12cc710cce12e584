"""`onnx`: any ONNX model without control flow or foreign domains; sparse weights become layers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

from radixfmt.converters import converter
from radixfmt.converters.onnx_external import ExternalData
from radixfmt.converters.onnx_file import parse
from radixfmt.converters.onnx_graph import network_of, put_in_order
from radixfmt.converters.onnx_nodes import constants_of, filled, shown, values_of
from radixfmt.converters.onnx_opset import at_opset_21, skeleton, types_of
from radixfmt.converters.onnx_policy import check_policy, opset_of
from radixfmt.errors import ParameterError
from radixfmt.files import a_path
from radixfmt.model.metadata import Metadata
from radixfmt.version import __version__

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import onnx
    from numpy.typing import NDArray

    from radixfmt.model.digest import NetworkDigests
    from radixfmt.model.network import Network

SPARSE = 0.5
"""Share of zeros from which a weight becomes a sparse layer, unless one is given."""

BFLOAT16 = 16
"""ONNX's number of the element type (TensorProto.DataType)."""

LONGEST_NAME, LONGEST_DESCRIPTION = 100, 1000
"""Characters of a producer's name, and of a description, that are kept."""


def from_onnx(
    path: str | os.PathLike[str],
    *,
    sparsity_threshold: float = SPARSE,
    external_data: bool = False,
) -> Network:
    """Return the network in an ONNX file.

    A constant weight of MatMul, Gemm or Conv that is mostly zero, or kept as a sparse tensor,
    becomes a layer of its name: exact zeros are absent edges, entries of a sparse tensor are all
    edges. Everything else stays nodes and dense tensors. Inputs and outputs of bfloat16 become
    float32, in which it is computed. What was dropped, and weights that hold
    NaN, stand in the provenance (`metadata.provenance[-1]["losses"]`).

    Args:
        path: the model; other opsets are brought to 21, functions are written out.
        sparsity_threshold: share of zeros, 0 to 1, from which a weight becomes a layer.
        external_data: whether tensors may lie in other files, which then are in its folder.

    Raises:
        PathError: no such file.
        InputError: not an ONNX model, or one that contradicts itself.
        FormatError: a cycle, a tensor that nothing makes, or sizes that do not meet.
        UnsupportedError: control flow, or domains, types or opsets that cannot be held.
        ParameterError: a threshold outside 0 to 1.
    """
    return read_model(
        a_path(path), sparsity_threshold=sparsity_threshold, external_data=external_data
    )[0]


def read_model(
    path: Path, *, sparsity_threshold: float = SPARSE, external_data: bool = False
) -> tuple[Network, list[str]]:
    """Return the network in an ONNX file and what it does not hold; see `from_onnx`."""
    check_threshold(sparsity_threshold)
    return network_in(
        parse(path),
        ExternalData(path, allowed=external_data),
        source=path.name,
        file=str(path),
        sparsity_threshold=sparsity_threshold,
    )


def check_threshold(sparsity_threshold: float) -> None:
    """Raise ParameterError unless the threshold is a share."""
    if not 0 <= sparsity_threshold <= 1:
        raise ParameterError(f"sparsity_threshold: expected 0 to 1, got {sparsity_threshold}")


def network_in(
    model: onnx.ModelProto,
    external: ExternalData,
    *,
    source: str,
    file: str,
    sparsity_threshold: float,
    masks: Mapping[str, NDArray[np.bool_]] | None = None,
) -> tuple[Network, list[str]]:
    """Return the network in a model and what it does not hold.

    Args:
        model: as it was parsed; it is taken apart.
        external: reads what lies in other files.
        source: where it came from, for its name and provenance.
        file: for messages.
        sparsity_threshold: as in `from_onnx`.
        masks: by the name of a dense weight, which of its elements are edges, zero or not.

    Raises:
        RadixfmtError: as `from_onnx`.
    """
    check_policy(model, file=file)
    step = {
        "activity": "convert",
        "tool": f"radixfmt {__version__}",
        "source": _text(source, LONGEST_NAME),
        "producer": _text(f"{model.producer_name} {model.producer_version}", LONGEST_NAME),
        "opset": opset_of(model, file=file),
        "sparsity_threshold": sparsity_threshold,
    }
    description = _text(model.graph.doc_string or model.doc_string, LONGEST_DESCRIPTION)
    losses = _dropped(model)

    constants = constants_of(model.graph, external, file=file)
    given = [value for value in model.graph.input if value.name not in constants]
    inputs = values_of(given, "input", file=file)
    outputs = values_of(model.graph.output, "output", file=file)
    put_in_order(model.graph, constants, inputs, outputs, file=file)

    model = at_opset_21(skeleton(model, constants), file=file)
    constants |= constants_of(model.graph, external, file=file)  # adapters change and add some
    filled(model.graph, constants, external, file=file)
    put_in_order(model.graph, constants, inputs, outputs, file=file)
    types = types_of(skeleton(model, constants), file=file)
    network, lost = network_of(
        model.graph, constants, types, inputs, outputs,
        threshold=sparsity_threshold, file=file, masks=masks or {},
    )  # fmt: skip
    losses += lost
    step |= {"losses": losses} if losses else {}
    said = {key: value for key, value in step.items() if value != ""}
    metadata = Metadata(name=source, description=description, provenance=(said,))
    return replace(network, metadata=metadata), losses


def _dropped(model: onnx.ModelProto) -> list[str]:
    """Return which parts of a model have no place in a network."""
    losses = []
    ends = (*model.graph.input, *model.graph.output)
    if short := [v.name for v in ends if v.type.tensor_type.elem_type == BFLOAT16]:
        losses.append(f"bfloat16 of inputs and outputs, which are float32: {shown(short)}")
    if any(node.name for node in model.graph.node):
        losses.append("names of nodes")
    for what, held in (
        ("training info", model.training_info),
        ("metadata properties", model.metadata_props),
        ("quantization annotations", model.graph.quantization_annotation),
    ):
        if len(held):
            losses.append(what)
    if len(model.graph.doc_string or model.doc_string) > LONGEST_DESCRIPTION:
        losses.append(f"the description, which is longer than {LONGEST_DESCRIPTION} characters")
    return losses


def _text(value: str | bytes, most: int) -> str:
    """Return a stranger's text in the form that a file holds, nothing if it is longer."""
    text = value if isinstance(value, str) else value.decode(errors="replace")
    plain = normalize("NFC", text.strip())
    return plain if len(plain) <= most and plain.isprintable() else ""


class Onnx:
    """Reads what `from_onnx` does; writes what `radixfmt export` does by default."""

    suffixes = (".onnx",)
    read_options = ("external_data", "sparsity_threshold")
    options = ()

    def read(self, path: Path, **options: Any) -> tuple[Network, list[str]]:
        """Return the network in a model; options and errors as `from_onnx`."""
        return read_model(path, **options)

    def write(
        self,
        path: Path,
        network: Network,
        *,
        overwrite: bool,
        options: dict[str, Any],  # noqa: ARG002  it has none
    ) -> tuple[list[str], NetworkDigests | None]:
        """Write `network` as a model; see `radixfmt.export.to_onnx`.

        Raises:
            UnsupportedError: a network without weights, or one that cannot be exported.
        """
        from radixfmt.export import save, to_onnx

        save(to_onnx(network), path, overwrite=overwrite)
        return ["the metadata but for name and digests", "which weights are edges"], None


converter("onnx")(Onnx())
