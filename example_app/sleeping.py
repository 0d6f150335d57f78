"""A pause of 150 ms."""

import asyncio
import time

from fastapi import APIRouter

PAUSE = 0.15
router = APIRouter(prefix="/sleep", tags=["A pause"])


@router.get("/time")
async def pause_by_time() -> str:
    """Blocks: `time.sleep` puts the event loop to sleep."""
    time.sleep(PAUSE)  # blocks
    return "rested"


@router.get("/asyncio")
async def pause_by_asyncio() -> str:
    """Repaired: only this request sleeps."""
    await asyncio.sleep(PAUSE)
    return "rested"


@router.get("/def")
def pause_in_def() -> str:
    """Repaired: a thread sleeps."""
    time.sleep(PAUSE)
    return "rested"
