"""`klamm cluster status`: nodes, quorum and partitions of a running cluster, for people or as JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from klamm.cli.cluster_facts import ClusterState, NodeState, PartitionState, QuorumReplica

DEFAULT_SERVER: Final = "127.0.0.1:9092"
ROWS_MAX: Final = 30
_EPILOG = """\
exit status: 0 every node works and every partition has all its replicas, 1 something is amiss, 2 nobody answers

examples:
  klamm cluster status
  klamm cluster status --bootstrap-server kafka1:9092,kafka2:9092 --all
  klamm cluster status --json | jq '.topics[].partitions[] | select(.leader_id < 0)'"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument(
        "--bootstrap-server",
        metavar="HOST:PORT",
        default=DEFAULT_SERVER,
        help=f"brokers to ask, separated by commas; the first that answers (default: {DEFAULT_SERVER})",
    )
    parser.add_argument("--all", action="store_true", help=f"show all topics, not only the first {ROWS_MAX}")
    parser.add_argument("--json", action="store_true", help="everything, each partition too, as one JSON object")
    parser.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS", help="for an answer (default: 10)")


def run(args: argparse.Namespace) -> int:
    from klamm.cli.cluster_facts import NotReached, ask_cluster, parse_bootstrap

    try:
        state = asyncio.run(ask_cluster(parse_bootstrap(args.bootstrap_server), args.timeout * 1000))
    except (NotReached, ValueError) as error:
        print(f"klamm: {error}", file=sys.stderr)
        return 2
    if args.json:
        print(json.dumps(state.as_json(), indent=1))
    else:
        from rich.console import Console

        console = Console(highlight=False)
        if not console.is_terminal:
            console = Console(highlight=False, width=160)  # a pipe has no width: nothing is to be cut off there
        show(console, state, show_all=args.all)
    return 0 if state.is_well else 1


def show(console: Console, state: ClusterState, *, show_all: bool = False) -> None:
    """Print the overview."""
    quorum = state.quorum
    leader = f"node {quorum.leader_id}" if quorum.leader_id >= 0 else "[red]none[/]"
    console.print(
        f"cluster [bold]{state.cluster_id}[/], active controller [bold]{leader}[/], epoch {quorum.leader_epoch}"
    )
    console.print()
    console.print(_nodes(state))
    console.print(_quorum(state))
    topics = _topics(state, None if show_all else ROWS_MAX)
    if topics.row_count:
        console.print(topics)
    rows = [partition for partition in state.partitions if partition.is_offline or partition.is_under_replicated]
    if rows:
        console.print(_troubled(rows[:ROWS_MAX]))
        if len(rows) > ROWS_MAX:
            console.print(f"... and {len(rows) - ROWS_MAX} partitions more (--json has all)")
    console.print(_summary(state))


def _table(title: str, *columns: str) -> Table:
    """A table; columns with a `#` in front hold numbers."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column.removeprefix("#"), justify="right" if column.startswith("#") else "left", no_wrap=True)
    return table


def _nodes(state: ClusterState) -> Table:
    racks = any(node.rack for node in state.nodes)
    columns = ["#node", "address", "roles", *(["rack"] if racks else []), "state"]
    table = _table("nodes", *columns, "#leaders", "#replicas", "#out of sync")
    for node in state.nodes:
        is_active = node.node_id == state.quorum.leader_id
        roles = ", ".join(node.roles) + (" [green](active)[/]" if is_active else "")
        cells = [str(node.node_id), node.address or "?", roles, *([node.rack or ""] if racks else []), _state(node)]
        if "broker" in node.roles:
            cells += [str(node.leaders), str(node.replicas), _bad(node.out_of_sync)]
        table.add_row(*cells)
    return table


def _state(node: NodeState) -> str:
    if node.is_fenced:
        return "[red]fenced[/]"
    return "[red]silent[/]" if node.is_silent else "[green]well[/]"


def _quorum(state: ClusterState) -> Table:
    quorum = state.quorum
    table = _table(f"quorum (committed up to {quorum.high_watermark})", "#node", "part", "#end", "#lag", "caught up")
    for replicas, part in ((quorum.voters, "voter"), (quorum.observers, "observer")):
        for replica in sorted(replicas, key=lambda replica: replica.node_id):
            is_leader = replica.node_id == quorum.leader_id and part == "voter"
            lag = f"[yellow]{replica.lag}[/]" if replica.is_silent else str(replica.lag)
            caught_up = "" if is_leader else _caught_up(replica)
            cells = [str(replica.node_id), "[green]leader[/]" if is_leader else part, str(replica.end_offset), lag]
            table.add_row(*cells, caught_up)
    return table


def _caught_up(replica: QuorumReplica) -> str:
    if replica.caught_up_ms_ago is None:
        return "[red]never[/]"
    ago_s = replica.caught_up_ms_ago / 1000
    return f"[red]{ago_s:.0f} s ago[/]" if replica.is_silent else f"{ago_s:.1f} s ago"


def _topics(state: ClusterState, rows_max: int | None) -> Table:
    by_topic: dict[str, list[PartitionState]] = {}
    for partition in state.partitions:
        by_topic.setdefault(partition.topic, []).append(partition)
    shown = list(by_topic.items())[:rows_max]
    title = "topics" if len(shown) == len(by_topic) else f"topics (the first {len(shown)} of {len(by_topic)})"
    table = _table(title, "topic", "#partitions", "#replicas", "#under-replicated", "#offline", "#not preferred")
    for name, partitions in shown:
        replicas = sorted({len(partition.replicas) for partition in partitions})
        table.add_row(
            name + (" [dim](internal)[/]" if name in state.internal_topics else ""),
            str(len(partitions)),
            "-".join(map(str, dict.fromkeys((replicas[0], replicas[-1])))),
            _bad(sum(partition.is_under_replicated for partition in partitions)),
            _bad(sum(partition.is_offline for partition in partitions)),
            str(sum(not partition.has_preferred_leader for partition in partitions)),
        )
    return table


def _troubled(partitions: list[PartitionState]) -> Table:
    table = _table("partitions in trouble", "partition", "#leader", "#epoch", "replicas", "in sync", "eligible")
    for partition in partitions:
        leader = "[red]none[/]" if partition.is_offline else str(partition.leader_id)
        lists = [",".join(map(str, ids)) for ids in (partition.replicas, partition.isr, partition.eligible)]
        table.add_row(f"{partition.topic}-{partition.index}", leader, str(partition.leader_epoch), *lists)
    return table


def _summary(state: ClusterState) -> str:
    under, offline = len(state.under_replicated), len(state.offline)
    absent = [str(node.node_id) for node in state.absent]
    words = [f"{len(state.partitions)} partitions: {_bad(under)} under-replicated, {_bad(offline)} offline"]
    if absent:
        words.append(f"[red]node{'s' if len(absent) > 1 else ''} {', '.join(absent)} not there[/]")
    return "; ".join(words) + ("; [green]all is well[/]" if state.is_well else "")


def _bad(count: int) -> str:
    """A count that should be 0."""
    return f"[red]{count}[/]" if count else str(count)
