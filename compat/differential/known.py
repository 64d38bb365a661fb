"""The differences between klamm and Kafka 4.3.1 that are meant, each with a number and its reason.

`docs/differences.md` is made from this list (compat/kit/pages.py). An entry that no case meets any more fails the run:
it must go.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from compat.differential.comparing import Difference


class Place(NamedTuple):
    """Where a difference shows, as shell patterns (`*` matches dots and brackets too); `kafka` is Kafka's value."""

    case: str
    note: str = "*"
    path: str = "*"
    kafka: str = "*"

    def holds(self, found: Difference) -> bool:
        path = found.path.replace("[", "(").replace("]", ")")  # in a shell pattern brackets are a class of characters
        return (
            fnmatchcase(found.case, self.case)
            and fnmatchcase(found.note, self.note.replace("[", "[[]"))
            and fnmatchcase(path, self.path)
            and fnmatchcase(str(found.right), self.kafka)
        )


class Known(NamedTuple):
    """A meant difference, why it is, and where it shows."""

    number: int
    title: str
    reason: str
    places: tuple[Place, ...]


KNOWN: Sequence[Known] = (
    Known(
        1,
        "APIs that klamm does not serve",
        "klamm advertises an API when it serves it in full. What is missing from the list are transactions, share "
        "groups, groups of the new protocol and of Streams, ACLs, delegation tokens and changes of SCRAM credentials.",
        (
            Place("api_versions.*", path=".apiKeys.*"),
            Place("controller_listener.who_is_there", path=".apiKeys.*"),
        ),
    ),
    Known(
        2,
        "A fetch never ends in the middle of a batch",
        "Kafka cuts its answer at max_bytes, so that its last batch may be incomplete; every client has to leave "
        "that part out. klamm ends with the last batch that fits whole. The first batch is sent whole by both, "
        "whatever its size.",
        (
            Place("fetch.*", path="*.records.cut"),
            Place("random_requests.Fetch", path="*.records.cut"),
        ),
    ),
    Known(
        3,
        "Produce: a partition whose records are null",
        "Kafka's request handler fails and never answers; the client waits until it gives up. klamm answers "
        "INVALID_RECORD.",
        (Place("produce.null_records"),),
    ),
    Known(
        4,
        "AlterConfigs with a resource that is named twice",
        "Kafka's request handler fails and never answers. klamm answers INVALID_REQUEST for it.",
        (Place("configs.alter_configs", note="resource twice"),),
    ),
    Known(
        5,
        "IncrementalAlterConfigs with an operation that does not exist",
        "Kafka fails with an unexpected exception, UNKNOWN_SERVER_ERROR without words. klamm says INVALID_REQUEST "
        "and which operation was asked for.",
        (Place("configs.incremental_topic", note="*operation*"),),
    ),
    Known(
        6,
        "Metadata for a topic with neither name nor id",
        "Kafka fails with an unexpected exception, UNKNOWN_SERVER_ERROR. klamm answers UNKNOWN_TOPIC_ID for that "
        "topic and the rest as usual.",
        (
            Place("metadata.by_id", note="neither"),
            Place("random_requests.Metadata", note="*'topicId': 'AAAAAAAAAAAAAAAAAAAAAA', 'name': None*"),
        ),
    ),
    Known(
        7,
        "Produce: compression types 5 to 7",
        "No such codec exists. Kafka fails with an unexpected exception, UNKNOWN_SERVER_ERROR; klamm answers "
        "UNSUPPORTED_COMPRESSION_TYPE, which is what it is.",
        (Place("produce.bad_records", note="compression *"),),
    ),
    Known(
        8,
        "Produce: records that cannot be read, in a batch whose checksum is right",
        "Kafka unpacks every batch and refuses it (with UNKNOWN_SERVER_ERROR when it is the codec that fails). "
        "klamm checks header and checksum of a batch, and looks at its records only where the topic asks for it: "
        "compaction, another compression.type, bounds of timestamps. Nor does it correct a wrong highest timestamp "
        "in the header. That is what makes it fast; a client that packs its records wrongly finds out when it "
        "reads them.",
        (Place("produce.broken_content"),),
    ),
    Known(
        10,
        "DescribeTopicPartitions with an empty topic name",
        "Kafka fails with an unexpected exception, UNKNOWN_SERVER_ERROR. klamm answers INVALID_TOPIC_EXCEPTION, as "
        "for any other invalid name.",
        (
            Place("metadata.describe_topic_partitions", note="name ''"),
            Place("random_requests.DescribeTopicPartitions", note="*{'name': ''}*"),
        ),
    ),
    Known(
        11,
        "Fetch by topic id: the zero id before another id that does not exist",
        "Kafka fails with an unexpected exception, UNKNOWN_SERVER_ERROR for the whole request. klamm answers for "
        "each partition, UNKNOWN_TOPIC_ID for these.",
        (Place("fetch.zero_id"),),
    ),
    Known(
        12,
        "A topic that is created because its metadata is asked for",
        "Kafka answers UNKNOWN_TOPIC_OR_PARTITION to the request that sets off the creation, and the client asks "
        "again. klamm answers when the topic is there, which spares every first producer a retry.",
        (Place("metadata.auto_creation", note="not there yet"),),
    ),
    Known(
        13,
        "The loggers of a broker",
        "Both tell and set their own loggers (KIP-412); their names are those of the program's parts.",
        (
            Place("configs.broker_loggers", note="all loggers", path=".results*.configs*"),
            Place("random_requests.DescribeConfigs", note="*'resourceType': 8*", path=".results*.configs*"),
        ),
    ),
    Known(
        14,
        "ListOffsets by time, when the records of that time are deleted",
        "Kafka looks into the first segment whose highest timestamp is not too low, and no further: when all its "
        "records of that time lie below the log start, or compaction has taken them, it answers that there is no such "
        "offset, and a consumer that asks for it begins at the end. klamm goes on to the next segment and gives the "
        "first record that is there.",
        (Place("list_offsets.over_segments", note="from *, timestamp *", kafka="-1"),),
    ),
    Known(
        15,
        "Produce: a transaction that no coordinator knows of",
        "klamm has no transaction coordinator yet. It answers the first batch of a transaction as Kafka does while it "
        "cannot reach the coordinator: NOT_ENOUGH_REPLICAS, and nothing is written. A Kafka that has one asks it, and "
        "answers INVALID_PRODUCER_ID_MAPPING or, for an empty id, INVALID_REQUEST.",
        (Place("producers.transactional_without_a_transaction", note="transactional id '*"),),
    ),
    Known(
        16,
        "AlterClientQuotas: the names of hosts",
        "Where a quota is for an address, Kafka's controller looks a name up and refuses one that it cannot find. "
        "klamm's controller asks nobody while it decides: it takes every name that can be a host's.",
        (Place("client_quotas.hosts_that_nobody_knows", note="a host", path=".entries*"),),
    ),
    Known(
        17,
        "FetchSnapshot: errors",
        "Kafka means to say what is wrong (SNAPSHOT_NOT_FOUND, FENCED_LEADER_EPOCH, ...), but its answer lacks the "
        "bytes that the protocol demands and cannot be written: UNKNOWN_SERVER_ERROR and no topics is what arrives. "
        "A request that names no partition ends its controller. klamm says what is wrong.",
        (Place("quorum.snapshots"),),
    ),
    Known(
        19,
        "BrokerRegistration for the id of a broker that is alone",
        "While the broker in the process of the only controller is the only one, klamm gives it no session: it cannot "
        "fall silent alone, and a broker that was killed may come back at once. A second broker that takes its id "
        "is told what else is wrong with its registration; from Kafka it hears DUPLICATE_BROKER_REGISTRATION first.",
        (Place("controllers.register_brokers", note="the id of a broker that lives"),),
    ),
    Known(
        20,
        "AlterConfigs and IncrementalAlterConfigs that a controller is asked directly",
        "A value of null, and a kind of resource that does not exist, are refused by Kafka's brokers before they hand "
        "the request on. Its controllers by themselves take the null and say UNSUPPORTED_VERSION to the kind. klamm's "
        "controllers refuse both as brokers do, with INVALID_REQUEST.",
        (
            Place("controller_listener.settings", note="no value"),
            Place("controller_listener.settings", note="an unknown kind"),
        ),
    ),
    Known(
        21,
        "DescribeUserScramCredentials that a controller is asked directly",
        "Kafka's controllers advertise it and fail, with UNKNOWN_SERVER_ERROR or without an answer. klamm's answer as "
        "its brokers do.",
        (
            Place("controller_listener.quotas_and_features", note="None"),
            Place("controller_listener.quotas_and_features", note="[]"),
            Place("controller_listener.quotas_and_features", note="['*"),
        ),
    ),
    Known(
        22,
        "DescribeTopicPartitions with a cursor far beyond the last partition",
        "Kafka counts on from the cursor, and where that goes beyond the largest int32 its next cursor is negative, "
        "which it then refuses. klamm goes on with the next topic.",
        (Place("random_requests.DescribeTopicPartitions", note="*'partitionIndex': 2147483647*"),),
    ),
    Known(
        23,
        "JoinGroup of a consumer whose subscription promises more bytes than it has",
        "Kafka's coordinator looks for the topics in it, fails with an unexpected exception and never answers; the "
        "member waits until it gives up. klamm takes such metadata as it takes all other that it cannot read: it hands "
        "it on to the group's leader.",
        (Place("subscriptions.unreadable_subscriptions", kafka="no answer"),),
    ),
)


def explanation(found: Difference, known: Sequence[Known] = KNOWN) -> tuple[int, Place] | None:
    """The number and the place of an entry that explains a difference."""
    return next(((entry.number, place) for entry in known for place in entry.places if place.holds(found)), None)
