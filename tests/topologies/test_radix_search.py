"""What is found, and what is refused, where it is known what there is."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixfmt.errors import ParameterError
from radixfmt.topologies.radix_design import Design, cells
from radixfmt.topologies.radix_enumeration import radix_systems
from radixfmt.topologies.radix_fit import fit


def densities(sizes, direction):
    """The densities of all sound networks with n up to 1.5 times the largest layer, ascending."""
    found = set()
    for n in range(2, max(sizes) * 3 // 2 + 1):
        for systems in radix_systems(n, len(sizes) - 1):
            design = Design(sizes, systems, direction, 0, idle=False)
            steps = list(zip(design.steps(), pairwise(sizes), strict=True))
            if all(step.feeds(*shape) for step, shape in steps) and design.connected():
                edges = sum(step.edges(*shape) for step, shape in steps)
                found.add(Fraction(edges, cells(sizes)))
    return sorted(found)


@given(st.lists(st.integers(1, 14), min_size=2, max_size=5), st.sampled_from([-1, 1]), st.data())
def test_what_brute_force_finds_is_found(sizes, direction, data):
    there_is = densities(sizes, direction)
    if not there_is:
        return
    # just within reach of a density, so that often nothing else is
    near, stretch = data.draw(st.sampled_from(there_is)), data.draw(st.sampled_from([0.92, 1.1]))
    wanted = round(float(near) * stretch, 4)
    if not 0 < wanted <= 1 or abs(near / Fraction(str(wanted)) - 1) > Fraction(1, 10):
        return
    assert abs(fit(sizes, wanted, direction).density / Fraction(str(wanted)) - 1) <= 0.1


@pytest.mark.parametrize(
    ("sizes", "wanted", "systems"),
    [
        ([10, 11, 3], 0.762, [[10], [2]]),  # far from n = 1/density²
        ([14, 14, 6], 0.684, [[14], [2]]),
        ([9, 8, 12, 2], 0.285, [[6, 2], [2]]),  # n above a layer; as dense, and evener: [3, 4], [2]
        ([7, 19, 13], 0.834, [[28], [14]]),  # n above all layers
    ],
)
def test_no_range_of_n_is_left_out(sizes, wanted, systems):
    (near,) = {
        Fraction(sum(step.edges(*shape) for step, shape in steps), cells(sizes))
        for steps in [
            zip(Design(sizes, systems, -1, 0, idle=False).steps(), pairwise(sizes), strict=True)
        ]
    }
    assert abs(near / Fraction(str(wanted)) - 1) <= 0.1
    assert abs(fit(sizes, wanted).density / Fraction(str(wanted)) - 1) <= 0.1


def test_a_refusal_names_the_nearest_and_the_reasons(radixfmt):
    sizes = "1024,4096,1024"
    with pytest.raises(ParameterError) as caught:
        fit([1024, 4096, 1024], 0.01)
    # [[33, 32]] is sparser than all that need no cut: n = 1056, just above the first layer
    assert "at least 1/64 (0.01563)" in str(caught.value)
    assert "an untrimmed RadiX-Net 1/32 (0.03125)" in str(caught.value)
    assert str(caught.value).endswith("the nearest found has 0.03089")
    assert f"--fit {sizes} --density 0.03089 -o" in caught.value.hint
    assert radixfmt(*caught.value.hint.split()[1:]).code == 0
    with pytest.raises(ParameterError) as caught:
        fit([1024, 4096, 1024], 0.01, direction=1)
    assert "--direction 1 " in caught.value.hint
