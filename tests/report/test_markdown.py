"""The page of Markdown."""

import re
from dataclasses import replace

import pytest

from pytest_noblock.report.markdown import MOST_BYTES, code, cut, render, text
from pytest_noblock.report.wire import Run
from tests.report.runs import ALL, EMPTY, ENVIRONMENT, GREEN, HOSTILE, ROUTED, hostile, many

pytestmark = pytest.mark.one_python


def test_it_begins_with_what_must_be_mended():
    lines = render(Run(ENVIRONMENT, (ROUTED["sync-network"], ROUTED["accepted"]))).splitlines()
    assert lines[0] == "## pytest-noblock: 1 finding to mend, 1 accepted"
    assert lines[2] == "2 requests in 1 test, 1 of 1 route measured."
    page = "\n".join(lines)
    assert "### GET /report blocked the event loop 301 ms (limit 50 ms)" in page
    assert "`services/api/app/main.py:44` in `report`, sync-network" in page
    assert "```python\nrates = requests.get(URL).json()\n```" in page
    assert '- **accept** `@pytest.mark.noblock_allow("reason", call="requests.get")`' in page
    assert "legacy driver, TICKET-12" in page


def test_a_green_run_and_an_empty_one_say_so():
    assert render(GREEN).startswith("## pytest-noblock: nothing blocked the event loop\n")
    assert render(EMPTY).startswith("## pytest-noblock: nothing was measured\n")


def test_the_routes_have_what_a_worker_serves():
    red = replace(ROUTED["sync-network"], loop_ns=303_000_000)
    assert "| `GET /report` | failed | 301.2 ms | 303.0 ms | 3.3 | 1 |" in render(Run(ENVIRONMENT, (red,)))


def test_what_was_not_measured_is_listed():
    page = render(ALL)
    assert "### 1 route not measured\n\n- `GET /me`: needs-auth" in page
    assert "### 1 request not measured\n\n- GET /reprot matched no route of the app" in page


def test_no_text_of_the_user_is_markup():
    page = render(hostile())
    assert "\x1b" not in page
    assert "\u202e" not in page
    outside = re.sub(r"```.*?```|(?<!\\)(`+).*?(?<!`)\1(?!`)", "", page, flags=re.DOTALL)
    assert not re.search(r"(?<!\\)<", outside)
    assert not re.search(r"(?<!\\)\[", outside)


@pytest.mark.parametrize("words", ["a`b", "``", "a | b", HOSTILE, "plain"])
def test_code_is_fenced_by_more_backticks_than_it_has(words):
    shown = code(words)
    fence = re.match("`+", shown)[0]
    assert shown.endswith(fence)
    assert fence not in shown[len(fence) : -len(fence)].strip("` ") or len(fence) == 1
    assert not re.search(r"(?<!\\)\|", shown)


def test_text_escapes_what_markdown_reads():
    assert text("a_b *c* <d> |") == r"a\_b \*c\* \<d\> \|"


def test_it_stays_under_the_limit_of_github():
    page = render(many(20_000))
    assert len(page.encode()) <= MOST_BYTES
    assert "and 19,770 more" in page


@pytest.mark.parametrize("most", [0, 10, 200, 5_000])
def test_a_cut_page_ends_with_a_sentence_and_no_open_block(most):
    page = cut(render(many(30)), most)
    assert len(page.encode()) <= most + 10
    if page:
        assert page.endswith("The JSON report has all of it._\n")
        assert len(re.findall("^```", page, re.MULTILINE)) % 2 == 0
