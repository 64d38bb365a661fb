"""A pass in a process of its own, so that its loops over records do not take turns with the event loop.

The cleaner's thread starts the child, sends it a plan and waits for one cleaned segment after another; both ends are
this module. The child only reads segments and writes `.cleaned` files. It ends with its input, with its parent, or when
it is killed, which is how a pass is aborted: what it has written by then is removed by whoever started it.
"""

from __future__ import annotations

import os
import pickle
import select
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import PurePath
from typing import IO, Any, Final, NamedTuple

from klamm.log.cleaner.cleaning import ChildEnded, CleanedGroup, Pass
from klamm.log.cleaner.offset_map import OffsetMap
from klamm.log.cleaner.plan import CleanerSettings, CleaningPlan, CleaningStats
from klamm.log.cleaner.throttle import Throttle
from klamm.log.disk import RealDisk
from klamm.log.swap import remove_cleaned
from klamm.seams import StoppedClock

_POLL_S: Final = 0.05
_ROOT: Final = str(PurePath(__file__).parent.parent.parent)


class _Order(NamedTuple):
    plan: CleaningPlan
    settings: CleanerSettings


class _End(NamedTuple):
    """A pass has come to its end: by itself, or by an error."""

    end_offset: int
    stats: CleaningStats
    error: Exception | None


class CleanerChild:
    """The child of one cleaner thread, started with the first pass."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def run(
        self,
        plan: CleaningPlan,
        settings: CleanerSettings,
        checkpoint: Callable[[int], None],
        now_ms: Callable[[], float],
    ) -> ChildPass:
        """The pass over a log, made by the child as its groups are asked for."""
        return ChildPass(self, plan, settings, checkpoint, now_ms)

    def clean(
        self, plan: CleaningPlan, settings: CleanerSettings, checkpoint: Callable[[int], None]
    ) -> Generator[CleanedGroup | _End, None, None]:
        """Cleaned groups and at last how it ended. `checkpoint(0)` is called while waiting, and may raise to abort.

        Raises ChildEnded, OSError.
        """
        process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None
        cleaned = None
        try:
            _send(process.stdin, _Order(plan, settings))
            while True:
                while not select.select([process.stdout], [], [], _POLL_S)[0]:
                    checkpoint(0)
                cleaned = _receive(process.stdout)
                yield cleaned
                if isinstance(cleaned, _End):
                    return
                checkpoint(0)
                _send(process.stdin, None)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            raise ChildEnded(f"the cleaner's process has ended with status {process.wait()}") from None
        finally:
            if not isinstance(cleaned, _End):
                self.close()
                for segment in plan.segments:
                    remove_cleaned(RealDisk(), plan.directory, segment.base_offset)

    def _start(self) -> subprocess.Popen[bytes]:
        path = os.pathsep.join([_ROOT, *filter(None, [os.environ.get("PYTHONPATH")])])
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", f"from klamm.log.cleaner.child import main; main({os.getpid()})"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,  # a Ctrl-C at the terminal is for the node alone
            )
        except OSError as error:
            raise ChildEnded(f"the cleaner's process cannot be started: {error}") from None
        self._process = process
        return process

    def close(self) -> None:
        """End the child, whatever it does."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass


class ChildPass:
    """A `Pass` that a child makes: `groups`, then `end_offset` and `stats`."""

    def __init__(
        self,
        child: CleanerChild,
        plan: CleaningPlan,
        settings: CleanerSettings,
        checkpoint: Callable[[int], None],
        now_ms: Callable[[], float],
    ) -> None:
        self._child = child
        self._plan = plan
        self._settings = settings
        self._checkpoint = checkpoint
        self.stats = CleaningStats(now_ms())
        self.end_offset = plan.first_dirty_offset

    def groups(self) -> Generator[CleanedGroup, None, None]:
        for told in self._child.clean(self._plan, self._settings, self._checkpoint):
            if isinstance(told, CleanedGroup):
                yield told
            else:
                self.stats, self.end_offset = told.stats, told.end_offset
                if told.error is not None:
                    raise told.error


def _send(pipe: IO[bytes], message: object) -> None:
    pickle.dump(message, pipe, pickle.HIGHEST_PROTOCOL)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    # Only what this module has sent: the pipe joins parent and child.
    return pickle.load(pipe)


# -- the child --


def _serve(orders: IO[bytes], answers: IO[bytes], parent: int) -> None:
    clock = StoppedClock()
    while True:
        try:
            order: _Order = _receive(orders)
        except EOFError:
            return
        settings = order.settings
        # The limit is one for all threads: without knowing of each other, each keeps to its share.
        rate = settings.io_bytes_per_second_max / settings.threads
        throttle = Throttle(rate, clock.monotonic_ms, lambda seconds: _wait(orders, seconds))

        def checkpoint(size: int, throttle: Throttle = throttle) -> None:
            throttle.spend(size)
            if os.getppid() != parent:
                os._exit(1)  # another node may be at work in the directory by now

        run = Pass(
            RealDisk(),
            order.plan,
            OffsetMap(settings.map_bytes, settings.load_factor),
            chunk_bytes=settings.chunk_bytes,
            checkpoint=checkpoint,
            now_ms=clock.monotonic_ms,
        )
        error: Exception | None = None
        try:
            for group in run.groups():
                _send(answers, group)
                _receive(orders)
        except EOFError:
            return
        except Exception as caught:
            error = _portable(caught)
        _send(answers, _End(run.end_offset, run.stats, error))


def _wait(orders: IO[bytes], seconds: float) -> None:
    """Let time pass, of which a low limit takes much. No order comes in a pass: the parent has ended if one does."""
    if select.select([orders], [], [], seconds)[0]:
        os._exit(1)


def _portable(error: Exception) -> Exception:
    """The error, or what it says, if it cannot be sent as it is."""
    try:
        copy = pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error if type(copy) is type(error) else RuntimeError(str(error))


def main(parent: int) -> None:
    """Clean what standard input asks for until it ends, or the process `parent` does."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not get between the answers
    _serve(sys.stdin.buffer, answers, parent)
