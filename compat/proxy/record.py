"""Record the sessions anew: `python -m compat.proxy.record` runs Kafka's own tools against real Kafka 4.3.1.

Each session is a function; what it leaves is `sessions/NAME.trace`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from inspect import signature
from pathlib import Path

from compat.java.tools import Cli, Tools
from compat.proxy.running import RunningProxy
from compat.targets import KafkaTarget

SESSIONS = Path(__file__).parent / "sessions"


def console_group(cli: Cli) -> None:
    """A topic, a console producer, and a group whose second console consumer goes on where the first has ended."""
    cli.create_topic("orders", 2)
    cli.ok("kafka-console-producer", "--topic", "orders", stdin="".join(f"order {i}\n" for i in range(6)))
    group = ("--topic", "orders", "--group", "shop")
    first = cli.ok("kafka-console-consumer", *group, "--from-beginning", "--max-messages", 6, "--timeout-ms", 30000)
    assert sorted(first.lines) == [f"order {i}" for i in range(6)], first
    cli.ok("kafka-console-producer", "--topic", "orders", stdin="order 6\norder 7\n")
    second = cli.ok("kafka-console-consumer", *group, "--max-messages", 2, "--timeout-ms", 30000)
    assert sorted(second.lines) == ["order 6", "order 7"], second


def two_members(cli: Cli, other: Cli) -> None:
    """Two console consumers of one group: the second one's coming and the first one's going each rebalance it."""
    cli.create_topic("orders", 2)
    cli.ok("kafka-console-producer", "--topic", "orders", stdin="first\n")
    shared = (
        "kafka-console-consumer", "--topic", "orders", "--group", "shop", "--from-beginning",
        "--consumer-property", "heartbeat.interval.ms=500",
    )  # fmt: skip
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(cli.ok, *shared, "--timeout-ms", 6000)
        time.sleep(3)  # it has joined, alone, and has read what there was
        other.ok(*shared, "--timeout-ms", 9000)
        assert "first" in first.result().lines


def _warm(cli: Cli, topic: str) -> None:
    """Have the internal topics and a block of producer ids: how a broker comes up is no part of a session."""
    cli.create_topic(topic)
    cli.ok("kafka-console-producer", "--topic", topic, stdin="up\n")
    group = ("--topic", topic, "--group", topic)
    cli.ok("kafka-console-consumer", *group, "--from-beginning", "--max-messages", 1, "--timeout-ms", 30000)


RECORDINGS: dict[str, Callable[..., None]] = {"console-group": console_group, "two-members": two_members}
"""Session -> what it does with the tools; one that wants two of them gets two."""


def record(name: str) -> Path:
    """Run a session against a new broker, through the proxy; gives its trace."""
    trace = SESSIONS / f"{name}.trace"
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="compat-proxy-")))
        kafka = stack.enter_context(KafkaTarget())
        jvms = []
        for i in range(len(signature(RECORDINGS[name]).parameters)):
            (directory / str(i)).mkdir()
            jvms.append(Tools(directory / str(i)))
            stack.callback(jvms[i].close)
            _warm(Cli(jvms[i], kafka.bootstrap), f"warm{i}")
        with RunningProxy(kafka.bootstrap, directory, "--record", str(trace)) as proxy:
            RECORDINGS[name](*(Cli(jvm, proxy.address) for jvm in jvms))
    return trace


def main() -> int:
    for name in sys.argv[1:] or RECORDINGS:
        trace = record(name)
        print(f"{trace}: {len(trace.read_text().splitlines())} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
