"""An external API that takes 150 ms to answer."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated

import httpx
import requests
from fastapi import APIRouter, Depends, Request

from example_app import services

Rates = dict[str, float]


@asynccontextmanager
async def lifespan(_: object) -> AsyncIterator[dict[str, object]]:
    # Clients for the whole app: to make one reads the certificates, 40 ms of CPU on the loop.
    certificates = httpx.create_ssl_context()
    async with httpx.AsyncClient(verify=certificates) as client:
        with httpx.Client(verify=certificates) as sync_client:
            yield {"client": client, "sync_client": sync_client}


def upstream() -> str:
    return f"{services.slow_upstream()}/slow?ms=150"


async def shared_client(request: Request) -> httpx.AsyncClient:
    client: httpx.AsyncClient = request.state.client
    return client


async def shared_sync_client(request: Request) -> httpx.Client:
    client: httpx.Client = request.state.sync_client
    return client


Upstream = Annotated[str, Depends(upstream)]
Client = Annotated[httpx.AsyncClient, Depends(shared_client)]
SyncClient = Annotated[httpx.Client, Depends(shared_sync_client)]
router = APIRouter(prefix="/http", tags=["An external API"], lifespan=lifespan)


@router.get("/requests")
async def rates_by_requests(url: Upstream) -> Rates:
    """Blocks: `requests` waits for the answer on the event loop, and everybody waits with it."""
    rates: Rates = requests.get(url, timeout=5).json()  # blocks
    return rates


@router.get("/httpx-client")
async def rates_by_sync_httpx(url: Upstream, client: SyncClient) -> Rates:
    """Blocks: httpx has two clients, and this one waits on the event loop."""
    rates: Rates = client.get(url).json()  # blocks
    return rates


@router.get("/urllib")
async def rates_by_urllib(url: Upstream) -> Rates:
    """Blocks: what comes with Python does too."""
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # blocks
        rates: Rates = json.load(answer)
    return rates


@router.get("/run-in-executor")
async def rates_in_executor(url: Upstream) -> Rates:
    """Repaired: the same call in the loop's thread pool."""
    loop = asyncio.get_running_loop()
    response = await loop.run_in_executor(None, partial(requests.get, url, timeout=5))
    rates: Rates = response.json()
    return rates


@router.get("/to-thread")
async def rates_in_thread(url: Upstream) -> Rates:
    """Repaired: the same call in a thread, in one line."""
    response = await asyncio.to_thread(requests.get, url, timeout=5)
    rates: Rates = response.json()
    return rates


@router.get("/httpx")
async def rates_by_httpx(url: Upstream, client: Client) -> Rates:
    """Repaired: a client that awaits the answer."""
    response = await client.get(url)
    rates: Rates = response.json()
    return rates


@router.get("/def")
def rates_in_def(url: Upstream) -> Rates:
    """Repaired: without `async`, FastAPI calls the endpoint in a thread."""
    rates: Rates = requests.get(url, timeout=5).json()
    return rates
