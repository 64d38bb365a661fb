"""FastStream in an environment of its own, over aiokafka and over confluent-kafka. A line of JSON a step.

Arguments: bootstrap server, a name nobody else uses.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from typing import Any

COUNT = 40


def tell(step: str, outcome: object) -> None:
    print(json.dumps({"step": step, "outcome": outcome}), flush=True)


async def chain(library: str, bootstrap: str, name: str) -> dict[str, Any]:
    """Numbers go through a handler that publishes their squares, and those to a handler of batches."""
    module = importlib.import_module(f"faststream.{library}")
    broker = module.KafkaBroker(bootstrap)
    squares: list[int] = []
    headers: set[str] = set()
    done = asyncio.Event()

    @broker.subscriber(f"{name}-in", group_id=f"{name}-first", auto_offset_reset="earliest")
    @broker.publisher(f"{name}-out")
    async def square(number: int) -> int:
        return number * number

    @broker.subscriber(f"{name}-out", group_id=f"{name}-second", auto_offset_reset="earliest", batch=True)
    async def collect(numbers: list[int]) -> None:
        squares.extend(numbers)
        if len(squares) >= COUNT:
            done.set()

    @broker.subscriber(f"{name}-told", group_id=f"{name}-third", auto_offset_reset="earliest")
    async def told(body: dict[str, Any]) -> None:
        headers.add(json.dumps(body, sort_keys=True))

    async with broker:
        await broker.start()
        for number in range(COUNT):
            await broker.publish(number, f"{name}-in", key=str(number % 4).encode())
        await broker.publish({"text": "ü", "list": [1, None]}, f"{name}-told", headers={"h": "v"})
        await asyncio.wait_for(done.wait(), 60)
        for _ in range(200):
            if headers:
                break
            await asyncio.sleep(0.1)
    return {"squares": [len(squares), sum(squares), len(set(squares))], "told": sorted(headers)}


async def main() -> None:
    bootstrap, name = sys.argv[1:3]
    for library in ("kafka", "confluent"):
        for step, outcome in (await chain(library, bootstrap, f"{name}-{library}")).items():
            tell(f"{library}-{step}", outcome)


if __name__ == "__main__":
    asyncio.run(main())
