"""Mistakes in markers, options and arguments: one clear sentence each, before anything is sent."""

import pytest


@pytest.fixture
def usage_error(shop, refused):
    """pytest ends with exit code 4, which means: the command or the configuration is wrong."""

    def usage_error(tests: str, sentence: str, *options: str, ini: str = "") -> None:
        shop.makeini(f"[pytest]\n{ini}\n")
        shop.makepyfile(test_it=tests)
        result = shop.runpytest("--noblock-app=shop:app", *options)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["ERROR: *"])
        refused(result, sentence)

    return usage_error


WRONG = {
    "max_blok='1 ms'": "@pytest.mark.noblock: got an unexpected keyword argument 'max_blok'; it takes max_block, ",
    "'50 ms'": "@pytest.mark.noblock: too many positional arguments; it takes max_block, max_total, probe, app, action",
    "max_block='50'": "@pytest.mark.noblock: max_block: '50' is not a duration: write a positive number and a un",
    "max_block=50": "max_block: 50 is not a duration",
    "max_block='0 ms'": "max_block: '0 ms' is not a duration",
    "max_block='-5 ms'": "max_block: '-5 ms' is not a duration",
    "max_block='5 minutes'": "max_block: '5 minutes' is not a duration",
    "action='ignore'": "action: 'ignore' is neither 'fail' nor 'warn'",
    "probe='health'": "probe: 'health' is not a path or a list of paths: write \"/health\"",
    "probe=[]": "probe: [] is not a path or a list of paths",
}
MARKED = """
import pytest

@pytest.fixture(scope="module")
def place():
    yield
    print("the fixture ended")

{wrong}
@pytest.mark.noblock(max_block="fast")
class TestFast:
    def test_of_class(self, noblock): print("RAN")

@pytest.mark.noblock(app="shop:app")
def test_right(noblock, place): noblock.get("/awaits")

@pytest.mark.skip("not here")
@pytest.mark.noblock(max_block="fast")
def test_skipped(): print("RAN")
"""


@pytest.mark.one_python
def test_a_mistake_in_a_marker_is_the_error_of_its_own_test_and_the_others_run(shop, refused):
    wrong = "".join(
        f"@pytest.mark.noblock({each})\ndef test_{n}(noblock): print('RAN')\n" for n, each in enumerate(WRONG)
    )
    shop.makepyfile(
        test_it=MARKED.format(wrong=wrong),
        test_module="import pytest\npytestmark = pytest.mark.noblock('a')\ndef test_it(): print('RAN')\n",
    )
    result = shop.runpytest("-s", "-rE")
    result.assert_outcomes(passed=1, errors=len(WRONG) + 3)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    refused(result, *WRONG.values(), "test_of_class", "test_skipped", "test_module.py::test_it - ")
    assert "hidden" not in result.stdout.str()
    result.stdout.fnmatch_lines(["ERROR test_it.py::test_2 - *max_block: '50' is n*"])
    result.stdout.no_fnmatch_line("*RAN*")
    chosen = shop.runpytest("-k", "right")
    chosen.assert_outcomes(passed=1, deselected=len(WRONG) + 3)
    assert "max_block" not in chosen.stdout.str() + chosen.stderr.str()


@pytest.mark.one_python
@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--noblock-max-block=50", "--noblock-max-block: '50' is not a duration"),
        ("--noblock-max-block=", "--noblock-max-block: '' is not a duration"),
        ("--noblock-action=ignore", "--noblock-action: 'ignore' is neither 'fail' nor 'warn'"),
        ("--noblock-probe=health", "--noblock-probe: ['health'] is not a path"),
        ("--noblock-report=report.xlsx", "--noblock-report: the format of 'report.xlsx' is not known: its name must"),
        ("--noblock-report=report", "--noblock-report: the format of 'report' is not known: its name must end in"),
    ],
)
def test_a_mistake_on_the_command_line_ends_the_run(usage_error, option, sentence):
    usage_error("def test_it(): pass", sentence, option)


@pytest.mark.parametrize(
    ("ini", "sentence"),
    [
        (
            "noblock_max_block = 50",
            "noblock_max_block: '50' is not a duration: write a positive number and a unit (us, ms",
        ),
        ("noblock_action = ignore", "noblock_action: 'ignore' is neither 'fail' nor 'warn'"),
        ("noblock_probe = health", "noblock_probe: ['health'] is not a path"),
        ("noblock_scope = class", "noblock_scope: 'class' is not one of function, module, session"),
        ("noblock_known_calls = warn", "noblock_known_calls: 'warn' is not one of note, fail"),
        ("noblock_meter = best", "noblock_meter: 'best' is not one of auto, full, portable"),
        (
            "noblock_report = report.xlsx",
            "noblock_report: the format of 'report.xlsx' is not known: its name must end in .json",
        ),
    ],
)
def test_a_mistake_in_the_ini_file_ends_the_run(usage_error, ini, sentence):
    usage_error("def test_it(): pass", sentence, ini=ini)


@pytest.mark.one_python
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("max_blok='1 ms'", "noblock has no request argument 'max_blok': did you mean 'max_block'?"),
        ("header={}", "noblock has no request argument 'header': did you mean 'headers'?"),
        ("qqq=1", "noblock has no request argument 'qqq': it takes auth, "),
        ("max_block='50'", "'50' is not a duration: write a positive number and a unit"),
        ("max_block=0.05", "0.05 is not a duration: write a positive number and a unit"),
        ("concurrency=0", "concurrency=0 is not a positive whole number"),
        ("concurrency=True", "concurrency=True is not a positive whole number"),
        ("concurrency='4'", "concurrency='4' is not a positive whole number"),
        ("warmup='no'", "warmup='no' is neither True nor False"),
        ("confirm=0", "confirm=0 is neither True nor False"),
        ("timeout='soon'", "timeout='soon' is not"),
    ],
)
def test_a_mistake_in_an_argument_fails_the_test_before_anything_is_sent(run, arguments, sentence):
    result = run(f"""
        import shop

        def test_it(noblock):
            noblock.get("/awaits", {arguments})

        def test_nothing_was_sent():
            assert shop.calls == []
    """)
    result.assert_outcomes(failed=1, passed=1)
    assert "INTERNALERROR" not in result.stdout.str()
    assert sentence in " ".join(result.stdout.str().split())


def test_an_argument_that_is_wrong_fails_at_the_line_of_the_test(run):
    """The frames shown are the test's, not ours."""
    result = run("def test_it(noblock):\n    noblock.get('/awaits', max_blok='1 ms')\n")
    result.assert_outcomes(failed=1)
    assert "pytest_noblock/client.py" not in result.stdout.str()
    result.stdout.fnmatch_lines(["*test_shop.py:2: TypeError"])


@pytest.mark.one_python
def test_a_report_that_cannot_be_written_is_told_in_one_sentence(run, refused):
    result = run("def test_it(noblock): noblock.get('/awaits')", "--noblock-report=/proc/absent/report.json")
    assert result.ret not in (0, pytest.ExitCode.INTERNAL_ERROR)
    refused(result, "/proc/absent/report.json")


@pytest.mark.one_python
def test_a_report_is_written_below_a_folder_that_is_not_there_yet(run, shop):
    run("def test_it(noblock): noblock.get('/awaits')", "--noblock-report=new/folder/report.json").assert_outcomes(
        passed=1
    )
    assert shop.path.joinpath("new/folder/report.json").is_file()


@pytest.mark.one_python
def test_the_markers_help_is_what_the_markers_take(shop):
    result = shop.runpytest("--markers")
    result.stdout.fnmatch_lines(
        ["@pytest.mark.noblock(max_block=None, max_total=None, probe=None, app=None, action=None): *"]
    )


def test_strict_markers_know_ours(run):
    run(
        "import pytest\n@pytest.mark.noblock\ndef test_it(noblock): noblock.get('/awaits')", "--strict-markers"
    ).assert_outcomes(passed=1)
