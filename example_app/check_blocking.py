"""Two tests, one red and one green: `python -m pytest example_app/check_blocking.py`.

The name keeps the file out of a plain `pytest`, which is to be green.
"""

import pytest
from fastapi import FastAPI

from example_app.main import app
from pytest_noblock import Noblock


@pytest.fixture
def noblock_app() -> FastAPI:
    return app


def test_requests_in_async_def(noblock: Noblock) -> None:
    noblock.get("/http/requests", probe="/")


def test_httpx_async_client(noblock: Noblock) -> None:
    noblock.get("/http/httpx", probe="/")
