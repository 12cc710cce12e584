"""The forms that names of people, works, licences, times and digests have."""

from __future__ import annotations

import re
from datetime import datetime

ORCID = re.compile(r"(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])")
DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)?(10\.\d{4,9}/\S+)", re.IGNORECASE)
DIGEST = re.compile(r"rx1r?:[0-9a-f]{64}")
"""A digest of the format (spec §7)."""

PART_OF_DATE = re.compile(r"\d{4}(-(0[1-9]|1[0-2]))?")
"""A year or a month: ISO 8601, which datetime does not read."""

LONGEST_LICENSE = 1000
"""Characters of an expression; the parser of longer ones can run out of stack."""


def is_license(text: str) -> bool:
    """Return whether a text is an SPDX licence expression."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        canonicalize_license_expression(text[:LONGEST_LICENSE])
    except InvalidLicenseExpression:
        return False
    return len(text) <= LONGEST_LICENSE


def is_orcid(text: str) -> bool:
    """Return whether the last digit is the check digit of the others (ISO 7064 mod 11-2)."""
    found = ORCID.fullmatch(text)
    if found is None:
        return False
    digits = found[1].replace("-", "")
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    return "0123456789X"[(12 - total % 11) % 11] == digits[-1]


def is_doi(text: str) -> bool:
    """Return whether a text has the form of a DOI."""
    return DOI.fullmatch(text) is not None


def is_time(text: str) -> bool:
    """Return whether a text is an ISO 8601 time, a month or a year."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return PART_OF_DATE.fullmatch(text) is not None
    return True
