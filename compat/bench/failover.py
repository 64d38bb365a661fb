"""Time without service when a node goes: writes when it leads partitions, changes of the metadata when it leads the
quorum. Killed (SIGKILL) and stopped cleanly (SIGTERM); and how long it takes until the node is back in every ISR.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence

from compat.bench.cluster_side import ClusterSide
from compat.bench.side import Side
from compat.bench.subject import Figures, Length, Subject
from compat.cluster import NodeTarget
from compat.cluster_kill.probe import Probes
from compat.cluster_kill.wire import active_controller, ask_any, view, wait_until
from klamm.kproto.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
from klamm.kproto.messages.elect_leaders import ElectLeadersRequest, ElectLeadersResponse

PARTITIONS = 3
GIVE_UP_S = 120.0
_SETTLE_S = 1.0
_PAUSE_S = 0.025
_ANSWER_TIMEOUT_S = 0.4
_CREATE_VERSION = 7
_PREFERRED = 0


class TopicProbe(threading.Thread):
    """Creates one topic after another, by whichever of the brokers answers, and remembers when it could."""

    def __init__(self, addresses: Sequence[str], broker_id: int) -> None:
        super().__init__(name="topic-probe", daemon=True)
        self._addresses = list(addresses)
        self._broker_id = broker_id
        self._stopping = threading.Event()
        self._created: list[tuple[float, float]] = []

    def run(self) -> None:
        number = 0
        while not self._stopping.is_set():
            number += 1
            began = time.monotonic()
            if self._create(f"made-{int(began * 1000)}-{number}"):
                self._created.append((began, time.monotonic()))
            else:
                self._addresses.append(self._addresses.pop(0))
            self._stopping.wait(_PAUSE_S)

    def served_after(self, moment: float) -> float | None:
        """When the first creation that began after `moment` was answered."""
        return next((done for began, done in list(self._created) if began >= moment), None)

    def longest_pause_s(self, begin: float, end: float) -> float:
        answers = [begin, *(done for _, done in list(self._created) if begin < done < end), end]
        return max(after - before for before, after in itertools.pairwise(answers))

    def stop(self) -> None:
        self._stopping.set()
        self.join(30)

    def _create(self, name: str) -> bool:
        # Placed by hand on a broker that stays: it must not matter which brokers are there.
        topic = CreateTopicsRequest.CreatableTopic
        placed = topic.CreatableReplicaAssignment(partition_index=0, broker_ids=[self._broker_id])
        row = topic(name=name, num_partitions=-1, replication_factor=-1, assignments=[placed], configs=[])
        request = CreateTopicsRequest(topics=[row], timeout_ms=round(_ANSWER_TIMEOUT_S * 1000))
        answer = ask_any(self._addresses[:1], request, _CREATE_VERSION, CreateTopicsResponse, _ANSWER_TIMEOUT_S)
        return answer is not None and answer.topics[0].error_code == 0


class _Failover(Subject):
    """One node goes and comes back."""

    key: str
    is_killed: bool
    of_controller: bool

    def prepare(self, side: Side, length: Length) -> None:
        side.state[self.name] = side.create(PARTITIONS)

    def measure(self, side: Side, length: Length) -> Figures:
        assert isinstance(side, ClusterSide)
        self._balance(side)
        node = self._victim(side)
        others = [broker for broker in side.cluster.brokers if broker is not node]
        probe: Probes | TopicProbe = (
            TopicProbe([broker.bootstrap for broker in others], others[0].node_id)
            if self.of_controller
            else Probes(side.bootstrap, side.state[self.name], range(PARTITIONS))
        )
        probe.start()
        try:
            time.sleep(_SETTLE_S)
            gone_ms = self._away_ms(node, probe)
        finally:
            probe.stop()
        began = time.monotonic()
        node.start()
        side.await_whole(PARTITIONS, side.state[self.name], timeout_s=GIVE_UP_S)
        return {f"{self.key}_ms": gone_ms, f"{self.key}_back_s": time.monotonic() - began}

    def clean(self, side: Side) -> None:
        side.delete(side.state[self.name])

    def _away_ms(self, node: NodeTarget, probe: Probes | TopicProbe) -> float:
        """End the node; for how long there was no service of the kind that is measured."""
        began = time.monotonic()
        if self.is_killed:
            node.kill()
            began = time.monotonic()
        else:
            node.stop()
        ended = time.monotonic()
        if not wait_until(lambda: probe.served_after(ended) is not None, GIVE_UP_S, 0.01):
            raise RuntimeError(f"{node.name} is gone, and no service after {GIVE_UP_S} s")
        back = probe.served_after(ended)
        assert back is not None
        return (back - began) * 1000 if self.is_killed else probe.longest_pause_s(began, back) * 1000

    def _balance(self, side: ClusterSide) -> None:
        """Every broker leads a partition of the topic again, as it did when the topic was new."""
        request = ElectLeadersRequest(election_type=_PREFERRED, topic_partitions=None, timeout_ms=10_000)
        # That a partition needs no election is an error, too.
        ask_any([broker.bootstrap for broker in side.cluster.brokers], request, 2, ElectLeadersResponse, 15.0)
        side.await_whole(PARTITIONS, side.state[self.name], timeout_s=GIVE_UP_S)

    def _victim(self, side: ClusterSide) -> NodeTarget:
        addresses = [broker.bootstrap for broker in side.cluster.brokers]
        controller = active_controller(addresses)
        if controller is None:
            raise RuntimeError(f"{side.name}: nobody knows the active controller")
        if self.of_controller:
            return side.cluster.nodes[controller]
        seen = view(addresses, [side.state[self.name]])
        leaders = [p.leader_id for p in seen.partitions if p.leader_id != controller] if seen else []
        if not leaders:
            raise RuntimeError(f"{side.name}: the active controller leads everything")
        return side.cluster.nodes[leaders[0]]


class LeaderKilled(_Failover):
    name, key, is_killed, of_controller = "leader-killed", "leader_killed", True, False


class LeaderStopped(_Failover):
    name, key, is_killed, of_controller = "leader-stopped", "leader_stopped", False, False


class ControllerKilled(_Failover):
    name, key, is_killed, of_controller = "controller-killed", "controller_killed", True, True


class ControllerStopped(_Failover):
    name, key, is_killed, of_controller = "controller-stopped", "controller_stopped", False, True
