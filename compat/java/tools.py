"""Kafka's command line tools by their main classes, many runs in one JVM (src/ToolRunner.java)."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compat import kafka_jars
from compat.java.jvm import Jvm, JvmGone

TOOL_TIMEOUT_S = 60.0

MAINS = {
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-groups": "org.apache.kafka.tools.GroupsCommand",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
    "kafka-verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
    "kafka-producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "kafka-consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
    "kafka-e2e-latency": "org.apache.kafka.tools.EndToEndLatency",
    "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "kafka-cluster": "org.apache.kafka.tools.ClusterTool",
    "kafka-features": "org.apache.kafka.tools.FeatureCommand",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "kafka-reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "kafka-leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "kafka-console-share-consumer": "org.apache.kafka.tools.consumer.ConsoleShareConsumer",
    "kafka-dump-log": "org.apache.kafka.tools.DumpLogSegments",
    "kafka-client-compatibility": "org.apache.kafka.tools.ClientCompatibilityTest",
}


@dataclass(frozen=True)
class Run:
    """How a tool ended. `status` is its exit status, None when it had to be stopped."""

    tool: str
    status: int | None
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines of the output that are not empty."""
        return [line for line in self.out.splitlines() if line.strip()]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The output's JSON lines, for the verifiable clients."""
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]


class Tools:
    """The JVM in which the tools run, one at a time."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._jvm = Jvm("ToolRunner", kafka_jars.KAFKA, directory)

    def run(self, tool: str, *arguments: object, stdin: str = "", timeout_s: float = TOOL_TIMEOUT_S) -> Run:
        """Run a tool to its end; on the timeout it is stopped as Ctrl-C would stop it."""
        self._jvm.write(
            json.dumps(
                {
                    "main": MAINS[tool],
                    "args": [str(argument) for argument in arguments],
                    "stdin": stdin,
                    "timeout_ms": int(timeout_s * 1000),
                }
            )
        )
        # A JVM that hangs for good must not hang the test: without an answer it is killed, and the read fails.
        guard = threading.Timer(timeout_s + 60, self._jvm.kill)
        guard.start()
        try:
            answer = json.loads(self._jvm.read())
        except JvmGone as gone:
            raise JvmGone(f"{tool}: {gone}") from None
        finally:
            guard.cancel()
        return Run(tool, answer["status"], answer["out"], answer["err"])

    def close(self) -> None:
        self._jvm.close()


class Cli:
    """The tools with the address of one broker."""

    def __init__(self, tools: Tools, bootstrap: str) -> None:
        self.tools = tools
        self.bootstrap = bootstrap

    def run(self, tool: str, *arguments: object, stdin: str = "", timeout_s: float = TOOL_TIMEOUT_S) -> Run:
        """Run a tool to its end, however it ends."""
        address = ("--bootstrap-server", self.bootstrap)
        # kafka-cluster takes its options after the sub-command only, the others before or after.
        line = (*arguments, *address) if tool == "kafka-cluster" else (*address, *arguments)
        return self.tools.run(tool, *line, stdin=stdin, timeout_s=timeout_s)

    def ok(self, tool: str, *arguments: object, stdin: str = "", timeout_s: float = TOOL_TIMEOUT_S) -> Run:
        """Run a tool that must end with status 0."""
        run = self.run(tool, *arguments, stdin=stdin, timeout_s=timeout_s)
        assert run.status == 0, f"{tool} {arguments}: status {run.status}\n{run.out}\n{run.err}"
        return run

    def refused(self, tool: str, *arguments: object) -> str:
        """Run a tool that must end with status 1; what it said."""
        run = self.run(tool, *arguments)
        assert run.status == 1, f"{tool} {arguments}: status {run.status}\n{run.out}\n{run.err}"
        return run.out + run.err

    def create_topic(self, topic: str, partitions: int = 1, **configs: str) -> None:
        """Create a topic; `configs` are names with "_" for "."."""
        settings = [arg for name, value in configs.items() for arg in ("--config", f"{name.replace('_', '.')}={value}")]
        self.ok("kafka-topics", "--create", "--topic", topic, "--partitions", partitions, *settings)

    def produce(self, topic: str, count: int) -> None:
        """Produce `count` records "0", "1", ... with an acknowledgement of each."""
        sent = self.ok("kafka-verifiable-producer", "--topic", topic, "--max-messages", count, "--throughput", -1)
        acknowledged = [event for event in sent.events if event["name"] == "producer_send_success"]
        assert len(acknowledged) == count, sent.out

    def node_id(self) -> int:
        """The id of the one broker."""
        header, *nodes = self.ok("kafka-cluster", "list-endpoints").lines
        assert header.split() == ["ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE"]
        assert len(nodes) == 1, nodes
        return int(nodes[0].split()[0])
