"""The metadata of one node, as the server sees it: the image, commands that change it, and who is told.

Replays, elects and bootstraps at the start; after that every command is decided at once on the event loop and answered
when its records are committed. Publishers are called once per committed batch, in order, before any answer to it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.broker_heartbeat import BrokerHeartbeatRequest, BrokerHeartbeatResponse
from klamm.kproto.messages.broker_registration import BrokerRegistrationRequest
from klamm.kproto.metadata_records import FeatureLevelRecord, NoOpRecord
from klamm.kproto.schema import Message
from klamm.log.machine import Decision, Driver, SetTimer
from klamm.metadata import delete_topics, features
from klamm.metadata.controller.activation import activate
from klamm.metadata.controller.controller import Controller, ControllerSettings
from klamm.metadata.controller.leadership import MIN_INSYNC_REPLICAS
from klamm.metadata.controller.topics import TopicDefaults
from klamm.metadata.image.cluster import ControllerRegistration, Endpoint
from klamm.metadata.image.image import EMPTY, MetadataDelta, MetadataImage
from klamm.metadata.log_replay import Replayed, replay
from klamm.metadata.metadata_log import MetadataLog, metadata_log_config
from klamm.metadata.quorum_description import describe_quorum
from klamm.metadata.raft import election_state
from klamm.metadata.raft.core import Became, Raft, Role, Started, UpdateVoter
from klamm.metadata.raft.election_state import ElectionState
from klamm.metadata.raft.history import BOOTSTRAP_OFFSET, QuorumHistory
from klamm.metadata.raft.log_index import LogIndex
from klamm.metadata.raft.voters import Voter, VoterEndpoint, VoterSet
from klamm.metadata.snapshot_file import BOOTSTRAP_FILE, decode_snapshot
from klamm.metadata.snapshots import Snapshots, SnapshotSettings
from klamm.metadata.storage_format import Storage, StorageError, bootstrap_records, metadata_directory

if TYPE_CHECKING:
    from klamm.kproto.messages.alter_configs import AlterConfigsRequest, AlterConfigsResponse
    from klamm.kproto.messages.assign_replicas_to_dirs import (
        AssignReplicasToDirsRequest,
        AssignReplicasToDirsResponse,
    )
    from klamm.kproto.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsResponse
    from klamm.kproto.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
    from klamm.kproto.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse
    from klamm.kproto.messages.describe_quorum import DescribeQuorumRequest, DescribeQuorumResponse
    from klamm.kproto.messages.incremental_alter_configs import (
        IncrementalAlterConfigsRequest,
        IncrementalAlterConfigsResponse,
    )
    from klamm.log.log_dirs import LogDirs
    from klamm.log.partition_log import PartitionLog
    from klamm.metadata.controller.configs import ConfigRules
    from klamm.metadata.controller.producer_ids import ProducerIdBlock
    from klamm.seams import Clock, Entropy

_logger = logging.getLogger(__name__)

R = TypeVar("R")
Publisher = Callable[[MetadataDelta, MetadataImage], None]


class MetadataSettings(NamedTuple):
    """Plain values of the configuration. Times in ms.

    `controller_endpoints`: where this node's controller listens; may be empty. `static_voters`: the ids of
    `controller.quorum.voters`, empty when the voters are those of the directory. `static_configs`: the node's values
    of min.insync.replicas and unclean.leader.election.enable. `max_idle_interval_ms` 0: no no-op records.
    """

    topic_defaults: TopicDefaults = TopicDefaults()
    static_configs: Mapping[str, str] = {}
    controller_endpoints: tuple[Endpoint, ...] = ()
    static_voters: tuple[int, ...] = ()
    max_idle_interval_ms: float = 500
    session_timeout_ms: float = 9000
    metadata_dir: str | None = None
    segment_bytes: int = 1 << 30
    segment_ms: int = 604_800_000
    snapshots: SnapshotSettings = SnapshotSettings()


class MetadataNode:
    """Broker and controller of one node. `log_dirs` are open, formatted and loaded; whoever opened them closes them."""

    def __init__(
        self,
        storage: Storage,
        settings: MetadataSettings,
        log_dirs: LogDirs,
        rules: ConfigRules,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self.storage = storage
        self.image = EMPTY
        """The committed metadata. Replaced whole, never changed."""
        self.broker_epoch = -1
        """The epoch of this broker's registration; -1 before it."""
        self._settings = settings
        self._log_dirs = log_dirs
        self._rules = rules
        self._clock = clock
        self._entropy = entropy
        self._controller_incarnation_id = entropy.uuid()
        self._broker_incarnation_id = entropy.uuid()
        self._publishers: list[Publisher] = []
        self._uncommitted: deque[tuple[int, MetadataDelta, MetadataImage]] = deque()
        self._found: Replayed | None = None
        self._bootstrap: Sequence[Message] = []

    # -- life --

    def replay(self) -> None:
        """Read the log: `image` is what it tells. Writes nothing. Raises StorageError, ProtocolError, OSError."""
        directory = metadata_directory(self._log_dirs, self._settings.metadata_dir)
        config = metadata_log_config(self._settings.segment_bytes, self._settings.segment_ms)
        log = self._log_dirs.open_metadata_log(config, directory)
        found = self._found = replay(log, self._log_dirs.disk)
        self._bootstrap = self._bootstrap_records() if not found.delta.features else []
        self.image = found.delta.build(found.offset, found.epoch)
        _check_level(self.image, self._bootstrap)

    async def start(self) -> None:
        """Replay the log, become the active controller, bootstrap an empty log; done when that is committed.

        Raises StorageError, ProtocolError (a log that cannot be followed), KafkaError, OSError.
        """
        if self._found is None:
            self.replay()
        found, self._found = self._found, None
        log = self._log_dirs.metadata_log
        assert found is not None and log is not None
        settings, bootstrap = self._settings, self._bootstrap
        for publisher in self._publishers:
            publisher(found.delta, self.image)
        raft = self._raft(found, log)
        self.log = MetadataLog(log, raft, self._clock, lambda: self.controller.state().metadata_version)
        self.controller = Controller(
            ControllerSettings(
                self.storage.node_id,
                self.storage.cluster_id,
                settings.topic_defaults,
                settings.static_configs,
                settings.session_timeout_ms,
                self.storage.node_id,
            ),
            self.image,
            self._rules,
            lambda: self.log.end_offset,
            self._entropy,
        )
        self.snapshots = Snapshots(log, raft, settings.snapshots, self._clock, found.unsnapshotted_bytes)
        self.log.on_commit(self._publish)
        self._driver = Driver(self.controller, self.log, self._clock, applied=self._seal)
        self.log.on_role(self._on_role)
        self.log.step(Started())
        await self._activate(found.is_transaction_open, bootstrap)

    def _raft(self, found: Replayed, log: PartitionLog) -> Raft:
        storage, directory = self.storage, log.directory
        static_voters = VoterSet.of(Voter(voter_id, bytes(16), ()) for voter_id in self._settings.static_voters)
        history = QuorumHistory(static_voters)
        if found.voters is not None:
            history.load(0 if found.has_voters_in_log else BOOTSTRAP_OFFSET, found.kraft_version, found.voters)
        voters = history.voters
        if not voters.is_only(storage.node_id, storage.directory_id):
            ids = ", ".join(str(voter.node_id) for voter in voters.voters) or "nobody"
            raise StorageError(
                f"node {storage.node_id} is to lead the metadata quorum alone, but the voters of {directory} are: {ids}"
            )
        path = f"{directory}/{election_state.FILE}"
        election = ElectionState(0)
        try:
            election = election_state.decode(self._log_dirs.disk.read(path), path)
        except FileNotFoundError:
            pass
        except election_state.InvalidQuorumState as error:
            raise StorageError(str(error)) from None
        return Raft(
            storage.node_id,
            storage.directory_id,
            history=history,
            election=election,
            log=LogIndex(log.log_start_offset, log.next_offset, log.epochs.entries()),
            entropy=self._entropy,
        )

    async def _activate(self, is_transaction_open: bool, bootstrap: Sequence[Message]) -> None:
        settings, controller = self._settings, self.controller
        raft = self.log.raft
        endpoints = tuple(VoterEndpoint(e.name, e.host, e.port) for e in settings.controller_endpoints)
        if endpoints:
            own = raft.voters.voter(self.storage.node_id)
            assert own is not None
            self.log.step(UpdateVoter(own._replace(endpoints=endpoints)))
        min_insync_replicas = settings.static_configs.get(MIN_INSYNC_REPLICAS, "1")
        self._execute(lambda: activate(controller.state(), bootstrap, is_transaction_open, min_insync_replicas))
        self._execute(lambda: controller.controllers.register(self._registration()))
        self._execute(controller.brokers.fence_dead_local)
        await self._settled(self._execute(self._first_command))

    def _first_command(self) -> Decision[None, Message]:
        timers = list(self.controller.brokers.on_leadership())
        if self._settings.max_idle_interval_ms > 0:
            timers.append(SetTimer("no-op", self._settings.max_idle_interval_ms, self._no_op))
        return Decision(None, (), timers)

    def _no_op(self) -> Decision[None, Message]:
        """Kafka's active controller writes one every `metadata.max.idle.interval.ms`, which shows that it lives."""
        return Decision(None, [NoOpRecord()], [SetTimer("no-op", self._settings.max_idle_interval_ms, self._no_op)])

    def _bootstrap_records(self) -> Sequence[Message]:
        directory = metadata_directory(self._log_dirs, self._settings.metadata_dir)
        path = f"{directory.path}/{BOOTSTRAP_FILE}"
        if not self._log_dirs.disk.exists(path):
            return bootstrap_records()
        return decode_snapshot(self._log_dirs.disk.read(path), path).records

    def _registration(self) -> ControllerRegistration:
        listeners = {endpoint.name: endpoint for endpoint in self._settings.controller_endpoints}
        return ControllerRegistration(
            self.storage.node_id, self._controller_incarnation_id, listeners, features.SUPPORTED
        )

    def abandon(self) -> None:
        """Take no more commands, and write nothing any more."""
        self._driver.close(errors.NOT_CONTROLLER)
        self.log.close()

    def close(self) -> None:
        """Take no more commands; those that wait fail with NOT_CONTROLLER. The log is closed with `log_dirs`."""
        self._driver.close(errors.NOT_CONTROLLER)
        self.snapshots.close(self.image)
        self.log.close()

    # -- who is told --

    def add_publisher(self, publisher: Publisher) -> None:
        """Have `publisher(delta, image)` called for every committed batch. To be added before `start`."""
        self._publishers.append(publisher)

    def _seal(self) -> None:
        end_offset = self.log.end_offset
        sealed = self.controller.seal(end_offset - 1, self.log.raft.epoch)
        if sealed is not None:
            self._uncommitted.append((end_offset, *sealed))

    def _publish(self, high_watermark: int) -> None:
        waiting = self._uncommitted
        while waiting and waiting[0][0] <= high_watermark:
            _, delta, image = waiting.popleft()
            self.image = image
            if delta.is_empty:
                continue
            for publisher in self._publishers:
                try:
                    publisher(delta, image)
                except Exception:
                    # The batch is committed: the others must follow it, and this one is told of the next.
                    _logger.exception("a reader of the metadata failed at offset %d", image.offset)
        self.snapshots.on_commit(self.image)

    def _on_role(self, became: Became) -> None:
        if became.role is Role.RESIGNED:
            self._uncommitted.clear()
            self._driver.close(errors.NOT_CONTROLLER)

    # -- commands --

    @property
    def controller_id(self) -> int:
        """The active controller's node id, -1 when there is none."""
        return self.log.raft.leader_id if self.log.raft.role is Role.LEADER else -1

    @property
    def kraft_version(self) -> int:
        """The level of the feature kraft.version: 0 for static voters, 1 for those of KIP-853."""
        return self.log.raft.kraft_version

    def create_topics(
        self, request: CreateTopicsRequest
    ) -> CreateTopicsResponse | asyncio.Future[CreateTopicsResponse]:
        """Create topics, or check (`validate_only`). Errors stand in the response, topic by topic."""
        return self._execute(lambda: self.controller.topics.create_topics(request))

    def create_partitions(
        self, request: CreatePartitionsRequest
    ) -> CreatePartitionsResponse | asyncio.Future[CreatePartitionsResponse]:
        """Add partitions to topics. Errors stand in the response, topic by topic."""
        return self._execute(lambda: self.controller.topics.create_partitions(request))

    def delete_topics(
        self, request: DeleteTopicsRequest
    ) -> DeleteTopicsResponse | asyncio.Future[DeleteTopicsResponse]:
        """Delete topics by name or id. Errors stand in the response, topic by topic."""
        return self._execute(
            lambda: delete_topics.decide(request, self.controller.state().topics, self.controller.topics)
        )

    def incremental_alter_configs(
        self, request: IncrementalAlterConfigsRequest
    ) -> IncrementalAlterConfigsResponse | asyncio.Future[IncrementalAlterConfigsResponse]:
        """Change configs key by key. Errors stand in the response, resource by resource."""
        return self._execute(lambda: self.controller.configs.incremental_alter(request))

    def alter_configs(
        self, request: AlterConfigsRequest
    ) -> AlterConfigsResponse | asyncio.Future[AlterConfigsResponse]:
        """Replace the configs of resources. Errors stand in the response, resource by resource."""
        return self._execute(lambda: self.controller.configs.legacy_alter(request))

    def allocate_producer_ids(self) -> ProducerIdBlock | asyncio.Future[ProducerIdBlock]:
        """A block of producer ids for this broker. Raises KafkaError before it is registered."""
        return self._execute(lambda: self.controller.producer_ids.allocate(self.storage.node_id, self.broker_epoch))

    def heartbeat(
        self, request: BrokerHeartbeatRequest
    ) -> BrokerHeartbeatResponse | asyncio.Future[BrokerHeartbeatResponse]:
        """A broker says that it lives and what it wants. Raises KafkaError for an unknown broker or a stale epoch."""
        return self._execute(lambda: self.controller.brokers.heartbeat(request))

    def describe_quorum(self, request: DescribeQuorumRequest) -> DescribeQuorumResponse:
        """The state of the metadata quorum (KIP-595)."""
        return describe_quorum(request, self.log.raft, self.log.end_offset, self._clock.time_ms())

    # -- this node's broker --

    async def register_broker(self, listeners: Sequence[Endpoint], rack: str | None = None) -> int:
        """Register this node's broker, fenced; gives its epoch. Raises KafkaError."""
        row = BrokerRegistrationRequest
        request = row(
            broker_id=self.storage.node_id,
            cluster_id=self.storage.cluster_id,
            incarnation_id=self._broker_incarnation_id,
            listeners=[
                row.Listener(name=e.name, host=e.host, port=e.port, security_protocol=e.security_protocol)
                for e in listeners
            ],
            features=[
                row.Feature(name=name, min_supported_version=r.min_version, max_supported_version=r.max_version)
                for name, r in features.SUPPORTED.items()
            ],
            rack=rack,
            log_dirs=self._log_dirs.registered_ids,
            previous_broker_epoch=self._log_dirs.previous_broker_epoch,
        )
        epoch = await self._settled(self._execute(lambda: self.controller.brokers.register(request)))
        self.broker_epoch = epoch
        return epoch

    def assign_replicas_to_dirs(
        self, request: AssignReplicasToDirsRequest
    ) -> AssignReplicasToDirsResponse | asyncio.Future[AssignReplicasToDirsResponse]:
        """A broker tells where its replicas are (KIP-858). Raises KafkaError as `heartbeat` does."""
        return self._execute(lambda: self.controller.brokers.directories.assign(request))

    async def report_offline(self, directory_ids: Sequence[bytes]) -> None:
        """Tell that directories of this node's broker have failed. Raises KafkaError."""
        request = self._own_heartbeat()
        request.offline_log_dirs = list(directory_ids)
        await self._settled(self.heartbeat(request))

    async def unfence(self) -> None:
        """This broker is ready to serve: it may lead partitions from now on. Raises KafkaError."""
        await self._settled(self.heartbeat(self._own_heartbeat(cordoned_log_dirs=[])))

    async def controlled_shutdown(self) -> None:
        """Hand over what this broker leads and fence it. Raises KafkaError."""
        for _ in range(2):  # the first moves the leaders away, the second finds nothing left to move
            response = await self._settled(self.heartbeat(self._own_heartbeat(want_shut_down=True)))
            if response.should_shut_down:
                return

    def _own_heartbeat(
        self, *, want_shut_down: bool = False, cordoned_log_dirs: list[bytes] | None = None
    ) -> BrokerHeartbeatRequest:
        return BrokerHeartbeatRequest(
            broker_id=self.storage.node_id,
            broker_epoch=self.broker_epoch,
            current_metadata_offset=self.image.offset,
            want_fence=False,
            want_shut_down=want_shut_down,
            cordoned_log_dirs=cordoned_log_dirs,
        )

    def _execute(self, command: Callable[[], Decision[R, Message]]) -> R | asyncio.Future[R]:
        if self.log.raft.role is not Role.LEADER:
            raise KafkaError(errors.NOT_CONTROLLER)
        return self._driver.execute(command)

    async def _settled(self, answer: R | asyncio.Future[R]) -> R:
        return await answer if isinstance(answer, asyncio.Future) else answer


def _check_level(image: MetadataImage, bootstrap: Sequence[Message]) -> None:
    """Refuse a cluster whose records klamm cannot write, before anything is written. Raises StorageError."""
    level = image.metadata_version
    for record in bootstrap:
        if isinstance(record, FeatureLevelRecord) and record.name == features.METADATA_VERSION:
            level = record.feature_level
    if not features.METADATA_VERSION_WRITABLE_MIN <= level <= features.METADATA_VERSION_LATEST:
        name = features.VERSION_NAMES.get(level, str(level))
        raise StorageError(f"the cluster is at metadata.version {name}; klamm writes 4.0-IV0 to 4.3-IV0")
