"""Thousands of steps and nothing else: no database, no connection of its own."""

import asyncio
from pathlib import Path

import aiofiles
from fastapi import FastAPI

app = FastAPI()


@app.get("/turns")
async def turns(count: int = 3000):
    for _ in range(count):
        await asyncio.sleep(0)
    return {}


@app.get("/pieces")
async def pieces(file: Path, size: int = 64):
    count = 0
    async with aiofiles.open(file, "rb", buffering=0) as stream:
        while await stream.read(size):
            count += 1
    return {"count": count}
