"""Why httpx gave up on a request, in one sentence."""

from pytest_noblock.engine.frameworks.http_client import httpx
from pytest_noblock.model import shown


def reason(request: str, error: BaseException | None) -> str:
    """`request`: method and path. `error`: what httpx raised, or the user's code that httpx called."""
    if isinstance(error, httpx.TooManyRedirects):
        return (
            f"{request} was redirected again and again, without an end: follow_redirects=False gives the first answer"
        )
    if isinstance(error, httpx.DecodingError):
        return f"{request} was answered with a body that cannot be decoded: {shown.one_line(error)}"
    if isinstance(error, httpx.StreamError):
        return f"{request} cannot be sent again: its content can be read only once, so give it as bytes"
    said = "" if error is None else shown.error(error)
    return f"{request} cannot be sent: {said}"
