"""UpdateFeatures, and what ApiVersions tells afterwards. Every case ends with the levels that it began with."""

from __future__ import annotations

from compat.differential.cases import case
from compat.differential.run import Run
from klamm.kproto.messages.api_versions import ApiVersionsRequest
from klamm.kproto.messages.describe_configs import DescribeConfigsRequest
from klamm.kproto.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from klamm.kproto.messages.update_features import UpdateFeaturesRequest

UPGRADE, SAFE, UNSAFE = 1, 2, 3
ELR, GROUP, SHARE = "eligible.leader.replicas.version", "group.version", "share.version"
STREAMS, TRANSACTION, METADATA = "streams.version", "transaction.version", "metadata.version"
LEVELS = {ELR: 1, GROUP: 1, SHARE: 1, STREAMS: 1, TRANSACTION: 2, METADATA: 30}
Update = tuple[str, int, int]
"""(feature, level, upgrade type)"""


def _update(run: Run, version: int, note: str, *updates: Update, only: bool = False) -> None:
    rows = [
        {"feature": feature, "max_version_level": level, "upgrade_type": how, "allow_downgrade": how != UPGRADE}
        for feature, level, how in updates
    ]
    run.ask(UpdateFeaturesRequest, version, note, feature_updates=rows, validate_only=only, timeout_ms=30000)


def _finalized(run: Run) -> None:
    run.settle()
    told = run.quiet(ApiVersionsRequest, 4, client_software_name="compat", client_software_version="1")
    rows = [(row.name, row.min_version_level, row.max_version_level) for row in told.finalized_features]
    run.record("finalized features", 4, "now", sorted(rows))


@case
def every_level(run: Run) -> None:
    for version in run.versions(UpdateFeaturesRequest, low=1):
        for feature in (*LEVELS, "no.such", ""):
            for level in (-1, 0, 1, 2, 3, 6, 7, 21, 22, 23, 29, 30, 31, 32767):
                for how in (0, UPGRADE, SAFE, UNSAFE, 4):
                    _update(run, version, f"{feature} {level} {how}", (feature, level, how), only=True)
    _finalized(run)


@case
def down_and_up(run: Run) -> None:
    for version in run.versions(UpdateFeaturesRequest):
        for feature in (GROUP, STREAMS, SHARE):
            _update(run, version, f"{feature} down", (feature, 0, SAFE))
            _finalized(run)
            _update(run, version, f"{feature} down again", (feature, 0, SAFE))
            _update(run, version, f"{feature} up", (feature, 1, UPGRADE))
            _update(run, version, f"{feature} up again", (feature, 1, UPGRADE))
            # Version 0 cannot go down: Kafka does not look at its own word for that.
            _update(run, 2, "as it was", (feature, 1, UPGRADE))
            _finalized(run)


@case
def several(run: Run) -> None:
    for version in run.versions(UpdateFeaturesRequest):
        _update(run, version, "nothing")
        _update(run, version, "one of three fails", (GROUP, 1, UPGRADE), (STREAMS, 7, UPGRADE), (SHARE, 0, SAFE))
        _update(run, version, "two fail", ("no.such", 1, UPGRADE), (STREAMS, 7, UPGRADE))
        _update(run, version, "a feature twice", (STREAMS, 9, UPGRADE), (STREAMS, 1, UPGRADE))
        _update(run, version, "all as they are", *[(name, level, UPGRADE) for name, level in LEVELS.items()])
    _finalized(run)


@case
def eligible_leader_replicas(run: Run) -> None:
    key = "min.insync.replicas"

    def alter(name: str, value: str | None, note: str) -> None:
        configs = [{"name": key, "config_operation": 0 if value else 1, "value": value}]
        rows = [{"resource_type": 4, "resource_name": name, "configs": configs}]
        run.ask(IncrementalAlterConfigsRequest, 1, note, resources=rows, validate_only=False)

    def describe(note: str) -> None:
        run.settle()
        rows = [{"resource_type": 4, "resource_name": name, "configuration_keys": [key]} for name in ("", "1")]
        run.ask(DescribeConfigsRequest, 4, note, resources=rows, include_synonyms=True, include_documentation=False)

    describe("at first")
    _update(run, 2, "off", (ELR, 0, SAFE))
    _finalized(run)
    alter("", None, "the cluster's minimum goes")
    alter("1", "1", "the broker has its own")
    describe("off")
    _update(run, 2, "on, only checked", (ELR, 1, UPGRADE), only=True)
    describe("only checked")
    _update(run, 2, "on", (ELR, 1, UPGRADE))
    _finalized(run)
    describe("on")
    alter("1", "1", "no broker may have its own now")
    alter("", None, "nor may the cluster's go")
