"""Long computations: one in pure Python, one in C that lets go of the GIL."""

import asyncio
import hashlib

from anyio import to_process
from fastapi import APIRouter

COUNT = 5_000_000
ROUNDS = 1_000_000  # as many as Django takes
router = APIRouter(prefix="/compute", tags=["A long computation"])


def sum_of_squares(count: int) -> int:
    total, numbers = 0, range(count)
    for number in numbers:  # blocks
        total += number * number  # blocks
    return total


def digest() -> str:
    return hashlib.pbkdf2_hmac("sha256", b"password", b"salt", ROUNDS).hex()


@router.get("/squares")
async def squares() -> int:
    """Blocks: the event loop computes instead of turning."""
    return sum_of_squares(COUNT)


@router.get("/squares-in-process")
async def squares_in_process() -> int:
    """Repaired: another process computes; a thread would share the GIL with the loop."""
    return await to_process.run_sync(sum_of_squares, COUNT)


@router.get("/pbkdf2")
async def password() -> str:
    """Blocks: a password hash is meant to be slow."""
    return hashlib.pbkdf2_hmac("sha256", b"password", b"salt", ROUNDS).hex()  # blocks


@router.get("/pbkdf2-in-thread")
async def password_in_thread() -> str:
    """Repaired: `hashlib` lets go of the GIL, so a thread is enough."""
    return await asyncio.to_thread(digest)


@router.get("/pbkdf2-def")
def password_in_def() -> str:
    """Repaired: without `async`, FastAPI calls the endpoint in a thread."""
    return digest()
