"""A request that is served by hand has the answer and the effect that it has when it is decoded and handled."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from klamm.kproto.errors import KafkaError, ProtocolError
from klamm.kproto.frame import SCRATCH_BYTES
from klamm.kproto.messages.produce import ProduceRequest, ProduceResponse
from klamm.log.log_config import LogConfig
from klamm.log.partition_log import LARGE_WRITE_BYTES
from klamm.reply import Reply
from klamm.server.handlers import produce
from klamm.server.partition import Partition
from klamm.server.request import RequestContext
from tests.log.conftest import Lab

TOPIC_ID = b"t" * 16
OTHER_ID = b"o" * 16
NAMES = ["t", "ß" * 40, "n" * 126, "n" * 127]
Asked = ProduceRequest.TopicProduceData
AskedPartition = Asked.PartitionProduceData
BATCH = bytes(Lab().batch(3))
BATCHES = [
    BATCH,
    bytes(Lab().batch(1, producer_id=7, producer_epoch=0, base_sequence=0)),
    bytes(Lab().batch(1, producer_id=7, producer_epoch=0, base_sequence=5)),
    bytes(Lab().batch(1, size=20_000)),
    bytes(Lab().batch(1, size=300_000)),
    bytes(Lab().batch(1, timestamp=1 << 60)),
    BATCH[:-1] + b"?",
    BATCH[:30],
    BATCH + BATCH,
    b"",
    None,
]


class Replicas:
    """One partition, 0, which is found under every name of NAMES and one id."""

    def __init__(self, lab: Lab) -> None:
        self.partition = Partition("t", TOPIC_ID, 0, lab.open(), 1, 4, [1], lambda _: None)
        self.partition.log.config = LogConfig({"max.message.bytes": 400_000})

    def get(self, topic: str, index: int) -> Partition:
        if index or topic not in NAMES:
            raise KafkaError(3)
        return self.partition

    def by_id(self, topic_id: bytes, index: int) -> Partition:
        if index or topic_id != TOPIC_ID:
            raise KafkaError(100)
        return self.partition


class Served:
    """One broker: what it answered, and what is in its log."""

    def __init__(self, by_hand: bool) -> None:
        lab = Lab()
        self.broker: Any = type("Broker", (), {"replicas": Replicas(lab), "clock": lab.clock})()
        self._by_hand = by_hand

    def send(self, frame: bytes, version: int, body_at: int) -> bytes | str | None:
        """The answer's body; the error that closes the connection; None: no answer, or not one to be served by hand."""
        context = RequestContext(0, version, "me", "", "PLAINTEXT", 1, body_at=body_at)
        view = memoryview(bytearray(frame))
        try:
            if self._by_hand:
                response: Any = produce.quick(self.broker, context, view)
            else:
                request, _ = ProduceRequest.decode_from(view, body_at, version)
                response = produce.handle(self.broker, context, request)
            if isinstance(response, Reply):
                resolved: list[Any] = []
                response.then(resolved.append)
                response = resolved[0]
        except ProtocolError as closed:
            return type(closed).__name__
        return response.encode(version) if isinstance(response, ProduceResponse) else response

    @property
    def log(self) -> bytes:
        log = self.broker.replicas.partition.log
        return bytes(log.read(0, 1 << 30, max_offset=log.log_end_offset).data)


partitions = st.builds(AskedPartition, index=st.sampled_from([0, 0, 0, 1]), records=st.sampled_from(BATCHES))


@st.composite
def requests(draw: st.DrawFn) -> ProduceRequest:
    return ProduceRequest(
        transactional_id=draw(st.sampled_from([None, None, None, "x"])),
        acks=draw(st.sampled_from([-1, -1, 1, 0, 2])),
        timeout_ms=draw(st.integers(0, 1 << 31 - 1)),
        topic_data=[
            Asked(
                name=draw(st.sampled_from([*NAMES, "unknown"])),
                topic_id=draw(st.sampled_from([TOPIC_ID, TOPIC_ID, OTHER_ID])),
                partition_data=draw(st.lists(partitions, min_size=draw(st.sampled_from([0, 1, 1])), max_size=2)),
            )
            for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2])))
        ],
        unknown_tagged_fields=draw(st.sampled_from([None, None, [(9, b"tagged")]])),
    )


def encoded(request: ProduceRequest, version: int) -> bytes:
    for topic in request.topic_data:
        if version >= 13:
            topic.name = ""
        else:
            topic.topic_id = bytes(16)
    return request.encode(version)


def plain(name: str, records: bytes | None, acks: int = -1) -> ProduceRequest:
    return ProduceRequest(
        transactional_id=None,
        acks=acks,
        timeout_ms=1,
        topic_data=[Asked(name=name, topic_id=TOPIC_ID, partition_data=[AskedPartition(index=0, records=records)])],
    )


@pytest.mark.parametrize("version", range(9, 14))
@given(st.lists(requests(), min_size=1, max_size=3), st.integers(0, 40))
@example([plain(name, records) for name in NAMES for records in BATCHES], 0)
def test_by_hand_and_handled(version: int, found: list[ProduceRequest], body_at: int) -> None:
    by_hand, handled = Served(True), Served(False)
    for request in found:
        frame = bytes(body_at) + encoded(request, version)
        before = by_hand.log
        answer = by_hand.send(frame, version, body_at)
        if answer is None:
            assert by_hand.log == before
            continue
        assert answer == handled.send(frame, version, body_at)
        assert by_hand.log == handled.log


@pytest.mark.parametrize("version", range(9, 14))
@pytest.mark.parametrize("acks", [-1, 1])
@pytest.mark.parametrize("records", BATCHES[:-3])
def test_the_common_form_is_served_by_hand(version: int, acks: int, records: bytes) -> None:
    assert isinstance(Served(True).send(encoded(plain("t", records, acks), version), version, 0), bytes)


@pytest.mark.parametrize("version", range(9, 14))
def test_a_cut_or_lengthened_frame_is_not(version: int) -> None:
    whole = encoded(plain("t", BATCH), version)
    served = Served(True)
    for size in range(len(whole)):
        assert served.send(whole[:size], version, 0) is None
    assert served.send(whole + b"\0", version, 0) is None
    assert served.log == b""


def test_old_versions_are_not() -> None:
    for version in range(3, 9):
        assert Served(True).send(encoded(plain("t", BATCH), version), version, 0) is None


def test_the_log_is_done_with_what_stands_in_the_scratch_buffer() -> None:
    """Larger batches are written later, out of a buffer of their own."""
    assert SCRATCH_BYTES <= LARGE_WRITE_BYTES
