"""What a log keeps of its producers: sequences, epochs, the last five batches, over deletes and in transactions."""

from __future__ import annotations

from typing import Any

from compat.differential.cases import case
from compat.differential.cases.produce import patched
from compat.differential.run import Run, Topic, batch, records_for
from klamm.kproto.messages.delete_records import DeleteRecordsRequest
from klamm.kproto.messages.describe_producers import DescribeProducersRequest
from klamm.kproto.messages.produce import ProduceRequest

VERSION = 12
MOST = 2**31 - 1


def send(
    run: Run, note: str, topic: Topic, producer: int, sequence: int, epoch: int = 0, count: int = 2, **more: Any
) -> None:
    data = batch(*[b"v"] * count, producer_id=0, producer_epoch=0, base_sequence=0, **more)
    for at, form, value in ((43, ">q", producer), (51, ">h", epoch), (53, ">i", sequence)):
        data = patched(data, at, form, value)
    run.ask(ProduceRequest, VERSION, note, **records_for(topic, data))


def describe(run: Run, topic: Topic, note: str) -> None:
    rows = [{"name": topic.name, "partition_indexes": [0]}]
    run.ask(DescribeProducersRequest, 0, note, topics=rows)


@case
def five_batches(run: Run) -> None:
    """Each of the last five is a duplicate, by its whole range; all else is out of order."""
    topic = run.topic()
    producer = run.producer_id()
    sizes = (1, 3, 2, 5, 1, 4, 2)
    first = [sum(sizes[:n]) for n in range(len(sizes))]
    for n, count in enumerate(sizes):
        send(run, f"batch {n}", topic, producer, first[n], count=count)
        for back in range(n + 1):
            send(run, f"batch {back} again after {n}", topic, producer, first[back], count=sizes[back])
    for n, count in enumerate(sizes):
        send(run, f"batch {n}, one record more", topic, producer, first[n], count=count + 1)
        send(run, f"batch {n}, from one later", topic, producer, first[n] + 1, count=count)
        if count > 1:
            send(run, f"batch {n}, one record less", topic, producer, first[n], count=count - 1)
    for sequence in (-1, -2, MOST, 0):
        send(run, f"sequence {sequence}", topic, producer, sequence)
    describe(run, topic, "at the end")


@case
def epochs(run: Run) -> None:
    topic = run.topic()
    producer = run.producer_id()
    send(run, "begins at 7", topic, producer, 7)
    send(run, "goes on", topic, producer, 9)
    for epoch, sequence in (
        (1, 11),
        (1, 0),
        (1, 0),
        (1, 2),
        (0, 11),
        (0, 9),
        (5, 1),
        (5, 0),
        (4, 0),
        (5, 2),
        (32767, 0),
    ):
        send(run, f"epoch {epoch}, sequence {sequence}", topic, producer, sequence, epoch)
        describe(run, topic, f"after epoch {epoch}, sequence {sequence}")
    send(run, "epoch -1", topic, producer, 0, -1)
    send(run, "epoch -1, unknown producer", topic, run.producer_id(), 0, -1)
    send(run, "no id, but an epoch and a sequence", topic, -1, 0, 3)


@case
def wrap_around(run: Run) -> None:
    topic = run.topic()
    for start in (MOST, MOST - 1, MOST - 2, MOST - 3):
        producer = run.producer_id()
        send(run, f"from {start}", topic, producer, start)
        after = (start + 2) & MOST
        send(run, "again", topic, producer, start)
        send(run, "one too far", topic, producer, (after + 1) & MOST)
        send(run, "goes on", topic, producer, after)
        send(run, "again, over the wrap", topic, producer, start)
        send(run, "and on", topic, producer, (after + 2) & MOST, count=1)
        describe(run, topic, f"from {start}")


@case
def records_deleted(run: Run) -> None:
    """Deleted records leave the producer known: its duplicates are, and a gap is one."""
    topic = run.topic()
    producer = run.producer_id()
    for n in range(4):
        send(run, f"batch {n}", topic, producer, 2 * n)
    for offset in (3, 8):
        rows = [{"name": topic.name, "partitions": [{"partition_index": 0, "offset": offset}]}]
        run.ask(DeleteRecordsRequest, 2, f"below {offset}", topics=rows, timeout_ms=1000)
        describe(run, topic, f"below {offset}")
        send(run, "the last one again", topic, producer, 6)
        send(run, "the first one again", topic, producer, 0)
        send(run, "a gap", topic, producer, 50)
    send(run, "goes on", topic, producer, 8)
    describe(run, topic, "at the end")


@case
def beside_each_other(run: Run) -> None:
    topic = run.topic()
    many = [run.producer_id() for _ in range(4)]
    for n in range(3):
        for producer in many:
            send(run, f"round {n}", topic, producer, n)
            send(run, f"round {n}, out of order", topic, producer, n + 5)
    describe(run, topic, "at the end")


@case
def transactional_without_a_transaction(run: Run) -> None:
    """A transaction that no coordinator knows of: the leader asks before it takes the first batch (KIP-890)."""
    topic = run.topic()
    producer = run.producer_id()
    for version in run.versions(ProduceRequest):
        for transactional_id in ("unknown", "", None):
            for sequence in (0, 5):
                data = batch(
                    b"a", producer_id=producer, producer_epoch=0, base_sequence=sequence, transactional=True
                )  # fmt: skip
                run.ask(ProduceRequest, version, f"transactional id {transactional_id!r}, sequence {sequence}",
                        **records_for(topic, data, transactional_id=transactional_id))  # fmt: skip
        data = patched(data, 43, ">q", -1)
        run.ask(ProduceRequest, version, "without a producer",
                **records_for(topic, data, transactional_id="unknown"))  # fmt: skip
        data = batch(b"a", producer_id=producer, producer_epoch=0, base_sequence=0)
        run.ask(ProduceRequest, version, "a transactional id, but no transaction",
                **records_for(run.topic(), data, transactional_id="unknown"))  # fmt: skip
    describe(run, topic, "at the end")
