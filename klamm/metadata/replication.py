"""What a quorum of several needs of its surroundings: requests to other replicas and from them, and a follower's log.

Apart from `metadata_log.py` because the node that is alone, which has to start fast, has no use for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from klamm.channel import Channel, Channels
from klamm.kproto import errors
from klamm.kproto.errors import KafkaError, ProtocolError
from klamm.kproto.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from klamm.kproto.messages.fetch_snapshot import FetchSnapshotRequest, FetchSnapshotResponse
from klamm.kproto.messages.update_raft_voter import UpdateRaftVoterRequest
from klamm.kproto.schema import Message, RecordBytes
from klamm.log import upkeep
from klamm.metadata.features import KRAFT_VERSION
from klamm.metadata.image.cluster import VersionRange
from klamm.metadata.raft import messages as m
from klamm.metadata.raft import wire
from klamm.metadata.raft.exchange import (
    AppendFetched,
    Effect,
    Failed,
    Input,
    Reply,
    Request,
    Response,
    Send,
    Snapshot,
    SnapshotLoaded,
    Truncate,
)
from klamm.metadata.raft.log_index import OffsetAndEpoch
from klamm.metadata.snapshot_file import Snapshot as SnapshotContent
from klamm.metadata.snapshot_file import SnapshotId, decode_snapshot, file_name
from klamm.reply import Reply as Answer

if TYPE_CHECKING:
    from klamm.log.disk import File
    from klamm.metadata.metadata_log import MetadataLog

_logger = logging.getLogger(__name__)

_NO_ANSWER = (errors.NETWORK_EXCEPTION, errors.REQUEST_TIMED_OUT)
"""A lost connection, or one that was given up: both are BROKER_NOT_AVAILABLE among Kafka's replicas."""
_PART_SUFFIX = ".part"


class MetadataReplication:
    """The effects of the core that a quorum of one never sees. `replaced(id, snapshot)`: a snapshot is the log now."""

    def __init__(
        self,
        metadata_log: MetadataLog,
        channels: Channels,
        cluster_id: str,
        replaced: Callable[[SnapshotId, SnapshotContent], None],
    ) -> None:
        self._metadata_log = metadata_log
        self._log = metadata_log.log
        self._channels = channels
        self._cluster_id = cluster_id
        self._replaced = replaced
        raft = metadata_log.raft
        self._client_id = f"raft-client-{raft.node_id}"
        self._settings = raft.settings
        self._peers: dict[tuple[str, int], Channel] = {}
        self._asked: dict[int, Answer[Message]] = {}
        self._request_id = 0
        self._piece: File | None = None
        self._loaded: tuple[SnapshotId, SnapshotContent] | None = None

    def close(self) -> None:
        for channel in self._peers.values():
            channel.close()
        for answer in self._asked.values():
            answer.resolve(KafkaError(errors.NOT_CONTROLLER))
        self._asked.clear()

    def perform(self, effect: Effect) -> None:
        """Carry one effect out. Raises KafkaError when the disk fails."""
        if isinstance(effect, Send):
            self._send(effect)
        elif isinstance(effect, Reply):
            self._reply(effect)
        elif isinstance(effect, AppendFetched):
            for batch in effect.batches:
                assert isinstance(batch.data, bytes | memoryview)
                self._log.append_as_follower(batch.data)
            self._log.log_dir.writer.drain()  # what is committed is read at once
            raft = self._metadata_log.raft
            if raft.is_voter or raft.settings.can_become_voter:
                self._metadata_log.sync_soon()
        elif isinstance(effect, Truncate):
            self._truncate(effect)
        elif isinstance(effect, Snapshot):
            self._write_piece(effect)
        else:
            raise TypeError(f"{type(effect).__name__} is no effect for here")

    # -- to others --

    def _send(self, effect: Send) -> None:
        request_id, node = effect.request_id, effect.node
        channel = self._peers.get((node.host, node.port))
        if channel is None:
            channel = self._peers[node.host, node.port] = Channel(
                self._channels,
                node.host,
                node.port,
                client_id=self._client_id,
                request_timeout_ms=self._settings.request_timeout_ms,
            )
        request: Message
        timeout_ms: float = self._settings.request_timeout_ms
        if isinstance(effect.message, m.ApiVersionsRequest):
            request = ApiVersionsRequest(client_software_name="klamm", client_software_version="1")
        else:
            request = wire.request_message(effect.message, self._cluster_id)
        if isinstance(effect.message, m.FetchRequest):
            timeout_ms += effect.message.max_wait_ms
        answer = channel.send(request, timeout_ms=timeout_ms)
        answer.then(lambda result: self._answered(request_id, result))

    def _answered(self, request_id: int, result: Message | Exception) -> None:
        event: Input
        try:
            if isinstance(result, Exception):
                raise result
            if isinstance(result, ApiVersionsResponse):
                event = Response(request_id, _kraft_versions(result))
            else:
                event = Response(request_id, wire.read_response(result, self._settings.listener_name))
        except KafkaError as error:
            event = Failed(request_id, errors.BROKER_NOT_AVAILABLE if error.code in _NO_ANSWER else error.code)
        except ProtocolError as error:
            _logger.warning("an answer of the quorum cannot be read: %s", error)
            event = Failed(request_id, errors.UNKNOWN_SERVER_ERROR)
        try:
            self._metadata_log.step(event)
        except KafkaError as error:
            _logger.error("the metadata log cannot follow its leader: %s", error)

    # -- from others --

    def request(self, message: Message, listener_name: str) -> Answer[Message]:
        """Have a request of another replica or of a tool answered. Raises KafkaError for the whole of it."""
        try:
            value = wire.read_request(message, self._cluster_id)
        except KafkaError as error:
            if isinstance(message, FetchSnapshotRequest) and error.code == errors.UNKNOWN_TOPIC_OR_PARTITION:
                answer: Answer[Message] = Answer()
                answer.resolve(_no_such_snapshot(message))
                return answer
            if isinstance(message, UpdateRaftVoterRequest):  # its answer tells the leader, whatever the error
                answer = Answer()
                hint = self._metadata_log.raft.hint(listener_name)
                answer.resolve(wire.response_message(m.UpdateRaftVoterResponse(hint, error.code)))
                return answer
            raise
        self._request_id += 1
        answer = self._asked[self._request_id] = Answer()
        try:
            self._metadata_log.step(Request(self._request_id, value, listener_name))
        except KafkaError:
            self._asked.pop(self._request_id, None)
            raise
        return answer

    def _reply(self, effect: Reply) -> None:
        answer = self._asked.pop(effect.request_id, None)
        if answer is None:
            return
        value = effect.message
        data: RecordBytes = b""
        try:
            if isinstance(value, m.FetchResponse) and isinstance(value.records, m.Read):
                offset, end_offset, max_bytes = value.records
                end_offset = min(end_offset, self._log.log_end_offset)
                if offset < end_offset:
                    data = self._log.read(offset, max_bytes, min_one=True, max_offset=end_offset).data
            elif isinstance(value, m.FetchSnapshotResponse) and isinstance(value.data, m.ReadSnapshot):
                data = self._snapshot_piece(value.data)
        except (KafkaError, OSError) as error:
            _logger.error("a replica of the metadata cannot be served: %s", error)
            answer.resolve(KafkaError(errors.KAFKA_STORAGE_ERROR))
            return
        answer.resolve(wire.response_message(value, data))

    def _snapshot_piece(self, wanted: m.ReadSnapshot) -> bytes:
        file = self._log.log_dir.disk.open(self._path(SnapshotId(*wanted.snapshot_id)))
        try:
            return file.pread(wanted.max_bytes, wanted.position)
        finally:
            file.close()

    # -- the follower's log --

    def _truncate(self, effect: Truncate) -> None:
        if not effect.is_full:
            upkeep.truncate_to(self._log, effect.offset)
            return
        upkeep.truncate_fully(self._log, effect.offset)
        loaded, self._loaded = self._loaded, None
        assert loaded is not None and loaded[0].end_offset == effect.offset
        self._replaced(*loaded)

    def _write_piece(self, effect: Snapshot) -> None:
        disk = self._log.log_dir.disk
        snapshot_id = SnapshotId(*effect.snapshot_id)
        path = self._path(snapshot_id)
        try:
            if effect.position == 0:
                self._drop_piece()
                disk.remove(path + _PART_SUFFIX)
                self._piece = disk.open(path + _PART_SUFFIX, create=True)
            assert self._piece is not None
            self._piece.pwrite(effect.data, effect.position)
            if not effect.is_last:
                return
            self._piece.fsync()
            size_bytes = self._piece.size()
            self._drop_piece()
            content = decode_snapshot(disk.read(path + _PART_SUFFIX), path)
            disk.rename(path + _PART_SUFFIX, path)
            disk.fsync_directory(self._log.directory)
            disk.protect(path)
        except ProtocolError as error:
            self._metadata_log.failed(f"the leader's snapshot cannot be read: {error}")
            return
        except OSError as error:
            raise self._log.log_dir.fail(error) from error
        self._loaded = snapshot_id, content
        loaded = SnapshotLoaded(OffsetAndEpoch(*snapshot_id), size_bytes, content.kraft_version, content.voters)
        self._metadata_log.step(loaded)

    def _drop_piece(self) -> None:
        piece, self._piece = self._piece, None
        if piece is not None:
            piece.close()

    def _path(self, snapshot_id: SnapshotId) -> str:
        return f"{self._log.directory}/{file_name(snapshot_id)}"


def _kraft_versions(response: ApiVersionsResponse) -> m.ApiVersionsResponse:
    for feature in response.supported_features:
        if feature.name == KRAFT_VERSION:
            return m.ApiVersionsResponse(VersionRange(feature.min_version, feature.max_version), response.error_code)
    return m.ApiVersionsResponse(None, response.error_code)


def _no_such_snapshot(request: FetchSnapshotRequest) -> FetchSnapshotResponse:
    """Another topic or partition was asked for: its row says so, as in Kafka."""
    of: Any = FetchSnapshotResponse.TopicSnapshot
    topics = [
        of(
            name=topic.name,
            partitions=[
                of.PartitionSnapshot(
                    index=row.partition,
                    error_code=errors.UNKNOWN_TOPIC_OR_PARTITION,
                    snapshot_id=of.PartitionSnapshot.SnapshotId(end_offset=0, epoch=0),
                    size=0,
                    position=0,
                    unaligned_records=b"",
                )
                for row in topic.partitions
            ],
        )
        for topic in request.topics
    ]
    return FetchSnapshotResponse(error_code=errors.NONE, topics=topics)
