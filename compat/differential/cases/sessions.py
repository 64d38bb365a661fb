"""Sessions of real clients that `klamm proxy` has recorded on real Kafka, said again (compat/proxy).

A step is an answer, brought back to the values of the recording, so that both brokers' can be compared.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from compat.differential.cases import add_case
from compat.differential.run import NotServed, Run
from compat.proxy.record import SESSIONS
from klamm.kproto.messages.delete_groups import DeleteGroupsRequest
from klamm.kproto.messages.delete_topics import DeleteTopicsRequest
from klamm.proxy.replay import Replay
from klamm.proxy.trace import Trace, read_trace
from klamm.seams import SystemClock, TcpNetwork


def _say(run: Run, path: Path) -> None:
    if run.plan.token:
        raise NotServed("the names are the recording's, and a server elsewhere may have such topics of its own")
    with open(path, encoding="utf-8") as file:
        trace = read_trace(file)
    asyncio.run(_said(run, trace))
    # The names are the recording's: the next run must find a broker that has never heard of them.
    run.quiet(DeleteTopicsRequest, 4, topic_names=["orders"], timeout_ms=30000)
    run.quiet(DeleteGroupsRequest, 2, groups_names=["shop"])


async def _said(run: Run, trace: Trace) -> None:
    host, _, port = run.target.bootstrap.rpartition(":")
    await Replay(
        trace,
        (host, int(port)),
        network=TcpNetwork(),
        clock=SystemClock(asyncio.get_running_loop()),
        compared=lambda row: run.record(
            row.api, row.version, f"connection {row.connection}, correlation id {row.correlation_id}", row.answer
        ),
    ).run()


def _add(path: Path) -> None:
    add_case(f"sessions.{path.stem}", lambda run: _say(run, path))


for _path in sorted(SESSIONS.glob("*.trace")):
    _add(_path)
