"""Pieces of HTML: every text of the run passes `esc` once, on its way into a piece (pure)."""

import html
from collections.abc import Iterable, Sequence

from pytest_noblock.model.shown import printable


def esc(text: object) -> str:
    """The text as HTML shows it, in an element and in an attribute."""
    return html.escape(printable(str(text)))


def code(text: object) -> str:
    return f"<code>{esc(text)}</code>"


def link(target: str, text: str) -> str:
    """`target`: an id of this page."""
    return f'<a href="#{target}">{esc(text)}</a>'


def badge(word: str) -> str:
    """An outcome or a kind, coloured by its name."""
    return f'<span class="badge {esc(word)}">{esc(word)}</span>'


def section(id: str, title: str, *pieces: str) -> str:
    """Nothing where there is nothing in it."""
    body = "".join(pieces)
    return f'<section id="{id}"><h2>{esc(title)}</h2>{body}</section>\n' if body else ""


def details(summary: str, body: str) -> str:
    return f"<details><summary>{esc(summary)}</summary>{body}</details>"


def names(texts: Sequence[str], most: int) -> str:
    """A list of names, the first of them only where they are many."""
    more = f"<li>and {len(texts) - most:,} more</li>" if len(texts) > most else ""
    return f"<ul>{''.join(f'<li>{code(each)}</li>' for each in texts[:most])}{more}</ul>"


def table(id: str, head: Sequence[str], rows: Iterable[str]) -> str:
    """A table that scrolls by itself where the window is narrow; the script makes it sortable."""
    heads = "".join(f'<th scope="col">{esc(each)}</th>' for each in head)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{esc(id)}"><table class="sortable">'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def within(pieces: Iterable[str], most: int, what: str) -> str:
    """The first pieces, as many as `most` bytes hold, and a sentence on the others. A page must open at once."""
    kept, size, left = [], 0, 0
    for piece in pieces:
        size += len(piece.encode())
        if size <= most:
            kept.append(piece)
        else:
            left += 1
    more = f'<p class="more">{left:,} more {esc(what)}: the JSON report has them.</p>' if left else ""
    return "".join(kept) + more
