"""A story drawn from a seed: brokers come and go, topics are made, moved and lost, in whatever order."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from compat.controller_records.recorder import READ_ALL, Recorder, directory

TOPIC, BROKER = 2, 4
BROKERS = (1, 2, 3, 4, 5, 6)
_TWO_DIRECTORIES = (5, 6)
_TOPICS_MAX = 10
SETTINGS = {"broker.session.timeout.ms": "1500"}


class RandomStory:
    """`tell` plays `steps` draws; one draw may be several requests, or none when it does not fit."""

    def __init__(self, recorder: Recorder, seed: int) -> None:
        self._r = recorder
        self._random = Random(seed)
        self._lives = dict.fromkeys(BROKERS, 1)
        self._stopping: set[int] = set()
        self._made = 0
        self._draws: list[tuple[int, Callable[[], None]]] = [
            (10, self._fence), (14, self._unfence), (2, self._kill), (4, self._come_back), (3, self._stop),
            (4, self._create), (1, self._delete), (30, self._alter_partition), (14, self._reassign), (8, self._elect),
            (4, self._configure), (3, self._add_partitions), (3, self._assign_directories), (2, self._lose_directory),
            (1, self._unregister),
        ]  # fmt: skip

    def tell(self, steps: int) -> None:
        for broker_id in BROKERS:
            self._register(broker_id, -1)
            self._r.beat("unfence", broker_id)
        for _ in range(4):
            self._create()
        weights = [weight for weight, _ in self._draws]
        for _ in range(steps):
            draw: Callable[[], None] = self._random.choices([what for _, what in self._draws], weights)[0]
            draw()

    # Brokers.

    def _register(self, broker_id: int, previous_epoch: int) -> None:
        self._stopping.discard(broker_id)
        dirs = 2 if broker_id in _TWO_DIRECTORIES else 1
        life = self._lives[broker_id] % 250
        self._r.register("register", broker_id, life, dirs, previous_broker_epoch=previous_epoch)

    def _known(self, fenced: bool) -> list[int]:
        brokers = self._r.image.cluster.brokers.values()
        return [b.broker_id for b in brokers if b.fenced is fenced and b.broker_id not in self._stopping]

    def _fence(self) -> None:
        if len(alive := self._known(fenced=False)) > 1:
            self._r.beat("fence", self._random.choice(alive), fence=True)

    def _unfence(self) -> None:
        if fenced := [i for i in self._known(fenced=True) if not self._r.played[i].is_silent]:
            self._r.beat("unfence", self._random.choice(fenced))

    def _kill(self) -> None:
        if known := [i for i in self._known(False) + self._known(True) if not self._r.played[i].is_silent]:
            self._r.fall_silent("killed", self._random.choice(known))

    def _come_back(self) -> None:
        gone = [i for i in BROKERS if i not in self._r.image.cluster.brokers or self._r.played[i].is_silent]
        gone = [broker_id for broker_id in gone if broker_id not in self._stopping]
        if gone:
            broker_id = self._random.choice(gone)
            self._lives[broker_id] += 1
            epoch = self._r.played[broker_id].broker_epoch if broker_id in self._r.played else -1
            self._register(broker_id, self._random.choice([epoch, epoch, -1, 7]))
            self._r.beat("a first heartbeat", broker_id, fence=self._random.random() < 0.3)

    def _stop(self) -> None:
        """The whole of a controlled shutdown, with the others reading little by little."""
        alive = self._known(fenced=False)
        if not alive:
            return
        broker_id = self._random.choice(alive)
        others = [other for other in alive if other != broker_id]
        self._stopping.add(broker_id)
        for _ in range(3):
            for other in others:
                offset = self._random.choice([10, READ_ALL])
                self._r.beat("a heartbeat", other, current_metadata_offset=offset)
            if self._r.beat("wants to stop", broker_id, stop=True, current_metadata_offset=10).should_shut_down:
                break
        else:
            for other in others:
                self._r.beat("has read all", other)
            self._r.beat("wants to stop", broker_id, stop=True)
        self._r.fall_silent("its session ends", broker_id)
        self._stopping.discard(broker_id)

    def _unregister(self) -> None:
        known = self._known(False) + self._known(True)
        if len(known) > 3:
            broker_id = self._random.choice(known)
            self._r.played[broker_id] = self._r.played[broker_id]._replace(is_silent=True)
            self._r.ask("unregister", "UnregisterBroker", 0, broker_id=broker_id)
            self._lives[broker_id] += 1

    def _two_directories(self) -> int | None:
        brokers = self._r.image.cluster.brokers
        found = [i for i in _TWO_DIRECTORIES if i in brokers and i not in self._stopping]
        return self._random.choice(found) if found else None

    def _lose_directory(self) -> None:
        broker_id = self._two_directories()
        if broker_id in self._known(fenced=False) and broker_id is not None:
            self._r.beat("a directory fails", broker_id, offline_log_dirs=[directory(broker_id, 1)])

    def _assign_directories(self) -> None:
        broker_id = self._two_directories()
        here = [
            (topic.topic_id, number)
            for topic in self._r.image.topics.by_id.values()
            for number, partition in topic.partitions.items()
            if broker_id in partition.replicas
        ]
        if broker_id is None or not here:
            return
        topic_id, number = self._random.choice(here)
        where = directory(broker_id, self._random.randrange(2))
        told = [{"id": where, "topics": [{"topic_id": topic_id, "partitions": [{"partition_index": number}]}]}]
        epoch = self._r.image.cluster.brokers[broker_id].broker_epoch
        self._r.ask(
            "assign directories", "AssignReplicasToDirs", 0, broker_id=broker_id, broker_epoch=epoch, directories=told
        )

    # Topics.

    def _replicas(self, count: int) -> list[int]:
        pool = [*BROKERS] if self._random.random() < 0.05 else sorted(self._r.image.cluster.brokers)
        return self._random.sample(pool, min(count, len(pool)))

    def _create(self) -> None:
        if len(self._r.image.topics.by_name) >= _TOPICS_MAX:
            return
        self._made += 1
        factor = self._random.choice([1, 2, 2, 3, 3, 4])
        configs = {}
        if self._random.random() < 0.7:
            configs["min_insync_replicas"] = str(self._random.choice([1, 2, 2, 3]))
        if self._random.random() < 0.3:
            configs["unclean_leader_election_enable"] = "true"
        rows = [self._replicas(factor) for _ in range(self._random.randint(1, 3))]
        self._r.create("create", f"topic-{self._made}", rows, **configs)

    def _topic(self) -> str | None:
        names = sorted(self._r.image.topics.by_name)
        return self._random.choice(names) if names else None

    def _row(self) -> tuple[str, int] | None:
        name = self._topic()
        if name is None:
            return None
        return name, self._random.choice(sorted(self._r.image.topics.by_name[name].partitions))

    def _delete(self) -> None:
        if (name := self._topic()) is not None and len(self._r.image.topics.by_name) > 3:
            topics = [{"name": name, "topic_id": bytes(16)}]
            self._r.ask("delete", "DeleteTopics", 6, topics=topics, timeout_ms=30000)

    def _add_partitions(self) -> None:
        if (name := self._topic()) is None:
            return
        partitions = self._r.image.topics.by_name[name].partitions
        # Of different numbers of replicas a real controller takes one by a hash for that of the topic.
        if len(partitions) < 5 and len({len(row.replicas) for row in partitions.values()}) == 1:
            rows = [{"broker_ids": self._replicas(len(partitions[0].replicas))}]
            topic = {"name": name, "count": len(partitions) + 1, "assignments": rows}
            self._r.ask("add", "CreatePartitions", 3, topics=[topic], timeout_ms=30000, validate_only=False)

    def _alter_partition(self) -> None:
        """Mostly what a leader asks: its own ISR, with those who are there; the rest is wrong in one thing."""
        if (row := self._row()) is None:
            return
        partition = self._r.partition(*row)
        brokers = self._r.image.cluster.brokers
        if partition.leader not in brokers:
            return
        chance = self._random.random()
        alive = [i for i in partition.replicas if i in brokers and brokers[i].is_active]
        pool = list(partition.replicas) if chance < 0.15 else alive
        isr = [i for i in pool if i == partition.leader or self._random.random() < 0.8]
        self._random.shuffle(isr)
        changes: dict[str, Any] = {}
        if partition.leader_recovery_state == 1 and self._random.random() < 0.7:
            changes["leader_recovery_state"] = 0
        elif chance > 0.9:
            wrong = {"leader_epoch": 1, "partition_epoch": 1, "leader_recovery_state": 1}
            key = self._random.choice([*wrong])
            base = 0 if key == "leader_recovery_state" else int(getattr(partition, key))
            changes[key] = max(base + wrong[key] * self._random.choice([-1, 1]), 0)
        self._r.alter_partition("alter the ISR", *row, isr, **changes)

    def _reassign(self) -> None:
        if (row := self._row()) is None:
            return
        name, number = row
        count = len(self._r.partition(name, number).replicas) + self._random.choice([-1, 0, 0, 0, 1])
        replicas = None if self._random.random() < 0.25 else self._replicas(max(count, 1))
        allow = self._random.random() < 0.8
        self._r.reassign("reassign", name, (number, replicas), allow_replication_factor_change=allow)

    def _elect(self) -> None:
        kind = self._random.randrange(2)
        row = self._row()
        if row is None or self._random.random() < 0.3:
            self._r.elect("elect all", kind)
        else:
            self._r.elect("elect", kind, (row[0], [row[1]]))

    def _has_eligible(self, name: str) -> bool:
        """A real controller's index of ELRs outlives their clearing, and has it write what changes nothing later."""
        return any(row.elr for row in self._r.image.topics.by_name[name].partitions.values())

    def _configure(self) -> None:
        name = self._topic()
        if name is None or self._random.random() < 0.2:
            value = self._random.choice(["1", "2"])
            if not any(self._has_eligible(other) for other in self._r.image.topics.by_name):
                self._r.configure("configure all", BROKER, "", min_insync_replicas=value)
        elif self._random.random() < 0.5 and not self._has_eligible(name):
            minimum = self._random.choice([None, "1", "2", "3"])
            self._r.configure("configure", TOPIC, name, min_insync_replicas=minimum)
        else:
            allowed = self._random.choice([None, "true", "false"])
            self._r.configure("configure", TOPIC, name, unclean_leader_election_enable=allowed)
