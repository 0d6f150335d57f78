"""Which of the two packages is the project's, and objects of the other one."""

import sys
from types import SimpleNamespace

import httpx
import pytest

from pytest_noblock.engine.frameworks import http_client
from pytest_noblock.engine.frameworks.http_client import adopted


@pytest.fixture
def httpx2():
    return pytest.importorskip("httpx2")


@pytest.fixture
def starlette(monkeypatch, tmp_path):
    """A Starlette whose test client has such a source; none has been imported."""

    def given(source):
        (tmp_path / "testclient.py").write_text(source, encoding="utf-8")
        spec = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
        monkeypatch.delitem(sys.modules, "starlette.testclient", raising=False)
        monkeypatch.setattr(http_client, "find_spec", {"starlette": spec}.get)

    return given


def test_it_is_httpx2_where_starlette_tries_that_first(starlette, httpx2):
    starlette("try:\n    import httpx2 as httpx\nexcept ImportError:\n    import httpx\n")
    assert http_client._of_the_project() is httpx2
    starlette("import httpx\n")
    assert http_client._of_the_project() is httpx


def test_it_is_httpx_where_httpx2_is_missing_or_starlette_is(starlette, monkeypatch):
    starlette("import httpx2 as httpx\n")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "httpx2", None)
        assert http_client._of_the_project() is httpx
    monkeypatch.setattr(http_client, "find_spec", lambda _name: None)
    assert http_client._of_the_project() is httpx


def test_a_test_client_that_is_imported_says_it_itself(monkeypatch, httpx2):
    for package in (httpx, httpx2):
        monkeypatch.setitem(sys.modules, "starlette.testclient", SimpleNamespace(httpx=package))
        assert http_client._of_the_project() is package


def test_objects_of_the_other_package_become_the_clients(monkeypatch, httpx2):
    for mine, other in ((httpx, httpx2), (httpx2, httpx)):
        monkeypatch.setattr(http_client, "httpx", mine)
        assert adopted(other.Timeout(5, read=2)) == mine.Timeout(5, read=2)
        assert adopted(other.URL("/a?b=1")) == mine.URL("/a?b=1")
        assert dict(adopted(other.Cookies({"taste": "sweet"}))) == {"taste": "sweet"}
        assert type(adopted(other.Cookies())) is mine.Cookies
        for kept in (mine.Timeout(1), other.Headers({"a": "1"}), ("user", "password"), None, "text"):
            assert adopted(kept) is kept


def test_an_auth_of_the_other_package_signs_requests(monkeypatch, httpx2):
    other = httpx if http_client.httpx is httpx2 else httpx2

    class Signed(other.Auth):
        def auth_flow(self, request):
            yield f"{request} signed"

    auth = adopted(Signed())
    assert isinstance(auth, http_client.httpx.Auth)
    request = SimpleNamespace(read=lambda: b"")
    assert [str(each).endswith("signed") for each in auth.sync_auth_flow(request)] == [True]
