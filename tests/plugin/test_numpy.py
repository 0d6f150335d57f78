"""numpy in a plain `def`: it computes without the GIL, but for arrays of objects."""

import numpy  # noqa: ICN001, F401  inner runs must find it loaded: it cannot be loaded twice in one process
import pytest

pytestmark = pytest.mark.one_python

NUMBERS = """
import time

import numpy
from fastapi import FastAPI

app = FastAPI()
random = numpy.random.default_rng(1)
matrix = random.random((1000, 1000))
numbers = random.random(1_200_000)

def burned(objects):
    began = time.thread_time()
    objects**5
    return time.thread_time() - began

few = numpy.array(random.integers(1 << 62, size=5_000), dtype=object)
# Twice the limit, on this machine at its best
objects = numpy.tile(few, round(0.1 / min(burned(few) for _ in range(5))))

@app.get("/product")
def product():
    return float((matrix @ matrix)[0, 0])

@app.get("/sort")
def sort():
    return float(numpy.sort(numbers)[0])

@app.get("/objects")
def powers_of_objects():
    return int((objects**5)[0])  # objects
"""


@pytest.fixture
def run_numbers(pytester):
    def run_numbers(body: str) -> pytest.RunResult:
        pytester.makepyfile(numbers_app=NUMBERS, test_it=f"def test_it(noblock):\n    {body}\n")
        return pytester.runpytest("--noblock-app=numbers_app:app")

    return run_numbers


@pytest.mark.parametrize("name", ["product", "sort"])
def test_what_lets_go_of_the_lock_is_green(run_numbers, name):
    run_numbers(f"noblock.get('/{name}')").assert_outcomes(passed=1)


def test_what_keeps_it_is_red_at_its_line(run_numbers):
    (line,) = [n for n, text in enumerate(NUMBERS.strip().splitlines(), 1) if text.endswith("# objects")]
    result = run_numbers("noblock.get('/objects')")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["GET /objects held the GIL * ms (limit 50 ms)"])
    result.stdout.fnmatch_lines([f"  by      numbers_app.py:{line} in powers_of_objects"])
