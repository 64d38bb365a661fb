"""What the controller is asked about brokers and partitions. A story is deterministic but for the ids of topics.

Brokers 1 to 4 have one directory, broker 5 has two. Each function goes on where the one before it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from compat.controller_records.other_operations import operations
from compat.controller_records.recorder import Recorder, directory

TOPIC, BROKER = 2, 4
PREFERRED, UNCLEAN = 0, 1
UNKNOWN_TOPIC = bytes(15) + b"\x07"


class Story(NamedTuple):
    """`settings` are the controller's besides those of every story."""

    tell: Callable[[Recorder], None]
    settings: Mapping[str, str]


def _brokers(r: Recorder, *broker_ids: int) -> None:
    for broker_id in broker_ids:
        r.register(f"broker {broker_id} registers", broker_id, dirs=2 if broker_id == 5 else 1)
        r.beat(f"broker {broker_id} is unfenced", broker_id)


def registrations(r: Recorder) -> None:
    r.register("register the first broker", 1)
    epoch = r.played[1].broker_epoch
    r.beat("a heartbeat that wants the fence", 1, fence=True, cordoned_log_dirs=None)
    r.beat("a heartbeat from behind the registration", 1, current_metadata_offset=epoch - 1, cordoned_log_dirs=None)
    r.beat("unfence", 1)
    r.beat("a heartbeat that changes nothing", 1)
    _brokers(r, 2, 3, 4, 5)
    r.register("the same incarnation again", 1, listeners=[])
    r.register("another incarnation while the first one lives", 1, incarnation=9)
    r.register("another cluster", 6, cluster_id="another")
    r.register("no directories", 6, log_dirs=[])
    r.register("a reserved directory", 6, log_dirs=[bytes(15) + b"\x05"])
    r.register("a directory twice", 6, log_dirs=[directory(6)] * 2)
    r.register("the directory of another broker", 6, log_dirs=[directory(6), directory(2)])
    r.register("a migrating broker", 6, is_migrating_zk_broker=True)
    r.register("no features", 6, features=[])
    r.register(
        "a metadata.version that is too low", 6,
        features=[{"name": "metadata.version", "min_supported_version": 7, "max_supported_version": 29}],
    )  # fmt: skip
    r.register(
        "only metadata.version", 6,
        features=[{"name": "metadata.version", "min_supported_version": 7, "max_supported_version": 30}],
    )  # fmt: skip
    r.beat("a heartbeat of an unknown broker", 9, broker_epoch=1)
    r.beat("a heartbeat of a former epoch", 1, broker_epoch=epoch - 1)
    r.ask("a block of producer ids", "AllocateProducerIds", 0, broker_id=1, broker_epoch=epoch)
    r.ask("producer ids for a former epoch", "AllocateProducerIds", 0, broker_id=1, broker_epoch=epoch - 1)
    r.ask("producer ids for an unknown broker", "AllocateProducerIds", 0, broker_id=9, broker_epoch=1)


def topics(r: Recorder) -> None:
    r.create("create on three brokers", "three", [[1, 2, 3], [2, 3, 1], [3, 1, 2]])
    r.create("create with a minimum", "two", [[1, 2, 3], [2, 3, 1]], min_insync_replicas="2")
    r.create("create with one replica", "one", [[1], [4]])
    r.create("create on two directories", "dirs", [[5, 1], [1, 5]])
    r.create("another number of replicas", "bad1", [[1, 2], [1, 2, 3]])
    r.create("an unknown broker", "bad2", [[1, 9]])
    r.create("a broker twice", "bad3", [[2, 2]])
    r.beat("fence broker 4", 4, fence=True)
    r.create("create with a fenced replica", "fenced", [[4, 3, 2]])
    r.create("create on a fenced broker alone", "bad4", [[1], [4]])

    def add(step: str, name: str, count: int, assignments: list[list[int]]) -> None:
        topic = {"name": name, "count": count, "assignments": [{"broker_ids": ids} for ids in assignments]}
        r.ask(step, "CreatePartitions", 3, topics=[topic], timeout_ms=30000, validate_only=False)

    add("add partitions on chosen brokers", "two", 4, [[3, 1, 2], [1, 4, 5]])
    add("add with another number of replicas", "two", 5, [[1, 2]])
    add("add on an unknown broker", "two", 5, [[1, 2, 9]])
    add("add on a broker twice", "two", 5, [[1, 2, 1]])
    add("add without replicas", "two", 5, [[]])
    add("add on a fenced broker alone", "one", 3, [[4]])
    r.beat("unfence broker 4", 4)


def alter_partition(r: Recorder) -> None:
    r.alter_partition("the ISR shrinks", "three", 0, [1, 2])
    r.alter_partition("the ISR shrinks to the leader", "three", 0, [1])
    r.alter_partition("the ISR grows", "three", 0, [1, 2, 3])
    r.alter_partition("the ISR in another order", "three", 0, [3, 2, 1])
    r.alter_partition("the ISR as it is", "three", 0, [3, 2, 1])
    r.alter_partition("below the minimum", "two", 0, [1])
    r.alter_partition("back at the minimum", "two", 0, [1, 3])
    r.alter_partition("version 2", "two", 0, [1, 2, 3], version=2)
    now = r.partition("three")
    r.alter_partition("a leader epoch ahead", "three", 0, [1, 2], leader_epoch=now.leader_epoch + 1)
    r.alter_partition("a partition epoch ahead", "three", 0, [1, 2], partition_epoch=now.partition_epoch + 1)
    r.alter_partition("a partition epoch behind", "three", 0, [1, 2], partition_epoch=now.partition_epoch - 1)
    r.alter_partition("not the leader", "three", 0, [1, 2], broker_id=2)
    r.alter_partition("not the leader, and a former epoch", "three", 0, [1, 2], broker_id=2, partition_epoch=0)
    r.alter_partition("nobody in sync", "three", 0, [])
    r.alter_partition("one twice", "three", 0, [1, 2, 2])
    r.alter_partition("no replica", "three", 0, [1, 2, 4])
    r.alter_partition("without the leader", "three", 0, [2, 3])
    r.alter_partition("recovering though recovered", "three", 0, [1], leader_recovery_state=1)
    r.alter_partition("recovering with followers", "three", 0, [1, 2], leader_recovery_state=1)
    epochs = [{"broker_id": 1, "broker_epoch": -1}, {"broker_id": 2, "broker_epoch": 1}]
    r.alter_partition("a former incarnation in sync", "three", 0, [], new_isr_with_epochs=epochs)
    epochs = [{"broker_id": 1, "broker_epoch": -1}, {"broker_id": 2, "broker_epoch": -1}]
    r.alter_partition("members without epochs", "three", 0, [], new_isr_with_epochs=epochs)
    r.alter_partition("an unknown topic", "three", 0, [1, 2], topic_id=UNKNOWN_TOPIC)
    r.alter_partition("no topic id", "three", 0, [1, 2], topic_id=bytes(16))
    r.alter_partition("an unknown partition", "three", 0, [1, 2], partition_index=9)
    r.alter_partition("a former broker epoch", "three", 0, [1, 2], broker_epoch=1)
    r.alter_partition("an unknown broker asks", "three", 0, [1, 2], broker_id=9)
    r.beat("fence broker 2", 2, fence=True)
    r.alter_partition("a fenced broker in sync", "three", 0, [1, 2, 3])
    r.alter_partition("a former leader epoch", "three", 1, [3, 1], leader_epoch=0)
    r.beat("unfence broker 2", 2)
    r.alter_partition("broker 2 is back in three-0", "three", 0, [1, 2, 3])
    r.alter_partition("broker 2 is back in three-1", "three", 1, [3, 1, 2])
    r.alter_partition("broker 2 is back in three-2", "three", 2, [3, 1, 2])


def elections(r: Recorder) -> None:
    r.elect("the preferred leader leads", PREFERRED, ("three", [0]))
    r.elect("the preferred leader is in sync", PREFERRED, ("three", [1]))
    r.elect("an unclean election that is not needed", UNCLEAN, ("three", [0]))
    r.elect("unknown partitions", PREFERRED, ("three", [0, 7]), ("nosuch", [0]))
    r.elect("an unknown type", 5, ("three", [0]))
    r.beat("fence broker 3", 3, fence=True)
    r.elect("the preferred leader is fenced", PREFERRED, ("three", [2]))
    r.beat("unfence broker 3", 3)
    r.elect("the preferred leader is not in sync", PREFERRED, ("three", [2]))
    r.alter_partition("broker 3 is in sync again", "three", 2, [1, 2, 3])
    r.elect("all, preferred", PREFERRED)
    r.elect("all again", PREFERRED)
    r.elect("all, unclean", UNCLEAN)
    r.elect("version 0", PREFERRED, ("three", [2]), version=0)
    r.elect("version 1", UNCLEAN, ("three", [2]), version=1)


def reassignments(r: Recorder) -> None:
    def ongoing(step: str, *names: str) -> None:
        asked = [{"name": name, "partition_indexes": [0, 1, 9]} for name in names] or None
        r.ask(step, "ListPartitionReassignments", 0, topics=asked, timeout_ms=30000)

    r.create("topics that move", "move", [[1, 2, 3], [1, 2, 3], [1, 2, 3], [1, 2, 3], [2, 1, 3]])
    r.create("another topic that moves", "pair", [[1, 2]])
    ongoing("nothing moves")
    r.reassign("replace the leader", "move", (0, [2, 3, 4]))
    ongoing("what moves")
    ongoing("what moves of these", "move", "three", "nosuch")
    r.alter_partition("the new one is in sync, the leader goes", "move", 0, [1, 2, 3, 4])
    ongoing("nothing moves any more")
    r.reassign("another order", "move", (0, [4, 3, 2]))
    r.reassign("the same", "move", (0, [4, 3, 2]))
    r.reassign("replace a follower", "move", (1, [1, 2, 4]))
    r.alter_partition("the follower is replaced", "move", 1, [1, 2, 3, 4])
    r.reassign("one more replica", "move", (1, [1, 2, 4, 3]))
    r.reassign("cancel it", "move", (1, None))
    r.reassign("cancel nothing", "move", (1, None))
    r.reassign("fewer replicas, all in sync", "move", (2, [2, 1]))
    r.alter_partition("move-3 shrinks", "move", 3, [1, 3])
    r.reassign("fewer replicas, not all in sync", "move", (3, [1, 2]))
    r.alter_partition("all that are left are in sync", "move", 3, [1, 3, 2])
    r.reassign("replace all", "move", (4, [4, 5]))
    ongoing("all are replaced")
    r.alter_partition("one of two is in sync", "move", 4, [2, 1, 3, 4])
    r.reassign("replace the replacement", "move", (4, [4, 3]))
    r.reassign("two directories", "pair", (0, [5, 1]))
    r.alter_partition("on two directories", "pair", 0, [1, 2, 5])
    _refused_reassignments(r)
    _cancelled_reassignments(r)


def _refused_reassignments(r: Recorder) -> None:
    r.reassign("an unknown topic moves", "nosuch", (0, [1]))
    r.reassign("unknown partitions move", "move", (9, [1]), (8, None))
    r.reassign("bad targets", "move", (0, []), (1, [1, 1]), (2, [1, 9]), (3, [2, 1]))
    r.reassign("the number may not change", "move", (0, [1, 2]), (1, [3, 2, 1]), allow_replication_factor_change=False)
    r.reassign("the number may change", "move", (0, [1, 2]), version=0)
    r.reassign("and not while it moves", "move", (0, [1, 2, 4]), allow_replication_factor_change=False)
    r.ask("no topics move", "AlterPartitionReassignments", 1, topics=[], allow_replication_factor_change=False)
    r.beat("fence broker 5", 5, fence=True)
    r.reassign("to a fenced broker", "one", (0, [1, 5]))
    r.reassign("only to a fenced broker", "one", (1, [5]))
    r.beat("unfence broker 5", 5)
    r.reassign("back", "one", (0, None), (1, None))


def _cancelled_reassignments(r: Recorder) -> None:
    r.create("topics whose moves are cancelled", "cancel", [[1, 2], [1, 2], [1, 2]])
    r.reassign("move them", "cancel", (0, [3, 4]), (1, [3, 4]), (2, [3, 4]))
    for number in range(3):
        r.alter_partition(f"a new replica of cancel-{number} is in sync", "cancel", number, [1, 2, 3])
    r.beat("broker 1 is fenced", 1, fence=True)
    r.beat("broker 2 is fenced", 2, fence=True)
    r.reassign("cancel, and nobody is left in sync", "cancel", (0, None))
    r.configure("allow unclean elections", TOPIC, "cancel", unclean_leader_election_enable="true")
    r.reassign("cancel, uncleanly", "cancel", (1, None))
    r.beat("broker 1 is unfenced", 1)
    r.beat("broker 2 is unfenced", 2)
    r.reassign("cancel, and the old ones are alive", "cancel", (2, None))


def eligible_leaders(r: Recorder) -> None:
    r.create("topics that lose replicas", "lose", [[1, 2], [2, 3], [3, 1], [2, 1]], min_insync_replicas="2")
    r.beat("fence 1", 1, fence=True)
    r.beat("fence 2", 2, fence=True)
    r.beat("fence 3", 3, fence=True)
    r.beat("unfence 2", 2)
    r.elect("unclean where nobody is in sync", UNCLEAN, ("lose", [0, 1, 2, 3]))
    r.beat("unfence 1", 1)
    r.beat("unfence 3", 3)
    for number in range(4):
        row = r.partition("lose", number)
        isr = [row.leader, *(broker_id for broker_id in row.replicas if broker_id != row.leader)]
        r.alter_partition(f"lose-{number} is whole", "lose", number, isr)
    r.beat("fence 1 again", 1, fence=True)
    r.configure("a lower minimum", TOPIC, "lose", min_insync_replicas="1")
    r.configure("a higher minimum of all", BROKER, "", min_insync_replicas="2")
    r.configure("the minimum of all goes back", BROKER, "", min_insync_replicas="1")
    r.configure("the topic's minimum goes", TOPIC, "lose", min_insync_replicas=None)
    r.configure("a minimum above the replicas", TOPIC, "lose", min_insync_replicas="5")
    r.beat("unfence 1 again", 1)


def unclean_shutdowns(r: Recorder) -> None:
    r.create("a topic of a killed broker", "alone", [[1]], min_insync_replicas="2")
    r.create("a topic of two killed brokers", "kill", [[1, 2], [2, 1]], min_insync_replicas="2")
    r.create("a topic of three killed brokers", "kills", [[1, 2, 3]], min_insync_replicas="2")
    r.fall_silent("broker 1 is killed", 1)
    r.register("it registers after the session", 1, incarnation=2)
    r.beat("it is unfenced and leads what it led last", 1)
    r.alter_partition("it has not recovered yet", "alone", 0, [1])
    r.alter_partition("it has recovered", "alone", 0, [1], leader_recovery_state=0)
    r.alter_partition("kill-1 grows", "kill", 1, [2, 1])
    epoch = r.played[2].broker_epoch
    r.fall_silent("broker 2 is killed", 2)
    r.register("it registers with its former epoch", 2, incarnation=2, previous_broker_epoch=epoch)
    r.beat("it is unfenced after a clean stop", 2)
    r.fall_silent("broker 3 is killed", 3)
    r.fall_silent("broker 1 is killed again", 1)
    r.fall_silent("broker 2 is killed again", 2)
    r.register("broker 2 lost its disk", 2, incarnation=3, previous_broker_epoch=7)
    r.beat("broker 2 is unfenced", 2)
    r.register("broker 1 lost its disk", 1, incarnation=3)
    r.beat("broker 1 is unfenced after that", 1)
    r.register("broker 3 comes back cleanly", 3, incarnation=2, previous_broker_epoch=r.played[3].broker_epoch)
    r.beat("broker 3 is unfenced after that", 3)


def controlled_shutdowns(r: Recorder) -> None:
    r.create("topics of brokers that stop", "stop", [[1, 2, 3], [2, 3, 1]])
    r.create("a topic of a broker that stops", "last", [[4]])
    for broker_id in (1, 2, 3, 4, 5):
        r.beat(f"broker {broker_id} has read little", broker_id, current_metadata_offset=50)
    r.beat("broker 1 wants to stop", 1, stop=True, current_metadata_offset=50)
    r.beat("the others have not read that", 1, stop=True)
    r.create("create with a stopping replica", "stopping", [[1, 2]])
    r.create("create on a stopping broker alone", "bad5", [[1]])
    r.alter_partition("a stopping broker in sync", "stop", 0, [2, 3, 1])
    for broker_id in (2, 3, 4):
        r.beat(f"broker {broker_id} has read all", broker_id)
    r.beat("broker 5 has not", 1, stop=True)
    r.beat("broker 5 has read all", 5)
    r.beat("broker 1 may stop", 1, stop=True)
    r.beat("broker 1 asks again", 1, stop=True)
    epoch = r.played[1].broker_epoch
    r.register("it comes back at once", 1, incarnation=4, previous_broker_epoch=epoch)
    r.fall_silent("its session ends", 1)
    r.register("it comes back", 1, incarnation=4, previous_broker_epoch=epoch)
    r.beat("it comes back unfenced", 1)
    r.beat("broker 4 leads alone, and wants to stop", 4, stop=True)
    for broker_id in (1, 2, 3, 5):
        r.beat(f"broker {broker_id} has read that of broker 4", broker_id)
    r.beat("broker 4 may stop", 4, stop=True)
    r.beat("broker 1 wants fence and stop", 1, stop=True, fence=True)


def unregistering(r: Recorder) -> None:
    r.ask("unregister a broker that runs", "UnregisterBroker", 0, broker_id=3)
    r.played.pop(3)
    r.ask("unregister it again", "UnregisterBroker", 0, broker_id=3)
    r.beat("a heartbeat of the unregistered broker", 3, broker_epoch=1)
    r.ask("unregister a fenced broker", "UnregisterBroker", 0, broker_id=4)
    r.played.pop(4)
    r.register("the unregistered broker comes again", 3, incarnation=5)
    r.beat("and is unfenced", 3)


def directories(r: Recorder) -> None:
    _brokers(r, 1, 2, 5)
    r.create("topics on two directories", "dirs", [[5, 1], [1, 5], [5, 1], [5, 2]])
    r.create("a topic on one broker", "alone", [[5]])
    topic_id = r.image.topics.by_name["dirs"].topic_id

    def assign(step: str, *rows: tuple[bytes, bytes, list[int]], broker_id: int = 5, epoch: int | None = None) -> None:
        told = [
            {"id": where, "topics": [{"topic_id": t, "partitions": [{"partition_index": n} for n in numbers]}]}
            for where, t, numbers in rows
        ]
        epoch = r.played[5].broker_epoch if epoch is None else epoch
        r.ask(step, "AssignReplicasToDirs", 0, broker_id=broker_id, broker_epoch=epoch, directories=told)

    first, second = directory(5), directory(5, 1)
    assign("where they are", (first, topic_id, [0, 1]), (second, topic_id, [2, 3]))
    assign("where they are, again", (first, topic_id, [0, 1]))
    assign("moved", (second, topic_id, [0]))
    assign("unknown ones", (first, topic_id, [9]), (first, UNKNOWN_TOPIC, [0]))
    assign("of a former epoch", (first, topic_id, [0]), epoch=1)
    assign("of an unknown broker", (first, topic_id, [0]), broker_id=9)
    r.beat("one is cordoned", 5, cordoned_log_dirs=[second])
    r.create("create on a broker with a cordoned directory", "cordoned", [[5]])
    r.beat("both are cordoned", 5, cordoned_log_dirs=[first, second])
    r.create("create on a cordoned broker", "cordoned2", [[5]])
    r.beat("none is cordoned", 5, cordoned_log_dirs=[])
    r.beat("one fails", 5, offline_log_dirs=[second])
    r.beat("it is told again", 5, offline_log_dirs=[second])
    assign("into a failed directory", (second, topic_id, [1]))
    r.reassign("away from the broker that lost a directory", "dirs", (3, [2, 1]))


def placement(r: Recorder) -> None:
    """How many replicas a new topic can have, whatever has become of the brokers."""
    _brokers(r, 1, 2, 3, 5)
    r.create("leaders of one partition each", "led", [[3, 1], [2, 1]])

    def can(step: str, *factors: int) -> None:
        for factor in factors:
            topic = {"name": "new", "num_partitions": 1, "replication_factor": factor}
            r.ask(f"{factor} of 4 replicas {step}", "CreateTopics", 7, topics=[topic], timeout_ms=30000,
                  validate_only=True)  # fmt: skip

    can("while all serve", 4, 5)
    r.beat("both directories of broker 5 are cordoned", 5, cordoned_log_dirs=[directory(5), directory(5, 1)])
    can("while one is cordoned", 3, 4)
    r.beat("one of them is not any more", 5, cordoned_log_dirs=[directory(5)])
    r.beat("broker 5 is fenced", 5, fence=True)
    can("while one is fenced", 4)
    r.beat("broker 3 begins to stop", 3, stop=True, current_metadata_offset=0)
    can("while one is stopping", 3, 4)
    r.beat("broker 3 goes on stopping", 3, stop=True)
    r.beat("broker 3 may stop", 3, stop=True)
    can("while one has stopped", 4)
    r.fall_silent("its session ends", 3)
    r.fall_silent("broker 2 is killed", 2)
    can("while one was killed", 4)
    r.register("broker 3 has come back", 3, incarnation=2)
    can("while one has come back fenced", 4)
    r.beat("broker 1 is fenced", 1, fence=True)
    can("while nobody serves", 1)


def metadata(r: Recorder) -> None:
    """All in one: what a controller of several brokers is asked in its life."""
    for part in (
        registrations, topics, alter_partition, elections, reassignments, eligible_leaders, unclean_shutdowns,
        controlled_shutdowns, unregistering,
    ):  # fmt: skip
        part(r)


def without_elr(r: Recorder) -> None:
    """The same losses in a cluster without eligible leader replicas: the last one in sync is kept instead."""
    _brokers(r, 1, 2, 3, 4, 5)
    r.ask(
        "no eligible leader replicas", "UpdateFeatures", 2, timeout_ms=30000, validate_only=False,
        feature_updates=[{"feature": "eligible.leader.replicas.version", "max_version_level": 0, "upgrade_type": 2}],
    )  # fmt: skip
    for part in (topics, alter_partition, reassignments, eligible_leaders, unclean_shutdowns, unregistering):
        part(r)


def timers(r: Recorder) -> None:
    """Elections that nobody asks for."""
    _brokers(r, 1, 2, 3)
    r.create("topics", "balance", [[1, 2], [1, 2], [2, 1]])
    r.create("a topic that takes any leader", "any", [[1, 3]], unclean_leader_election_enable="true",
             min_insync_replicas="1")  # fmt: skip
    r.beat("fence 1", 1, fence=True)
    r.beat("unfence 1", 1)
    r.alter_partition("balance-0 is whole", "balance", 0, [2, 1])
    r.wait_for("the preferred leader comes back", lambda: r.partition("balance", 0).leader == 1)
    r.steps[-1]["timer"] = "elect-preferred"
    r.alter_partition("broker 3 leads alone", "any", 0, [3])
    r.fall_silent("broker 3 is gone", 3)
    r.register("broker 3 has lost its disk", 3, incarnation=2)
    r.wait_for("a leader that lacks records", lambda: r.partition("any", 0).leader >= 0)
    r.steps[-1]["timer"] = "elect-unclean"


STORIES: Mapping[str, Story] = {
    "brokers": Story(metadata, {}),
    "without_elr": Story(without_elr, {}),
    "directories": Story(directories, {}),
    "placement": Story(placement, {}),
    "operations": Story(operations, {}),
    "timers": Story(
        timers,
        {
            "auto.leader.rebalance.enable": "true",
            "leader.imbalance.check.interval.seconds": "1",
            "unclean.leader.election.interval.ms": "1000",
        },
    ),
}
