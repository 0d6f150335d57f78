"""The page in a browser: its own policy and a strict one, light and dark, 400 pixels wide, printed."""

import http.server
import os
import re
import shutil
import subprocess
import threading
import zlib
from functools import partial

import pytest

from pytest_noblock.report.page.document import render
from tests.report.runs import ALL

pytestmark = pytest.mark.one_python

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
REQUIRED = os.environ.get("EXAMPLE_SERVICES") == "required"
"""Set by the stage of CI that has installed what pip does not."""


@pytest.fixture
def browser(tmp_path):
    """Runs Chromium without a window on the page; returns what it printed, and what its console said."""
    if BROWSER is None and not REQUIRED:
        pytest.skip("no Chromium here: apt-get install chromium")
    (tmp_path / "page.html").write_text(render(ALL), encoding="utf-8")

    def browser(url, *options):
        command = [
            *(str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--hide-scrollbars", "--allow-file-access-from-files", "--enable-logging=stderr", "--log-level=0"),
            *(f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000", *options, url),
        ]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return ended.stdout, "\n".join(line for line in ended.stderr.splitlines() if "CONSOLE" in line)

    return browser


ASKS = """
<!DOCTYPE html><title>none</title>
<iframe id="narrow" src="page.html" width="400" height="900"></iframe>
<iframe id="wide" src="page.html" width="1100" height="900"></iframe>
<script>
  addEventListener("load", () => {
    const told = ["narrow", "wide"].map((id) => {
      const page = document.getElementById(id).contentDocument, view = page.defaultView;
      const tables = [...page.querySelectorAll("button,summary,a,input,.wide")];
      tables.forEach((each) => each.focus());
      return [
        page.documentElement.scrollWidth <= page.documentElement.clientWidth,
        view.getComputedStyle(page.body).backgroundColor,
        page.querySelectorAll("th button").length,
        tables.every((each) => each.tabIndex === 0),
        page.querySelector(".lane svg").getBoundingClientRect().width > 200,
      ].join(" ");
    });
    const page = document.getElementById("wide").contentDocument;
    const rows = () => [...page.querySelectorAll("#routes tbody tr")];
    page.querySelectorAll("#routes th button")[2].click();
    const stalls = rows().map((row) => parseFloat(row.cells[2].textContent) || 0);
    told.push("sorted " + stalls.every((each, place) => !place || each <= stalls[place - 1]));
    const filter = page.querySelector("#lines input");
    filter.value = "sums.py";
    filter.dispatchEvent(new Event("input"));
    const seen = [...page.querySelectorAll("#lines .item")].filter((each) => !each.hidden);
    told.push("filtered " + (seen.length > 0 && seen.every((each) => each.textContent.includes("sums.py"))));
    document.title = told.join("|");
  });
</script>
"""


def asked(browser, tmp_path, *options):
    (tmp_path / "asks.html").write_text(ASKS)
    page, console = browser(f"file://{tmp_path}/asks.html", "--dump-dom", *options)
    return re.search("<title>(.*?)</title>", page)[1].split("|"), console


def test_from_a_disk_its_style_and_its_script_work_under_its_own_policy(browser, tmp_path):
    """400 pixels wide nothing is wider than the window; all that acts can be reached by the keyboard."""
    (narrow, wide, *acted), console = asked(browser, tmp_path)
    assert console == ""
    assert narrow == wide == "true rgb(255, 255, 255) 7 true true"
    assert acted == ["sorted true", "filtered true"]


def test_it_is_dark_where_the_reader_wants_that(browser, tmp_path):
    (narrow, *_), _console = asked(browser, tmp_path, "--blink-settings=preferredColorScheme=0")
    assert narrow == "true rgb(20, 23, 26) 7 true true"


class Strict(http.server.SimpleHTTPRequestHandler):
    """As Jenkins sends what a build has left behind."""

    def end_headers(self):
        self.send_header("Content-Security-Policy", "sandbox; default-src 'none'; img-src 'self'; style-src 'self'")
        super().end_headers()

    def log_message(self, *_):
        pass


def test_a_strict_policy_does_not_blank_it(browser, tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Strict, directory=tmp_path))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        picture = tmp_path / "strict.png"
        url = f"http://127.0.0.1:{server.server_port}/page.html"
        _, console = browser(url, f"--screenshot={picture}", "--window-size=600,800")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert "Content Security Policy" in console  # neither style nor script
    assert ink(picture) > 5_000


def ink(picture):
    """How many bytes of the pixels differ from their neighbours: 0 for a blank page."""
    whole = picture.read_bytes()
    pixels, place = b"", 8
    while place < len(whole):
        size = int.from_bytes(whole[place : place + 4])
        if whole[place + 4 : place + 8] == b"IDAT":
            pixels += whole[place + 8 : place + 8 + size]
        place += size + 12
    rows = zlib.decompress(pixels)
    return sum(each != 0 for each in rows)


def test_it_can_be_printed(browser, tmp_path):
    file = tmp_path / "page.pdf"
    browser(f"file://{tmp_path}/page.html", f"--print-to-pdf={file}")
    pages = len(re.findall(rb"/Type\s*/Page\b", file.read_bytes()))
    assert 2 <= pages <= 30, pages
