"""What the broker keys of `tables/broker_node.py` do, a sentence each.

Imported only when documentation is asked for.
"""

from __future__ import annotations

from typing import Final

NODE_DOCS: Final[dict[str, str]] = {
    "alter.config.policy.class.name": "Class that accepts or refuses changes of settings.",
    "authorizer.class.name": "Class that decides who may do what; empty means that everybody may do everything.",
    "auto.create.topics.enable": "Whether asking for a topic that does not exist creates it.",
    "background.threads": "Number of threads for housekeeping tasks.",
    "broker.heartbeat.interval.ms": "Time between two heartbeats of a broker to the controller.",
    "broker.id": "The older name of node.id; when both are set they must agree.",
    "broker.rack": "The rack or zone that this broker stands in, used to spread replicas and to fetch from a near one.",
    "broker.session.timeout.ms": "A broker that sends no heartbeat for this long is fenced by the controller.",
    "config.providers": "Names of providers that look up values given in the form ${provider:path:key}.",
    "controlled.shutdown.enable": (
        "Whether a stopping broker first lets the controller move its partition leaders elsewhere."
    ),
    "controller.listener.names": (
        "The listeners that carry requests to controllers; brokers use the first one to reach them."
    ),
    "controller.performance.always.log.threshold.ms": "Controller events that take longer than this are always logged.",
    "controller.performance.sample.period.ms": (
        "Period over which the controller sums up how its events performed before logging it."
    ),
    "controller.quorum.append.linger.ms": (
        "How long the quorum leader gathers metadata records before it writes them to disk."
    ),
    "controller.quorum.auto.join.enable": "Whether a controller that is no voter yet adds itself to the quorum.",
    "controller.quorum.bootstrap.servers": "Addresses, as host:port, by which the metadata quorum is found at first.",
    "controller.quorum.election.backoff.max.ms": (
        "Upper bound of the random wait before a candidate stands for election again."
    ),
    "controller.quorum.election.timeout.ms": (
        "How long a candidate waits for the votes before it starts another election."
    ),
    "controller.quorum.fetch.max.bytes": "Most bytes of the metadata log that one fetch of the quorum returns.",
    "controller.quorum.fetch.snapshot.max.bytes": "Most bytes of a metadata snapshot that one request returns.",
    "controller.quorum.fetch.timeout.ms": (
        "A voter that cannot fetch from the leader for this long becomes a candidate, and a leader that hears no "
        "fetches from a majority steps down."
    ),
    "controller.quorum.request.timeout.ms": "How long a quorum request may take before it is sent again or fails.",
    "controller.quorum.retry.backoff.ms": "Pause before a failed quorum request is sent again.",
    "controller.quorum.voters": (
        "The fixed set of voters as id@host:port entries; empty when the quorum keeps its own voter set."
    ),
    "controller.socket.timeout.ms": "Time limit of requests that a broker sends to the controller.",
    "create.topic.policy.class.name": "Class that accepts or refuses the creation of topics.",
    "delete.topic.enable": "Whether topics may be deleted.",
    "early.start.listeners": (
        "Listeners that open before the authorizer is ready; the controller listeners when not set."
    ),
    "initial.broker.registration.timeout.ms": (
        "How long a starting broker tries to register with the controller before it gives up."
    ),
    "internal.metadata.delete.delay.millis": (
        "Wait between giving up a metadata segment or snapshot and deleting its file."
    ),
    "internal.metadata.log.segment.bytes": "Largest metadata log segment; for tests that need very small ones.",
    "internal.metadata.max.batch.size.in.bytes": "Largest batch of records in the metadata log.",
    "metadata.log.dir": "Directory of the metadata log; the first log directory when not set.",
    "metadata.log.max.record.bytes.between.snapshots": (
        "A metadata snapshot is written once this many bytes of new records have gathered."
    ),
    "metadata.log.max.snapshot.interval.ms": (
        "A snapshot is written after this time if there are new records; 0 turns that off."
    ),
    "metadata.log.segment.bytes": "Largest segment of the metadata log.",
    "metadata.log.segment.ms": "A metadata log segment is closed after this time even if it is not full.",
    "metadata.max.idle.interval.ms": (
        "The active controller appends a no-op record when it wrote nothing for this long; 0 means never."
    ),
    "metadata.max.retention.bytes": "Total size of metadata log and snapshots past which the oldest ones are deleted.",
    "metadata.max.retention.ms": "Age past which metadata log segments and snapshots are deleted.",
    "node.id": "The number that tells this node from all others of the cluster, whatever its roles.",
    "num.io.threads": "Number of threads that carry out requests, disk access included.",
    "process.roles": "What this node is: broker, controller, or both.",
    "request.timeout.ms": "How long a request that this node sends may take before it is sent again or fails.",
    "server.max.startup.time.ms": "A node that has not finished starting after this time stops.",
    "unstable.api.versions.enable": "Whether request versions that are still in development are offered.",
    "unstable.feature.versions.enable": "Whether feature levels that are still in development may be used.",
}
