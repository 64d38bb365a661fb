"""Transactional batches of clients, as long as no coordinator knows their transactions (KIP-890)."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto.messages.produce import ProduceRequest, ProduceResponse
from klamm.testing import Cluster
from klamm.testing.wire import WireClient
from tests.log.conftest import Lab

Data = ProduceRequest.TopicProduceData


@pytest.mark.parametrize("verify", [True, False])
def test_a_transaction_that_cannot_be_verified_does_not_begin(verify: bool) -> None:
    setting = {"transaction.partition.verification.enable": str(verify).lower()}
    with Cluster(config=setting) as cluster, WireClient(cluster.bootstrap_servers) as client:
        cluster.create_topic("t")

        def produce(sequence: int) -> Any:
            fields = {"producer_id": 5, "producer_epoch": 0, "base_sequence": sequence, "transactional": True}
            data = Data.PartitionProduceData(index=0, records=bytes(Lab().batch(1, **fields)))
            asked = Data(name="t", partition_data=[data])
            request = ProduceRequest(transactional_id="x", acks=-1, timeout_ms=1000, topic_data=[asked])
            return client.ask(request, 11, ProduceResponse).responses[0].partition_responses[0]

        first = produce(0)
        if verify:
            assert first.error_code == errors.NOT_ENOUGH_REPLICAS
            assert (first.base_offset, first.log_start_offset) == (-1, -1)
            assert "verified" in first.error_message
        else:
            assert (first.error_code, first.base_offset, first.error_message) == (0, 0, None)
            assert (produce(1).error_code, produce(1).base_offset) == (0, 1)
