"""The page of HTML, as a program reads it; `test_in_chromium.py` looks at it."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from pytest_noblock.model.observation import Phase
from pytest_noblock.report.page.document import render
from pytest_noblock.report.wire import Run
from tests.report.runs import ALL, EMPTY, ENVIRONMENT, GREEN, HOSTILE, ROUTED, hostile, many

pytestmark = pytest.mark.one_python

VOID = {"meta", "br", "input"}


class Page(HTMLParser):
    """Elements by name with their attributes, and the text of the page. Fails where tags do not match."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.text, self.ids = [], [], "", []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open and "script" not in self.open:
            self.text += data

    def named(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.mark.parametrize("run", [ALL, GREEN, EMPTY, hostile(), many(20)], ids="all green empty hostile many".split())
def test_its_tags_match_its_ids_are_one_and_its_links_lead_somewhere(run):
    page = Page(render(run))
    assert len(set(page.ids)) == len(page.ids)
    targets = [attributes["href"] for attributes in page.named("a")]
    assert {target.removeprefix("#") for target in targets} <= set(page.ids)


def test_it_loads_nothing_and_its_policy_names_its_own_style_and_script():
    text = render(ALL)
    page = Page(text)
    assert not any(attributes.get("src") or attributes.get("style") for _, attributes in page.elements)
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert {tag for tag, _ in page.elements} & {"img", "link", "iframe", "object"} == set()
    (policy,) = [each["content"] for each in page.named("meta") if "http-equiv" in each]
    assert policy.startswith("default-src 'none'; ")
    for tag in ("style", "script"):
        body = re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_no_text_of_the_user_is_markup():
    text = render(hostile())
    page = Page(text)
    assert len(page.named("script")) == 1
    assert "<script>alert" not in text
    assert "<script>alert(1)</script>" in page.text  # as text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert HOSTILE not in text


def test_it_begins_with_what_must_be_mended_first():
    text = Page(render(ALL)).text
    order = ["findings to mend", "Look at this first", "Findings by line", "Requests", "Routes", "Not measured"]
    places = [text.index(each) for each in order]
    assert places[0] == min(places)
    headings = re.findall("<h2>(.*?)</h2>", render(ALL))
    assert headings == order[1:]
    first = render(ALL).partition('id="first"')[2].partition("</section>")[0]
    assert first.index("GET /report blocked the event loop 301 ms") < first.index("GET /prices used up")


def test_a_finding_has_its_source_its_reasons_and_its_stack():
    article = render(Run(ENVIRONMENT, (ROUTED["sync-network"],))).partition('<article id="line-1"')[2]
    article = article.partition("</article>")[0]
    for each in (
        "app/main.py:44",
        "<pre><code>rates = requests.get(URL).json()</code></pre>",
        "<dt>why</dt><dd>waiting for the network: asleep 299 ms, CPU 2.1 ms</dd>",
        "7 of 7 probes of GET /health waited",
        "httpx.AsyncClient().get",
        "noblock_allow(&quot;reason&quot;, call=&quot;requests.get&quot;)",
        "requests/api.py:73 in get",
        "tests/test_api.py::test_report",
    ):
        assert each in article, each


def pictures(*checks):
    """The rows of the pictures: name to the classes of its shapes."""
    text = render(Run(ENVIRONMENT, checks))
    lanes = re.findall(r'<div class="lane">([^<]*)<svg.*?>(.*?)</svg></div>', text)
    return {name: re.findall(r'<(?:path|rect) class="(.*?)"', shapes) for name, shapes in lanes}


def test_the_picture_has_the_request_the_stall_and_the_probes_that_waited():
    assert pictures(ROUTED["sync-network"]) == {
        "request": ["wait", "response", "after"],
        "on the loop": ["sync-network"],
        "probes /health": ["waited"],
    }


def test_the_picture_has_tasks_and_what_was_left_behind():
    background = pictures(ROUTED["background-failed"])
    assert background["task write_log"] == ["task"]
    bad = ROUTED["sync-network"]
    late = replace(bad.findings[0], phase=Phase.DETACHED)
    text = render(Run(ENVIRONMENT, (replace(bad, findings=(late,)),)))
    assert "<title>sync-network (detached) 301 ms, app/main.py:44</title>" in text


def test_the_picture_has_the_steps_that_held_the_loop_only_in_all():
    at = ROUTED["loop-total"].exchange.sent
    steps = tuple((at + began * 1_000_000, at + (began + 5) * 1_000_000) for began in range(0, 300, 10))
    assert pictures(replace(ROUTED["loop-total"], steps=steps))["on the loop"] == ["step"]


def test_a_full_pool_did_not_hold_the_loop():
    rows = pictures(ROUTED["pool-starved"])
    assert rows["kept waiting"] == ["off pool-starved"]
    assert "on the loop" not in rows
    assert set(rows["turns of the event loop"]) == {"probe"}
    assert rows["turns of the thread pool"] == ["waited"]


def test_the_routes_say_what_a_worker_serves_and_the_others_why_not():
    text = render(Run(ENVIRONMENT, (replace(ROUTED["sync-network"], loop_ns=250_000_000), *ALL.checks[-1:])))
    row = text.partition("<tbody>")[2].partition("</tbody>")[0]
    assert re.sub("<.*?>", " ", row).split() == "GET /report failed 301.2 ms 250.0 ms 4 1 app/main.py:44".split()
    missed = text.partition('id="unmeasured"')[2]
    assert "<code>GET /me</code>: needs-auth" in missed


@pytest.mark.parametrize("number", [500, 3000])
def test_it_is_under_a_megabyte(number):
    size = len(render(many(number)).encode())
    assert size < 1_000_000, size


def test_all_of_500_requests_are_on_it_with_their_pictures():
    text = render(many(500))
    assert text.count('<div class="time"') == 500
    assert "more requests" not in text
    assert "more routes" not in text


def test_what_is_left_out_of_a_longer_one_is_counted():
    text = render(many(3000))
    told, left = text.count('<div class="time"'), int(re.search("([0-9,]+) more requests", text)[1].replace(",", ""))
    assert told + left == 3000
