"""Heavy work after the response: a Celery worker does it, and the way to the broker takes 150 ms."""

import asyncio
from typing import Annotated, Literal

from celery import Task
from celery.exceptions import OperationalError
from fastapi import APIRouter, Depends, HTTPException

from example_app import services
from example_app.celery_tasks import counting

Broker = Literal["redis", "rabbitmq"]
TEXT = "anvil rope anvil"


def broker_url(broker: Broker) -> str:
    return {"redis": services.redis, "rabbitmq": services.rabbitmq}[broker]()


def count_words(broker: Broker) -> Task:
    url = broker_url(broker)
    services.celery_worker(url)
    return counting(services.late(url), services.redis())


def count_words_without_broker(broker: Broker) -> Task:
    return counting({"redis": "redis://127.0.0.1:1/0", "rabbitmq": "amqp://127.0.0.1:1//"}[broker], services.redis())


Counting = Annotated[Task, Depends(count_words)]
WithoutBroker = Annotated[Task, Depends(count_words_without_broker)]
router = APIRouter(prefix="/celery/{broker}", tags=["A task queue"])


@router.post("/delay", status_code=202)
async def ask_by_delay(task: Counting) -> str:
    """Blocks: `.delay()` does not wait for the task, but it waits for the broker."""
    result = task.delay(TEXT)  # blocks
    return str(result.id)


@router.post("/delay-without-broker", status_code=202)
async def ask_nobody(task: WithoutBroker) -> str:
    """Blocks: where no broker answers, `.delay()` tries again and again, and sleeps between."""
    try:
        result = task.delay(TEXT)  # blocks
    except OperationalError:
        raise HTTPException(503, "No broker") from None
    return str(result.id)


@router.post("/get")
async def wait_by_get(task: Counting) -> int:
    """Blocks: `.get()` waits for the task itself, with everybody."""
    result = await asyncio.to_thread(task.delay, TEXT)
    return int(result.get(timeout=10))  # blocks


@router.post("/to-thread", status_code=202)
async def ask_in_thread(task: Counting) -> str:
    """Repaired: a thread waits for the broker; the answer is where to ask for the result."""
    result = await asyncio.to_thread(task.delay, TEXT)
    return str(result.id)


@router.post("/def", status_code=202)
def ask_in_def(task: Counting) -> str:
    """Repaired: without `async`, FastAPI calls the endpoint in a thread."""
    return str(task.delay(TEXT).id)


@router.post("/to-thread-without-broker", status_code=202)
async def ask_nobody_in_thread(task: WithoutBroker) -> str:
    """Repaired: a thread tries again and again."""
    try:
        result = await asyncio.to_thread(task.delay, TEXT)
    except OperationalError:
        raise HTTPException(503, "No broker") from None
    return str(result.id)


@router.get("/results/{task}")
def result_so_far(task: str, counting: Counting) -> dict[str, object]:
    """Repaired: what has become of the task, asked from time to time instead of waited for."""
    result = counting.AsyncResult(task)
    return {"state": result.state, "words": result.result if result.successful() else None}
