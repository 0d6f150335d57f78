"""The head of the run says by which rules it judges; a run that does not ask is not spoken to."""

import pytest

FULL = "noblock: full meter (the app's own sleep, CPU and network, not the machine's load)"


@pytest.mark.parametrize(
    "option",
    ["--noblock-app=shop:app", "--noblock-max-block=10ms", "--noblock-probe=/health", "--noblock-report=r.json"],
)
def test_an_option_that_asks_for_it_shows_the_rules(shop, option):
    shop.makepyfile("def test_it(): pass")
    shop.runpytest(option).stdout.fnmatch_lines([FULL])


@pytest.mark.one_python
def test_nothing_is_said_where_nothing_is_asked(shop):
    shop.makepyfile("def test_it(): pass")
    assert "noblock:" not in shop.runpytest().stdout.str().replace("noblock-", "")


@pytest.mark.one_python
def test_the_portable_rules_say_what_they_do_not_see(shop):
    shop.makepyfile("def test_it(): pass")
    result = shop.runpytest("--noblock-app=shop:app", "-o", "noblock_meter=portable")
    result.stdout.fnmatch_lines(
        ["noblock: portable rules (not seen here: noblock_meter = portable; `gil` is not judged)"]
    )


@pytest.mark.one_python
def test_a_machine_without_the_full_meter_is_told_so(shop, monkeypatch):
    from pytest_noblock.engine import selfcheck

    monkeypatch.setattr(selfcheck, "_in_a_thread", lambda: "a sleep, a round trip")
    shop.makepyfile("def test_it(): pass")
    result = shop.runpytest("--noblock-app=shop:app")
    result.stdout.fnmatch_lines(["noblock: portable rules (not seen here: a sleep, a round trip; `gil` is not judged)"])


@pytest.mark.one_python
def test_the_full_meter_can_be_insisted_on(shop, monkeypatch, refused):
    from pytest_noblock.engine import selfcheck

    monkeypatch.setattr(selfcheck, "_in_a_thread", lambda: "a sleep")
    shop.makepyfile("def test_it(): pass")
    result = shop.runpytest("--noblock-app=shop:app", "-o", "noblock_meter=full")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    refused(result, "noblock_meter = full, but this machine does not show a sleep")


@pytest.mark.parametrize("meter", ["full", "portable"])
def test_both_rules_tell_the_twins_apart(run, meter):
    result = run(
        "def test_blocks(noblock): noblock.get('/blocks')\ndef test_awaits(noblock): noblock.get('/awaits')",
        "-o",
        f"noblock_meter={meter}",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["  by      shop.py:17 in blocks"])


@pytest.mark.one_python
@pytest.mark.parametrize("meter", ["full", "portable"])
def test_the_header_names_no_loop_for_none_has_run(shop, meter):
    shop.makepyfile("def test_it(): pass")
    result = shop.runpytest("--noblock-app=shop:app", "-o", f"noblock_meter={meter}")
    (head,) = [line for line in result.outlines if line.startswith("noblock: ")]
    assert not [loop for loop in ("asyncio", "uvloop", "trio") if loop in head]
