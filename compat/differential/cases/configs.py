"""DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources."""

from __future__ import annotations

from typing import Any

from compat.differential.cases import case
from compat.differential.run import Run
from klamm.kproto.messages.alter_configs import AlterConfigsRequest
from klamm.kproto.messages.describe_configs import DescribeConfigsRequest
from klamm.kproto.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from klamm.kproto.messages.list_config_resources import ListConfigResourcesRequest

TOPIC, BROKER, LOGGER, METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = range(4)


def _describe(run: Run, version: int, note: str, *resources: tuple[int, str, list[str] | None], synonyms: bool = True,
              documentation: bool = True) -> Any:  # fmt: skip
    rows = [
        {"resource_type": kind, "resource_name": name, "configuration_keys": keys} for kind, name, keys in resources
    ]
    return run.ask(DescribeConfigsRequest, version, note, resources=rows, include_synonyms=synonyms,
                   include_documentation=documentation)  # fmt: skip


def _alter(run: Run, version: int, note: str, *resources: tuple[int, str, list[tuple[str, int, str | None]]],
           only: bool = False) -> None:  # fmt: skip
    rows = [{"resource_type": kind, "resource_name": name,
             "configs": [{"name": key, "config_operation": how, "value": value} for key, how, value in configs]}
            for kind, name, configs in resources]  # fmt: skip
    run.ask(IncrementalAlterConfigsRequest, version, note, resources=rows, validate_only=only)


@case
def describe_everything(run: Run) -> None:
    topic = run.topic(cleanup_policy="compact,delete", retention_ms="123456")
    for version in run.versions(DescribeConfigsRequest):
        for synonyms in (False, True):
            for documentation in (False, True) if version >= 3 else (False,):
                flags = {"synonyms": synonyms, "documentation": documentation}
                note = f"synonyms {synonyms}, documentation {documentation}"
                _describe(run, version, f"topic, {note}", (TOPIC, topic.name, None), **flags)
                _describe(run, version, f"broker, {note}", (BROKER, "1", None), **flags)
                _describe(run, version, f"default broker, {note}", (BROKER, "", None), **flags)
                _describe(run, version, f"group, {note}", (GROUP, "no.such.group", None), **flags)
                _describe(run, version, f"client metrics, {note}", (METRICS, "no.such", None), **flags)


@case
def describe_some(run: Run) -> None:
    topic = run.topic()
    for version in run.versions(DescribeConfigsRequest):
        _describe(run, version, "two keys", (TOPIC, topic.name, ["retention.ms", "segment.bytes"]))
        _describe(run, version, "an unknown key", (TOPIC, topic.name, ["no.such", "segment.bytes"]))
        _describe(run, version, "a key twice", (TOPIC, topic.name, ["retention.ms", "retention.ms"]))
        _describe(run, version, "an empty list", (TOPIC, topic.name, []))
        _describe(
            run, version, "broker keys", (BROKER, "1", ["num.partitions", "log.retention.ms", "log.segment.bytes"])
        )
        _describe(run, version, "several", (TOPIC, topic.name, ["retention.ms"]), (BROKER, "1", ["num.partitions"]),
                  (TOPIC, "no.such.topic", None))  # fmt: skip
        _describe(run, version, "the same twice", (TOPIC, topic.name, ["retention.ms"]),
                  (TOPIC, topic.name, ["segment.bytes"]))  # fmt: skip
        _describe(run, version, "nothing")


@case
def describe_wrong(run: Run) -> None:
    for version in run.versions(DescribeConfigsRequest):
        for kind in (TOPIC, BROKER, METRICS, GROUP, 0, 1, 3, -1, 127):
            for name in ("", "no.such.name", "a/b", "9", "-1", "1 "):
                if (kind, name) not in ((BROKER, ""), (GROUP, ""), (METRICS, "")) or version == 4:
                    _describe(run, version, f"type {kind} named {name!r}", (kind, name, ["none"]))


@case
def broker_loggers(run: Run) -> None:
    for version in run.versions(DescribeConfigsRequest):
        _describe(run, version, "loggers", (LOGGER, "1", ["none"]))
        _describe(run, version, "all loggers", (LOGGER, "1", None))
        _describe(run, version, "loggers of another broker", (LOGGER, "9", ["none"]))


@case
def incremental_topic(run: Run) -> None:
    for version in run.versions(IncrementalAlterConfigsRequest):
        name = run.topic(cleanup_policy="compact", retention_ms="7").name
        for only in (True, False):

            def ask(note: str, *configs: tuple[str, int, str | None], version: int = version, only: bool = only,
                    name: str = name) -> None:  # fmt: skip
                _alter(
                    run, version, f"{note}{', only validated' if only else ''}", (TOPIC, name, list(configs)), only=only
                )
                if not only:
                    run.settle()
                    _describe(run, 4, "now", (TOPIC, name, None), documentation=False)

            ask("nothing")
            ask("set", ("segment.bytes", SET, "1048576"), ("flush.ms", SET, " 9 "))
            ask("append", ("cleanup.policy", APPEND, "delete"))
            ask("append what is there", ("cleanup.policy", APPEND, "delete"))
            ask("subtract", ("cleanup.policy", SUBTRACT, "compact"))
            ask("subtract what is not there", ("cleanup.policy", SUBTRACT, "compact"))
            ask("append to no list", ("segment.bytes", APPEND, "5"))
            ask("subtract from no list", ("segment.bytes", SUBTRACT, "5"))
            ask("delete", ("segment.bytes", DELETE, None), ("flush.ms", DELETE, "x"))
            ask("delete what is not set", ("flush.ms", DELETE, None))
            ask("set to null", ("retention.ms", SET, None))
            ask("append null", ("cleanup.policy", APPEND, None))
            ask("unknown key", ("no.such", SET, "1"))
            ask("delete an unknown key", ("no.such", DELETE, None))
            ask("empty key", ("", SET, "1"))
            ask("bad number", ("retention.ms", SET, "x"))
            ask("out of range", ("retention.ms", SET, "-2"))
            ask("bad choice", ("compression.type", SET, "best"))
            ask("bad list item", ("cleanup.policy", APPEND, "burn"))
            ask("subtract all", ("cleanup.policy", SUBTRACT, "delete"))
            ask("unknown operation", ("retention.ms", 4, "5"))
            ask("operation -1", ("retention.ms", -1, "5"))
            ask("key twice", ("retention.ms", SET, "5"), ("retention.ms", SET, "6"))
            ask("key twice, set and delete", ("retention.ms", SET, "5"), ("retention.ms", DELETE, None))
            ask("good and bad", ("retention.ms", SET, "8"), ("segment.bytes", SET, "x"))
            ask("throttled replicas", ("leader.replication.throttled.replicas", APPEND, "0:1,1:1"))
            ask("throttled replicas, more", ("leader.replication.throttled.replicas", APPEND, "2:1"))
            ask("bool", ("preallocate", SET, "TRUE"))
            ask("bad bool", ("preallocate", SET, "yes"))


@case
def incremental_resources(run: Run) -> None:
    for version in run.versions(IncrementalAlterConfigsRequest):
        for only in (False, True):
            suffix = ", only validated" if only else ""
            topic = run.topic().name
            one: list[tuple[str, int, str | None]] = [("retention.ms", SET, "5")]
            for kind in (TOPIC, BROKER, METRICS, GROUP, 0, 1, 3, -1):
                for name in ("no.such.name", "a/b", "9", "-1"):
                    _alter(run, version, f"type {kind} named {name!r}{suffix}", (kind, name, one), only=only)
            _alter(run, version, f"no resources{suffix}", only=only)
            _alter(run, version, f"twice{suffix}", (TOPIC, topic, one), (TOPIC, topic, one), only=only)
            _alter(run, version, f"good and bad{suffix}", (TOPIC, topic, one), (TOPIC, "no.such.topic", one), only=only)
            _alter(run, version, f"empty topic{suffix}", (TOPIC, "", one), only=only)
            _alter(run, version, f"empty group{suffix}", (GROUP, "", one), only=only)
            _alter(run, version, f"empty metrics{suffix}", (METRICS, "", one), only=only)


@case
def incremental_broker(run: Run) -> None:
    changes: list[tuple[str, list[tuple[str, int, str | None]]]] = [
        ("cluster-wide", [("log.retention.ms", SET, "777777777")]),
        ("per broker", [("log.cleaner.threads", SET, "2")]),
        ("read-only", [("node.id", SET, "5")]),
        ("read-only, num.partitions", [("num.partitions", SET, "5")]),
        ("unknown", [("no.such", SET, "5")]),
        ("bad value", [("log.retention.ms", SET, "x")]),
        ("list", [("log.cleanup.policy", APPEND, "compact")]),
        ("delete", [("log.retention.ms", DELETE, None), ("log.cleanup.policy", DELETE, None),
                    ("log.cleaner.threads", DELETE, None)]),
        ("delete read-only", [("num.partitions", DELETE, None)]),
    ]  # fmt: skip
    topic = run.topic().name
    for version in run.versions(IncrementalAlterConfigsRequest):
        for name in ("", "1"):
            for note, configs in changes:
                for only in (True, False):
                    suffix = ", only validated" if only else ""
                    _alter(
                        run, version, f"{note} for {name or 'all brokers'}{suffix}", (BROKER, name, configs), only=only
                    )
                run.settle()
                keys = ["log.retention.ms", "log.cleaner.threads", "log.cleanup.policy", "num.partitions"]
                _describe(run, 4, "broker now", (BROKER, "1", keys), (BROKER, "", keys), documentation=False)
                _describe(run, 4, "topic now", (TOPIC, topic, ["retention.ms", "cleanup.policy"]), documentation=False)


@case
def incremental_group_and_metrics(run: Run) -> None:
    for version in run.versions(IncrementalAlterConfigsRequest):
        for kind, key, good, bad in ((GROUP, "consumer.session.timeout.ms", "50000", "1"),
                                     (METRICS, "interval.ms", "5000", "1")):  # fmt: skip
            name = run.new_name("resource")
            _alter(run, version, f"type {kind}: set", (kind, name, [(key, SET, good)]))
            _alter(run, version, f"type {kind}: out of range", (kind, name, [(key, SET, bad)]))
            _alter(run, version, f"type {kind}: unknown", (kind, name, [("no.such", SET, "1")]))
            run.settle()
            _describe(run, 4, f"type {kind} now", (kind, name, None))
            run.ask(ListConfigResourcesRequest, 1, f"type {kind} listed", resource_types=[kind])
            _alter(run, version, f"type {kind}: delete", (kind, name, [(key, DELETE, None)]))
            run.settle()
            run.ask(ListConfigResourcesRequest, 1, f"type {kind} listed no more", resource_types=[kind])


@case
def alter_configs(run: Run) -> None:
    for version in run.versions(AlterConfigsRequest):
        name = run.topic(cleanup_policy="compact", retention_ms="7").name

        def ask(note: str, *resources: tuple[int, str, list[tuple[str, str | None]]], only: bool = False,
                version: int = version, name: str = name) -> None:  # fmt: skip
            rows = [{"resource_type": kind, "resource_name": to,
                     "configs": [{"name": key, "value": value} for key, value in configs]}
                    for kind, to, configs in resources]  # fmt: skip
            run.ask(AlterConfigsRequest, version, note, resources=rows, validate_only=only)
            run.settle()
            _describe(run, 4, "now", (TOPIC, name, ["retention.ms", "cleanup.policy", "segment.bytes"]),
                      documentation=False)  # fmt: skip

        ask("only validated", (TOPIC, name, [("segment.bytes", "1048576")]), only=True)
        ask("one, the others are gone", (TOPIC, name, [("segment.bytes", "1048576")]))
        ask("null value", (TOPIC, name, [("segment.bytes", None)]))
        ask("bad value", (TOPIC, name, [("segment.bytes", "x")]))
        ask("unknown key", (TOPIC, name, [("no.such", "1")]))
        ask("key twice", (TOPIC, name, [("retention.ms", "5"), ("retention.ms", "6")]))
        ask("unknown topic", (TOPIC, "no.such.topic", [("retention.ms", "5")]))
        if version == 2:
            with run.client.patience(2.0):
                ask("resource twice", (TOPIC, name, [("retention.ms", "5")]), (TOPIC, name, [("retention.ms", "6")]))
        ask("none", (TOPIC, name, []))
        ask("no resources")
        ask("unknown type", (7, name, []))
        ask("another broker", (BROKER, "9", []))
        ask("broker, read-only", (BROKER, "1", [("num.partitions", "5")]))
        ask("broker", (BROKER, "1", [("log.retention.ms", "5555555")]))
        ask("broker, nothing", (BROKER, "1", []))


@case
def list_config_resources(run: Run) -> None:
    run.ask(ListConfigResourcesRequest, 0, "client metrics")
    for note, kinds in (("brokers", [BROKER]), ("loggers", [LOGGER]), ("metrics", [METRICS]), ("unknown type", [3]),
                        ("unknown and known", [BROKER, 77]), ("twice", [BROKER, BROKER]), ("type 0", [0])):  # fmt: skip
        run.ask(ListConfigResourcesRequest, 1, note, resource_types=kinds)
    topic = run.topic().name
    for kinds in ([TOPIC], []):
        answer = run.quiet(ListConfigResourcesRequest, 1, resource_types=kinds)
        found = [r.resource_type for r in answer.config_resources if r.resource_name in (topic, "1")]
        run.record("ListConfigResources", 1, f"types {kinds}", sorted(found))
