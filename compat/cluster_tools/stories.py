"""What is told of a cluster of three brokers: topics, elections, reassignments, settings, features, directories.

Replicas are placed by hand wherever a tool shows them: Kafka draws its placements.
"""

from __future__ import annotations

import json
from typing import Any, Final

from compat.cluster_tools.story import BROKERS, CONTROLLERS, Story
from compat.java.tools import Run

_PLACED: Final = "1:2:3,2:3:1,3:1:2"
_DRAWN: Final = {r"Leader: \d": "Leader: <n>", r"(Replicas|Isr): \d,\d,\d": r"\1: <three>"}
_NUMBERS: Final = {r"\b\d+\b": "<n>"}


def topics(story: Story) -> None:
    """kafka-topics, the whole cluster up."""
    tell = story.tell
    tell("kafka-topics", "--list")
    tell("kafka-topics", "--create", "--topic", "drawn", "--partitions", 4, "--replication-factor", 3)
    tell("kafka-topics", "--describe", "--topic", "drawn", hide=_DRAWN)
    tell("kafka-topics", "--create", "--topic", "placed", "--replica-assignment", _PLACED,
         "--config", "min.insync.replicas=2", "--config", "retention.ms=3600000")  # fmt: skip
    tell("kafka-topics", "--describe", "--topic", "placed")
    tell("kafka-topics", "--create", "--topic", "usual")
    tell("kafka-topics", "--describe", "--topic", "usual", hide={**_DRAWN, r"(Replicas|Isr): \d": r"\1: <one>"})
    tell("kafka-topics", "--list")
    tell("kafka-topics", "--alter", "--topic", "placed", "--partitions", 5,
         "--replica-assignment", f"{_PLACED},1:3:2,3:2:1")  # fmt: skip
    tell("kafka-topics", "--describe", "--topic", "placed")
    tell("kafka-topics", "--describe", "--topics-with-overrides")
    for wrong in (
        ("--create", "--topic", "drawn"),
        ("--create", "--topic", "four", "--replication-factor", 4),
        ("--create", "--topic", "zero", "--partitions", 0),
        ("--create", "--topic", "far", "--replica-assignment", "1:7"),
        ("--create", "--topic", "twice", "--replica-assignment", "1:1"),
        ("--create", "--topic", "uneven", "--replica-assignment", "1:2,3"),
        ("--create", "--topic", "bad name"),
        ("--create", "--topic", "odd", "--config", "retention.ms=x"),
        ("--create", "--topic", "odd", "--config", "no.such=1"),
        ("--alter", "--topic", "drawn", "--partitions", 2),
        ("--alter", "--topic", "none", "--partitions", 2),
        ("--delete", "--topic", "none"),
        ("--describe", "--topic", "none"),
    ):
        tell("kafka-topics", *wrong)
    tell("kafka-topics", "--create", "--topic", "drawn", "--if-not-exists")
    tell("kafka-topics", "--delete", "--topic", "none", "--if-exists")
    tell("kafka-topics", "--delete", "--topic", "usual")
    tell("kafka-topics", "--list")


def a_broker_down(story: Story) -> None:
    """Topic filters while broker 3 is away, and after it has come back."""
    cluster, tell = story.cluster, story.tell
    filters = ("--under-replicated-partitions", "--unavailable-partitions", "--under-min-isr-partitions",
               "--at-min-isr-partitions")  # fmt: skip
    tell("kafka-topics", "--delete", "--topic", "drawn")
    tell("kafka-topics", "--create", "--topic", "strict", "--replica-assignment", "1:2:3,3:2:1", "--config",
         "min.insync.replicas=3")  # fmt: skip
    tell("kafka-topics", "--create", "--topic", "sole", "--replica-assignment", "3,1")
    for one in filters:
        tell("kafka-topics", "--describe", one, "--exclude-internal")
    cluster.kill(3)
    story.settle("broker 3 is fenced", lambda: "3" not in _leaders(story, "placed"))
    for one in filters:
        tell("kafka-topics", "--describe", one, "--exclude-internal")
    tell("kafka-topics", "--describe", "--topic", "placed|strict|sole")
    tell("kafka-cluster", "list-endpoints", any_order=True)
    tell("kafka-cluster", "list-endpoints", "--include-fenced-brokers", any_order=True)
    tell("kafka-leader-election", "--election-type", "preferred", "--topic", "placed", "--partition", 2)
    tell("kafka-leader-election", "--election-type", "preferred", "--topic", "sole", "--partition", 0)
    tell("kafka-topics", "--create", "--topic", "wide", "--replication-factor", 3)
    tell("kafka-topics", "--delete", "--topic", "wide")
    cluster.start([3])
    story.settle("broker 3 is back", lambda: story.in_sync("placed", "strict", "sole"))
    story.settle("the sole replica leads again", lambda: story.led_by("sole", [3, 1]))
    tell("kafka-topics", "--describe", "--under-replicated-partitions")


def placed_while_one_is_away(story: Story) -> None:
    """A topic gets replicas on broker 3 too while it is stopped, and when it was killed."""
    cluster, tell = story.cluster, story.tell
    rows = {r"Leader: \d": "Leader: <n>", r"Replicas: \d,\d,\d": "Replicas: <three>", r"Isr: \d,\d(?!,)": "Isr: <two>"}
    cluster.stop([3])
    tell("kafka-topics", "--create", "--topic", "stopped", "--replication-factor", 3)
    tell("kafka-topics", "--create", "--topic", "four", "--replication-factor", 4)
    tell("kafka-topics", "--describe", "--topic", "stopped", hide=rows)
    cluster.start([3])
    story.settle("broker 3 is back", lambda: story.in_sync("stopped"))
    cluster.kill(3)
    story.settle("broker 3 is fenced", lambda: not story.in_sync("stopped"))
    tell("kafka-topics", "--create", "--topic", "killed", "--replication-factor", 3)
    tell("kafka-topics", "--describe", "--topic", "killed", hide=rows)
    cluster.start([3])
    story.settle("broker 3 is back again", lambda: story.in_sync("stopped", "killed"))


def elections(story: Story) -> None:
    """kafka-leader-election: broker 3 is back and leads nothing that others can lead."""
    tell = story.tell
    tell("kafka-topics", "--describe", "--topic", "placed")
    elect = "kafka-leader-election"
    tell(elect, "--election-type", "preferred", "--topic", "placed", "--partition", 2)
    tell(elect, "--election-type", "preferred", "--topic", "placed", "--partition", 2)
    tell(elect, "--election-type", "preferred", "--topic", "placed", "--partition", 9)
    tell(elect, "--election-type", "unclean", "--topic", "placed", "--partition", 0)
    rows = [{"topic": "placed", "partition": 4}, {"topic": "strict", "partition": 1}]
    tell(elect, "--election-type", "preferred", "--path-to-json-file", story.file("elect.json", {"partitions": rows}))
    tell(elect, "--election-type", "preferred", "--all-topic-partitions")
    tell("kafka-topics", "--describe", "--topic", "placed|strict|sole")


def unclean(story: Story) -> None:
    """The last in-sync replica is lost; one that is behind may lead only when it is asked for."""
    cluster, tell = story.cluster, story.tell
    tell("kafka-configs", "--alter", "--entity-type", "brokers", "--entity-default", "--add-config",
         "unclean.leader.election.enable=false")  # fmt: skip
    tell("kafka-topics", "--create", "--topic", "risky", "--replica-assignment", "2:3")
    story.produce("risky", 10)
    cluster.stop([3])
    story.produce("risky", 10)
    cluster.kill(2)
    story.settle("risky has no leader", lambda: story.describe("risky")[0]["Leader"] == "none")
    cluster.start([3])
    story.settle("broker 3 is back", lambda: "3" in _leaders(story, "sole"))
    tell("kafka-topics", "--describe", "--topic", "risky")
    tell("kafka-topics", "--describe", "--unavailable-partitions")
    tell("kafka-leader-election", "--election-type", "preferred", "--topic", "risky", "--partition", 0)
    tell("kafka-leader-election", "--election-type", "unclean", "--topic", "risky", "--partition", 0)
    tell("kafka-topics", "--describe", "--topic", "risky")
    cluster.start([2])
    story.settle("all are back", lambda: story.in_sync("risky", "placed"))
    tell("kafka-get-offsets", "--topic", "risky")
    tell("kafka-topics", "--describe", "--topic", "risky")
    tell("kafka-topics", "--delete", "--topic", "risky")


def reassignments(story: Story) -> None:
    """kafka-reassign-partitions: one that is slow and cancelled, one that ends, and what is refused."""
    tell, tool = story.tell, "kafka-reassign-partitions"
    tell("kafka-topics", "--create", "--topic", "moving", "--replica-assignment", "1:2,2:1,1:2")
    story.produce("moving", 15_000, 1000)  # more than one answer to a follower holds
    move = story.file("move.json", {"topics": [{"topic": "moving"}], "version": 1})
    tell(tool, "--generate", "--topics-to-move-json-file", move, "--broker-list", "1,2,3", hide=_PROPOSED)
    tell(tool, "--generate", "--topics-to-move-json-file", move, "--broker-list", "1,2,9", hide=_PROPOSED)
    plan = story.file("plan.json", _plan("moving", [[3, 1], [3, 2], [1, 3]]))
    tell(tool, "--list")
    tell(tool, "--execute", "--reassignment-json-file", plan, "--throttle", 1000)
    tell(tool, "--list", until=lambda run: "moving" in run.out)
    tell(tool, "--verify", "--reassignment-json-file", plan)
    tell("kafka-topics", "--describe", "--topic", "moving", hide={r" Leader: \d": " Leader: <n>"})
    _throttles(story)
    tell(tool, "--execute", "--reassignment-json-file", plan)
    more = story.file("more.json", _plan("sole", [[1], [2]]))
    tell(tool, "--execute", "--reassignment-json-file", more, "--additional", "--throttle", 900)
    tell(tool, "--verify", "--reassignment-json-file", more, "--preserve-throttles",
         until=lambda run: run.out.count("is completed") == 2)  # fmt: skip
    tell(tool, "--cancel", "--reassignment-json-file", plan)
    tell(tool, "--list")
    tell("kafka-topics", "--describe", "--topic", "moving|sole", hide={r"Isr: (\d,\d)": "Isr: <two>"})
    _throttles(story)
    tell(tool, "--cancel", "--reassignment-json-file", plan)
    tell(tool, "--execute", "--reassignment-json-file", plan, "--throttle", 50_000_000,
         "--replica-alter-log-dirs-throttle", 50_000_000)  # fmt: skip
    tell(tool, "--verify", "--reassignment-json-file", plan, until=_is_complete)
    _throttles(story)
    story.settle("moved", lambda: story.in_sync("moving"))
    tell("kafka-topics", "--describe", "--topic", "moving", hide={r" Leader: \d": " Leader: <n>", **_ISR})
    wrong = (
        ("twice.json", {"version": 1, "partitions": [*_plan("moving", [[1]])["partitions"]] * 2}),
        ("far.json", _plan("moving", [[1, 9]])),
        ("none.json", _plan("none", [[1, 2]])),
        ("empty.json", {"version": 1, "partitions": []}),
        ("odd.json", "{"),
        ("same.json", _plan("moving", [[1, 1]])),
    )
    for name, content in wrong:
        tell(tool, "--execute", "--reassignment-json-file", story.file(name, content))
    tell(tool, "--verify", "--reassignment-json-file", story.directory / "none.json")


_ISR: Final = {r"Isr: \d,\d": "Isr: <two>"}
_PROPOSED: Final = {r"(?<=^)(\{.*)": "<json>"}


def _plan(topic: str, assignments: list[list[int]]) -> dict[str, Any]:
    rows = [{"topic": topic, "partition": i, "replicas": replicas} for i, replicas in enumerate(assignments)]
    return {"version": 1, "partitions": rows}


def _throttles(story: Story) -> None:
    story.tell("kafka-configs", "--describe", "--entity-type", "topics", "--entity-name", "moving")
    story.tell("kafka-configs", "--describe", "--entity-type", "brokers", any_order=True)


def _is_complete(run: Run) -> bool:
    return "still in progress" not in run.out


def _leaders(story: Story, topic: str) -> list[str]:
    return [row["Leader"] for row in story.describe(topic)]


def settings(story: Story) -> None:
    """kafka-configs: brokers, all brokers, topics, quotas, client metrics, groups."""
    tell, tool = story.tell, "kafka-configs"
    one, all_ = ("--entity-type", "brokers", "--entity-name", 2), ("--entity-type", "brokers", "--entity-default")
    topic = ("--entity-type", "topics", "--entity-name", "placed")
    tell(tool, "--alter", *one, "--add-config", "log.cleaner.threads=2,background.threads=5")
    tell(tool, "--alter", *all_, "--add-config", "log.retention.ms=86400000")
    tell(tool, "--describe", *one)
    tell(tool, "--describe", *all_)
    tell(tool, "--alter", *one, "--delete-config", "log.cleaner.threads,background.threads")
    tell(tool, "--alter", *topic, "--add-config", "cleanup.policy=[compact,delete],segment.bytes=1048576")
    tell(tool, "--describe", *topic)
    tell(tool, "--alter", *topic, "--delete-config", "cleanup.policy,retention.ms")
    tell(tool, "--describe", *topic)
    for wrong in (
        (*topic, "--add-config", "no.such=1"),
        (*topic, "--add-config", "min.insync.replicas=x"),
        (*topic, "--delete-config", "never.set"),
        (*one, "--add-config", "node.id=4"),
        (*one, "--add-config", "background.threads=1"),
        ("--entity-type", "topics", "--entity-name", "none", "--add-config", "retention.ms=1"),
    ):
        tell(tool, "--alter", *wrong)
    tell(tool, "--describe", "--entity-type", "topics", "--entity-name", "none")
    for entity in (
        ("--entity-type", "users", "--entity-name", "alice", "--entity-type", "clients", "--entity-name", "c1"),
        ("--entity-type", "users", "--entity-default"),
        ("--entity-type", "clients", "--entity-name", "c2"),
        ("--entity-type", "ips", "--entity-name", "127.0.0.1"),
    ):
        key = "connection_creation_rate" if "ips" in entity else "producer_byte_rate"
        tell(tool, "--alter", *entity, "--add-config", f"{key}=1000000")
        tell(tool, "--describe", *entity)
        tell(tool, "--alter", *entity, "--delete-config", key)
    tell(tool, "--describe", "--entity-type", "users")
    for resource, pair in (("client-metrics", "interval.ms=1000"), ("groups", "consumer.session.timeout.ms=50000")):
        entity = ("--entity-type", resource, "--entity-name", "one")
        tell(tool, "--alter", *entity, "--add-config", pair)
        tell(tool, "--describe", *entity)
        tell(tool, "--describe", "--entity-type", resource)
        tell(tool, "--alter", *entity, "--delete-config", pair.partition("=")[0])
        tell(tool, "--describe", *entity)


def at_the_controllers(story: Story) -> None:
    """The tools that take `--bootstrap-controller`, at the controllers."""
    tell = story.tell
    tell("kafka-cluster", "cluster-id", via=CONTROLLERS)
    tell("kafka-cluster", "list-endpoints", via=CONTROLLERS, any_order=True)
    tell("kafka-features", "describe", via=CONTROLLERS, hide=_EPOCHS)
    tell("kafka-features", "upgrade", "--feature", "share.version=1", "--dry-run", via=CONTROLLERS)
    tell("kafka-features", "downgrade", "--feature", "kraft.version=0", via=CONTROLLERS)
    quorum(story, CONTROLLERS)
    for entity in (
        ("--entity-type", "brokers", "--entity-default"),
        ("--entity-type", "topics", "--entity-name", "placed"),
    ):
        tell("kafka-configs", "--describe", *entity, via=CONTROLLERS)
    tell("kafka-configs", "--alter", "--entity-type", "brokers", "--entity-default", "--add-config",
         "log.retention.ms=90000000", via=CONTROLLERS)  # fmt: skip
    tell("kafka-configs", "--alter", "--entity-type", "topics", "--entity-name", "placed", "--add-config",
         "retention.ms=90000000", via=CONTROLLERS)  # fmt: skip
    controller = story.cluster.controllers[0].node_id
    tell("kafka-configs", "--describe", "--entity-type", "brokers", "--entity-name", controller, via=CONTROLLERS)
    tell("kafka-leader-election", "--election-type", "preferred", "--all-topic-partitions", via=CONTROLLERS)
    tell("kafka-reassign-partitions", "--list", via=CONTROLLERS)
    tell("kafka-broker-api-versions", via=CONTROLLERS, any_order=True)


_EPOCHS: Final = {r"Epoch: \d+": "Epoch: <n>"}


def features(story: Story) -> None:
    """kafka-features: shown, raised, lowered, refused; the tables that need no cluster."""
    tell, tool = story.tell, "kafka-features"
    tell(tool, "describe", hide=_EPOCHS)
    tell(tool, "upgrade", "--release-version", "4.3", "--dry-run")
    tell(tool, "downgrade", "--feature", "share.version=0", "--dry-run")
    tell(tool, "downgrade", "--feature", "share.version=0")
    tell(
        tool,
        "describe",
        hide=_EPOCHS,
        until=lambda run: "1  FinalizedVersionLevel: 0" in " ".join(run.out.replace("\t", "  ").split("\t")),
    )
    tell(tool, "upgrade", "--feature", "share.version=1")
    tell(tool, "downgrade", "--metadata", "4.2-IV1", hide=_LEADER)
    tell(tool, "upgrade", "--feature", "share.version=9", hide=_LEADER)
    tell(tool, "upgrade", "--feature", "kraft.version=1")
    tell(tool, "disable", "--feature", "no.such", hide=_LEADER)
    tell(tool, "version-mapping", "--release-version", "4.1-IV0")
    tell(tool, "feature-dependencies", "--feature", "eligible.leader.replicas.version=1")


_LEADER: Final = {r"controller \d+": "controller <n>", r"(Broker|Controller) \d+": r"\1 <n>"}


def quorum(story: Story, via: str = BROKERS) -> None:
    """kafka-metadata-quorum describe, in a quorum at rest."""
    status = {r"(LeaderId|LeaderEpoch|HighWatermark|MaxFollowerLagTimeMs): -?\d+": r"\1: <n>",
              r"MaxFollowerLag: \d+": "MaxFollowerLag: <n>"}  # fmt: skip
    story.tell("kafka-metadata-quorum", "describe", "--status", via=via, hide=status)
    # Who leads and who follows differs from run to run: rows of voters in the order of their state.
    rows = {r"^\d+ <id> \d+ \d+ [\d-]+ [\d-]+ (Leader|Follower)$": r"<voter> <id> <n> <n> <time> <time> \1",
            r"^(\d+) <id> \d+ \d+ [\d-]+ [\d-]+ Observer$": r"\1 <id> <n> <n> <time> <time> Observer"}  # fmt: skip
    story.tell("kafka-metadata-quorum", "describe", "--replication", via=via, hide=rows, any_order=True)
    ago = {**rows, r"^\d+ <id> \d+ \d+ \d+ ms ago \d+ ms ago (Leader|Follower)$": r"<voter> <id> <n> <n> \1",
           r"^(\d+) <id> \d+ \d+ \d+ ms ago \d+ ms ago Observer$": r"\1 <id> <n> <n> Observer"}  # fmt: skip
    story.tell(
        "kafka-metadata-quorum", "describe", "--replication", "--human-readable", via=via, hide=ago, any_order=True
    )


def cluster(story: Story) -> None:
    """kafka-cluster, kafka-log-dirs, kafka-broker-api-versions."""
    tell = story.tell
    tell("kafka-cluster", "cluster-id")
    tell("kafka-cluster", "list-endpoints", any_order=True)
    tell("kafka-cluster", "unregister", "--id", 99)
    tell("kafka-broker-api-versions", any_order=True)
    story.produce("placed", 20_000, 100)  # batches for each of the partitions
    run = story.run("kafka-log-dirs", "--describe", "--topic-list", "placed,drawn")
    _tell_directories(story, run, "--describe --topic-list placed,drawn")
    run = story.run("kafka-log-dirs", "--describe", "--broker-list", "2", "--topic-list", "placed")
    _tell_directories(story, run, "--describe --broker-list 2 --topic-list placed")
    tell("kafka-log-dirs", "--describe", "--broker-list", "2,9")


def _tell_directories(story: Story, run: Run, what: str) -> None:
    """The JSON of kafka-log-dirs, whose order and sizes are of the run."""
    brokers = json.loads(run.lines[-1])["brokers"]
    for broker in brokers:
        for directory in broker["logDirs"]:
            directory["partitions"].sort(key=lambda row: row["partition"])
            for row in directory["partitions"]:
                row["size"] = "some" if row["size"] else 0
    brokers.sort(key=lambda broker: broker["broker"])
    story.note(f"kafka-log-dirs {what}", run, json.dumps(brokers, indent=1, sort_keys=True))


def unregister(story: Story) -> None:
    """A broker that does not come back is forgotten."""
    tell = story.tell
    story.cluster.stop([2])
    tell("kafka-cluster", "list-endpoints", "--include-fenced-brokers", any_order=True)
    tell("kafka-cluster", "unregister", "--id", 2)
    tell("kafka-cluster", "list-endpoints", "--include-fenced-brokers", any_order=True)
    tell("kafka-cluster", "unregister", "--id", 2)
