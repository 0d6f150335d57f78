"""S3: an object that is fetched."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from typing import Annotated, Any

import aioboto3
import boto3
from fastapi import APIRouter, Depends, Request

from example_app import services

ORDERS = {"Bucket": "shop", "Key": "orders.csv"}
KEYS = {"region_name": "us-east-1", "aws_access_key_id": "none", "aws_secret_access_key": "none"}


@asynccontextmanager
async def lifespan(_: object) -> AsyncIterator[dict[str, object]]:
    async with AsyncExitStack() as clients:
        yield {"clients": clients, "aws": {}}


def server() -> str:
    return services.s3()


Server = Annotated[str, Depends(server)]


@cache
def client(url: str) -> Any:
    return boto3.client("s3", endpoint_url=url, **KEYS)


def shared_client(url: Server) -> Any:
    return client(url)


async def shared_async_client(url: Server, request: Request) -> Any:
    """One client for the whole app, made when it is first used: that reads the description of the service."""
    aws = request.state.aws
    if url not in aws:
        making = aioboto3.Session().client("s3", endpoint_url=url, **KEYS)
        aws[url] = await request.state.clients.enter_async_context(making)
    return aws[url]


Client = Annotated[Any, Depends(shared_client)]
AsyncClient = Annotated[Any, Depends(shared_async_client)]
router = APIRouter(prefix="/s3", tags=["AWS"], lifespan=lifespan)


@router.get("/boto3")
async def orders_by_boto3(s3: Client) -> str:
    """Blocks: `boto3` waits for AWS on the event loop."""
    orders: bytes = s3.get_object(**ORDERS)["Body"].read()  # blocks
    return orders.decode()


@router.get("/aioboto3")
async def orders_by_aioboto3(s3: AsyncClient) -> str:
    """Repaired: the same calls, awaited."""
    answer = await s3.get_object(**ORDERS)
    orders: bytes = await answer["Body"].read()
    return orders.decode()


def fetched(s3: Any) -> str:
    orders: bytes = s3.get_object(**ORDERS)["Body"].read()
    return orders.decode()


@router.get("/to-thread")
async def orders_in_thread(s3: Client) -> str:
    """Repaired: a thread waits, for the body too."""
    return await asyncio.to_thread(fetched, s3)


@router.get("/def")
def orders_in_def(s3: Client) -> str:
    """Repaired: without `async`, FastAPI calls the endpoint in a thread."""
    return fetched(s3)
