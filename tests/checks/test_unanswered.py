"""Why httpx gave up, in one sentence: of the app's answer, or of what was to be sent."""

import pytest

from pytest_noblock.checks.unanswered import reason
from pytest_noblock.engine.frameworks.http_client import httpx


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            httpx.TooManyRedirects("Exceeded maximum allowed redirects."),
            "GET / was redirected again and again, without an end: follow_redirects=False gives the first answer",
        ),
        (httpx.DecodingError("Error -3"), "GET / was answered with a body that cannot be decoded: Error -3"),
        (httpx.StreamConsumed(), "GET / cannot be sent again: its content can be read only once, so give it as bytes"),
        (ZeroDivisionError("an auth\nflow"), "GET / cannot be sent: ZeroDivisionError: an auth flow"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_each_is_one_sentence(error, sentence):
    assert reason("GET /", error) == sentence
