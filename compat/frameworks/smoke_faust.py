"""Faust in an environment of its own: one life of an agent that counts words in a table with a changelog.

Arguments: bootstrap server, a name nobody else uses, a folder, the first word's number. A line of JSON: the table.
"""

from __future__ import annotations

import asyncio
import json
import sys

import faust

COUNT = 30


async def main() -> None:
    bootstrap, name, folder, first = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    app = faust.App(
        name, broker=f"kafka://{bootstrap}", store="memory://", topic_partitions=2, web_enabled=False, datadir=folder,
        autodiscover=False, broker_session_timeout=10, broker_heartbeat_interval=1, stream_wait_empty=False,
        topic_replication_factor=1,
    )  # fmt: skip
    # Faust makes the topic, with as many partitions as the table's changelog has.
    words = app.topic(f"{name}-words", key_type=str, value_type=str, partitions=2, internal=True)
    counts = app.Table(f"{name}-counts", default=int, partitions=2)
    done = asyncio.Event()
    seen = 0

    @app.agent(words)
    async def count(stream: faust.Stream[str]) -> None:
        nonlocal seen
        async for word in stream:
            counts[word] += 1
            seen += 1
            if seen == COUNT:
                done.set()

    app.finalize()
    await app.start()
    try:
        for number in range(first, first + COUNT):
            await words.send(key=f"word-{number % 5}", value=f"word-{number % 5}")
        await asyncio.wait_for(done.wait(), 90)
        table = dict(sorted((str(word), found) for word, found in counts.items()))
    finally:
        await app.stop()
    print(json.dumps({"step": f"counts-{first}", "outcome": table}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
