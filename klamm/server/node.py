"""One node, put together: the composition root, where clock, network, disk and randomness come in.

Starting is: lock and read the directories, join the metadata quorum, recover the logs, open the listeners, register,
serve. Stopping is the same backwards. A node runs on one event loop; it is a broker, a controller, or both.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from klamm.channel import Channels
from klamm.kproto import apis
from klamm.kproto.errors import KafkaError
from klamm.log.cleaner.log_cleaner import LogCleaner
from klamm.log.disk import RealDisk
from klamm.log.io_thread import Completion, IoThread, NewIo, new_inline_io, new_thread_io
from klamm.log.log_dirs import LogDirs
from klamm.metadata.image.cluster import Endpoint
from klamm.metadata.image.image import BROKER_RESOURCE, EMPTY, MetadataDelta, MetadataImage
from klamm.metadata.node_metadata import MetadataNode
from klamm.metadata.storage_format import FormatOptions, open_storage
from klamm.seams import Clock, Entropy, Network, SystemClock, SystemEntropy, TcpNetwork, Timer
from klamm.server.broker import Broker
from klamm.server.broker_lifecycle import BrokerLifecycle
from klamm.server.cleaner_settings import cleaner_settings
from klamm.server.config.listeners import SECURITY_PROTOCOLS
from klamm.server.config.listeners import Endpoint as ConfiguredEndpoint
from klamm.server.config_rules import ServerConfigRules
from klamm.server.controller_registrar import ControllerRegistrar
from klamm.server.coordinators.group_coordinator import GROUP_METADATA_TOPIC, GroupCoordinator
from klamm.server.coordinators.group_settings import group_settings
from klamm.server.coordinators.local_partition import LocalCoordinatorPartition
from klamm.server.directories import DirectoryReports
from klamm.server.dispatch import Dispatcher
from klamm.server.fetch_sessions import FetchSessions
from klamm.server.listener import Limits, Listener
from klamm.server.memory import RequestMemory
from klamm.server.node_settings import controller_endpoints, cordoned_paths, is_standalone, metadata_settings
from klamm.server.partition import Partition
from klamm.server.producer_ids import ProducerIds
from klamm.server.replica_surroundings import ReplicationPorts
from klamm.server.replicas import Replicas
from klamm.server.settings import Settings
from klamm.server.to_controller import ControllerChannel
from klamm.server.topic_creation import TopicCreation

if TYPE_CHECKING:
    from klamm.log.cleaner.child import CleanerChild
    from klamm.log.disk import Disk
    from klamm.log.loading import Loading, Progress
    from klamm.log.log_config import LogConfig
    from klamm.log.log_dir import LogDir
    from klamm.log.partition_log import PartitionLog
    from klamm.server.config.broker_config import BrokerConfig

log = logging.getLogger(__name__)

FLUSHER_THREADS = 8
"""As many syncs at once as Kafka makes with its default `num.io.threads`: the file system shares commits among them."""

REQUEST_MEMORY_BYTES = 512 * 1024 * 1024
"""What large requests may hold at once where `queued.max.request.bytes` sets no limit."""


class Node:
    """A broker, a controller, or both. `start` and `stop` once each, on the same loop."""

    def __init__(
        self,
        config: BrokerConfig,
        *,
        disk: Disk,
        clock: Clock | None = None,
        network: Network | None = None,
        entropy: Entropy | None = None,
        new_io: NewIo | None = None,
    ) -> None:
        """Without `new_io` disk work runs on real threads, and where it stands if the disk is in memory."""
        self.config = config
        self.node_id = config.node_id
        self.bootstrap_servers = ""
        """The address that clients take, once the node has started; of a controller alone, that of its listener."""
        self._disk = disk
        self._clock = clock
        self._network = network or TcpNetwork()
        self._entropy = entropy or SystemEntropy()
        self._new_io = new_io or (new_inline_io if disk.is_memory else new_thread_io)
        self._memory = RequestMemory(_positive(config.long("queued.max.request.bytes")) or REQUEST_MEMORY_BYTES)
        self._listeners: list[Listener] = []
        self._broker_listeners: list[Listener] = []
        self._timers: dict[str, Timer] = {}
        self._is_broker, self._is_controller = "broker" in config.roles, "controller" in config.roles
        self._is_open = self._has_metadata = self._is_serving = self._has_left = False
        self._lifecycle: BrokerLifecycle | None = None
        self._registrar: ControllerRegistrar | None = None
        self._loading: Loading | None = None
        self._reports: DirectoryReports | None = None
        self.failed: asyncio.Future[str]
        """Why the node cannot go on; done when that is so. Whoever runs the node is to `halt` it then."""

    async def start(self, progress: Progress | None = None) -> None:
        """Start, and return when clients are served. Raises LogDirError, StorageError, OSError, KafkaError.

        `progress(done, total)` is told of the logs that are loaded, on whatever thread.
        """
        loop = asyncio.get_running_loop()
        self.failed = loop.create_future()
        self._progress = progress
        self.clock = self._clock or SystemClock(loop)
        started_ms = self.clock.monotonic_ms()
        for warning in self.config.warnings:
            log.warning("%s", warning)
        self.log_dirs = self._open_log_dirs()
        self.log_dirs.set_producer_id_expiration(self.config.int("producer.id.expiration.ms"))
        try:
            await self._start_on(self.log_dirs)
        except BaseException:
            if self._loading is not None:
                self._loading.stop()
            await self._close_listeners()
            if self._has_metadata:
                self._end_talks()
                self.metadata.close()
            if self._is_open:
                self.log_dirs.close()
            raise
        took_ms = self.clock.monotonic_ms() - started_ms
        log.info("node %d serves %s (started in %.0f ms)", self.node_id, self.bootstrap_servers, took_ms)

    def _open_log_dirs(self) -> LogDirs:
        return LogDirs(
            self.config.log_dirs,
            disk=self._disk,
            clock=self.clock,
            entropy=self._entropy,
            writer=self._new_io("klamm-writer", 1),
            flusher=self._new_io("klamm-flusher", FLUSHER_THREADS),
            default_config=Settings(self.config, self.node_id).log_config(EMPTY, ""),
            recovery_threads_per_directory=self.config.int("num.recovery.threads.per.data.dir"),
            metadata_path=self.config.metadata_log_dir,
        )

    def _cleaner_thread(self, name: str) -> IoThread:
        return self._new_io(name, 1)

    async def _start_on(self, log_dirs: LogDirs) -> None:
        config = self.config
        options = FormatOptions(
            config.node_id,
            config.cluster_id,
            is_standalone=is_standalone(config),
            metadata_dir=config.metadata_log_dir,
        )
        storage = open_storage(log_dirs, options)
        self._is_open = True
        log_dirs.on_offline = self._on_offline
        self._channels = Channels(self._network, self.clock)
        self.metadata = MetadataNode(
            storage,
            metadata_settings(config),
            log_dirs,
            ServerConfigRules(config),
            self.clock,
            self._entropy,
            self._channels,
        )
        self.metadata.failed = self._fail
        self.broker = self._broker(storage.cluster_id, log_dirs)
        self.metadata.add_publisher(self._publish)
        self.metadata.replay()
        if self._is_controller and (drawn := await self._open_controller_listeners(are_drawn=True)):
            # Nobody knows these ports before the quorum tells them: nobody asks before there is an answer.
            self.metadata.announce(controller_endpoints(config, drawn))
        if self.metadata.is_alone and self._is_broker:
            await self._load(log_dirs)
        await self.metadata.start()
        self._has_metadata = True
        if self._is_controller:
            await self._open_controller_listeners(are_drawn=False)
            if not self.metadata.is_alone:
                self._registrar = ControllerRegistrar(self.metadata, self.broker.controller, self.clock)
        if self._is_broker:
            if not self.metadata.is_alone:
                await self.metadata.caught_up()
                await self._load(log_dirs)
            await self._start_broker(log_dirs)
        self._begin_periodic_work()

    async def _start_broker(self, log_dirs: LogDirs) -> None:
        config, lifecycle = self.config, self._lifecycle
        assert lifecycle is not None
        self._reports = DirectoryReports(
            self.broker.controller,
            lifecycle,
            self.clock,
            node_id=self.node_id,
            retry_ms=config.int("broker.heartbeat.interval.ms"),
            failure_timeout_ms=config.long("log.dir.failure.timeout.ms"),
            give_up=self._fail,
        )
        self.broker.replicas.on_directory = self._reports.assign
        settings = cleaner_settings(self.broker.settings, self.metadata.image)
        child = _new_cleaner_child if isinstance(self._disk, RealDisk) else None
        self._cleaner = log_dirs.cleaner = LogCleaner(log_dirs, settings, self._cleaner_thread, new_child=child)
        addresses = await self._open_broker_listeners()
        rack = config.get("broker.rack")
        await lifecycle.register(addresses, None if rack is None else str(rack))
        # Before it has read its own registration a broker may stand in the metadata as what it was before it died.
        await self.metadata.reached(lifecycle.broker_epoch)
        self._is_serving = True
        self._cordon(self.metadata.image)
        self.broker.replicas.start(self.metadata.image)
        await lifecycle.unfence()
        # Not before, as in Kafka: clients would be told that there are no brokers and no leaders, and may believe it.
        for listener in self._broker_listeners:
            await listener.admit()
        self._cleaner.start()
        first = addresses[0]
        self.bootstrap_servers = f"{first.host}:{first.port}"

    async def _load(self, log_dirs: LogDirs) -> None:
        """Open all partitions, off the event loop: a long recovery can be interrupted."""
        image, node_id = self.metadata.image, self.node_id
        configs: dict[str, LogConfig] = {}

        def config_of(topic: str) -> LogConfig:
            if topic not in configs:
                configs[topic] = self.broker.settings.log_config(image, topic)
            return configs[topic]

        def belongs(topic: str, index: int, topic_id: bytes | None) -> bytes | None:
            # Without an id it can only be told by its name. Kafka calls that a stray; here the id may be on its way to
            # the file when the first records are acknowledged.
            known = image.topics.by_name.get(topic) if topic_id is None else image.topics.by_id.get(topic_id)
            registration = None if known is None else known.partitions.get(index)
            if registration is None or node_id not in registration.replicas:
                return None
            return registration.directory(node_id)

        self._loading = log_dirs.begin_load(config_of, self._progress, belongs)
        loaded = Completion()
        log_dirs.flusher.submit(self._loading.run, loaded.finish)
        await loaded
        log_dirs.finish_load(self._loading)
        self._loading = None

    def _broker(self, cluster_id: str, log_dirs: LogDirs) -> Broker:
        config = self.config
        broker = Broker()
        broker.node_id, broker.cluster_id, broker.config = config.node_id, cluster_id, config
        broker.clock, broker.entropy, broker.log_dirs = self.clock, self._entropy, log_dirs
        broker.settings = Settings(config, config.node_id)
        broker.metadata = self.metadata
        broker.controller = ControllerChannel(
            self.metadata,
            self._channels,
            str(config.node_id),
            config.int("controller.socket.timeout.ms"),
            config.int("broker.session.timeout.ms") / 2,
        )
        if not self._is_broker:
            return broker
        lifecycle = self._lifecycle = BrokerLifecycle(
            broker.controller,
            self.metadata,
            log_dirs,
            self.clock,
            self._entropy,
            heartbeat_ms=config.int("broker.heartbeat.interval.ms"),
            session_ms=config.int("broker.session.timeout.ms"),
            registration_timeout_ms=config.int("initial.broker.registration.timeout.ms"),
        )
        ports = ReplicationPorts(self._channels, broker.controller, lambda: lifecycle.broker_epoch)
        broker.replicas = Replicas(config.node_id, log_dirs, broker.settings, ports)
        broker.replicas.on_leadership(self._on_leadership)
        broker.topics = TopicCreation(config, self.metadata, broker.controller)
        broker.producer_ids = ProducerIds(config.node_id, broker.controller, lifecycle)
        slots = config.int("max.incremental.fetch.session.cache.slots")
        broker.fetch_sessions = FetchSessions(slots, self._entropy)
        broker.groups = GroupCoordinator(group_settings(config), self.clock, self._entropy, self._group_partition_count)
        return broker

    def _group_partition_count(self) -> int:
        """What `__consumer_offsets` has, or is to have: it may have been created under another configuration."""
        topic = self.metadata.image.topics.by_name.get(GROUP_METADATA_TOPIC)
        return self.config.int("offsets.topic.num.partitions") if topic is None else len(topic.partitions)

    # --- metadata

    def _publish(self, delta: MetadataDelta, image: MetadataImage) -> None:
        broker = self.broker
        if not self._is_serving:
            return  # `Replicas.start` takes the image whole
        broker.replicas.publish(delta, image)
        if any(resource_type == BROKER_RESOURCE for resource_type, _ in delta.configs or ()):
            self._cleaner.reconfigure(cleaner_settings(broker.settings, image))
            self._cordon(image)
        if delta.topics is not None and delta.topics.deleted_topics:
            names = [topic.name for topic in delta.topics.deleted_topics.values()]
            broker.groups.on_topics_deleted([name for name in names if name not in image.topics.by_name])

    def _cordon(self, image: MetadataImage) -> None:
        """Go by `cordoned.log.dirs`."""
        paths = cordoned_paths(self.broker.settings, image, self.config.log_dirs)
        if paths != self.log_dirs.cordoned:
            self.log_dirs.cordoned = paths
            if self._lifecycle is not None:
                self._lifecycle.tell_at_once()

    def _on_leadership(self, partition: Partition, leads: bool) -> None:
        if partition.topic != GROUP_METADATA_TOPIC:
            return
        if leads:
            self.broker.groups.on_leadership(partition.index, LocalCoordinatorPartition(partition, self.clock))
        else:
            self.broker.groups.on_resigned(partition.index)

    # --- directories that fail

    def _on_offline(self, directory: LogDir, directory_id: bytes | None, logs: list[PartitionLog]) -> None:
        """A log directory has failed: serve on without it, if it is not the last and not that of the metadata."""
        metadata_log = self.log_dirs.metadata_log
        if metadata_log is not None and metadata_log.log_dir is directory:
            self._fail(f"{directory.path}, the directory of the metadata log, has failed: {directory.reason}")
        elif not self.log_dirs.online:
            self._fail(f"all log directories have failed, the last one was {directory.path}: {directory.reason}")
        elif self._is_serving:
            log.warning("%d partitions in %s are offline until the next start", len(logs), directory.path)
            self.broker.replicas.on_directory_offline(logs)
            if directory_id is not None and self._reports is not None:
                self._reports.directory_failed(directory_id)

    def _fail(self, reason: str) -> None:
        log.critical("this node cannot go on: %s", reason)
        if not self.failed.done():
            self.failed.set_result(reason)

    # --- listeners

    def _listener(self, name: str, kind: int) -> Listener:
        config = self.config
        limits = Limits(
            request_size_max=config.int("socket.request.max.bytes"),
            idle_max_ms=config.long("connections.max.idle.ms"),
            connections_max=config.int("max.connections"),
            connections_per_ip_max=config.int("max.connections.per.ip"),
        )
        listener = Listener(
            Dispatcher(self.broker, name, kind),
            self._network,
            self.clock,
            self._memory,
            limits,
            self.broker.replicas.read_done if self._is_broker else _nothing,
        )
        self._listeners.append(listener)
        return listener

    async def _open_broker_listeners(self) -> list[Endpoint]:
        """Have the address of every listener for clients; gives what the cluster is told of them."""
        configured = self.config.listeners
        advertised = {endpoint.name: endpoint for endpoint in configured.advertised_broker}
        opened = []
        for endpoint in configured.broker:
            listener = self._listener(endpoint.name, apis.BROKER)
            self._broker_listeners.append(listener)
            port = await listener.start(endpoint.host, endpoint.port, is_serving=False)
            opened.append(_announced(advertised[endpoint.name], endpoint, port))
        return opened

    async def _open_controller_listeners(self, *, are_drawn: bool) -> dict[str, int]:
        """Open those whose port the system draws, or the others; gives their ports by name."""
        ports = {}
        for endpoint in self.config.listeners.controller:
            if are_drawn is (endpoint.port == 0):
                port = await self._listener(endpoint.name, apis.CONTROLLER).start(endpoint.host, endpoint.port)
                ports[endpoint.name] = port
                if not self._is_broker and not self.bootstrap_servers:
                    self.bootstrap_servers = f"{endpoint.host or 'localhost'}:{port}"
        return ports

    async def _close_listeners(self) -> None:
        for listener in self._listeners:
            await listener.close()
        self._listeners.clear()

    def _end_talks(self) -> None:
        """Ask nobody anything more."""
        if self._registrar is not None:
            self._registrar.close()
        if self._lifecycle is not None:
            self._lifecycle.close()
        self.broker.controller.close()

    # --- what happens by itself

    def _begin_periodic_work(self) -> None:
        log_dirs, clock, every = self.log_dirs, self.clock, self._every
        every("replica.high.watermark.checkpoint.interval.ms", log_dirs.checkpoint_high_watermarks)
        every("log.flush.offset.checkpoint.interval.ms", log_dirs.checkpoint_recovery_points)
        every("log.flush.start.offset.checkpoint.interval.ms", log_dirs.checkpoint_log_start_offsets)
        every("log.retention.check.interval.ms", lambda: log_dirs.check_retention(clock.time_ms()))
        every("log.flush.scheduler.interval.ms", lambda: log_dirs.flush_due(clock.time_ms()))
        every("producer.id.expiration.check.interval.ms", self._forget_producers)

    def _forget_producers(self) -> None:
        expiration_ms = self.broker.settings.broker(self.metadata.image, "producer.id.expiration.ms")
        assert isinstance(expiration_ms, int)  # a setting that can be changed while the broker runs
        self.log_dirs.set_producer_id_expiration(expiration_ms)
        self.log_dirs.remove_expired_producers(self.clock.time_ms())

    def _every(self, setting: str, work: Callable[[], None]) -> None:
        interval_ms = self.config.long(setting)

        def run() -> None:
            try:
                work()
            except Exception:
                log.exception("periodic work (%s) failed", setting)
            self._timers[setting] = self.clock.call_later(interval_ms, run)

        if interval_ms < 1 << 53:
            self._timers[setting] = self.clock.call_later(interval_ms, run)

    # --- stopping

    async def leave(self) -> None:
        """Let others take over what this broker leads: the first part of `stop`.

        Nodes that are all to be stopped leave together, while there is a controller to hear it.
        """
        if self._lifecycle is None or self._has_left:
            return
        self._has_left = True
        self.broker.groups.close()
        if not self.config.bool("controlled.shutdown.enable"):
            return  # what it leads is without a leader until the controller misses its heartbeats
        try:
            await self._lifecycle.controlled_shutdown()
        except KafkaError as error:
            log.warning("no controlled shutdown: %s", error)

    async def stop(self) -> None:
        """Stop cleanly: clients are sent away, everything is written, synced and noted as closed."""
        self._end_periodic_work()
        await self.leave()
        if self._lifecycle is not None:
            self.broker.replicas.close()
        self._end_talks()
        await self.metadata.resign()
        await self._close_listeners()
        self.metadata.close()
        self.log_dirs.close(-1 if self._lifecycle is None else self._lifecycle.broker_epoch)
        log.info("node %d has stopped", self.node_id)

    async def halt(self) -> None:
        """Stop at once, as Kafka does when it loses its metadata: nothing more is written, the next start recovers."""
        self._end_periodic_work()
        if self._lifecycle is not None:
            self.broker.replicas.close()
        self._end_talks()
        await self._close_listeners()
        self.metadata.abandon()
        self.log_dirs.release()

    def _end_periodic_work(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        if self._reports is not None:
            self._reports.close()


def _new_cleaner_child() -> CleanerChild:
    from klamm.log.cleaner.child import CleanerChild  # imported when there is something to clean

    return CleanerChild()


def _nothing() -> None:
    pass


def _positive(value: int) -> int:
    return max(value, 0)


def _announced(advertised: ConfiguredEndpoint, bound: ConfiguredEndpoint, port: int) -> Endpoint:
    """What to tell the cluster of a listener: a port that the system picked stands in for 0."""
    host = advertised.host or bound.host or "localhost"
    return Endpoint(advertised.name, host, advertised.port or port, SECURITY_PROTOCOLS[advertised.security_protocol])
