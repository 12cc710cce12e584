"""Changes to a file that breaks a rule by them, and findings by their code."""

from __future__ import annotations

import json

import h5py
import numpy as np

LAYER = "/layers/000001"


def by_code(report):
    found = {}
    for finding in report.findings:
        found.setdefault(finding.code, finding)
    return found


def text(value: str):
    data = value.encode()
    return np.array(data, h5py.string_dtype("utf-8", max(len(data), 1)))


def edit_json(owner, name, change):
    value = json.loads(owner["manifest"][()] if name == "manifest" else owner.attrs[name])
    change(value)
    if name == "manifest":
        del owner["manifest"]
        owner.create_dataset("manifest", data=text(json.dumps(value)))
    else:
        owner.attrs.create(name, text(json.dumps(value)))


def header(**changes):
    return lambda f: edit_json(f[LAYER], "layer", lambda v: v.update(changes))
