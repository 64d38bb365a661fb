"""One node of each kind at the levels of an older release, a story for both, and the records that they wrote of it.

What belongs to one node (ids, epochs, ports, times) gets a variable; everything else must be equal, versions included.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from compat import kafka_jars
from compat.differential.run import Run
from compat.providers import PlainKlamm, klamm_defaults
from compat.targets import KafkaTarget, Target
from klamm.kproto import records
from klamm.kproto.json_form import to_json
from klamm.kproto.messages.alter_client_quotas import AlterClientQuotasRequest
from klamm.kproto.messages.create_partitions import CreatePartitionsRequest
from klamm.kproto.messages.delete_topics import DeleteTopicsRequest
from klamm.kproto.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from klamm.kproto.messages.update_features import UpdateFeaturesRequest
from klamm.kproto.metadata_records import (
    BrokerRegistrationChangeRecord,
    FeatureLevelRecord,
    NoOpRecord,
    PartitionChangeRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    RegisterControllerRecord,
    TopicRecord,
)
from klamm.kproto.schema import Message
from klamm.metadata.features import METADATA_VERSION, default_levels, metadata_version_of
from klamm.metadata.record_codec import decode_record

NEWEST = "4.3"
UPGRADE, SAFE_DOWNGRADE = 1, 2
_QUIET = {"metadata.max.idle.interval.ms": "0"}
_OWN = {"brokerEpoch", "incarnationId", "port", "host", "topicId", "directories", "logDirs", "rack"}
"""Fields that differ from node to node."""
_ONE_OF_THE_NODE = (RegisterBrokerRecord, RegisterControllerRecord, BrokerRegistrationChangeRecord)
"""Records of a node's life, which follow its clock rather than the story."""


class KafkaAt(KafkaTarget):
    """A real node that was formatted at a release."""

    def __init__(self, release: str, settings: Mapping[str, str] | None = None) -> None:
        super().__init__({**_QUIET, **(settings or {})})
        self._release = release

    def _format_arguments(self) -> list[str]:
        return ["--standalone", "--release-version", self._release]


class KlammAt(PlainKlamm):
    """klamm at the same release."""

    def __init__(self, release: str, settings: Mapping[str, str] | None = None) -> None:
        super().__init__({**klamm_defaults(), **_QUIET, **(settings or {})})
        self._release = release

    def launch(self) -> None:
        if not self.data_dir.exists():
            arguments = [
                "--data-dir",
                str(self.data_dir),
                "--release-version",
                self._release,
                "--override",
                "node.id=1",
            ]
            subprocess.run([sys.executable, "-m", "klamm", "format", *arguments], cwd=kafka_jars.ROOT, check=True)
        super().launch()


class Written(NamedTuple):
    """One record of the metadata log. `level`: the metadata.version at which it was written."""

    level: int
    name: str
    version: int
    form: str


def story(run: Run) -> None:
    """Something of every kind that does not need a second broker, then the way up to the newest level, and again."""
    _everything(run)
    _update(run, {METADATA_VERSION: metadata_version_of(NEWEST)})
    _everything(run)
    _update(run, default_levels(metadata_version_of(NEWEST)))
    _everything(run)


def down_story(run: Run) -> None:
    """From 4.2 as far down as nothing is lost: to the level that brought eligible leader replicas."""
    for level in (28, 25, 23):
        _update(run, {METADATA_VERSION: level}, SAFE_DOWNGRADE)
        _everything(run)
    _update(run, {METADATA_VERSION: 29})
    _everything(run)


def _everything(run: Run) -> None:
    kept, gone = run.topic(partitions=2, min_insync_replicas="1", retention_ms="1000000"), run.topic()
    rows = [{"name": kept.name, "count": 3, "assignments": None}]
    run.quiet(CreatePartitionsRequest, 3, topics=rows, timeout_ms=30000, validate_only=False)
    alter = [{"name": "retention.ms", "config_operation": 0, "value": "7"}]
    resources = [{"resource_type": 2, "resource_name": kept.name, "configs": alter}]
    run.quiet(IncrementalAlterConfigsRequest, 1, resources=resources, validate_only=False)
    run.quiet(DeleteTopicsRequest, 5, topic_names=[gone.name], timeout_ms=30000)
    for value, remove in ((1e9, False), (2e9, False), (0.0, True)):
        ops = [{"key": key, "value": value, "remove": remove} for key in ("producer_byte_rate", "consumer_byte_rate")]
        entity = [{"entity_type": "user", "entity_name": kept.name}, {"entity_type": "client-id", "entity_name": None}]
        run.quiet(AlterClientQuotasRequest, 1, entries=[{"entity": entity, "ops": ops}], validate_only=False)


def _update(run: Run, levels: dict[str, int], how: int = UPGRADE) -> None:
    rows = [{"feature": name, "max_version_level": level, "upgrade_type": how} for name, level in levels.items()]
    answer = run.quiet(UpdateFeaturesRequest, 2, feature_updates=rows, validate_only=False, timeout_ms=30000)
    if answer.error_code:
        raise RuntimeError(f"{run.target.name}: error {answer.error_code}, {answer.error_message}")


def written(target: Target) -> Iterator[Written]:
    """The records of a stopped node's metadata log, but for no-ops."""
    level, topics = 0, 0
    names: dict[str, str] = {}
    for record, version in _log(target):
        if isinstance(record, TopicRecord):
            topics += 1
            names[to_json(record, 0, True)["topicId"]] = f"topic {topics}"
        if not isinstance(record, (NoOpRecord, ProducerIdsRecord)):
            yield Written(level, type(record).__name__, version, _form(record, version, names))
        if isinstance(record, FeatureLevelRecord) and record.name == METADATA_VERSION:
            level = record.feature_level


def metadata_records(target: Target) -> Iterator[Message]:
    """All records of a stopped node's metadata log."""
    return (record for record, _ in _log(target))


def _log(target: Target) -> Iterator[tuple[Message, int]]:
    for file in sorted((Path(target.data_dir) / "__cluster_metadata-0").glob("*.log")):
        for batch in records.batches(file.read_bytes()):
            if not batch.is_control:
                yield from (decode_record(row.value) for row in records.iter_records(batch))


def of_the_story(rows: list[Written]) -> list[Written]:
    """Those that follow from requests, in their order; which of several changed partitions is first is left open."""
    own = {cls.__name__ for cls in _ONE_OF_THE_NODE}
    found: list[Written] = []
    for name, group in groupby((row for row in rows if row.name not in own), lambda row: row.name):
        together = list(group)
        found += sorted(together) if name == PartitionChangeRecord.__name__ else together
    return found


def of_the_node(rows: list[Written]) -> set[tuple[int, str, int]]:
    """Which records of the node's own life stand at which level in which version."""
    own = {cls.__name__ for cls in _ONE_OF_THE_NODE}
    return {(row.level, row.name, row.version) for row in rows if row.name in own}


def _form(record: Message, version: int, names: dict[str, str]) -> str:
    return repr(_normal(to_json(record, version, True), names))


def _normal(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_normal(item, names) for item in value]
    if isinstance(value, dict):
        return {
            key: names.get(item, "<own>") if key == "topicId" else "<own>" if key in _OWN else _normal(item, names)
            for key, item in value.items()
        }
    return value
