"""The metadata log of a real controller, read while it is written."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from klamm.kproto import records
from klamm.kproto.json_form import to_json
from klamm.kproto.schema import Message
from klamm.metadata.image.image import EMPTY, MetadataDelta, MetadataImage
from klamm.metadata.record_codec import decode_record

Json = dict[str, Any]

_READS_MAX = 20
_READ_AGAIN_S = 0.05


class MetadataLogReader:
    """`image` is what has been read. `data_dir` holds `__cluster_metadata-0`, of one segment."""

    def __init__(self, data_dir: Path) -> None:
        self.image: MetadataImage = EMPTY
        self._directory = data_dir / "__cluster_metadata-0"
        self._position = 0

    def new_batches(self) -> list[list[Json]]:
        """The batches since the last call, as rows of offset, type, version and data; control batches are empty."""
        files = sorted(self._directory.glob("*.log"))
        if not files:
            return []
        if len(files) > 1:
            raise RuntimeError(f"the metadata log has other segments: {files}")
        told: list[list[Json]] = []
        for _ in range(_READS_MAX):
            with open(files[0], "rb") as file:
                file.seek(self._position)
                data = file.read()
            for batch in records.batches(data):
                self._position += len(batch.view)
                data = data[len(batch.view) :]
                told.append(self._take(batch))
            if not data:
                return told
            time.sleep(_READ_AGAIN_S)  # the last batch is being written
        raise RuntimeError(f"{len(data)} bytes of the metadata log at {self._position} are no batch")

    def _take(self, batch: records.Batch) -> list[Json]:
        delta = MetadataDelta(self.image)
        rows = []
        offset = batch.base_offset
        for record in records.iter_records(batch):
            offset = record.offset
            if not batch.is_control:
                message, version = decode_record(record.value)
                delta.apply(message)
                data = json_of(message, version)
                rows.append({"offset": offset, "type": type(message).__name__, "version": version, "data": data})
        self.image = delta.build(offset, batch.partition_leader_epoch)
        return rows


def json_of(message: Message, version: int) -> Json:
    """In the form of Kafka's JSON converters."""
    return to_json(message, version, type(message).__schema__.is_flexible(version))
