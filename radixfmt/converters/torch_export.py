"""torch's own exporter, asked for a graph with weights under their names and nothing fused."""

from __future__ import annotations

import inspect
import io
import logging
import re
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any

from radixfmt.converters.torch_sizes import fix_sizes
from radixfmt.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import onnx
    from onnxscript import ir
    from torch import nn

OPSET = 21

BATCH = "batch"
"""Name of the batch's size in the graph."""

CHATTER = ("torch.onnx", "torch.export", "torch.fx", "torch._dynamo", "onnxscript", "onnx_ir")
"""Loggers that tell what goes on; what goes wrong is raised."""

LARGEST_FOLDED = 1 << 31
"""Elements of constants that constant nodes are computed of."""

OPERATOR = re.compile(r"OpOverload\(op='([\w.]+)'")


def exported(
    module: nn.Module,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    batch: int | None,
    fold_batch_norm: bool,
    what: str,
) -> onnx.ModelProto:
    """Return the ONNX model of a module at opset 21.

    Initializers have the names of the module's parameters. What the graph computes of constants
    alone is computed, but for transposed weights, whose names would be lost.

    Args:
        module: in evaluation mode, of plain parameters.
        args: positional inputs.
        kwargs: inputs by name.
        batch: axis 0 of every tensor that is this long becomes `BATCH`; None keeps all sizes.
        fold_batch_norm: whether batch norms go into the layers right before them.
        what: the module, for messages.

    Raises:
        UnsupportedError: torch cannot export it.
    """
    import torch
    from onnxscript import optimizer, rewriter
    from onnxscript.rewriter.rules import common

    shapes = None if batch is None else _open_batch(module, args, kwargs, batch)
    try:
        with quiet(), torch.no_grad():
            program: Any = torch.onnx.export(
                module, args, kwargs=dict(kwargs), dynamic_shapes=shapes, opset_version=OPSET,
                dynamo=True, optimize=False, verbose=False,
            )  # fmt: skip
            _fold(program.model)
            if fix_sizes(program.model):
                _fold(program.model)
            optimizer.remove_unused_nodes(program.model)  # what folding left behind
            if fold_batch_norm:
                rules = [
                    common.fuse_batchnorm_into_conv_rule,
                    common.fuse_batchnorm_into_conv_transpose_rule,
                    common.fuse_batchnorm_into_gemm_rule,
                ]
                rewriter.rewrite(program.model, rules)
            model: onnx.ModelProto = program.model_proto
    except Exception as error:  # noqa: BLE001  torch's exporter lets any of its parts' through
        raise _refused(error, what, fixed=batch is None) from None
    model.ClearField("metadata_props")
    for node in model.graph.node:  # numbered, and where in the source they came from
        node.ClearField("name")
    return model


def _fold(model: ir.Model) -> None:
    """Compute what a model computes of constants alone, but for transposed weights."""
    from onnxscript import optimizer

    optimizer.fold_constants(
        model,
        onnx_shape_inference=True,  # without it casts to another tensor's type stay
        should_fold=lambda node: False if node.op_type == "Transpose" else None,
        input_size_limit=LARGEST_FOLDED,
    )


def _open_batch(
    module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], batch: int
) -> Any:
    """Return the sizes that vary, by the names of `forward`, as torch.export takes them."""
    import torch
    from torch.utils import _pytree

    def sizes(leaf: Any) -> dict[int, str]:
        varies = isinstance(leaf, torch.Tensor) and leaf.dim() > 0 and leaf.shape[0] == batch
        return {0: BATCH} if varies else {}

    signature = inspect.signature(module.forward)
    given: dict[str, Any] = {}
    for name, value in signature.bind(*args, **kwargs).arguments.items():
        by_name = signature.parameters[name].kind == inspect.Parameter.VAR_KEYWORD
        given |= value if by_name else {name: value}
    return _pytree.tree_map(sizes, given)


def _refused(error: BaseException, what: str, *, fixed: bool) -> UnsupportedError:
    """Return torch's error as one of ours: the first cause, in short."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    operator = OPERATOR.search(text)
    if operator is not None:
        hint = "leave it out of the module, or write it with other operators"
        if "sparse" in operator[1]:
            hint = "write torch.sparse.mm(weight, x) as weight @ x"
        return UnsupportedError(
            f"{what}: operator {operator[1]} has no form in ONNX that torch knows", hint=hint
        )
    kind = type(error).__name__
    if "DataDependent" in kind:
        return UnsupportedError(
            f"{what}: its control flow depends on the data, which no graph can hold: {text[:300]}",
            hint="write it with torch.where, or take out the part that decides",
        )
    lines = " ".join(str(error).split())
    hint = "torch.export.export(module, inputs) says more of where"
    if not fixed and re.search(r"static shape|constraint|specializ", lines, re.IGNORECASE):
        hint = "dynamic_batch=False exports it for the examples' batch size alone"
    return UnsupportedError(f"{what}: torch cannot export it: {kind}: {lines[:400]}", hint=hint)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what torch's exporter has to say to itself."""
    loggers = [logging.getLogger(name) for name in CHATTER]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with (
            warnings.catch_warnings(),
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
