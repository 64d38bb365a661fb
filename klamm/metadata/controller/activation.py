"""What a controller writes first: the bootstrap records of an empty log, the end of a transaction left open,
and its own registration.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from klamm.kproto.metadata_records import (
    AbortTransactionRecord,
    BeginTransactionRecord,
    ConfigRecord,
    EndTransactionRecord,
)
from klamm.kproto.schema import Message
from klamm.log.machine import Decision
from klamm.metadata.controller.leadership import MIN_INSYNC_REPLICAS
from klamm.metadata.features import ELR_VERSION
from klamm.metadata.image.cluster import ControllerRegistration
from klamm.metadata.image.image import BROKER_RESOURCE, MetadataImage

TRANSACTION_NAME = "Bootstrap records"
ABORT_REASON = "Controller failover"


def activate(
    image: MetadataImage, bootstrap: Sequence[Message], is_transaction_open: bool, min_insync_replicas: str
) -> Decision[None, Message]:
    """`bootstrap` are the records of bootstrap.checkpoint. They are written once, in one transaction, so that a
    controller that dies between its batches leaves nothing behind.

    With eligible leader replicas the minimum ISR of the cluster must be a dynamic config: the controller's static one.
    """
    records: list[Message] = []
    is_empty = not image.features
    if is_transaction_open:
        records.append(AbortTransactionRecord(reason=ABORT_REASON))
    if is_empty:
        records.append(BeginTransactionRecord(name=TRANSACTION_NAME))
        records += bootstrap
        if any(getattr(r, "name", "") == ELR_VERSION and getattr(r, "feature_level", 0) > 0 for r in bootstrap):
            records.append(
                ConfigRecord(
                    resource_type=BROKER_RESOURCE, resource_name="", name=MIN_INSYNC_REPLICAS, value=min_insync_replicas
                )
            )
        records.append(EndTransactionRecord())
    return Decision(None, records)


class ControllerRegistrations:
    """KIP-919: every controller, the active one too, tells where it listens and what it supports."""

    def __init__(self, state: Callable[[], MetadataImage]) -> None:
        self._state = state

    def register(self, registration: ControllerRegistration) -> Decision[None, Message]:
        """Whoever asks is written, also when the log has him already: he would not ask."""
        return Decision(None, [registration.to_record()])

    def register_own(self, registration: ControllerRegistration) -> Decision[None, Message]:
        """This node's own controller; nothing is written when the log has it already."""
        existing = self._state().cluster.controllers.get(registration.controller_id)
        return Decision(None) if existing == registration else self.register(registration)
