"""With `CI=true` a skip of any kind is a failure; elsewhere a skip is a skip."""

import pytest

pytest_plugins = ["pytester"]

PASSES = "def test_passes():\n    assert True\n"
SKIPS = {
    "mark": "import pytest\n@pytest.mark.skip(reason='too slow')\ndef test_it(): ...\n",
    "condition": "import pytest\n@pytest.mark.skipif(True, reason='not here')\ndef test_it(): ...\n",
    "call": "import pytest\ndef test_it():\n    pytest.skip('no broker')\n",
    "fixture": "import pytest\n@pytest.fixture\ndef it():\n    pytest.skip('no broker')\ndef test_it(it): ...\n",
    "module": "import pytest\npytest.skip('not on this system', allow_module_level=True)\n",
    "missing import": "import pytest\npytest.importorskip('a_module_that_nobody_has')\ndef test_it(): ...\n",
    "unittest": "import unittest as u\nclass TestIt(u.TestCase):\n    @u.skip('later')\n    def test_it(self): ...\n",
    "no parameters": "import pytest\n@pytest.mark.parametrize('it', [])\ndef test_it(it): ...\n",
    "expected failure": "import pytest\n@pytest.mark.xfail(reason='a bug')\ndef test_it():\n    assert False\n",
    "unexpected pass": "import pytest\n@pytest.mark.xfail(reason='a bug')\ndef test_it(): ...\n",
    "expected failure, by call": "import pytest\ndef test_it():\n    pytest.xfail('a bug')\n",
    "subtest": "import pytest\ndef test_it(subtests):\n    with subtests.test():\n        pytest.skip('no broker')\n",
}


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", "tests.project.no_skips", *arguments)


@pytest.mark.parametrize("source", SKIPS.values(), ids=SKIPS.keys())
def test_skip_of_any_kind_fails_in_ci(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """The run fails, its closing line says so, and nothing in it is called skipped or expected."""
    monkeypatch.setenv("CI", "true")
    pytester.makepyfile(test_passes=PASSES, test_skips=source)
    result = run(pytester)
    assert result.ret in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
    outcomes = result.parseoutcomes()
    assert outcomes.keys() & {"failed", "errors"}
    assert not outcomes.keys() & {"skipped", "xfailed", "xpassed"}


def test_reason_of_the_skip_is_shown(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads the log of a failed run sees why the test did not run."""
    monkeypatch.setenv("CI", "true")
    pytester.makepyfile(SKIPS["call"])
    run(pytester).stdout.fnmatch_lines(["*with CI=true every test runs*no broker*"])


def test_deselected_test_fails_in_ci(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that an option leaves out did not run either, and is named."""
    monkeypatch.setenv("CI", "true")
    pytester.makepyfile(PASSES + "def test_slow(): ...\n")
    result = run(pytester, "-k", "passes")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["LEFT OUT *::test_slow*"])


def test_passing_run_passes_in_ci(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is wrong with a run in which every test ran."""
    monkeypatch.setenv("CI", "true")
    pytester.makepyfile(PASSES)
    assert run(pytester).ret == pytest.ExitCode.OK


@pytest.mark.parametrize("kind", ["mark", "module", "expected failure"])
def test_skip_is_a_skip_elsewhere(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """On a developer's machine pytest behaves as ever."""
    monkeypatch.delenv("CI", raising=False)
    pytester.makepyfile(test_passes=PASSES, test_skips=SKIPS[kind])
    result = run(pytester)
    assert result.ret == pytest.ExitCode.OK
    assert not result.parseoutcomes().keys() & {"failed", "errors"}
