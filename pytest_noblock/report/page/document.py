"""The whole page: what must be looked at first, the lines, the requests with their pictures, the routes (pure).

It may be opened from a disk, under a policy that forbids scripts and styles, and printed.
"""

import base64
import hashlib

from pytest_noblock.report import routes
from pytest_noblock.report.grouped import by_line
from pytest_noblock.report.page import lines, requests, route_table
from pytest_noblock.report.page.parts import esc, link
from pytest_noblock.report.page.script import SCRIPT
from pytest_noblock.report.page.styles import STYLE
from pytest_noblock.report.totals import Totals, totals
from pytest_noblock.report.wire import Run

suffix = ".html"

_SECTIONS = {
    "first": "Look at this first",
    "lines": "Findings by line",
    "requests": "Requests",
    "routes": "Routes",
    "unmeasured": "Not measured",
}


def render(run: Run) -> str:
    """The whole file."""
    entries, rows = by_line(run.checks), routes.rows_of(run)
    body = "".join(
        (
            lines.first(entries),
            lines.by_line(entries),
            requests.pictures(run.checks, lines.numbers(entries)),
            route_table.measured(rows),
            route_table.unmeasured(rows, run.checks),
        )
    )
    told = totals(run, entries)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{_head(told)}</head>\n<body>\n'
        f'<a class="skip" href="#main">To the findings</a>\n{_header(run, told)}{_navigation(body)}'
        f'<main id="main">\n{body}</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n'
    )


def _head(told: Totals) -> str:
    policy = (
        f"default-src 'none'; style-src '{_hash(STYLE)}'; script-src '{_hash(SCRIPT)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{esc(told.verdict)} - pytest-noblock</title>\n<style>{STYLE}</style>\n"
    )


def _hash(text: str) -> str:
    """What a policy calls the text by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _header(run: Run, told: Totals) -> str:
    mood = "bad" if told.to_mend else "good" if told.outcomes["passed"] and not told.outcomes["inconclusive"] else "odd"
    where = run.environment
    of = f", pytest-noblock {where['version']}" if "version" in where else ""
    machine = f"Python {where['python']}, {where['platform']}, {where['loop']}, {where['meter']} meter{of}"
    return (
        f'<header><h1>pytest-noblock</h1><p class="verdict {mood}">{esc(told.verdict)}</p>'
        f'<p>{esc(told.extent)}</p><p class="dim">{esc(machine)}</p></header>\n'
    )


def _navigation(body: str) -> str:
    there = [link(id, title) for id, title in _SECTIONS.items() if f'<section id="{id}">' in body]
    return f'<nav aria-label="Parts of this page">{"".join(there)}</nav>\n' if there else ""
