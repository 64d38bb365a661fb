"""`klamm proxy replay` and `klamm proxy show`: what a proxy has recorded, said again or printed."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import TYPE_CHECKING

from klamm.proxy.rules import RuleError

if TYPE_CHECKING:
    from klamm.proxy.addresses import Address
    from klamm.proxy.replay import Result
    from klamm.proxy.trace import Trace


def run_trace(args: argparse.Namespace, to: Address | None) -> int:
    """Exit status: 0 all answers were equal, 1 some were not. Raises RuleError, TraceError, OSError."""
    from klamm.proxy.trace import read_trace

    if args.trace is None:
        raise RuleError(f"{args.action} needs a trace")
    with open(args.trace, encoding="utf-8") as file:
        trace = read_trace(file)
    if args.action == "show":
        return _show(args, trace)
    if to is None:
        raise RuleError("--to is needed: the server to which the trace is said")
    return _replay(args, trace, to)


def _replay(args: argparse.Namespace, trace: Trace, to: Address) -> int:
    from klamm.proxy.replay import Replay, differences_in_words, summary
    from klamm.seams import SystemClock, TcpNetwork

    async def replayed() -> Result:
        clock = SystemClock(asyncio.get_running_loop())
        timeout_ms = args.timeout * 1000
        return await Replay(trace, to, network=TcpNetwork(), clock=clock, pace=args.pace, timeout_ms=timeout_ms).run()

    result = asyncio.run(replayed())
    if args.json:
        for row in result.different:
            for path, was, now in row.differences:
                told = {"connection": row.connection, "api": row.api, "version": row.version,
                        "correlation_id": row.correlation_id, "path": path, "recorded": was, "now": now}  # fmt: skip
                print(json.dumps(told, ensure_ascii=False))
        print(json.dumps(summary(result)))
    else:
        for line in differences_in_words(result):
            print(line)
        figures = summary(result)
        print(
            f"{figures['answers']} answers: {figures['equal']} equal, {figures['different']} different; "
            f"{figures['settled']} told of a server coming up, {figures['asked_again']} asked again, "
            f"{figures['left_out']} not in the trace"
        )
    return 1 if result.different else 0


def _show(args: argparse.Namespace, trace: Trace) -> int:
    from klamm.proxy.recorded import TraceClock, tell
    from klamm.proxy.show import Shower
    from klamm.proxy.subjects import TopicNames

    clock = TraceClock()
    tell(trace, Shower(sys.stdout.write, clock, TopicNames(), form=args.show, is_json=args.json), clock)
    return 0
