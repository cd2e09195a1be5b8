"""The documents, and their fenced blocks."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = (
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "benchmarks" / "README.md",
)


def blocks(path: Path, language: str) -> list[str]:
    """Return the fenced blocks of a language in a document."""
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def tables(path: Path) -> list[list[list[str]]]:
    """Return the Markdown tables of a document as rows of cells, code marks removed."""
    return tables_of(path.read_text(encoding="utf-8"))


def section(path: Path, heading: str) -> str:
    """Return what stands under a heading of the second level; nothing where there is none."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", path.read_text(encoding="utf-8"), re.M | re.S)
    return found[1] if found else ""


def tables_of(text: str) -> list[list[list[str]]]:
    """Return the Markdown tables of a text, as :func:`tables` does."""
    found: list[list[list[str]]] = []
    inside = False
    for line in text.splitlines():
        if line.startswith("|"):
            if not inside:
                found.append([])
            if not set(line) <= set("|-: "):
                found[-1].append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
        inside = line.startswith("|")
    return found
