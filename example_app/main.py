"""The app: one module for each row of twins."""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from example_app import (
    aws,
    background,
    background_traps,
    cache,
    computing,
    database,
    external_http,
    files,
    index,
    mysql,
    postgresql,
    select_and_http,
    sleeping,
    task_queue,
)
from example_app.servers.programs import Unavailable

LOCAL = (sleeping.router, files.router, database.router, computing.router)
REMOTE = (external_http.router, select_and_http.router, postgresql.router, mysql.router, aws.router, cache.router)
ROWS = (*REMOTE, *LOCAL, task_queue.router)
TASKS = (background.router, background_traps.router)

app = FastAPI(title="Twins: blocking routes beside their repaired ones")
app.include_router(index.router((*ROWS, *TASKS)))
for row in (*ROWS, *TASKS):
    app.include_router(row)


@app.exception_handler(Unavailable)
async def not_on_this_machine(_: Request, reason: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(reason)}, 503)
