"""What a convolution costs, from the constants of a target."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from radixfmt.export.lowerings import Estimate

if TYPE_CHECKING:
    from radixfmt.export.convolutions.case import Case
    from radixfmt.export.convolutions.form import Form

DEPTHWISE = 3
"""Times faster than laying its windows out that a depthwise convolution is (measured)."""


def estimate(case: Case, form: Form, why: str) -> Estimate:
    """Return what the convolution costs in this form."""
    groups, m, k = form.size
    moved = product(case, groups, m, k, prod(map(len, form.taps)))
    gathers = 0
    if form.gathered(case.channels):
        moved += copy(case, groups * k * case.area)
        gathers += groups * k
    if form.restored:
        filters = case.pairs.shape[0]
        # an activation can no longer fuse with the Conv, and both write to memory not yet touched
        moved += (4 + form.late) * copy(case, filters * case.places)
        gathers += filters
    weights = groups * m * k * prod(map(len, form.taps))
    return Estimate(moved, weights * case.setting.itemsize + 8 * gathers, why, form)


def product(case: Case, groups: int, m: int, k: int, cells: int) -> float:
    """Return the seconds of a Conv of `groups` groups of `m` filters of `k` channels.

    Args:
        case: the convolution.
        groups: number of groups.
        m: filters of each.
        k: channels of each.
        cells: taps of the kernel.
    """
    costs, batch, geometry = case.setting.costs, case.setting.batch, case.geometry
    inputs = groups * k * cells
    multiplied = 2 * m * inputs * case.places * batch / costs.multiply
    # a kernel's windows are first laid out as the columns of a matrix; a pointwise one has them,
    # a depthwise one does without
    pointwise = cells == 1 and max(geometry.strides) == 1 and not any(geometry.pads)
    unfolded = 0.0 if pointwise else 8 * inputs * case.places * batch / costs.transpose
    if m == k == 1:
        unfolded /= DEPTHWISE
    read = case.setting.itemsize * m * inputs / costs.read
    return max(multiplied, read) + unfolded + batch * groups * costs.group + costs.node


def copy(case: Case, values: int) -> float:
    """Return the seconds of copying `values` values of each sample, whole channels at a time."""
    costs, batch = case.setting.costs, case.setting.batch
    return costs.moved(values * batch) + costs.node
