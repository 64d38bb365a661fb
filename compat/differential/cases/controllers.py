"""What brokers and controllers ask of the active controller: registrations, heartbeats, ISR changes, directories."""

from __future__ import annotations

import struct
from typing import Any

from compat.differential.cases import case
from compat.differential.cases.quorum import cluster_id
from compat.differential.run import Peer, Run
from klamm.kproto.messages.allocate_producer_ids import AllocateProducerIdsRequest
from klamm.kproto.messages.alter_partition import AlterPartitionRequest
from klamm.kproto.messages.assign_replicas_to_dirs import AssignReplicasToDirsRequest
from klamm.kproto.messages.broker_heartbeat import BrokerHeartbeatRequest
from klamm.kproto.messages.broker_registration import BrokerRegistrationRequest
from klamm.kproto.messages.controller_registration import ControllerRegistrationRequest
from klamm.kproto.messages.describe_cluster import DescribeClusterRequest
from klamm.kproto.messages.envelope import EnvelopeRequest
from klamm.kproto.messages.unregister_broker import UnregisterBrokerRequest

LISTENER = {"name": "PLAINTEXT", "host": "127.0.0.1", "port": 9, "security_protocol": 0}
FEATURE = {"name": "metadata.version", "min_supported_version": 7, "max_supported_version": 30}
NO_DIRECTORY = b"\x33" * 16


def registration(run: Run, broker: int, **more: Any) -> dict[str, Any]:
    """The values of a BrokerRegistration that is taken."""
    values = {
        "broker_id": broker, "cluster_id": cluster_id(run), "incarnation_id": bytes(15) + bytes([broker & 0x7F]),
        "listeners": [LISTENER], "features": _features(), "rack": None, "log_dirs": [b"\x44" * 16],
    }  # fmt: skip
    return {**values, **more}


def _features() -> list[dict[str, Any]]:
    """Ranges that hold every level that a cluster of today can have."""
    return [
        {"name": name, "min_supported_version": low, "max_supported_version": high}
        for name, low, high in (
            ("metadata.version", 7, 31), ("kraft.version", 0, 1), ("transaction.version", 0, 2),
            ("group.version", 0, 1), ("eligible.leader.replicas.version", 0, 1), ("share.version", 0, 2),
            ("streams.version", 0, 1),
        )
    ]  # fmt: skip


@case
def register_brokers(run: Run) -> None:
    peer = run.controller()
    for version in peer.versions(BrokerRegistrationRequest):
        broker = 60 + version

        def ask(note: str, version: int = version, broker: int = broker, **more: Any) -> Any:
            return peer.ask(BrokerRegistrationRequest, version, note, **registration(run, broker, **more))

        ask("another cluster", cluster_id="AAAAAAAAAAAAAAAAAAAAAQ")
        ask("empty cluster", cluster_id="")
        ask("no listeners", listeners=[])
        ask("no features", features=[])
        ask("a feature that is too low", features=[{**FEATURE, "max_supported_version": 7}])
        ask("an unknown feature", features=[*_features(), {**FEATURE, "name": "no.such.feature"}])
        ask("no directories", log_dirs=[])
        ask("a directory twice", log_dirs=[b"\x44" * 16] * 2)
        ask("a reserved directory", log_dirs=[bytes(16)])
        ask("zk migration", is_migrating_zk_broker=True)
        ask("negative id", broker=-1)
        first = ask("taken")
        ask("the same again")
        ask("another incarnation", incarnation_id=b"\x55" * 16)
        ask("the id of a broker that lives", broker=1)
        ask("with the epoch before", previous_broker_epoch=first.broker_epoch if first else 0)
        run.ask(DescribeClusterRequest, 2, "with the fenced ones", include_fenced_brokers=True, endpoint_type=1)
        peer.ask(UnregisterBrokerRequest, 0, "forgotten", broker_id=broker)
        peer.ask(UnregisterBrokerRequest, 0, "forgotten again", broker_id=broker)
        for others in (60 + version, -1):
            run.quiet(UnregisterBrokerRequest, 0, broker_id=others)


def _registered(run: Run, peer: Peer, broker: int) -> int:
    """The epoch of a broker that is registered and stays fenced."""
    newest = peer.versions(BrokerRegistrationRequest)[-1]
    directory = {"log_dirs": [bytes(15) + bytes([100 + broker])]}
    answer = peer.ask(BrokerRegistrationRequest, newest, "a broker", **registration(run, broker, **directory))
    return int(answer.broker_epoch)


@case
def heartbeats(run: Run) -> None:
    peer = run.controller()
    for version in peer.versions(BrokerHeartbeatRequest):
        broker = 70 + version
        epoch = _registered(run, peer, broker)

        def ask(note: str, version: int = version, broker: int = broker, epoch: int = epoch, **more: Any) -> None:
            values = {"broker_id": broker, "broker_epoch": epoch, "current_metadata_offset": 0, "want_fence": False,
                      "want_shut_down": False}  # fmt: skip
            peer.ask(BrokerHeartbeatRequest, version, note, **{**values, **more})

        ask("far behind")
        ask("wants to stay fenced", want_fence=True)
        ask("negative offset", current_metadata_offset=-1)
        ask("an old epoch", broker_epoch=epoch - 1)
        ask("no epoch", broker_epoch=-1)
        ask("a new epoch", broker_epoch=epoch + 1000)
        ask("an unknown broker", broker_id=99)
        ask("negative broker", broker_id=-1)
        ask("an unknown directory is offline", offline_log_dirs=[NO_DIRECTORY])
        ask("an unknown directory is cordoned", cordoned_log_dirs=[NO_DIRECTORY])
        ask("wants to stop", want_shut_down=True)
        ask("wants to stop, again", want_shut_down=True)
        ask("after that")
        run.quiet(UnregisterBrokerRequest, 0, broker_id=broker)
        ask("after it was forgotten")


@case
def isr_changes(run: Run) -> None:
    """Leaders that are none: a broker of its own leads nothing."""
    peer = run.controller()
    topic = run.topic(2)
    epoch = _registered(run, peer, 80)
    for version in peer.versions(AlterPartitionRequest):

        def ask(note: str, version: int = version, topic_id: bytes = topic.topic_id, index: int = 0,
                broker: int = 80, broker_epoch: int = epoch, **more: Any) -> None:  # fmt: skip
            row = {"partition_index": index, "leader_epoch": 0, "new_isr": [80], "partition_epoch": 0,
                   "new_isr_with_epochs": [{"broker_id": 80, "broker_epoch": epoch}], **more}  # fmt: skip
            peer.ask(AlterPartitionRequest, version, note, broker_id=broker, broker_epoch=broker_epoch,
                     topics=[{"topic_id": topic_id, "partitions": [row]}])  # fmt: skip

        ask("not the leader")
        ask("an unknown topic", topic_id=b"\x11" * 16)
        ask("zero id", topic_id=bytes(16))
        ask("an unknown partition", index=9)
        ask("negative partition", index=-1)
        ask("a new leader epoch", leader_epoch=9)
        ask("a new partition epoch", partition_epoch=9)
        ask("an old epoch of the broker", broker_epoch=epoch - 1)
        ask("an unknown broker", broker=99)
        ask("as the leader, without its epoch", broker=1, broker_epoch=-1)
        ask("nobody in sync", new_isr=[], new_isr_with_epochs=[])
        ask("a recovery state that does not exist", leader_recovery_state=7)
        peer.ask(AlterPartitionRequest, version, "no topics", broker_id=80, broker_epoch=epoch, topics=[])
    run.quiet(UnregisterBrokerRequest, 0, broker_id=80)


@case
def producer_id_blocks(run: Run) -> None:
    peer = run.controller()
    epoch = _registered(run, peer, 81)
    for version in peer.versions(AllocateProducerIdsRequest):
        for note, broker, at in (("a block", 81, epoch), ("another", 81, epoch), ("an old epoch", 81, epoch - 1),
                                 ("no epoch", 81, -1), ("an unknown broker", 99, epoch),
                                 ("negative broker", -1, -1)):  # fmt: skip
            peer.ask(AllocateProducerIdsRequest, version, note, broker_id=broker, broker_epoch=at)
    run.quiet(UnregisterBrokerRequest, 0, broker_id=81)


@case
def assigned_directories(run: Run) -> None:
    peer = run.controller()
    topic = run.topic(2)
    epoch = _registered(run, peer, 82)
    for version in peer.versions(AssignReplicasToDirsRequest):

        def ask(note: str, version: int = version, broker: int = 82, at: int = epoch, directory: bytes = b"\x44" * 16,
                topic_id: bytes = topic.topic_id, indexes: tuple[int, ...] = (0,)) -> None:  # fmt: skip
            rows = [{"topic_id": topic_id, "partitions": [{"partition_index": i} for i in indexes]}]
            peer.ask(AssignReplicasToDirsRequest, version, note, broker_id=broker, broker_epoch=at,
                     directories=[{"id": directory, "topics": rows}])  # fmt: skip

        ask("no replica of it")
        ask("an unknown directory", directory=NO_DIRECTORY)
        ask("the unassigned one", directory=bytes(16))
        ask("an unknown topic", topic_id=b"\x11" * 16)
        ask("an unknown partition", indexes=(9, -1))
        ask("no partition", indexes=())
        ask("an old epoch", at=epoch - 1)
        ask("an unknown broker", broker=99)
        peer.ask(AssignReplicasToDirsRequest, version, "nothing", broker_id=82, broker_epoch=epoch, directories=[])
    run.quiet(UnregisterBrokerRequest, 0, broker_id=82)


@case
def register_controllers(run: Run) -> None:
    peer = run.controller()
    for version in peer.versions(ControllerRegistrationRequest):
        for note, more in (
            ("taken", {}), ("again", {}), ("no listeners", {"listeners": []}), ("no features", {"features": []}),
            ("another incarnation", {"incarnation_id": b"\x55" * 16}), ("negative id", {"controller_id": -1}),
            ("zk migration", {"zk_migration_ready": True}),
        ):  # fmt: skip
            values: dict[str, Any] = {"controller_id": 90, "incarnation_id": b"\x66" * 16, "zk_migration_ready": False,
                      "listeners": [{**LISTENER, "name": "CONTROLLER"}], "features": _features()}  # fmt: skip
            peer.ask(ControllerRegistrationRequest, version, note, **{**values, **more})


@case
def envelopes(run: Run) -> None:
    """Only brokers may send one; without authorization everybody may, and the inside is looked at."""
    peer = run.controller()
    principal = b"\0\0\5User\x0aANONYMOUS\0\0"
    inside = struct.pack(">hhih", 19, 4, 7, 3) + b"odd" + struct.pack(">ii", 0, 30000) + b"\0"
    for version in peer.versions(EnvelopeRequest):
        for note, data, who, address in (
            ("no request inside", b"", principal, b"\x7f\0\0\1"),
            ("half a header", inside[:5], principal, b"\x7f\0\0\1"),
            ("an unknown API", struct.pack(">hhih", 9999, 0, 7, -1), principal, b"\x7f\0\0\1"),
            ("an API that is not forwarded", struct.pack(">hhih", 18, 0, 7, -1), principal, b"\x7f\0\0\1"),
            ("no topics to create", inside, principal, b"\x7f\0\0\1"),
            ("no address", inside, principal, b""),
            ("an odd address", inside, principal, b"abc"),
            ("no principal", inside, None, b"\x7f\0\0\1"),
            ("an odd principal", inside, b"\xff\xff", b"\x7f\0\0\1"),
        ):
            peer.ask(EnvelopeRequest, version, note, request_data=data, request_principal=who,
                     client_host_address=address)  # fmt: skip
