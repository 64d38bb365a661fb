"""Somebody who creates and deletes topics and changes settings, one operation after the other.

What was answered must hold at the end. What was not answered may still come, and nothing is claimed of it.
"""

from __future__ import annotations

from typing import Any, Final

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.create_topics import CreateTopicsRequest
from klamm.kproto.messages.delete_topics import DeleteTopicsRequest
from klamm.kproto.messages.describe_configs import DescribeConfigsRequest
from klamm.kproto.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from klamm.kproto.messages.metadata import MetadataRequest
from tests.sim.sim_client import Client, NotNow

_TOPIC: Final = 2
_SETTING: Final = "retention.ms"


async def create_topic(
    client: Client, name: str, partitions: int, replication_factor: int, configs: dict[str, str]
) -> None:
    """Create a topic; as often as it takes. It is there when this returns."""
    row = CreateTopicsRequest.CreatableTopic
    request = CreateTopicsRequest(
        topics=[
            row(
                name=name,
                num_partitions=partitions,
                replication_factor=replication_factor,
                assignments=[],
                configs=[row.CreatableTopicConfig(name=key, value=value) for key, value in configs.items()],
            )
        ],
        timeout_ms=2000,
    )
    while True:
        try:
            code = await _code(client, request, 5)
            if code in (errors.NONE, errors.TOPIC_ALREADY_EXISTS):
                return
            client.history.counts[f"create: {errors.name_of(code)}"] += 1
        except NotNow:
            pass
        await client.rest()


async def _code(client: Client, request: Any, version: int) -> int:
    """The error code of a request that is about one thing. Raises NotNow when there is no answer."""
    try:
        answer = await client.ask(client.any_broker(), request, version)
    except KafkaError as error:
        raise NotNow(str(error)) from None
    rows = answer.topics if isinstance(request, CreateTopicsRequest) else answer.responses
    return int(rows[0].error_code)


class Admin:
    """Changes metadata for as long as it is let."""

    def __init__(self, client: Client, replication_factor: int) -> None:
        self.client, self.replication_factor = client, replication_factor
        self.is_ending = False
        self._count = 0

    async def run(self) -> None:
        draw = self.client.random
        while not self.is_ending:
            try:
                luck = draw.random()
                topics = [name for name, is_there in self.client.history.topics.items() if is_there]
                if not topics or luck < 0.4:
                    await self._create()
                elif luck < 0.65:
                    await self._delete(topics[draw.randrange(len(topics))])
                else:
                    await self._configure(topics[draw.randrange(len(topics))])
            except NotNow:
                self.client.history.counts["admin: no answer"] += 1
            await self.client.rest(400)

    async def _change(self, what: object, request: Any, version: int, expected: set[int]) -> int:
        """Send a change once. Whatever leaves it open makes `what` unsure for ever. Raises NotNow."""
        history, era = self.client.history, self.client.history.era
        try:
            code = await _code(self.client, request, version)
        except NotNow:
            history.unsure.add(what)
            raise
        if era != history.era or code not in expected | {errors.NONE}:
            history.counts[f"admin: {errors.name_of(code)}"] += 1
            history.unsure.add(what)
            raise NotNow(errors.name_of(code))
        return code

    async def _create(self) -> None:
        self._count += 1
        name = f"{self.client.name}-{self._count}"
        row = CreateTopicsRequest.CreatableTopic(
            name=name,
            num_partitions=1 + self.client.random.randrange(2),
            replication_factor=self.replication_factor,
            assignments=[],
            configs=[],
        )
        await self._change(name, CreateTopicsRequest(topics=[row], timeout_ms=2000), 5, set())
        self.client.history.topics[name] = True
        self.client.history.counts["topics created"] += 1

    async def _delete(self, name: str) -> None:
        await self._change(name, DeleteTopicsRequest(topic_names=[name], timeout_ms=2000), 5, set())
        self.client.history.topics[name] = False
        self.client.history.counts["topics deleted"] += 1

    async def _configure(self, name: str) -> None:
        value = str(10_000_000 + self.client.random.randrange(1000))
        row = IncrementalAlterConfigsRequest.AlterConfigsResource
        request = IncrementalAlterConfigsRequest(
            resources=[
                row(
                    resource_type=_TOPIC,
                    resource_name=name,
                    configs=[row.AlterableConfig(name=_SETTING, config_operation=0, value=value)],
                )
            ],
            validate_only=False,
        )
        await self._change((name, _SETTING), request, 1, set())
        self.client.history.configs[name, _SETTING] = value
        self.client.history.counts["settings changed"] += 1


async def judge(client: Client, address: tuple[str, int]) -> str | None:
    """What one broker tells of topics and settings against what was answered; the first difference. Raises NotNow."""
    history = client.history
    try:
        answer = await client.ask(address, MetadataRequest(topics=None, allow_auto_topic_creation=False), 12)
        known = {topic.name for topic in answer.topics}
        for name, is_there in history.topics.items():
            if name not in history.unsure and (name in known) != is_there:
                return f"I8: {address[0]}: topic {name} is {'not ' if is_there else ''}there"
        for (name, setting), value in history.configs.items():
            if {name, (name, setting)} & history.unsure or not history.topics[name]:
                continue
            row = DescribeConfigsRequest.DescribeConfigsResource(
                resource_type=_TOPIC, resource_name=name, configuration_keys=[setting]
            )
            described = await client.ask(address, DescribeConfigsRequest(resources=[row]), 4)
            found = described.results[0].configs[0].value
            if found != value:
                return f"I8: {address[0]}: {setting} of {name} is {found}, {value} was set"
    except KafkaError as error:
        raise NotNow(str(error)) from None
    return None
