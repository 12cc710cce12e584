"""A model card and BibTeX, made from what a file says of itself."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any

from radixfmt.cli.output import printable

if TYPE_CHECKING:
    from radixfmt.model.metadata import Metadata


def as_card(record: dict[str, Any], metadata: Metadata) -> str:
    """Return Markdown with YAML front matter; every text is quoted as JSON, which YAML reads."""
    shape = [layer["shape"] for layer in record["layers"]]
    front = ["---", "library_name: radixfmt", "tags: [sparse, radixfmt]"]
    if metadata.license:
        front.append(f"license: {json.dumps(metadata.license)}")
    title = _line(record["name"]) or "A sparse network"
    lines = [
        *front,
        "---",
        f"# {title}",
        "",
        *([*map(_line, metadata.description.splitlines()), ""] if metadata.description else []),
        "| | |",
        "|---|---|",
        f"| layers | {len(shape)} |",
        f"| inputs → outputs | {shape[0][0]} → {shape[-1][1]} |" if shape else "| layers | 0 |",
        f"| edges | {record['nnz']} |",
        f"| density | {100 * record['density']:.4g} % |",
        f"| topology digest | `{record['topology_digest']}` |",
        f"| content digest | `{record['content_digest']}` |",
        f"| format | radixfmt {record['format_version']} |",
    ]
    lines += [
        f"| made by | {_line(step.get('tool', ''))} {_line(step.get('activity', ''))} "
        f"{_line(json.dumps(step.get('parameters', {}))[:200])} |"
        for step in metadata.provenance
    ]
    return "\n".join(printable(line) for line in lines)


def as_bibtex(record: dict[str, Any], metadata: Metadata) -> str:
    """Return one entry for the file, by its digest, and one for each work it cites."""
    digest = str(record["content_digest"])
    people = " and ".join(str(author.get("name") or "") for author in metadata.authors)
    entries = [
        _entry(
            "misc",
            f"radixfmt_{digest.rpartition(':')[2][:12]}",
            {
                "title": record["name"] or "A sparse network",
                "author": people,
                "howpublished": f"radixfmt file, {digest}",
            },
        )
    ]
    for i, work in enumerate(metadata.citation):
        fields = {key: str(value) for key, value in work.items()}
        entries.append(_entry("misc", f"cited_{i + 1}", fields))
    return "\n".join(entries)


def _line(value: object) -> str:
    """Return a stranger's text as one line that Markdown and HTML take for text."""
    text = html.escape(" ".join(str(value).split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]#|~]|^[-+=])", r"\\\1", text)


def _entry(kind: str, key: str, fields: dict[str, str]) -> str:
    inside = ",\n".join(
        f"  {name} = {{{printable(re.sub(r'[{}]', '', ' '.join(value.split())))}}}"
        for name, value in fields.items()
        if value
    )
    return f"@{kind}{{{key},\n{inside}\n}}"
