"""Taking a report apart with the standard library's parser."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "input", "link", "wbr", "area", "base", "col", "embed", "source", "track"}


class Page(HTMLParser):
    """Elements, texts, and whatever makes the page not well formed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.faults: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.faults += [f"<{tag}> is never closed" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()
        else:
            self.faults.append(f"</{tag}> closes {self._open[-1:]}")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("style", "script"):
            self.texts.append(data)

    @property
    def text(self) -> str:
        """What a reader sees, blanks folded."""
        return re.sub(r"[ \n]+", " ", " ".join(self.texts))

    def having(self, attribute: str) -> list[str]:
        """Return every value of an attribute, in order."""
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]

    def named(self, tag: str) -> list[dict[str, str]]:
        """Return the attributes of all elements of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def outward_references(text: str) -> list[str]:
    """Return whatever in a page could make a browser fetch something: addresses, imports, urls in styles."""
    page = Page(text)
    found = []
    for tag, attributes in page.elements:
        for key, value in attributes.items():
            fetches = key in ("src", "srcset", "href", "action", "data", "poster", "background", "formaction", "ping")
            if fetches and not value.startswith("#"):
                found.append(f"<{tag} {key}={value}>")
        if tag in ("link", "base", "iframe", "object", "embed", "script") and set(attributes) - {"type"}:
            found.append(f"<{tag} {attributes}>")
    found += re.findall(r"@import[^;]*", text)
    found += [url for url in re.findall(r"url\(\s*['\"]?([^)]*)\)", text) if not url.startswith("#")]
    found += re.findall(r"(?:https?:)?//[\w.]+\.\w+[^\s\"'<]*", text)
    found += re.findall(r"\b(?:fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon|importScripts)\b", text)
    return found
