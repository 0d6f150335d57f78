"""Where stacks end, and which files are ours, wherever our modules lie."""

import contextlib
import json
import opcode
import sys
import threading
from pathlib import Path
from types import FunctionType

import pytest

import pytest_noblock
from pytest_noblock.engine import instrument, raw_stacks, stacks
from pytest_noblock.engine.asgi import boundary, client_side, transport
from pytest_noblock.engine.steps import closing_loops, collector, handles, other_loops, thread_starts
from pytest_noblock.engine.usercode import PACKAGE, UserCode
from pytest_noblock.model.frames import user_frame

CALLING_THE_APP = [boundary, closing_loops, collector, handles, instrument, other_loops, thread_starts, transport]


def seen_from(file: str) -> list[str]:
    """The functions on the stack, as far as `capture` follows it, where a frame of that file is the caller."""
    seen: list[str] = []

    def inner() -> None:
        seen.extend(code.co_name for code, *_ in raw_stacks.capture(sys._getframe()))

    def outer() -> None:
        inner()

    FunctionType(outer.__code__.replace(co_filename=file), globals(), closure=outer.__closure__)()
    return seen


@pytest.mark.parametrize("module", CALLING_THE_APP, ids=lambda module: module.__name__)
def test_a_stack_ends_where_our_code_calls_the_app(module):
    assert module.__file__ is not None
    assert seen_from(module.__file__) == ["inner"]


def test_a_stack_goes_on_beyond_other_files():
    assert seen_from(__file__)[:2] == ["inner", "outer"]


def leaf():
    return raw_stacks.capture(sys._getframe())


def test_what_is_kept_of_a_frame_outlives_it():
    code, line, lasti, namespace = leaf()[0]
    assert (code, line - code.co_firstlineno) == (leaf.__code__, 1)
    assert lasti > 0
    assert namespace is globals()


def test_a_recursion_is_cut_off():
    def deeper(depth):
        return deeper(depth - 1) if depth else sys._getframe()

    assert len(raw_stacks.capture(deeper(300))) == 200
    assert raw_stacks.capture(None) == []


@pytest.fixture
def user():
    return UserCode(str(Path(__file__).parent))


def test_a_raw_stack_becomes_values_with_the_calls_of_user_lines(user):
    mine, theirs = leaf()[0], leaf()[-1]
    stack = stacks.as_stack([mine, theirs], user)
    assert [(frame.function, frame.user) for frame in stack] == [("leaf", True), (theirs[0].co_name, False)]
    assert stack[0].call == "raw_stacks.capture"
    assert stack[1].call is None


def test_of_the_calling_threads_stack_the_innermost_user_frame_has_its_call(user):
    def outer():
        return inner()

    def inner():
        return stacks.current_stack(sys._getframe(), user)

    frames = outer()
    assert [frame.function for frame in frames[:2]] == ["inner", "outer"]
    assert frames[0].call == "stacks.current_stack"
    assert [frame.call for frame in frames[1:]] == [None] * (len(frames) - 1)


def test_a_stack_of_a_greenlet_says_that_it_is_one(user):
    greenlet = pytest.importorskip("greenlet")

    def runs():
        raw = raw_stacks.capture(sys._getframe())
        return stacks.as_stack(raw, user), stacks.current_stack(sys._getframe(), user)

    for stack in greenlet.greenlet(runs).switch():
        assert [(each.function, each.module) for each in stack] == [("runs", __name__), ("run", "greenlet")]
    assert all(frame.module != "greenlet" for stack in runs() for frame in stack)


def test_a_stack_of_a_thread_is_no_greenlets(user):
    pytest.importorskip("greenlet")
    found = []
    thread = threading.Thread(target=lambda: found.extend(stacks.as_stack(raw_stacks.capture(sys._getframe()), user)))
    thread.start()
    thread.join()
    assert found[-1].function == "_bootstrap"


def fails():
    raise ValueError("no")


def test_an_error_is_told_with_its_innermost_user_line(user):
    with pytest.raises(ValueError, match="no") as caught:
        fails()
    line = fails.__code__.co_firstlineno + 1
    assert stacks.describe_error(caught.value, user) == f"ValueError('no') at test_stacks.py:{line} in fails"
    assert stacks.describe_error(caught.value, UserCode("/elsewhere")) == "ValueError('no')"


def test_a_traceback_that_was_taken_off_the_error_stands_in(user):
    with pytest.raises(ValueError, match="no") as caught:
        fails()
    trace = caught.value.__traceback__
    error = caught.value.with_traceback(None)
    assert stacks.describe_error(error, user) == "ValueError('no')"
    assert stacks.describe_error(error, user, trace).endswith("in fails")


def test_no_file_of_this_package_is_the_users():
    assert pytest_noblock.__file__ is not None
    package = Path(pytest_noblock.__file__).parent
    user = UserCode(str(package.parent))
    assert f"{package}/" == PACKAGE
    assert [str(file) for file in package.rglob("*.py") if str(file) in user] == []
    installed = package.parent.name == "site-packages"  # where nothing is the user's
    assert (str(package.parent / "app.py") in user) is not installed


def in_file(file, function, name):
    """The function, as if it stood in that file under that name."""
    code = function.__code__.replace(co_filename=file, co_name=name, co_qualname=name)
    return FunctionType(code, globals(), name, function.__defaults__, function.__closure__)


def seen_by(calls):
    """What a look shows from within a chain of functions, given innermost first as (file, name)."""
    seen = []

    def look():
        seen.extend(raw_stacks.capture(sys._getframe(1)))

    innermost = look
    for file, name in calls:

        def calling(inner=innermost):
            call = inner
            call()

        innermost = in_file(file, calling, name)
    innermost()
    return [(code.co_name, line - code.co_firstlineno) for code, line, *_ in seen]


OURS = str(Path(PACKAGE) / "engine/steps/deductions.py")
THREAD_STARTS = thread_starts.__file__
APP = "/app/main.py"


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([(OURS, "collection"), (collector.__file__, "collection"), (APP, "report")], ["report"]),
        (
            [(OURS, "excluded"), (contextlib.__file__, "__enter__"), (THREAD_STARTS, "first_turn"), (APP, "report")],
            ["report"],
        ),
        (
            [("/lib/threading.py", "start"), (THREAD_STARTS, "start"), (THREAD_STARTS, "first_turn"), (APP, "report")],
            ["start", "report"],
        ),
        ([(contextlib.__file__, "__exit__"), (APP, "report")], ["__exit__", "report"]),
        (
            [("/lib/_weakrefset.py", "_remove"), (collector.__file__, "collect"), (APP, "report")],
            ["_remove", "report"],
        ),
        ([(OURS, "begin"), (handles.__file__, "_run"), (APP, "test_it")], []),
        ([(boundary.__file__, "enter"), (APP, "test_it")], []),
        ([("/site/httpx.py", "read"), (client_side.__file__, "send"), (APP, "report")], ["read"]),
    ],
    ids="collector context-manager thread-start of-the-app in-a-collection step-begins outside client-in-send".split(),
)
def test_our_frames_on_top_are_taken_off_and_the_look_counts(calls, expected):
    assert [name for name, _line in seen_by(calls)][: len(expected) or None] == expected


def test_where_the_app_is_about_to_send_the_time_went_before_that_line():
    ((name, line), *_) = seen_by([(OURS, "end"), (client_side.__file__, "send"), (APP, "report")])
    assert (name, line) == ("report", 0)


# fmt: off
def loads(text): return json.loads(text)


def dumped(value):
    return json.dumps(value)


@contextlib.contextmanager
def entered(): yield json.loads("1")
# fmt: on


@pytest.mark.every_python
@pytest.mark.parametrize(
    ("code", "line", "call"),
    [
        (loads.__code__, 0, "json.loads"),
        (dumped.__code__, 1, "json.dumps"),
        (entered.__wrapped__.__code__, 1, "json.loads"),
        ((lambda: json.loads("1")).__code__, 0, "json.loads"),
    ],
)
def test_a_body_of_one_line_leaves_no_doubt_about_its_line(user, code, line, call):
    """A computation in C that ended as another function began was in the line of who called it, or before."""
    resume = 2 * resumes(code)[0]
    frames = raw_stacks.before_call([*has_begun([]), (code, code.co_firstlineno + 1, resume + 2, globals())])
    (frame,) = stacks.as_stack(frames, user)
    assert (frame.line - code.co_firstlineno, frame.call) == (line, call)


def test_an_asgi_app_is_known_by_its_arguments():
    async def app(scope, receive, send):
        await send(scope)

    class Middleware:
        async def __call__(self, scope, receive, send):
            """Calls another app."""

    async def endpoint(request):
        """No app."""

    functions = (app, Middleware.__call__, endpoint, leaf)
    assert [stacks.is_asgi(each.__code__) for each in functions] == [True, True, False, False]


def test_library_frames_carry_their_public_names_where_no_user_frame_is_further_in(tmp_path):
    frames = []

    def look(_item):
        frames.extend(raw_stacks.capture(sys._getframe(1)))
        return ""

    json.dumps({1}, default=look)
    names = {frame.function: frame.name for frame in stacks.as_stack(frames, UserCode(str(tmp_path)))}
    assert names["encode"] == "json.JSONEncoder.encode"
    assert names["dumps"] == "json.dumps"


def test_a_frame_of_a_template_is_at_the_line_of_the_template(tmp_path):
    jinja2 = pytest.importorskip("jinja2")
    (tmp_path / "page.html").write_text("{% set x = 1 %}\n\n\n<p>{{ look() }}</p>\n", encoding="utf-8")
    frames = []

    def look():
        frames.extend(raw_stacks.capture(sys._getframe(1)))
        return ""

    jinja2.Environment(loader=jinja2.FileSystemLoader(tmp_path)).get_template("page.html").render(look=look)
    stack = stacks.as_stack(frames, UserCode(str(tmp_path)))
    (frame,) = [frame for frame in stack if frame.user]
    assert (frame.file, frame.line, frame.call) == (str(tmp_path / "page.html"), 4, "jinja2.Template.render")


def has_begun(frames):
    """A function that is looked at before it has done anything."""
    return [(has_begun.__code__, 1, 2 * resume, {}) for resume in resumes(has_begun.__code__)][:1] + frames


def resumes(code):
    """The offsets of RESUME, in instructions."""
    operations = code.co_code[::2]
    return [at for at, operation in enumerate(operations) if operation == opcode.opmap["RESUME"]]


def test_a_computation_that_ended_at_a_call_came_before_the_call(tmp_path):
    here = raw_stacks.capture(sys._getframe())
    assert raw_stacks.before_call(here) is here
    (code, line, *_), *outer = raw_stacks.before_call(has_begun(here))
    assert (code, line) == (here[0][0], code.co_firstlineno)
    assert outer == here[1:]
    assert raw_stacks.before_call(has_begun([])) == []
    user = UserCode(str(Path(__file__).parent))
    (frame, *_) = stacks.as_stack(raw_stacks.before_call(has_begun(here)), user)
    assert (frame.line, frame.call, frame.user) == (code.co_firstlineno, None, True)


def test_the_line_alone_is_that_of_the_stack_without_its_call(user):
    frames = raw_stacks.capture(sys._getframe())
    innermost = user_frame(stacks.as_stack(frames, user))
    assert stacks.user_line(frames, user) == innermost._replace(call=None)
    assert innermost.call is not None


def test_the_line_alone_of_a_frame_at_no_certain_line_is_its_def(user):
    (code, _line, _lasti, namespace), *outer = raw_stacks.capture(sys._getframe())
    frames = [(code, code.co_firstlineno, raw_stacks.NOWHERE, namespace), *outer]
    assert stacks.user_line(frames, user) == user_frame(stacks.as_stack(frames, user))


def test_where_no_frame_is_the_users_there_is_no_line(tmp_path):
    assert stacks.user_line(raw_stacks.capture(sys._getframe()), UserCode(str(tmp_path))) is None
