"""`klamm start --brokers N`: a cluster on this machine, each node a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from klamm.cli.cluster_directories import STATE_FILE, ClusterNode, Wanted, make, planned, taken
from klamm.cli.rolling_restart import look_at
from klamm.cli.supervisor import Supervisor
from klamm.kproto.uuids import uuid_text
from klamm.seams import SystemEntropy
from klamm.server.config.addresses import Address
from klamm.server.config.broker_config import parse_overrides
from klamm.server.config.environment import cluster_id_from
from klamm.server.config.profiles import DEFAULT_HOST, DEFAULT_PORT
from klamm.server.config.properties import decode, parse_properties


def run_cluster(args: argparse.Namespace, environ: Mapping[str, str], default_directory: str) -> int:
    """Prepare the nodes, and run them until they are told to stop. Raises what `planned` and `make` raise."""
    directory = tempfile.mkdtemp(prefix="klamm-") if args.memory else args.data_dir or default_directory
    try:
        wanted = Wanted(
            directory,
            args.brokers,
            args.controllers,
            args.host or DEFAULT_HOST,
            DEFAULT_PORT if args.port is None else args.port,
            args.profile,
            _settings_in(args.config),
            environ,
            parse_overrides(args.override),
            args.memory,
        )
        plan = planned(wanted)
        with taken(directory):
            return _run(args, environ, directory, make(wanted, plan, cluster_id_from(environ)))
    finally:
        if args.memory:
            shutil.rmtree(directory, ignore_errors=True)


def _run(args: argparse.Namespace, environ: Mapping[str, str], directory: str, nodes: Sequence[ClusterNode]) -> int:
    from klamm.cli.start import write_ready
    from klamm.server.event_loop import new_event_loop

    state_file = os.path.join(directory, STATE_FILE)
    _remove(state_file)  # of one that was killed
    brokers = [Address(node.host, node.port) for node, _ in nodes if node.port]
    cluster_id = cluster_id_from(environ) or uuid_text(SystemEntropy().uuid()) if args.memory else None

    def tell(ready: Mapping[str, Any]) -> None:
        write_ready(state_file, {"pid": os.getpid(), **ready})
        if args.ready_file:
            write_ready(args.ready_file, ready)

    supervisor = Supervisor(
        nodes,
        lambda node, ready_file, pipe: command_of(args, node, ready_file, pipe),
        restart=args.restart,
        # In memory there is no directory that was formatted with one cluster id for all.
        environment=environ if cluster_id is None else {**environ, "CLUSTER_ID": cluster_id},
        tell=tell,
        is_json=args.log_format == "json",
        look=None if args.memory else lambda: look_at(brokers),
    )
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            return runner.run(supervisor.run())
    finally:
        _remove(state_file)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.remove(path)


def _settings_in(config_file: str | None) -> dict[str, str]:
    if not config_file:
        return {}
    with open(config_file, "rb") as file:
        return {entry.name: entry.value for entry in parse_properties(decode(file.read()))}


def command_of(args: argparse.Namespace, node: ClusterNode, ready_file: str, pipe: int) -> list[str]:
    """The command line of one node: the command for a single one, with the node's own settings."""
    command = [sys.executable, "-m", "klamm", "start", "--config", node.settings_file, "--profile", args.profile]
    command += ["--ready-file", ready_file, "--log-format", args.log_format, "--log-level", args.log_level]
    command += ["--end-with", str(pipe)]
    for override in (*args.override, *(f"{name}={value}" for name, value in node.node.overrides.items())):
        command += ["--override", override]
    return command + (["--memory"] if args.memory else [])
