"""The tasks of Celery, for those who ask for them and for the worker that does them."""

import time
from functools import cache

from celery import Celery, Task

SETTINGS = {
    "broker_connection_retry_on_startup": True,
    "broker_transport_options": {"confirm_publish": True},  # RabbitMQ's answer that it has the task
}


def count_words(text: str) -> int:
    time.sleep(0.4)
    return len(text.split())


@cache
def connected(broker: str, backend: str) -> Celery:
    celery = Celery("example_app", broker=broker, backend=backend, set_as_current=False)
    celery.conf.update(SETTINGS)
    celery.task(count_words, name="count_words")
    return celery


def counting(broker: str, backend: str) -> Task:
    task: Task = connected(broker, backend).tasks["count_words"]
    return task
