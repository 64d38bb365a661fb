"""`klamm format`: prepare log directories, as `kafka-storage format` does."""

from __future__ import annotations

import argparse
import os
import sys

from klamm.cli.start import add_config_arguments, load_config

_EPILOG = """\
A node formats its directories at its first start by itself; this is for choosing the cluster id or the
feature levels beforehand.

examples:
  klamm format --data-dir data --cluster-id MkU3OEVBNTcwNTJENDM2Qk
  klamm format --config server.properties --release-version 4.1 --feature share.version=1
  klamm format --config server.properties --cluster-id MkU3OEVBNTcwNTJENDM2Qk \\
    --initial-controllers 1@127.0.0.1:9093:JEXY6aqzQY-32P5TStzaFg,2@127.0.0.1:9095:MvDxzVmcRsaTz33bUuRU6A"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    add_config_arguments(parser)
    parser.add_argument("--cluster-id", metavar="ID", help="the cluster's id (default: a new one)")
    parser.add_argument(
        "--release-version",
        metavar="RELEASE",
        help="the Kafka release whose feature levels the cluster begins with, 4.0 to 4.3 (default: the newest)",
    )
    parser.add_argument(
        "--feature", metavar="NAME=LEVEL", action="append", default=[], help="a feature's level; may be repeated"
    )
    voters = parser.add_mutually_exclusive_group()
    voters.add_argument("--standalone", action="store_true", help="this controller is the only voter (default)")
    voters.add_argument(
        "--initial-controllers",
        metavar="LIST",
        help="the voters of a new quorum: id@host:port:directory-id, separated by commas",
    )
    voters.add_argument(
        "--no-initial-controllers", action="store_true", help="the node is no voter of a new quorum: it will find them"
    )
    parser.add_argument(
        "--ignore-formatted", action="store_true", help="succeed when the directories are formatted already"
    )


def run(args: argparse.Namespace) -> int:
    from klamm.log.log_dir import LogDirError
    from klamm.log.meta_properties import InvalidMetaProperties
    from klamm.metadata.storage_format import StorageError
    from klamm.server.config.values import ConfigError

    try:
        return _format(args)
    except (ConfigError, LogDirError, StorageError, InvalidMetaProperties, ValueError) as error:
        print(f"klamm: {error}", file=sys.stderr)
    except OSError as error:
        print(f"klamm: {error.strerror or error}{f': {error.filename}' if error.filename else ''}", file=sys.stderr)
    return 1


def _format(args: argparse.Namespace) -> int:
    from klamm.kproto.uuids import uuid_bytes
    from klamm.log.disk import RealDisk
    from klamm.server.formatting import format_directories, parse_initial_controllers

    config = load_config(args, os.environ)
    cluster_id = args.cluster_id or config.cluster_id
    if cluster_id is not None:
        uuid_bytes(cluster_id)
    voters = None
    if args.initial_controllers:
        voters = parse_initial_controllers(args.initial_controllers, config.listeners.controller_names[0])
        if "controller" in config.roles and voters.voter(config.node_id) is None:
            raise ValueError(f"node {config.node_id} is a controller and not among the --initial-controllers")
    storage, failures = format_directories(
        config,
        RealDisk(),
        cluster_id=cluster_id,
        is_standalone="controller" in config.roles and not args.no_initial_controllers,
        initial_voters=voters,
        feature_levels=_levels(args.release_version, args.feature),
    )
    for path, reason in failures:
        print(f"klamm: {path} cannot be formatted: {reason}", file=sys.stderr)
        return 1
    if not storage.was_formatted:
        print(f"{', '.join(config.log_dirs)}: formatted already, cluster id {storage.cluster_id}")
        return 0 if args.ignore_formatted else 1
    print(f"{', '.join(config.log_dirs)}: formatted for node {storage.node_id} of cluster {storage.cluster_id}")
    return 0


def _levels(release: str | None, given: list[str]) -> dict[str, int]:
    from klamm.metadata.features import METADATA_VERSION, metadata_version_of

    levels = {} if release is None else {METADATA_VERSION: metadata_version_of(release)}
    for entry in given:
        name, equals, level = entry.partition("=")
        if not equals or not level.isdecimal():
            raise ValueError(f"--feature {entry}: NAME=LEVEL was expected, with a number")
        if name == METADATA_VERSION and release is not None:
            raise ValueError(f"--release-version and --feature {METADATA_VERSION} say the same: give one of them")
        levels[name] = int(level)
    return levels
