"""`klamm start`: run one node until it is told to stop, or a cluster of them (`start_cluster.py`)."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import signal
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from klamm.server.config.broker_config import BrokerConfig
    from klamm.server.node import Node

DEFAULT_DATA_DIR = "klamm-data"

_EPILOG = """\
Settings have Kafka's names. Later ones win: the profile, the --config file, KAFKA_... environment
variables (named as in the Kafka images: KAFKA_NUM_PARTITIONS sets num.partitions), --override.

examples:
  klamm start                                   127.0.0.1:9092, data in ./klamm-data
  klamm start --memory --port 0                 a free port, no files
  klamm start --brokers 3                       a cluster on 127.0.0.1:9092 to 9094, data in ./klamm-data/node-1, ...
  klamm start --brokers 3 --controllers 3       the same with controllers of their own
  klamm start --config server.properties --override log.retention.hours=1"""


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that say where a node's configuration comes from: shared by the commands that need one."""
    parser.add_argument("--config", metavar="FILE", help="a server.properties file")
    parser.add_argument(
        "--override", metavar="KEY=VALUE", action="append", default=[], help="set one setting; may be repeated"
    )
    parser.add_argument(
        "--data-dir", metavar="DIR", help=f"where the data lives (default: log.dirs, or ./{DEFAULT_DATA_DIR})"
    )
    parser.add_argument(
        "--profile",
        choices=("test", "kafka"),
        default="test",
        help="test: one replica, no waiting (default)\nkafka: Kafka's own defaults",
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    add_config_arguments(parser)
    parser.add_argument("--memory", action="store_true", help="keep everything in memory and write no file")
    parser.add_argument("--port", type=int, metavar="PORT", help="the port of the first listener; 0 picks a free one")
    parser.add_argument("--host", metavar="HOST", help="the address of the first listener (default: 127.0.0.1)")
    parser.add_argument("--brokers", type=int, metavar="N", help="run a cluster: N brokers, each a process of its own")
    parser.add_argument(
        "--controllers",
        type=int,
        default=0,
        metavar="N",
        help="with --brokers: N controllers of their own (default: the brokers are the controllers too)",
    )
    parser.add_argument("--restart", action="store_true", help="with --brokers: start a node again when it dies")
    parser.add_argument("--end-with", type=int, metavar="FD", help=argparse.SUPPRESS)
    parser.add_argument("--ready-file", metavar="FILE", help="written as JSON once the node, or all nodes, serve")
    parser.add_argument(
        "--log-format", choices=("text", "json"), default="text", help="one line an event (default: text)"
    )
    parser.add_argument(
        "--log-level", choices=("debug", "info", "warning", "error"), default="info", help="(default: info)"
    )


def run(args: argparse.Namespace) -> int:
    from klamm.cli.logs import configure
    from klamm.kproto.errors import KafkaError, ProtocolError
    from klamm.log.log_dir import LogDirError
    from klamm.log.meta_properties import InvalidMetaProperties
    from klamm.metadata.storage_format import StorageError
    from klamm.server.config.values import ConfigError

    configure(args.log_format, args.log_level)
    try:
        if args.brokers is not None:
            from klamm.cli.start_cluster import run_cluster

            return run_cluster(args, os.environ, DEFAULT_DATA_DIR)
        if args.controllers or args.restart:
            raise ConfigError("--controllers" if args.controllers else "--restart", "", "--brokers beside it")
        config = load_config(args, os.environ, args.host, args.port, args.memory)
        return _serve(args, config)
    except (ConfigError, LogDirError, StorageError, InvalidMetaProperties, ProtocolError) as error:
        print(f"klamm: {error}", file=sys.stderr)
        return 1
    except KafkaError as error:
        print(f"klamm: {error.message or error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"klamm: {error.strerror or error}{f': {error.filename}' if error.filename else ''}", file=sys.stderr)
        return 1


def load_config(
    args: argparse.Namespace,
    environ: Mapping[str, str],
    host: str | None = None,
    port: int | None = None,
    in_memory: bool = False,
) -> BrokerConfig:
    """The node's configuration from all its sources; `host` and `port` replace those of the first listener.

    Raises ConfigError, OSError.
    """
    from klamm.log.memory_disk import MEMORY_DIRECTORY
    from klamm.server.config.broker_config import BrokerConfig, parse_overrides
    from klamm.server.config.properties import decode, parse_properties

    properties = []
    if args.config:
        with open(args.config, "rb") as file:
            properties = parse_properties(decode(file.read()))
    overrides = parse_overrides(args.override)
    given = {p.name: p.value for p in properties}
    known = {**given, **overrides}
    if in_memory:
        overrides["log.dirs"] = MEMORY_DIRECTORY
    elif args.data_dir:
        overrides["log.dirs"] = args.data_dir
    elif not known.keys() & {"log.dirs", "log.dir"} and not {"KAFKA_LOG_DIRS", "KAFKA_LOG_DIR"} & set(environ):
        overrides["log.dirs"] = DEFAULT_DATA_DIR
    if host is not None or port is not None:
        overrides["listeners"] = _moved(known.get("listeners") or environ.get("KAFKA_LISTENERS"), host, port)
    return BrokerConfig.load(
        profile=args.profile,
        properties=properties,
        properties_name=args.config or "",
        environ=environ,
        overrides=overrides,
    )


def _moved(listeners: str | None, host: str | None, port: int | None) -> str:
    """`listeners` with host and port of the first one replaced."""
    first, *rest = (listeners or "PLAINTEXT://127.0.0.1:9092").split(",")
    name, _, address = first.strip().partition("://")
    old_host, _, old_port = address.rpartition(":")
    return ",".join([f"{name}://{old_host if host is None else host}:{old_port if port is None else port}", *rest])


def _serve(args: argparse.Namespace, config: BrokerConfig) -> int:
    from klamm.server.event_loop import new_event_loop

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_run_node(args, config))


async def _run_node(args: argparse.Namespace, config: BrokerConfig) -> int:
    from klamm.log.disk import RealDisk
    from klamm.log.memory_disk import MemoryDisk
    from klamm.server.node import Node

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if args.end_with is not None:
        loop.add_reader(args.end_with, stop.set)  # its other end is closed: whoever started this node is gone
    node = Node(config, disk=MemoryDisk() if args.memory else RealDisk())
    stopping: asyncio.Future[bool] = asyncio.ensure_future(stop.wait())
    if not await _start(node, stopping):
        return 0
    # What start-up made stays: the collector need not walk it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    if args.ready_file:
        row = {"id": node.node_id, "pid": os.getpid(), "address": node.bootstrap_servers, "roles": sorted(config.roles)}
        write_ready(args.ready_file, {"bootstrap_servers": node.bootstrap_servers, "nodes": [row]})
    waited: list[asyncio.Future[Any]] = [stopping, node.failed]
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    if node.failed.done():
        stopping.cancel()
        await node.halt()
        print(f"klamm: {node.failed.result()}", file=sys.stderr)
        return 1
    await node.stop()
    return 0


async def _start(node: Node, stopping: asyncio.Future[bool]) -> bool:
    """Start the node; False when it was told to stop before it was through (a recovery may take its time)."""
    starting = asyncio.ensure_future(node.start(_show_progress if sys.stderr.isatty() else None))
    waited: list[asyncio.Future[Any]] = [starting, stopping]
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
    try:
        await starting
    except asyncio.CancelledError:
        return False
    except BaseException:
        stopping.cancel()
        raise
    return True


_SHOWN_FROM = 200
"""Fewer logs are loaded before anybody has read a line."""


def _show_progress(done: int, total: int) -> None:
    """One line on the terminal that counts up."""
    step = max(total // 100, 1)
    if total >= _SHOWN_FROM and (done % step == 0 or done == total):
        end = "\n" if done == total else ""
        print(f"\rloading logs: {done} of {total} ({done * 100 // total}%)", end=end, file=sys.stderr, flush=True)


def write_ready(path: str, ready: Mapping[str, Any]) -> None:
    """The ready file appears whole or not at all."""
    with open(f"{path}.tmp", "w", encoding="utf-8") as file:
        json.dump(ready, file)
    os.replace(f"{path}.tmp", path)
