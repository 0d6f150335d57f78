"""The app: one module for each row of twins."""

from fastapi import FastAPI

from example_app import background, background_traps, computing, database, external_http, files, index, sleeping

ROWS = (external_http.router, sleeping.router, files.router, database.router, computing.router)
TASKS = (background.router, background_traps.router)

app = FastAPI(title="Twins: blocking routes beside their repaired ones")
app.include_router(index.router((*ROWS, *TASKS)))
for row in (*ROWS, *TASKS):
    app.include_router(row)
