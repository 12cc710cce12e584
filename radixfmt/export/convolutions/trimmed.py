"""`trimmed`: a smaller Conv, without the channels, filters and taps that have no edges."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from radixfmt.export.convolutions import convolution
from radixfmt.export.convolutions.cost import estimate
from radixfmt.export.convolutions.form import Form, form_of

if TYPE_CHECKING:
    from radixfmt.export.convolutions.case import Case
    from radixfmt.export.lowerings import Estimate

FEW = 16
"""Channels up to which onnxruntime's blocked layout takes any number of them."""

ALIGNED = 4
"""What it wants larger numbers to be multiples of."""


@convolution("trimmed")
def trimmed(case: Case) -> Estimate | None:
    """Return the cheapest way to leave out taps and channels, filters, both or neither."""
    if not case.pairs.any():
        return None  # nothing would be left
    whole = (*case.pairs.shape, *case.geometry.kernel_shape)
    offers = [
        estimate(case, form, _why(case, form))
        for filters in {False, not case.depthwise and not case.pairs.any(1).all()}
        for channels in {False, not case.depthwise}
        for form in [_form(case, filters=filters, channels=channels)]
        if _extent(form) != whole
    ]
    return min(offers, key=lambda offer: offer.seconds, default=None)


def _form(case: Case, *, filters: bool, channels: bool) -> Form:
    """Return the form without unused filters or channels, or with them.

    All groups keep as many as the fullest one; groups without edges go with their filters. Channels
    of a Conv without groups come in fours, or onnxruntime's blocked layout does not take it.
    """
    groups = case.geometry.group
    count, width = case.pairs.shape[0] // groups, case.pairs.shape[1]
    outputs, inputs = [], []
    for group, pairs in enumerate(case.pairs.reshape(groups, count, width)):
        live, used = pairs.any(1), pairs.any(0)
        if filters and not live.any():
            continue
        kept = np.flatnonzero(live) if filters else np.arange(count)
        read = np.flatnonzero(used) if channels else np.arange(width)
        if groups == 1 and read.size > FEW:
            fill = np.full(-read.size % ALIGNED, -1)
            read = (
                np.concatenate([read, fill]) if read.size + fill.size < width else np.arange(width)
            )
        outputs.append(group * count + kept)
        inputs.append(group * width + read)
    return form_of(case, outputs, inputs)


def _extent(form: Form) -> tuple[int, ...]:
    """Return filters in all, channels per group, taps by axis."""
    return (form.filters.size, form.size[2], *map(len, form.taps))


def _why(case: Case, form: Form) -> str:
    groups, m, k = form.size
    (outputs, width), kernel = case.pairs.shape, case.geometry.kernel_shape
    parts = []
    if form.restored:
        parts.append(f"{int(case.pairs.any(1).sum())} of {outputs} filters have edges")
    if k < width:
        parts.append(f"{int((form.channels >= 0).sum())} of {case.channels} channels are read")
    taps = [len(t) for t in form.taps]
    if taps != list(kernel):
        parts.append(
            f"{' x '.join(map(str, taps))} of {' x '.join(map(str, kernel))} taps are used"
        )
    fewer = outputs * width * prod(kernel) / (groups * m * k * prod(taps))
    return f"{', '.join(parts)}: {fewer:.1f}x fewer multiplications than dense"
