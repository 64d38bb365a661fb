"""When a partition can be written to: single records with acks=all, each to the leader that a broker names.

No library stands between: no back-off, no queue, no request that waits for its timeout. What a client library makes of
a leader's death is measured apart, by the load.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence

from compat.cluster_kill.wire import view
from klamm.kproto.errors import ProtocolError
from klamm.kproto.messages.produce import ProduceRequest, ProduceResponse
from klamm.kproto.record_codec import Record
from klamm.kproto.records import build_batch
from klamm.testing.wire import WireClient

PAUSE_S = 0.025
TIMEOUT_S = 0.4
_PRODUCE_VERSION = 9
_ALL = -1


class WriteProbe(threading.Thread):
    """Writes to one partition all the time, and remembers when it could."""

    def __init__(self, bootstrap: str, topic: str, partition: int) -> None:
        super().__init__(name=f"probe-{topic}-{partition}", daemon=True)
        self.partition = partition
        self._servers = bootstrap.split(",")
        self._topic = topic
        self._client: WireClient | None = None
        self._stopping = threading.Event()
        self._written: list[tuple[float, float]] = []
        self._lock = threading.Lock()

    def run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            if self._write():
                with self._lock:
                    self._written.append((began, time.monotonic()))
            self._stopping.wait(PAUSE_S)
        self._hang_up()

    def stop(self) -> None:
        self._stopping.set()
        self.join(30)

    def written_after(self, moment: float) -> float | None:
        """When the first write that began after `moment` was answered; None: not yet. Earlier ones are forgotten."""
        with self._lock:
            while self._written and self._written[0][0] < moment:
                del self._written[0]
            return self._written[0][1] if self._written else None

    def longest_pause_s(self, begin: float, end: float) -> float:
        """The longest time without an answered write between two moments."""
        with self._lock:
            answers = [begin, *(done for _, done in self._written if begin < done < end), end]
        return max(after - before for before, after in itertools.pairwise(answers))

    def _write(self) -> bool:
        try:
            if self._client is None and not self._connect():
                return False
            assert self._client is not None
            response = self._client.ask(self._request(), _PRODUCE_VERSION, ProduceResponse)
            if response.responses[0].partition_responses[0].error_code == 0:
                return True
        except (OSError, ProtocolError):
            pass
        self._hang_up()
        return False

    def _connect(self) -> bool:
        # The brokers take turns: the one asked first may be the one that is dead.
        self._servers.append(self._servers.pop(0))
        seen = view(self._servers, [self._topic], TIMEOUT_S)
        leader = next((p.leader_id for p in seen.partitions if p.number == self.partition), -1) if seen else -1
        if seen is None or leader not in seen.addresses:
            return False
        self._client = WireClient(seen.addresses[leader], TIMEOUT_S, self.name)
        return True

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _request(self) -> ProduceRequest:
        now_ms = time.time_ns() // 1_000_000
        records = build_batch([Record(0, now_ms, None, b"probe")])
        topic = ProduceRequest.TopicProduceData
        row = topic.PartitionProduceData(index=self.partition, records=records)
        return ProduceRequest(
            acks=_ALL,
            timeout_ms=round(TIMEOUT_S * 1000),
            topic_data=[topic(name=self._topic, partition_data=[row])],
        )


class Probes:
    """A probe for each partition of a topic."""

    def __init__(self, bootstrap: str, topic: str, partitions: Sequence[int]) -> None:
        self._probes = [WriteProbe(bootstrap, topic, partition) for partition in partitions]

    def start(self) -> None:
        for probe in self._probes:
            probe.start()

    def stop(self) -> None:
        for probe in self._probes:
            probe.stop()

    def served_after(self, moment: float) -> float | None:
        """When every partition had taken a write that began after `moment`; None: not yet."""
        answered = [probe.written_after(moment) for probe in self._probes]
        return None if None in answered else max(one for one in answered if one is not None)

    def longest_pause_s(self, begin: float, end: float) -> float:
        return max(probe.longest_pause_s(begin, end) for probe in self._probes)
