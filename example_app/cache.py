"""Redis: a counter of visits."""

from functools import cache
from typing import Annotated

import redis
from fastapi import APIRouter, Depends

from example_app import services


def server() -> str:
    return services.redis()


Server = Annotated[str, Depends(server)]


@cache
def client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url)


def shared_client(url: Server) -> redis.Redis:
    return client(url)


Client = Annotated[redis.Redis, Depends(shared_client)]
router = APIRouter(prefix="/redis", tags=["Redis"])


@router.get("/redis")
async def visits_by_redis(cache: Client) -> int:
    """Blocks: a round trip of a tenth of a millisecond here, and of several where Redis is a network away."""
    return int(cache.incr("visits"))  # blocks


@router.get("/redis-asyncio")
async def visits_by_async_redis(url: Server) -> int:
    """Repaired: the same client's async twin."""
    async with redis.asyncio.from_url(url) as cache:
        return int(await cache.incr("visits"))


@router.get("/def")
def visits_in_def(cache: Client) -> int:
    """Repaired: without `async`, FastAPI calls the endpoint in a thread."""
    return int(cache.incr("visits"))
