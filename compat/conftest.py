"""Pytest options and fixtures of the compat suites: `--target`, a running broker, the tools a test needs.

A missing program fails the tests that need it; only `--allow-missing` turns that into a skip.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent
# pytest is told to import by path, so the `pytest` command alone leaves the root of the repository off sys.path.
if str(_ROOT) not in sys.path:
    sys.path.insert(0, str(_ROOT))

from compat.external import ExternalTarget  # noqa: E402
from compat.targets import KafkaTarget, KlammTarget  # noqa: E402

AnyTarget = KlammTarget | KafkaTarget | ExternalTarget
_KINDS: dict[str, Callable[[], KlammTarget | KafkaTarget]] = {"klamm": KlammTarget, "kafka": KafkaTarget}
_TIMEOUT_S = 300
# Directories of brokers that served a failed test: they stay for whoever looks into it.
_kept = pytest.StashKey[set[Path]]()


def _spec(text: str) -> str:
    if text not in _KINDS and ":" not in text:
        raise argparse.ArgumentTypeError(f"{text!r} is neither {' nor '.join(_KINDS)} nor HOST:PORT")
    return text


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("compat")
    group.addoption(
        "--target",
        type=_spec,
        default="klamm",
        help="the broker under test: klamm, kafka, or HOST:PORT of one that runs",
    )
    group.addoption("--allow-missing", action="store_true", help="skip tests whose programs are not installed")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*programs): programs on the path without which the test fails")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_TIMEOUT_S))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    wanted = {name for marker in item.iter_markers("needs") for name in marker.args}
    if missing := sorted(name for name in wanted if shutil.which(name) is None):
        reason = f"not installed: {', '.join(missing)}"
        if item.config.getoption("--allow-missing"):
            pytest.skip(reason)
        pytest.fail(f"{reason} (--allow-missing skips such tests)", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for fixture in ("target", "fresh_target"):
            running = getattr(item, "funcargs", {}).get(fixture)
            if running is not None:
                if not isinstance(running, ExternalTarget):
                    item.session.stash.setdefault(_kept, set()).add(running.directory)
                report.sections.append((f"{running.name} {running.bootstrap}", running.log_tail()))
    return report


def _run(request: pytest.FixtureRequest, *, is_shared: bool) -> Iterator[AnyTarget]:
    spec = request.config.getoption("--target")
    if spec not in _KINDS:
        if not is_shared:
            pytest.skip(f"needs a broker of its own; {spec} runs already")
        with ExternalTarget(spec) as running:
            yield running
        return
    broker = _KINDS[spec]()
    try:
        broker.start()
        yield broker
        broker.stop()
    except BaseException:
        request.session.stash.setdefault(_kept, set()).add(broker.directory)
        raise
    finally:
        broker.kill()
        if broker.directory not in request.session.stash.setdefault(_kept, set()):
            broker.remove()


@pytest.fixture(scope="module")
def target(request: pytest.FixtureRequest) -> Iterator[AnyTarget]:
    """A running broker, the same one for all tests of the module. After a failure its directory is kept."""
    yield from _run(request, is_shared=True)


@pytest.fixture
def fresh_target(request: pytest.FixtureRequest) -> Iterator[AnyTarget]:
    """A running broker of the test's own. After a failure its directory is kept."""
    yield from _run(request, is_shared=False)
