"""One install and one uninstall of everything that is patched, however many want it at once."""

import asyncio
import contextlib
import contextvars
import gc
import importlib
import inspect
import selectors
import subprocess
import sys
import threading
import time
import weakref
from asyncio import base_events, events, runners

import pytest

from pytest_noblock.engine import instrument
from pytest_noblock.engine.clocks import PortableClock
from pytest_noblock.engine.exchange import CURRENT, OURS, LiveExchange, as_ours
from pytest_noblock.engine.patches import Patch, Patches
from pytest_noblock.engine.steps import handles
from pytest_noblock.engine.steps.meter import POLLING, STEPPING, StepMeter

MS = 1_000_000


def patched():
    """What the interpreter has at the attributes that are patched, by `id`: a wrapper may be equal to what it wraps."""
    there = {
        "step": events.Handle._run,
        "turn": selectors.DefaultSelector.select,
        "cancelling": runners._cancel_all_tasks,
        "collect": gc.collect,
        "import": importlib._bootstrap._find_and_load,
        "thread": threading.Thread.start,
        "process": subprocess.Popen._execute_child,
        "sleep": time.sleep,
    }
    return {name: id(thing) for name, thing in there.items()} | {"callbacks": list(gc.callbacks)}


@pytest.fixture(autouse=True)
def bare():
    """Each test leaves nothing behind."""
    before = patched()
    yield before
    assert patched() == before
    assert handles.current_meter() is None
    assert not STEPPING


def bare_call():
    return "bare"


class Door:
    """Stands for a framework's class through which requests enter."""

    call = staticmethod(bare_call)


class Window:
    """Stands for a driver's class, which is patched from the next test on."""

    call = staticmethod(bare_call)


def once_imported(owner, **options):
    """Patches of `owner.call` that are found once `noblock_door` has been imported."""

    def find():
        if "noblock_door" in sys.modules:
            yield Patch(owner, "call", lambda original: lambda: f"seen {original()}")

    return Patches(find, ["noblock_door"], **options)


@pytest.fixture
def entry_points():
    return once_imported(Door, at_once=["noblock_door"])


@pytest.fixture
def door(tmp_path, monkeypatch):
    """The module `noblock_door` can be imported."""
    tmp_path.joinpath("noblock_door.py").write_text("", encoding="utf-8")
    tmp_path.joinpath("noblock_window.py").write_text("import noblock_door", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("noblock_door", None)
    sys.modules.pop("noblock_window", None)


def test_everything_is_patched_while_it_is_installed(bare):
    instrument.install()
    try:
        now_there = patched()
        assert [name for name in bare if now_there[name] == bare[name]] == []
        assert len(now_there["callbacks"]) == len(bare["callbacks"]) + 1
    finally:
        instrument.uninstall()


def test_two_that_want_it_share_the_patches(bare):
    instrument.install()
    first = patched()
    instrument.install()
    assert patched() == first
    instrument.uninstall()
    assert patched() == first
    instrument.uninstall()
    assert patched() == bare


def test_entry_points_go_on_and_off_with_the_rest(entry_points, door):
    import noblock_door  # noqa: F401

    instrument.install(entry_points)
    assert Door.call() == "seen bare"
    instrument.install()  # a run of the fixture in a watched test
    instrument.uninstall()
    assert Door.call() == "seen bare"
    instrument.uninstall(entry_points)
    assert Door.call is bare_call


def test_the_import_of_an_app_is_seen_at_once(entry_points, door):
    """A fixture, or the test itself, may be the first to import it."""
    instrument.install(entry_points)
    try:
        assert Door.call() == "bare"
        import noblock_window  # noqa: F401  which imports it in turn

        assert Door.call() == "seen bare"
    finally:
        instrument.uninstall(entry_points)


def test_the_import_of_an_app_is_not_seen_while_nothing_is_installed(entry_points, door):
    instrument.install(entry_points)
    instrument.uninstall(entry_points)
    import noblock_door  # noqa: F401

    assert Door.call is bare_call


def test_what_does_not_ask_to_be_seen_at_once_waits_for_the_next_test(entry_points, door):
    later = once_imported(Window)
    instrument.install(entry_points)
    instrument.install(later)
    try:
        import noblock_door  # noqa: F401

        assert (Door.call(), Window.call()) == ("seen bare", "bare")
        instrument.catch_up(later)
        assert Window.call() == "seen bare"
    finally:
        instrument.uninstall(later)
        instrument.uninstall(entry_points)


def test_to_catch_up_where_nothing_was_imported_looks_at_nothing(installed, monkeypatch):
    looked = []
    monkeypatch.setattr(Patches, "catch_up", lambda _: looked.append(True))
    instrument.catch_up()
    looked.clear()
    instrument.catch_up()
    assert looked == []


def test_an_import_that_fails_is_the_importers(installed, entry_points):
    with pytest.raises(ModuleNotFoundError, match="noblock_nowhere"):
        importlib.import_module("noblock_nowhere")


def every_argument(function):
    """A call with all that the function takes, by its signature."""
    parameters = inspect.signature(function).parameters.values()
    by_name = {each.name: None for each in parameters if each.kind is each.KEYWORD_ONLY}
    return [each for each in parameters if each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD}], by_name


def test_a_wrapper_takes_what_the_function_takes(installed):
    """Another version of Python, or of a framework, may have added one: the call, which is the user's, would fail."""
    told = 0
    for patch in (patch for patches in instrument._users for patch in patches._patches):
        if patch.name == "unraisablehook" or not callable(patch.original):
            continue  # pytest's hook stands there, and takes what pytest alone gives it; a property is read
        with contextlib.suppress(ValueError):  # some C code does not tell what it takes
            in_order, by_name = every_argument(patch.original)
            inspect.signature(patch.wrapper, follow_wrapped=False).bind(*in_order, **by_name)
            told += 1
    assert told >= 20


def test_the_import_hook_does_not_grow(entry_points, door):
    """Each import that installs patches anew would add a layer to every later one."""
    instrument.install(entry_points)
    try:
        hook = importlib._bootstrap._find_and_load
        for _ in range(3):
            for name in ("noblock_door", "noblock_window"):
                sys.modules.pop(name, None)
                importlib.import_module(name)
            instrument.install(entry_points)
            instrument.catch_up(entry_points)
            instrument.uninstall(entry_points)
            assert importlib._bootstrap._find_and_load is hook
            assert not hasattr(hook.noblock.original, "noblock")
    finally:
        instrument.uninstall(entry_points)


def test_a_meter_that_is_registered_is_the_threads(meter):
    instrument.register(meter, None)
    seen = []
    thread = threading.Thread(target=lambda: seen.append(handles.current_meter()))
    thread.start()
    thread.join()
    assert (handles.current_meter(), seen) == (meter, [None])
    instrument.unregister(meter)


def test_who_has_the_gil_before_the_watchdog_looks(meter, monkeypatch):
    """A loop thread that is about to run a callback, whosever it is; another thread, of the thread that is metered."""
    looks = []

    def look(meter):
        looks.append(meter)

    monkeypatch.setattr(StepMeter, "look_between_steps", look)
    monkeypatch.setattr(StepMeter, "look_from_outside", look)
    assert handles.whose_step(OURS) is None
    instrument.look_at(meter.ident)
    assert looks == []  # nobody is metered
    instrument.register(meter, None)
    try:
        assert handles.whose_step(OURS) is None
        instrument.look_at(meter.ident)
    finally:
        instrument.unregister(meter)
    assert looks == [meter, meter]


def test_a_later_meter_of_the_same_ident_stays_registered(meter, user):
    later = StepMeter(PortableClock(), user)
    instrument.register(meter, None)
    instrument.register(later, None)
    instrument.unregister(meter)
    assert handles.current_meter() is later
    instrument.unregister(later)


def test_a_meter_whose_step_does_not_end_is_given_up_from_outside(user):
    """What `metered` began is ended once, although its block goes on and ends later."""

    def holds():
        meters.append(StepMeter(PortableClock(), user))
        with instrument.metered(meters[0]):
            held.set()
            gate.wait(30)

    meters, held, gate = [], threading.Event(), threading.Event()
    thread = threading.Thread(target=holds)
    thread.start()
    try:
        assert held.wait(30)
        instrument.give_up(thread.ident)
        assert meters[0].closed
        assert not instrument._users
        assert thread.ident not in handles.METERS
        instrument.give_up(thread.ident)
    finally:
        gate.set()
        thread.join(30)
    assert not instrument._users


def test_the_steps_of_a_request_are_metered_and_nobody_elses(meter):
    exchange = LiveExchange("GET", "/")

    async def main():
        loop = asyncio.get_running_loop()
        with instrument.metered(meter):
            loop.call_soon(lambda: None)
            await asyncio.sleep(0)
            CURRENT.set(exchange)
            loop.call_soon(lambda: None)
            loop.call_later(0, lambda: None)
            CURRENT.set(None)
            await asyncio.sleep(0.01)

    asyncio.run(main())
    assert exchange.steps == 2


def test_what_a_step_imports_is_kept_apart(installed, meter, tmp_path, monkeypatch):
    tmp_path.joinpath("noblock_slow.py").write_text("import time; time.sleep(0.02)", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    meter.begin(LiveExchange("GET", "/"))
    importlib.import_module("noblock_slow")
    assert meter.deductions.imported >= 20 * MS
    assert meter.deductions.wall >= 20 * MS
    del sys.modules["noblock_slow"]
    before = meter.deductions.imported
    importlib.import_module("noblock_slow")
    assert meter.deductions.imported == before, "a second import of the same module is the step's own work"
    del sys.modules["noblock_slow"]


def in_loop(meter, function):
    """Await the function on a loop of the stdlib, with the meter registered."""

    async def main():
        instrument.register(meter, asyncio.get_running_loop())
        try:
            return await function()
        finally:
            instrument.unregister(meter)

    return asyncio.run(main())


def test_the_turns_of_the_loop_are_counted(installed, meter):
    async def turns():
        seen = [meter.present_turn()]
        for _ in range(3):
            await asyncio.sleep(0)
            seen.append(meter.present_turn())
        return seen

    seen = in_loop(meter, turns)
    assert 0 < seen[0] < seen[1] < seen[2] < seen[3]


def test_the_turns_of_a_loop_with_a_selector_of_its_own_are_counted_as_well(installed, meter):
    """As of Windows' proactor. What counts them goes with the other patches."""

    class OwnSelector(selectors.DefaultSelector):
        def select(self, timeout=None):
            return super().select(timeout)

    async def turns():
        instrument.register(meter, asyncio.get_running_loop())
        seen = [meter.present_turn()]
        for _ in range(2):
            await asyncio.sleep(0)
            seen.append(meter.present_turn())
        instrument.unregister(meter)
        return seen

    bare_turn = base_events.BaseEventLoop._run_once
    with contextlib.closing(asyncio.SelectorEventLoop(OwnSelector())) as loop:
        seen = loop.run_until_complete(turns())
    assert 0 < seen[0] < seen[1] < seen[2]
    assert base_events.BaseEventLoop._run_once is not bare_turn
    instrument.uninstall()
    assert base_events.BaseEventLoop._run_once is bare_turn
    instrument.install()


def test_a_meter_counts_the_turns_of_each_loop_of_its_thread(installed, meter):
    async def turns():
        instrument.count_turns(meter, asyncio.get_running_loop())
        before = meter.present_turn()
        await asyncio.sleep(0)
        return before, meter.present_turn()

    instrument.register(meter, None)
    seen = [turn for _ in range(2) for turn in asyncio.run(turns())]
    instrument.unregister(meter)
    assert 0 < seen[0] < seen[1] < seen[2] < seen[3]
    assert meter not in (POLLING.of_one, *POLLING.others.values())


def test_the_turns_of_a_loop_that_turns_in_its_own_way_are_not_counted(installed, meter, monkeypatch):
    """As of qasync and nest_asyncio: everything would seem to be one turn."""

    class OwnWay(asyncio.SelectorEventLoop):
        def run_forever(self):
            super().run_forever()

    async def turn():
        instrument.register(meter, asyncio.get_running_loop())
        instrument.unregister(meter)
        return meter.present_turn()

    loop = OwnWay()
    assert loop.run_until_complete(turn()) == 0
    loop.close()


def test_what_carries_no_request_is_the_apps_where_an_app_was_adopted(installed, meter):
    app, mine = LiveExchange("APP", ""), LiveExchange("GET", "/")
    owners = {}

    async def steps():
        loop = asyncio.get_running_loop()
        handles.adopt(meter, app)
        bare, owned = contextvars.Context(), contextvars.copy_context()
        owned.run(CURRENT.set, mine)
        loop.call_soon(lambda: owners.update(bare=meter.owner), context=bare)
        loop.call_soon(lambda: owners.update(owned=meter.owner), context=owned)
        as_ours(loop.call_soon, lambda: owners.update(ours=meter.owner))
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(lambda: owners.update(thread=meter.owner),))
        thread.start()
        while len(owners) < 4:
            await asyncio.sleep(0.001)

    in_loop(meter, steps)
    assert owners == {"bare": app, "owned": mine, "ours": None, "thread": app}
    assert OURS.steps == 0


def test_what_carries_no_request_is_nobodys_in_a_watched_test(installed, meter):
    async def steps():
        done = asyncio.Event()
        asyncio.get_running_loop().call_soon(lambda: (owners.append(meter.owner), done.set()))
        await done.wait()

    owners = []
    in_loop(meter, steps)
    assert owners == [None]


def test_an_exception_on_the_loop_leaves_no_cycle(installed):
    """CPython's own `Handle._run` forgets its handle for that; without it only the collector frees what a task held."""

    class Held:
        pass

    async def fails(held):
        await asyncio.sleep(0)
        raise ValueError

    async def main():
        held = Held()
        reference = weakref.ref(held)
        task = asyncio.ensure_future(fails(held))
        del held
        with contextlib.suppress(ValueError):
            await task
        del task
        await asyncio.sleep(0)
        return reference

    gc.disable()
    try:
        assert asyncio.run(main())() is None
    finally:
        gc.enable()
