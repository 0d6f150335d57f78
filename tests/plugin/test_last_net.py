"""What holds the loop where no step is seen: the probes feel it, and the check is not green."""

import pytest

APP = """
import asyncio
import time

from fastapi import FastAPI

app = FastAPI()

class Unseen(asyncio.Handle):
    def _run(self):
        time.sleep(self._args[0])

def hold(seconds):
    loop = asyncio.get_running_loop()
    loop._ready.append(Unseen(print, (seconds,), loop))

@app.get("/unseen")
async def unseen():
    hold(0.2)
    await asyncio.sleep(0.02)

@app.get("/judged-run-alone")
async def judged_run_alone():
    app.state.runs = getattr(app.state, "runs", 0) + 1
    hold(0.2 if app.state.runs == 2 else 0)  # the first one is the warm-up
    await asyncio.sleep(0.02)

@app.get("/short")
async def short():
    hold(0.01)
    await asyncio.sleep(0.02)
"""


def test_a_probe_that_waited_without_a_cause_is_not_passed(pytester):
    pytester.makepyfile(
        unseen=APP,
        test_it="""
            def test_unseen(noblock):
                noblock.get("/unseen")

            def test_short(noblock):
                noblock.get("/short")

            def test_once(noblock):
                noblock.get("/judged-run-alone")
        """,
    )
    result = pytester.runpytest("--noblock-app=unseen:app", "-p", "no:randomly")
    result.assert_outcomes(failed=1, passed=2)
    result.stdout.fnmatch_lines(
        ["a probe of the event loop waited * ms, and no cause was found: *slept * in no step of a request*"]
    )
    result.stdout.fnmatch_lines(
        ["  unsettled  a probe *, and no cause was found: *; another run did not show it again; *"]
    )


def test_a_sweep_has_it_as_well(pytester):
    pytester.makepyfile(unseen=APP)
    result = pytester.runpytest("--noblock-sweep=unseen:app", "--noblock-exclude=/judged-run-alone")
    result.assert_outcomes(failed=1, passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*GET /unseen*", "a probe of the event loop waited * ms, and no cause was found: *"])


UVLOOP = """
import asyncio
import socket
import time

from fastapi import FastAPI

app = FastAPI()

class Reads(asyncio.Protocol):
    __slots__ = ("__weakref__",)  # so that nothing of ours can be put there

    def data_received(self, data):
        how, seconds = data.split()
        if how == b"sleep":
            time.sleep(float(seconds))
        end = time.thread_time() + float(seconds)
        while how == b"compute" and time.thread_time() < end:
            sum(range(1000))

@app.get("/{how}/{seconds}")
async def wire(how: str, seconds: str):
    near, far = socket.socketpair()
    near.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_connection(Reads, sock=near)
    far.sendall(f"{how} {seconds}".encode())
    await asyncio.sleep(0.02)
    transport.close()
    far.close()
"""


@pytest.mark.parametrize(("seconds", "outcomes"), [("0.2", {"failed": 1}), ("0.001", {"passed": 1})])
@pytest.mark.parametrize(("how", "told"), [("sleep", "slept [12]?? ms"), ("compute", "computed [12]?? ms")])
def test_on_uvloop_too_where_the_method_of_a_protocol_is_no_step(pytester, how, told, seconds, outcomes):
    pytest.importorskip("uvloop")
    pytester.makepyfile(unseen=UVLOOP, test_it=f"def test_wire(noblock):\n    noblock.get('/{how}/{seconds}')")
    pytester.makeini("[pytest]\nnoblock_loop = uvloop\n")
    result = pytester.runpytest("--noblock-app=unseen:app")
    result.assert_outcomes(**outcomes)
    if "failed" in outcomes:
        result.stdout.fnmatch_lines([f"*no cause was found: meanwhile its thread *{told} *in no step of a request*"])
