"""A busy machine is written into what the meter measured; each path is asked by TestClient and by the fixture."""

APP = """
@pytest.fixture
def noblock_app():
    return app
"""
PATHS = """
import pytest
from fastapi.testclient import TestClient
from api import app

paths = pytest.mark.parametrize("path", PATHS)

@paths
def test_client(path):
    assert TestClient(app).get("/" + path).status_code == 200

@paths
def test_fixture(noblock, path):
    noblock.get("/" + path)
"""


def suite(pytester, api, busy, paths):
    """The app `app` of `api`, the conftest that makes the machine busy, and the tests of the paths."""
    pytester.makepyfile(api=api, conftest=busy + APP, test_api=PATHS.replace("PATHS", repr(paths)))
    return pytester
