"""A `SELECT` that is awaited, beside an HTTP call that is not: half a repair is none."""

import asyncio

import asyncpg
import requests
from fastapi import APIRouter

from example_app.external_http import Client, Upstream
from example_app.postgresql import QUERY, Server

Offer = dict[str, float]
router = APIRouter(prefix="/select", tags=["A SELECT and an external API"])


async def stock(url: str) -> Offer:
    connection = await asyncpg.connect(url)
    try:
        return dict(await connection.fetch(QUERY))
    finally:
        await connection.close()


@router.get("/requests")
async def offer_by_requests(database: Server, url: Upstream) -> Offer:
    """Blocks: the database is awaited, and then `requests` stops everybody."""
    pieces = await stock(database)
    rates: Offer = requests.get(url, timeout=5).json()  # blocks
    return pieces | rates


@router.get("/httpx")
async def offer_by_httpx(database: Server, url: Upstream, client: Client) -> Offer:
    """Repaired: both are awaited."""
    pieces = await stock(database)
    response = await client.get(url)
    rates: Offer = response.json()
    return pieces | rates


@router.get("/to-thread")
async def offer_in_thread(database: Server, url: Upstream) -> Offer:
    """Repaired: a thread waits for the external API."""
    pieces = await stock(database)
    response = await asyncio.to_thread(requests.get, url, timeout=5)
    rates: Offer = response.json()
    return pieces | rates
