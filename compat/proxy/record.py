"""Record the sessions anew: `python -m compat.proxy.record` runs Kafka's own tools against real Kafka 4.3.1.

Each session is a function; what it leaves is `sessions/NAME.trace`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
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


def _warm(cli: Cli) -> None:
    """Have the internal topics and a block of producer ids: how a broker comes up is no part of a session."""
    cli.create_topic("warm")
    cli.ok("kafka-console-producer", "--topic", "warm", stdin="up\n")
    group = ("--topic", "warm", "--group", "warm")
    cli.ok("kafka-console-consumer", *group, "--from-beginning", "--max-messages", 1, "--timeout-ms", 30000)


RECORDINGS: dict[str, Callable[[Cli], None]] = {"console-group": console_group}


def main() -> int:
    for name in sys.argv[1:] or RECORDINGS:
        with tempfile.TemporaryDirectory(prefix="compat-proxy-") as directory, KafkaTarget() as kafka:
            tools = Tools(Path(directory))
            trace = SESSIONS / f"{name}.trace"
            try:
                _warm(Cli(tools, kafka.bootstrap))
                with RunningProxy(kafka.bootstrap, Path(directory), "--record", str(trace)) as proxy:
                    RECORDINGS[name](Cli(tools, proxy.address))
            finally:
                tools.close()
        print(f"{trace}: {len(trace.read_text().splitlines())} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
