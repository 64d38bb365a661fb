"""Feature levels: raised and lowered by UpdateFeatures (KIP-584, KIP-778, KIP-1022).

All updates of a request are made or none. Every registered node must support a level before it is finalized; what
klamm itself could not write any more is refused, though Kafka would go there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.update_features import UpdateFeaturesRequest, UpdateFeaturesResponse
from klamm.kproto.metadata_records import ConfigRecord, FeatureLevelRecord, NoOpRecord
from klamm.kproto.schema import Message
from klamm.log.machine import Decision
from klamm.metadata import features
from klamm.metadata.controller.hash_order import in_hash_order
from klamm.metadata.controller.leadership import MIN_INSYNC_REPLICAS
from klamm.metadata.features import ELR_VERSION, KRAFT_VERSION, METADATA_VERSION
from klamm.metadata.image.cluster import VersionRange
from klamm.metadata.image.image import BROKER_RESOURCE, MetadataImage

UPGRADE, SAFE_DOWNGRADE, UNSAFE_DOWNGRADE = 1, 2, 3
"""`upgrade_type` of an update."""
_UNKNOWN_FEATURE: Final = VersionRange(0, 0)


class QuorumVersion(Protocol):
    """The level of kraft.version, which no metadata record tells: it stands in the quorum's own control records."""

    @property
    def kraft_version(self) -> int: ...

    def upgrade_kraft_version(self, kraft_version: int, validate_only: bool) -> None:
        """Finalize the level, or tell whether that could be done. Raises KafkaError."""
        ...


class _Update(NamedTuple):
    name: str
    level: int
    upgrade_type: int


class FeatureControl:
    """Decides updates. `static_voters` are the ids of `controller.quorum.voters`: each of them must have registered."""

    def __init__(
        self,
        state: Callable[[], MetadataImage],
        node_id: int,
        static_configs: Mapping[str, str],
        quorum: QuorumVersion,
        static_voters: Sequence[int] = (),
    ) -> None:
        self._state = state
        self._node_id = node_id
        self._static_configs = static_configs
        self._quorum = quorum
        self._static_voters = static_voters

    def update(self, request: UpdateFeaturesRequest) -> Decision[UpdateFeaturesResponse, Message]:
        """Raise or lower levels, or check (`validate_only`). The first feature that cannot be fails the request.

        The response has a result for each feature when all went well; versions from 2 on leave them out.
        """
        rows = request.feature_updates
        asked = {row.feature: _Update(row.feature, row.max_version_level, row.upgrade_type) for row in rows}
        updates = [asked[name] for name in in_hash_order(asked)]
        proposed = {**self._state().features, **{update.name: update.level for update in updates}}
        records: list[Message] = []
        try:
            for update in updates:
                records += self._decide(update, proposed, request.validate_only)
        except KafkaError as error:
            what = f"The update failed for all features since the following feature had an error: {error.message}"
            response = UpdateFeaturesResponse(throttle_time_ms=0, error_code=error.code, error_message=what, results=[])
            return Decision(response)
        response = UpdateFeaturesResponse(
            throttle_time_ms=0,
            error_code=errors.NONE,
            error_message=None,
            results=[
                UpdateFeaturesResponse.UpdatableFeatureResult(
                    feature=row.feature, error_code=errors.NONE, error_message="NONE"
                )
                for row in rows
            ],
        )
        if request.validate_only:
            return Decision(response)
        if proposed.get(ELR_VERSION, 0) > 0 and ELR_VERSION in asked:
            records = [*self.elr_safety_records(), *records]
        return Decision(response, records)

    def elr_safety_records(self) -> list[Message]:
        """With eligible leader replicas the minimum ISR is one for the cluster, and must stand in the log (KIP-966)."""
        image = self._state()
        records: list[Message] = []
        if MIN_INSYNC_REPLICAS not in image.config(BROKER_RESOURCE, ""):
            records.append(_min_insync_replicas("", self._static_configs.get(MIN_INSYNC_REPLICAS, "1")))
        brokers = [name for (resource_type, name) in image.configs if resource_type == BROKER_RESOURCE and name]
        own = [name for name in brokers if MIN_INSYNC_REPLICAS in image.config(BROKER_RESOURCE, name)]
        return [*records, *(_min_insync_replicas(name, None) for name in sorted(own, key=int))]

    def _decide(self, update: _Update, proposed: Mapping[str, int], validate_only: bool) -> list[Message]:
        name, level, upgrade_type = update
        if upgrade_type not in (UPGRADE, SAFE_DOWNGRADE, UNSAFE_DOWNGRADE):
            raise _refused(update, "The controller does not support the given upgrade type.")
        current = self._quorum.kraft_version if name == KRAFT_VERSION else self._state().features.get(name, 0)
        if level < 0:
            raise _refused(update, "A feature version cannot be less than 0.")
        reason = self._reason_not_supported(name, level)
        if reason is not None:
            raise _refused(update, reason)
        if level < current and upgrade_type == UPGRADE:
            what = "Can't downgrade the version of this feature without setting the upgrade type to either safe or"
            raise _refused(update, f"{what} unsafe downgrade.")
        if level > current and upgrade_type != UPGRADE:
            raise _refused(update, "Can't downgrade to a newer version.")
        if name == KRAFT_VERSION:
            return self._decide_kraft_version(update, current, validate_only)
        if name == METADATA_VERSION:
            _check_metadata_version(update, current)
        elif name not in features.SUPPORTED:
            raise _refused(update, f"Feature {name} not found.")
        elif (unmet := features.unmet_dependency(name, level, proposed)) is not None:
            raise _refused(update, unmet)
        return [FeatureLevelRecord(name=name, feature_level=level)]

    def _decide_kraft_version(self, update: _Update, current: int, validate_only: bool) -> list[Message]:
        if update.upgrade_type != UPGRADE:
            if update.level != current:
                raise _refused(update, "Can't downgrade the version of this feature.")
            return []
        self._quorum.upgrade_kraft_version(update.level, validate_only)
        # Something must be committed behind the control record, so that the answer waits for both.
        return [NoOpRecord()]

    def _reason_not_supported(self, name: str, level: int) -> str | None:
        cluster = self._state().cluster
        nodes = [(f"Local controller {self._node_id}", features.SUPPORTED)]
        nodes += [(f"Broker {i}", dict(broker.features)) for i, broker in sorted(cluster.brokers.items())]
        others = [(i, c) for i, c in sorted(cluster.controllers.items()) if i != self._node_id]
        nodes += [(f"Controller {i}", dict(controller.features)) for i, controller in others]
        for who, supported in nodes:
            low, high = supported.get(name, _UNKNOWN_FEATURE)
            if not low <= level <= high:
                if high == 0:
                    return f"{who} does not support this feature."
                return f"{who} only supports versions {low if low == high else f'{low}-{high}'}"
        for voter_id in self._static_voters:
            if voter_id != self._node_id and voter_id not in cluster.controllers:
                return f"controller {voter_id} has not registered, and may not support this feature"
        return None


def _check_metadata_version(update: _Update, current: int) -> None:
    level = update.level
    if level < current and not features.is_lossless(current, level):
        what = "Refusing to perform the requested downgrade because it might delete metadata information."
        if update.upgrade_type == UNSAFE_DOWNGRADE:
            what = "Unsafe metadata downgrade is not supported in this version."
        raise KafkaError(
            errors.INVALID_UPDATE_VERSION,
            f"Unsupported metadata.version downgrade from {current} to {level}. {what}",
        )
    if level < features.METADATA_VERSION_WRITABLE_MIN:
        low = features.METADATA_VERSION_WRITABLE_MIN
        what = f"The active controller writes metadata.version {low} ({features.level_name(low)}) and later."
        raise KafkaError(errors.INVALID_UPDATE_VERSION, f"Invalid metadata.version {level}. {what}")


def _refused(update: _Update, reason: str) -> KafkaError:
    message = f"Invalid update version {update.level} for feature {update.name}. {reason}"
    return KafkaError(errors.INVALID_UPDATE_VERSION, message)


def _min_insync_replicas(broker: str, value: str | None) -> ConfigRecord:
    return ConfigRecord(resource_type=BROKER_RESOURCE, resource_name=broker, name=MIN_INSYNC_REPLICAS, value=value)
