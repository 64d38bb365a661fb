"""What groups go by: Kafka's broker settings for the classic protocol and for offsets, as plain numbers."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class IntSettings(Protocol):
    """Where settings are looked up by Kafka's names."""

    def int(self, name: str, /) -> int: ...


class GroupSettings(NamedTuple):
    """Defaults are Kafka's."""

    max_size: int = 2147483647
    initial_rebalance_delay_ms: int = 3000
    min_session_timeout_ms: int = 6000
    max_session_timeout_ms: int = 1800000
    new_member_join_timeout_ms: int = 300000
    """How long a new member may wait for its first rebalance; no setting in Kafka either."""
    offset_metadata_max_bytes: int = 4096
    offsets_retention_ms: int = 10080 * 60000
    offsets_retention_check_interval_ms: int = 600000
    compression: int = 0
    load_buffer_size_bytes: int = 5242880


def group_settings(config: IntSettings) -> GroupSettings:
    """The settings of one broker."""
    return GroupSettings(
        max_size=config.int("group.max.size"),
        initial_rebalance_delay_ms=config.int("group.initial.rebalance.delay.ms"),
        min_session_timeout_ms=config.int("group.min.session.timeout.ms"),
        max_session_timeout_ms=config.int("group.max.session.timeout.ms"),
        offset_metadata_max_bytes=config.int("offset.metadata.max.bytes"),
        offsets_retention_ms=config.int("offsets.retention.minutes") * 60000,
        offsets_retention_check_interval_ms=config.int("offsets.retention.check.interval.ms"),
        compression=config.int("offsets.topic.compression.codec"),
        load_buffer_size_bytes=config.int("offsets.load.buffer.size"),
    )
