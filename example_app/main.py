"""The app: one module for each row of twins."""

from fastapi import FastAPI

from example_app import computing, database, external_http, files, index, sleeping

ROWS = (external_http.router, sleeping.router, files.router, database.router, computing.router)

app = FastAPI(title="Twins: blocking routes beside their repaired ones")
app.include_router(index.router(ROWS))
for row in ROWS:
    app.include_router(row)
