"""One data directory, klamm's metadata and a real Kafka node in turns: each goes on where the other has stopped.

The metadata alone: a `MetadataNode` without a server, so that every difference is one of `__cluster_metadata`.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from pathlib import Path

import pytest

from compat import kafka_jars
from compat.targets import KafkaTarget
from klamm.channel import Channels
from klamm.kproto import errors
from klamm.kproto.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
from klamm.log.disk import RealDisk
from klamm.log.io_thread import ThreadIo
from klamm.log.log_dirs import LogDirs
from klamm.metadata.image.cluster import Endpoint
from klamm.metadata.image.image import MetadataImage
from klamm.metadata.node_metadata import MetadataNode, MetadataSettings
from klamm.metadata.raft.voters import VoterEndpoint
from klamm.metadata.storage_format import FormatOptions, open_storage
from klamm.seams import SystemClock, SystemEntropy, TcpNetwork
from klamm.server.broker_lifecycle import BrokerLifecycle
from klamm.server.config.broker_config import BrokerConfig
from klamm.server.config_rules import ServerConfigRules
from klamm.server.to_controller import ControllerChannel

pytestmark = pytest.mark.needs("java", "mvn")
Creatable = CreateTopicsRequest.CreatableTopic


class KafkaOnOurs(KafkaTarget):
    """A real node on a directory that klamm has formatted. It snapshots its metadata often."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            {"metadata.log.max.record.bytes.between.snapshots": "2500"}, directory=directory, is_formatted=True
        )
        voter = self.properties["controller.quorum.bootstrap.servers"]
        host, _, port = voter.rpartition(":")
        self.controller = Endpoint("CONTROLLER", host, int(port))

    def topics(self) -> set[str]:
        """What the running node leads, wholly, by its own list of topics."""
        admin = pytest.importorskip("confluent_kafka.admin").AdminClient({"bootstrap.servers": self.bootstrap})
        deadline = time.monotonic() + 30
        while True:
            found = admin.list_topics(timeout=10).topics
            if all(p.leader == 1 and list(p.isrs) == [1] for t in found.values() for p in t.partitions.values()):
                return set(found)
            assert time.monotonic() < deadline, "partitions without a leader"
            time.sleep(0.1)

    def create(self, name: str) -> None:
        admin_module = pytest.importorskip("confluent_kafka.admin")
        admin = admin_module.AdminClient({"bootstrap.servers": self.bootstrap})
        admin.create_topics([admin_module.NewTopic(name, 2, 1)])[name].result(30)


async def live(kafka: KafkaOnOurs, create: str, *, kill: bool = False) -> MetadataImage:
    """One life of our node on that directory, in which it creates a topic; the image at its end."""
    loop = asyncio.get_running_loop()
    clock, entropy, post = SystemClock(loop), SystemEntropy(), loop.call_soon_threadsafe
    log_dirs = LogDirs(
        [str(kafka.data_dir)],
        disk=RealDisk(),
        clock=clock,
        entropy=entropy,
        writer=ThreadIo("writer", post),
        flusher=ThreadIo("flusher", post),
    )
    controller = VoterEndpoint(kafka.controller.name, kafka.controller.host, kafka.controller.port)
    storage = open_storage(log_dirs, FormatOptions(1, controller_endpoints=(controller,)))
    log_dirs.load()
    config = BrokerConfig.load(overrides={"node.id": "1", "log.dirs": str(kafka.data_dir)})
    settings = MetadataSettings(controller_endpoints=(kafka.controller,))
    channels = Channels(TcpNetwork(), clock)
    node = MetadataNode(storage, settings, log_dirs, ServerConfigRules(config), clock, entropy, channels)
    broker = BrokerLifecycle(
        ControllerChannel(node, channels, "1", 30_000),
        node,
        log_dirs,
        clock,
        entropy,
        heartbeat_ms=2000,
        session_ms=9000,
        registration_timeout_ms=60_000,
    )
    await node.start()
    await broker.register([Endpoint("PLAINTEXT", "127.0.0.1", kafka.port)])
    await broker.unfence()
    topic = Creatable(name=create, num_partitions=2, replication_factor=1, assignments=[], configs=[])
    response = node.submit(CreateTopicsRequest(topics=[topic], timeout_ms=1000))
    result = await response if isinstance(response, asyncio.Future) else response
    assert isinstance(result, CreateTopicsResponse)
    assert result.topics[0].error_code == errors.NONE
    image = node.image
    if kill:
        broker.close()
        node.close()
        log_dirs.writer.close()
        log_dirs.flusher.close()
        for directory in log_dirs.directories:
            directory.release()
    else:
        node.snapshots.write(node.image)
        await broker.controlled_shutdown()
        node.close()
        log_dirs.close(broker.broker_epoch)
    return image


def dumped(file: Path) -> str:
    """What `kafka-dump-log --cluster-metadata-decoder` says of a file."""
    done = subprocess.run(
        [kafka_jars.program("java"), "-Xshare:auto", "-cp", kafka_jars.classpath(kafka_jars.KAFKA),
         "org.apache.kafka.tools.DumpLogSegments", "--cluster-metadata-decoder", "--files", str(file)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout


def test_in_turns(tmp_path: Path) -> None:
    kafka = KafkaOnOurs(tmp_path)
    known: set[str] = set()
    try:
        for turn, kill in enumerate((False, True, False, True)):
            image = asyncio.run(live(kafka, f"ours{turn}", kill=kill))
            known.add(f"ours{turn}")
            assert set(image.topics.by_name) == known
            assert {p.leader for t in image.topics.by_id.values() for p in t.partitions.values()} == {1}
            kafka.start()
            kafka.create(f"kafka{turn}")
            known.add(f"kafka{turn}")
            assert kafka.topics() == known
            if kill:
                kafka.kill()
            else:
                kafka.stop()
    finally:
        kafka.kill()
    told = kafka.log_file.read_text(errors="replace")
    assert " ERROR " not in told and " FATAL " not in told
    assert "Loading snapshot" in told, "no turn has begun with a snapshot"


def test_dump_log_reads_what_we_write(tmp_path: Path) -> None:
    kafka = KafkaOnOurs(tmp_path)
    asyncio.run(live(kafka, "a"))
    directory = kafka.data_dir / "__cluster_metadata-0"
    files = [kafka.data_dir / "bootstrap.checkpoint", *directory.glob("*.checkpoint"), *directory.glob("*.log")]
    assert len(files) == 4
    for file in files:
        told = dumped(file)
        batches = [line for line in told.splitlines() if line.startswith("baseOffset:")]
        assert batches and all("isvalid: true" in line for line in batches), told
    for word in ("LeaderChange", "KRaftVoters", "BEGIN_TRANSACTION_RECORD", "REGISTER_BROKER_RECORD", '"name":"a"'):
        assert word in told
