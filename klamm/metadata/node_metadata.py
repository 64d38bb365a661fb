"""The metadata of one node, as the server sees it: the image, who is told of it, and the quorum behind it.

Every node follows the log; a controller that leads the quorum is the active one, and decides. A node that is the only
voter knows at once all that its log holds, elects itself and bootstraps an empty log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from klamm.kproto.errors import KafkaError, ProtocolError
from klamm.kproto.metadata_records import FeatureLevelRecord
from klamm.kproto.schema import Message
from klamm.log.machine import Decision
from klamm.metadata import features
from klamm.metadata.active_controller import ActiveController, Beginning, not_controller
from klamm.metadata.controller.controller import ControllerSettings
from klamm.metadata.controller.elections import ElectionSettings
from klamm.metadata.controller.leadership import MIN_INSYNC_REPLICAS
from klamm.metadata.controller.topics import TopicDefaults
from klamm.metadata.image.cluster import ControllerRegistration, Endpoint
from klamm.metadata.image.image import MetadataImage
from klamm.metadata.loader import MetadataLoader, Publisher
from klamm.metadata.log_replay import Found, read_back
from klamm.metadata.metadata_log import MetadataLog, metadata_log_config
from klamm.metadata.quorum_description import describe_quorum
from klamm.metadata.raft import election_state
from klamm.metadata.raft.core import DEFAULTS, Became, Raft, RaftSettings, Role, Started
from klamm.metadata.raft.election_state import ElectionState
from klamm.metadata.raft.history import QuorumHistory
from klamm.metadata.raft.leader import Leader
from klamm.metadata.raft.log_index import LogIndex, OffsetAndEpoch
from klamm.metadata.raft.voters import Voter, VoterEndpoint, VoterSet
from klamm.metadata.snapshot_file import BOOTSTRAP_FILE, Snapshot, SnapshotId, decode_snapshot
from klamm.metadata.snapshots import Snapshots, SnapshotSettings
from klamm.metadata.storage_format import Storage, StorageError, bootstrap_records, metadata_directory

if TYPE_CHECKING:
    from klamm.channel import Channels
    from klamm.kproto.messages.describe_quorum import DescribeQuorumRequest, DescribeQuorumResponse
    from klamm.log.log_dirs import LogDirs
    from klamm.log.partition_log import PartitionLog
    from klamm.metadata.controller.configs import ConfigRules
    from klamm.metadata.replication import MetadataReplication
    from klamm.reply import Reply
    from klamm.seams import Clock, Entropy

_logger = logging.getLogger(__name__)

R = TypeVar("R")

_RESIGNING_MS = 2000.0
"""How long a controller that stops waits for another to lead."""


class MetadataSettings(NamedTuple):
    """Plain values of the configuration. Times in ms.

    `controller_endpoints`: where this node's controller listens; may be empty. `static_voters` are those of
    `controller.quorum.voters`, empty when the voters are those of the directory; `bootstrap_servers` those of
    `controller.quorum.bootstrap.servers`. `static_configs`: the node's values of min.insync.replicas and
    unclean.leader.election.enable. `max_idle_interval_ms` 0: no no-op records.
    """

    topic_defaults: TopicDefaults = TopicDefaults()
    static_configs: Mapping[str, str] = {}
    controller_endpoints: tuple[Endpoint, ...] = ()
    static_voters: tuple[Voter, ...] = ()
    bootstrap_servers: tuple[tuple[str, int], ...] = ()
    is_broker: bool = True
    quorum: RaftSettings = DEFAULTS
    elections: ElectionSettings = ElectionSettings()
    max_idle_interval_ms: float = 500
    session_timeout_ms: float = 9000
    metadata_dir: str | None = None
    segment_bytes: int = 1 << 30
    segment_ms: int = 604_800_000
    snapshots: SnapshotSettings = SnapshotSettings()


class MetadataNode:
    """The replica of the metadata on one node. `log_dirs` are open; whoever opened them closes them."""

    def __init__(
        self,
        storage: Storage,
        settings: MetadataSettings,
        log_dirs: LogDirs,
        rules: ConfigRules,
        clock: Clock,
        entropy: Entropy,
        channels: Channels,
    ) -> None:
        self.storage = storage
        self.active: ActiveController | None = None
        """The controller, while this node is the active one."""
        self.failed: Callable[[str], None] = lambda reason: _logger.critical("%s", reason)
        """Told why this node must not go on."""
        self.incarnation_id = entropy.uuid()
        """Of this life of the controller."""
        self._settings = settings
        self._log_dirs = log_dirs
        self._rules = rules
        self._clock = clock
        self._entropy = entropy
        self._channels = channels
        self._loader = MetadataLoader()
        self._epoch_start: int | None = None
        self._leader_listeners: list[Callable[[], None]] = []
        self._is_caught_up = False
        self._moved: asyncio.Future[None] | None = None
        self._begun: asyncio.Future[None] | None = None
        self._found: Found | None = None
        self._history = QuorumHistory()

    # -- life --

    @property
    def image(self) -> MetadataImage:
        """The committed metadata, as far as this node has it. Replaced whole, never changed."""
        return self._loader.image

    @property
    def current_offset(self) -> int:
        """The offset of the last record that has been taken in; -1 for none."""
        return self._loader.next_offset - 1

    @property
    def is_alone(self) -> bool:
        """Whether this node is the only voter; known when it has read its log."""
        return self._history.voters.is_only(self.storage.node_id, self.storage.directory_id)

    def replay(self) -> None:
        """Read the log: `image` is what is certain in it. Writes nothing. Raises StorageError, ProtocolError,
        OSError.
        """
        storage, settings = self.storage, self._settings
        directory = metadata_directory(self._log_dirs, settings.metadata_dir)
        config = metadata_log_config(settings.segment_bytes, settings.segment_ms)
        log = self._log_dirs.open_metadata_log(config, directory)
        self._history = QuorumHistory(VoterSet.of(settings.static_voters))
        found = read_back(log, self._log_dirs.disk, self._history, storage.node_id, storage.directory_id)
        self._found = found
        try:
            self._loader.begin(found.replay)
        except ProtocolError as error:
            raise StorageError(str(error)) from None
        if self.is_alone:
            _check_level(self.image, self._bootstrap())

    def announce(self, controller_endpoints: tuple[Endpoint, ...]) -> None:
        """Where this node's controller listens, when that is known only now. To be called before `start`."""
        self._settings = self._settings._replace(controller_endpoints=controller_endpoints)

    async def start(self) -> None:
        """Join the quorum; done when this node has begun to lead it alone, or at once where there are others.

        Raises StorageError, ProtocolError (a log that cannot be followed), KafkaError, OSError.
        """
        if self._found is None:
            self.replay()
        found, self._found = self._found, None
        log = self._log_dirs.metadata_log
        assert found is not None and log is not None
        raft = self._raft(found, log)
        self.log = MetadataLog(log, raft, self._clock)
        self.log.failed = lambda reason: self.failed(reason)
        if not self.is_alone:
            self._replicate()
        self.snapshots = Snapshots(self.log, self._settings.snapshots, self._clock, found.unsnapshotted_bytes)
        self.log.on_commit(self._committed)
        self.log.on_role(self._on_role)
        self.log.step(Started())
        if self._begun is not None:
            await self._begun

    def _replicate(self) -> MetadataReplication:
        from klamm.metadata.replication import MetadataReplication

        replication = MetadataReplication(self.log, self._channels, self.storage.cluster_id, self._replaced)
        self.log.replication = replication
        return replication

    def _raft(self, found: Found, log: PartitionLog) -> Raft:
        storage, settings = self.storage, self._settings
        path = f"{log.directory}/{election_state.FILE}"
        election = ElectionState(0)
        try:
            election = election_state.decode(self._log_dirs.disk.read(path), path)
        except FileNotFoundError:
            pass
        except election_state.InvalidQuorumState as error:
            raise StorageError(str(error)) from None
        snapshots = {OffsetAndEpoch(*snapshot_id): size for snapshot_id, size in found.snapshots.items()}
        return Raft(
            storage.node_id,
            storage.directory_id,
            history=self._history,
            election=election,
            log=LogIndex(log.log_start_offset, log.next_offset, log.epochs.entries(), snapshots),
            settings=settings.quorum,
            entropy=self._entropy,
            endpoints=tuple(VoterEndpoint(e.name, e.host, e.port) for e in settings.controller_endpoints),
            bootstrap_servers=settings.bootstrap_servers,
        )

    async def caught_up(self) -> None:
        """Done when this node has what is committed as far as its leader, or it itself as one, has told."""
        await self._wait(lambda: self._is_caught_up)

    async def reached(self, offset: int) -> None:
        """Done when the record at `offset` has been taken in."""
        await self._wait(lambda: self.current_offset >= offset)

    async def _wait(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            if self._moved is None or self._moved.done():
                self._moved = asyncio.get_running_loop().create_future()
            await self._moved

    async def resign(self) -> None:
        """Leave the quorum in order: lead no more, and wait a while for another leader. Nobody waits for one alone."""
        if self.is_alone or not self._settings.quorum.can_become_voter:
            return
        from klamm.metadata.raft.exchange import Shutdown

        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def go() -> None:
            if not gone.done():
                gone.set_result(None)

        def look() -> None:
            if self.log.raft.is_shutdown_complete:
                go()

        # A timer may come a moment before its time, and this one comes only once: it asks nothing.
        timer = self._clock.call_later(_RESIGNING_MS, go)
        self.on_leader(look)
        self.log.step(Shutdown())
        look()
        await gone
        timer.cancel()

    def abandon(self) -> None:
        """Take no more commands, and write nothing any more."""
        self._deactivate()
        self.log.close()

    def close(self) -> None:
        """Take no more commands; those that wait fail with NOT_CONTROLLER. The log is closed with `log_dirs`."""
        self._deactivate()
        self.snapshots.close(self.image)
        self.log.close()

    # -- who is told --

    def add_publisher(self, publisher: Publisher) -> None:
        """Have `publisher(delta, image)` called for every change. To be added before `start`."""
        self._loader.add_publisher(publisher)

    def on_leader(self, listener: Callable[[], None]) -> None:
        """Have `listener` called when the quorum's leader, or this node's part in it, has changed."""
        self._leader_listeners.append(listener)

    def _committed(self, high_watermark: int) -> None:
        if self.active is not None:
            self.active.committed(high_watermark)
        else:
            try:
                self._loader.follow(self.log.log, high_watermark)
            except Exception as error:
                # Going on without a record would be guessing.
                self.failed(f"the metadata log cannot be followed: {error}")
                raise
            if self._epoch_start is not None and high_watermark > self._epoch_start:
                self._activate()
        if not self._is_caught_up and high_watermark >= self.log.raft.leader_high_watermark:
            self._is_caught_up = True
        if self._moved is not None and not self._moved.done():
            self._moved.set_result(None)
        self.snapshots.on_commit(self.image)

    def _replaced(self, snapshot_id: SnapshotId, snapshot: Snapshot) -> None:
        try:
            self._loader.replace(snapshot_id, snapshot)
        except Exception as error:
            self.failed(f"the leader's snapshot cannot be followed: {error}")
            raise
        self.snapshots.on_replaced()

    def _on_role(self, became: Became) -> None:
        state = self.log.raft.state
        self._epoch_start = None
        self._deactivate()
        if became.role is Role.LEADER and isinstance(state, Leader) and state.epoch == became.epoch:
            self._epoch_start = state.epoch_start_offset
            if self.is_alone:
                # What its log holds is what is committed: nothing is to be waited for.
                if self._begun is None:
                    self._begun = asyncio.get_running_loop().create_future()
                self._loader.follow(self.log.log, state.epoch_start_offset)
                self._activate()
        for listener in self._leader_listeners:
            listener()

    # -- the active controller --

    def _activate(self) -> None:
        """Everything before this node's epoch is committed and in the image: decide from now on."""
        self._epoch_start = None
        storage, settings = self.storage, self._settings
        bootstrap = self._bootstrap() if not self.image.features else []
        try:
            _check_level(self.image, bootstrap)
        except StorageError as error:
            self.failed(str(error))
            if self._begun is not None and not self._begun.done():
                self._begun.set_exception(error)
            return
        controller_settings = ControllerSettings(
            storage.node_id,
            storage.cluster_id,
            settings.topic_defaults,
            settings.static_configs,
            settings.session_timeout_ms,
            storage.node_id if settings.is_broker and self.is_alone else None,
            settings.elections,
            tuple(voter.node_id for voter in settings.static_voters),
        )
        self.active = ActiveController(
            self.log, self.image, controller_settings, self._rules, self._clock, self._entropy, self._loader.sealed
        )
        beginning = Beginning(
            bootstrap,
            self._loader.is_transaction_open,
            settings.static_configs.get(MIN_INSYNC_REPLICAS, "1"),
            self.own_registration(),
        )
        try:
            begun = self.active.begin(beginning, settings.max_idle_interval_ms)
        except KafkaError as error:
            if self._begun is not None and not self._begun.done():
                self._begun.set_exception(error)
            return
        if self._begun is not None and not self._begun.done():
            _settle(self._begun, begun)

    def _deactivate(self) -> None:
        active, self.active = self.active, None
        if active is not None:
            active.close()

    def _bootstrap(self) -> Sequence[Message]:
        """The records of an empty log."""
        directory = metadata_directory(self._log_dirs, self._settings.metadata_dir)
        path = f"{directory.path}/{BOOTSTRAP_FILE}"
        if not self._log_dirs.disk.exists(path):
            return bootstrap_records()
        return decode_snapshot(self._log_dirs.disk.read(path), path).records

    def own_registration(self) -> ControllerRegistration:
        """What this node tells of itself as a controller (KIP-919)."""
        listeners = {endpoint.name: endpoint for endpoint in self._settings.controller_endpoints}
        return ControllerRegistration(self.storage.node_id, self.incarnation_id, listeners, features.SUPPORTED)

    # -- requests --

    @property
    def is_active(self) -> bool:
        """Whether this node is the active controller."""
        return self.active is not None

    @property
    def controller_id(self) -> int:
        """The quorum leader's node id, -1 when none is known."""
        raft = self.log.raft
        return -1 if raft.role is Role.RESIGNED else raft.leader_id

    @property
    def controller_endpoint(self) -> VoterEndpoint | None:
        """Where the quorum's leader listens, on this node's controller listener."""
        raft = self.log.raft
        return raft.hint(raft.settings.listener_name).endpoint

    @property
    def kraft_version(self) -> int:
        """The level of the feature kraft.version: 0 for static voters, 1 for those of KIP-853."""
        return self.log.raft.kraft_version

    def submit(self, request: Message) -> Message | asyncio.Future[Message]:
        """Have the active controller, here, decide on a request. Raises KafkaError: NOT_CONTROLLER, or for the whole
        of the request.
        """
        if self.active is None:
            raise not_controller()
        return self.active.submit(request)

    def execute(self, command: Callable[[], Decision[R, Message]]) -> R | asyncio.Future[R]:
        """Run a command of the active controller, here. Raises KafkaError."""
        if self.active is None:
            raise not_controller()
        return self.active.execute(command)

    def quorum_request(self, request: Message, listener_name: str) -> Reply[Message]:
        """Answer a request of another replica, or one that is about the voters. Raises KafkaError."""
        replication = self.log.replication or self._replicate()
        return replication.request(request, listener_name)

    def describe_quorum(self, request: DescribeQuorumRequest) -> DescribeQuorumResponse:
        """The state of the metadata quorum (KIP-595)."""
        raft = self.log.raft
        return describe_quorum(request, raft, self._clock.monotonic_ms(), self._clock.time_ms())


def _settle(future: asyncio.Future[None], answer: asyncio.Future[None] | None) -> None:
    """Let `future` be done when the answer is."""
    if answer is None:
        future.set_result(None)
        return

    def done(answered: asyncio.Future[None]) -> None:
        if future.done():
            return
        if (error := answered.exception()) is not None:
            future.set_exception(error)
        else:
            future.set_result(None)

    answer.add_done_callback(done)


def _check_level(image: MetadataImage, bootstrap: Sequence[Message]) -> None:
    """Refuse a cluster whose records klamm cannot write, before anything is written. Raises StorageError."""
    level = image.metadata_version
    for record in bootstrap:
        if isinstance(record, FeatureLevelRecord) and record.name == features.METADATA_VERSION:
            level = record.feature_level
    if (reason := features.reason_not_writable(level)) is not None:
        raise StorageError(reason)
