"""Which line CPU is put down to: by weight, the endpoint's `def` where no user line has the weight."""

import pytest

from pytest_noblock.judge import cpu_lines
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.observation import Exchange, Task
from pytest_noblock.model.segment import FIRST_TIME, LineCost, Sample, Segment
from pytest_noblock.model.stall import BlamedLine

MS = 1_000_000
FILE = __file__
ROUTER = Frame("/site/starlette/routing.py", 9, "app", asgi=True)
ENCODER = Frame("/site/fastapi/encoders.py", 5, "jsonable_encoder", name="fastapi.encoders.jsonable_encoder")
RENDER = Frame("/site/starlette/responses.py", 7, "render", name="starlette.responses.JSONResponse.render")
ROUTE = Frame("/site/fastapi/routing.py", 8, "serialize_response", name="fastapi.routing.serialize_response")
EXIT = Frame("/lib/contextlib.py", 8, "__exit__", name="contextlib.nullcontext.__exit__")
MIDDLEWARE = Frame("/app/middleware.py", 3, "__call__", user=True, asgi=True)


@(lambda function: function)
def endpoint():
    """A definition with a decorator, to be found in this file."""


DEF = endpoint.__code__.co_firstlineno + 1
EXCHANGE = Exchange(1, "GET", "/", 0, defined=Frame(FILE, endpoint.__code__.co_firstlineno, "endpoint", user=True))


def user(line, call=None):
    return Frame("/app/main.py", line, "report", call, user=True)


def look(at, *frames, syscall="running", due=None):
    """A look at the stack, `at` ms into the step; `due`: when it asked for the GIL, which it got `at` ms."""
    return Sample((at if due is None else due) * MS, at * MS, at * MS, frames, syscall)


def cost(line, cpu, *, hits=1, asgi=False):
    return LineCost(user(line)._replace(asgi=asgi), (), hits=hits, cpu=cpu * MS, asleep=0, round_trips=0)


def segment(*looks, wall=100, cpu=100, **more):
    return Segment(1, 0, wall * MS, cpu * MS, 0, 0, 1, 0, 0, 0, samples=looks, **more)


def place(*looks, **more):
    found = cpu_lines.of_cpu(segment(*looks, **more), EXCHANGE)
    return (found.frame.line if found.frame else None, found.call or (found.frame and found.frame.call), found.evidence)


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([look(10, user(3)), look(20, user(4)), look(40, user(4))], (4, None, "sample")),
        ([look(10, user(3)), look(20, user(3)), look(100, user(4), due=30)], (4, None, "sample")),
        ([look(15, user(3)), look(50, user(3)), look(112, user(4), due=107)], (3, None, "sample")),
        ([look(50, user(3, "io.StringIO")), look(100, user(3, "csv.reader")), look(101, user(3))],
         (3, "io.StringIO", "sample")),
        ([look(60, user(3)), look(100, user(3, "numpy.ones"))], (3, None, "sample")),
        ([look(30, user(3)), look(90, ENCODER, ROUTE, ROUTER, due=40)],
         (DEF, "fastapi.encoders.jsonable_encoder", "endpoint")),
        ([look(60, user(3)), look(90, ENCODER, ROUTE, ROUTER)], (3, None, "sample")),
        ([look(50, ENCODER, ROUTE, ROUTER), look(60, RENDER, ROUTE, ROUTER)],
         (DEF, "fastapi.encoders.jsonable_encoder", "endpoint")),
        ([look(90, EXIT, ROUTE, ROUTER)], (DEF, "fastapi.routing.serialize_response", "endpoint")),
        ([look(90, ENCODER, ROUTE, ROUTER, MIDDLEWARE)], (DEF, "fastapi.encoders.jsonable_encoder", "endpoint")),
        ([look(90, MIDDLEWARE)], (3, None, "sample")),
        ([look(90, ENCODER, user(5), ROUTER)], (5, None, "sample")),
        ([], (DEF, None, "endpoint")),
        ([look(20, user(3))], (DEF, None, "endpoint")),
    ],
    ids="most-often longest in-between heaviest-call operator framework user-line heavier-function never-contextlib "
    "behind-middleware in-middleware called-by-user unseen unseen-end".split(),
)  # fmt: skip
def test_a_line_is_blamed_by_the_time_for_which_looks_show_it(looks, expected):
    assert place(*looks) == expected


def test_what_an_operator_may_have_computed_is_no_calls():
    doubtful, sure = (user(3, "bit_length")._replace(may_be_operator=each) for each in (True, False))
    assert place(look(50, doubtful)) == (3, None, "sample")
    assert place(look(50, sure)) == (3, "bit_length", "sample")
    counted = cost(3, 90)._replace(frame=doubtful)
    assert place(look(50, doubtful), lines=(counted,)) == (3, None, "line counters")
    assert place(look(50, sure), lines=(counted,)) == (3, "bit_length", "line counters")


def test_looks_in_the_kernel_count_only_where_there_are_no_others():
    waiting = look(50, user(3), syscall="poll")
    assert place(waiting, look(90, user(4)))[0] == 4
    assert place(waiting)[0] == 3


@pytest.mark.parametrize(
    ("lines", "counted", "expected"),
    [
        ([cost(3, 10), cost(4, 60)], True, (4, "line counters")),
        ([cost(4, 60, hits=1000)], True, (4, "line counters")),
        ([cost(4, 60, hits=1001)], True, (4, "hot loop")),
        ([cost(3, 20), cost(4, 20)], True, (DEF, "endpoint")),
        ([cost(3, 20), cost(4, 30)], True, (4, "line counters")),
        ([cost(3, 20), cost(4, 21)], False, (4, "line counters")),
    ],
    ids="costliest often hot little-of-it half-of-it given-up".split(),
)
def test_counters_name_a_line_that_explains_half_of_the_cpu(lines, counted, expected):
    line, _call, evidence = place(lines=tuple(lines), counted=counted)
    assert (line, evidence) == expected


def test_a_middleware_that_awaits_the_app_is_not_charged_for_the_app(tmp_path):
    file = tmp_path / "middleware.py"
    file.write_text("x = 1\nawait self.app(scope, receive, send)\nbody = dumps(x)\n", encoding="utf-8")
    frames = [Frame(str(file), line, "__call__", user=True, asgi=True) for line in (2, 3)]
    awaits, computes = (LineCost(frame, (), 1, 90 * MS, 0, 0) for frame in frames)
    assert cpu_lines.of_cpu(segment(lines=(awaits,)), EXCHANGE).evidence == "endpoint"
    assert cpu_lines.of_cpu(segment(lines=(awaits, computes)), EXCHANGE).frame == frames[1]


def test_a_background_task_is_blamed_at_its_own_def():
    defined = Frame(FILE, look.__code__.co_firstlineno, "look", user=True)
    times = {"began": 50, "ended": None, "error": None, "called_at": None, "batch": None}
    task = Task("look", "", "look", "", None, **times, defined=defined)
    exchange = EXCHANGE._replace(completed=40, tasks=(task,))
    late = segment()._replace(began=60)
    assert cpu_lines.of_cpu(late, exchange).frame == defined
    assert cpu_lines.of_cpu(segment(), exchange).frame.line == DEF


def test_without_a_definition_no_line_is_named_but_what_computed_is():
    found = cpu_lines.of_cpu(segment(look(90, ENCODER, ROUTER)), EXCHANGE._replace(defined=None))
    assert (found.frame, found.call, found.evidence) == (None, "fastapi.encoders.jsonable_encoder", "none")


def test_first_use_is_told_by_the_share_of_all_looks():
    openapi = Frame("/site/fastapi/openapi/utils.py", 9, "get_openapi")
    often = segment(look(10, user(3)), look(20, openapi, user(4)), look(90, openapi, user(5)))
    assert cpu_lines.of_cpu(often).first_use
    assert not cpu_lines.of_cpu(segment(look(60, user(3)), look(90, openapi, user(4)))).first_use
    assert not cpu_lines.of_cpu(often._replace(first_uses=(("the OpenAPI document", MS),))).first_use


def test_what_was_taken_off_has_no_looks():
    once = Frame("/ours/first_uses.py", 9, FIRST_TIME)
    mixed = segment(look(80, once, user(3)), look(90, user(4)), first_use=70 * MS)
    assert cpu_lines.of_cpu(mixed).frame.line == 3
    assert cpu_lines.of_cpu(mixed.without_first_use()).frame.line == 4


SEND = Frame("/site/redis/client.py", 4, "execute", name="redis.Redis.execute_command")


@pytest.mark.parametrize(
    ("found", "evidence"),
    [
        (BlamedLine(stack=(SEND, ROUTER), evidence="call", witnessed=True), "call"),
        (BlamedLine(stack=(SEND, ROUTER)), "endpoint"),
    ],
    ids=["recorded", "sampled"],
)
def test_a_wait_outside_of_user_lines_is_put_down_to_the_endpoint_and_names_the_librarys_call(found, evidence):
    blamed = cpu_lines.or_definition(found, segment(), EXCHANGE)
    assert (blamed.frame.line, blamed.call, blamed.evidence) == (DEF, "redis.Redis.execute_command", evidence)
    assert blamed.witnessed is found.witnessed


def test_a_wait_at_a_user_line_stays_there_and_one_of_no_endpoint_has_no_line():
    mine = BlamedLine(user(3), (user(3),), "sample")
    assert cpu_lines.or_definition(mine, segment(), EXCHANGE) is mine
    assert cpu_lines.or_definition(BlamedLine(), segment(), None) == BlamedLine()
