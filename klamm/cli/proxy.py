"""`klamm proxy`: watch, record and disturb what a client and a server say; `klamm proxy replay` says it again."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import signal
import sys
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

from klamm.cli.start import write_ready

if TYPE_CHECKING:
    from klamm.proxy.proxy import Proxy
    from klamm.proxy.rules import Rule
    from klamm.proxy.subjects import TopicNames
    from klamm.seams import Clock, Network

_FLUSH_MS = 200.0

_EPILOG = """\
A client that is given the proxy's address is led through it to every node of the cluster: addresses in
answers are replaced by ports of the proxy. docs/proxy.md describes rules, traces and replays.

examples:
  klamm proxy --listen 127.0.0.1:9192 --to 127.0.0.1:9092
  klamm proxy --listen :9192 --to broker:9092 --record session.trace --show full
  klamm proxy --listen :9192 --to :9092 --fault api=Produce,nth=2,do=error,error=NOT_LEADER_OR_FOLLOWER
  klamm proxy replay session.trace --to 127.0.0.1:9092
  klamm proxy show session.trace"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument(
        "action", nargs="?", choices=("replay", "show"), metavar="replay|show", help="say a trace again, or print it"
    )
    parser.add_argument("trace", nargs="?", metavar="TRACE", help="the trace to replay or to show")
    parser.add_argument("--listen", metavar="HOST:PORT", help="where clients connect; port 0 picks a free one")
    parser.add_argument("--to", metavar="HOST:PORT", help="a server of the cluster")
    parser.add_argument("--advertise", metavar="HOST", help="the host that clients are told (default: as they came)")
    parser.add_argument("--node-ports", metavar="LOW-HIGH", help="ports for the nodes (default: free ones)")
    parser.add_argument("--tls-ca", metavar="FILE", help="reach the servers by TLS, trusting these certificates (PEM)")
    parser.add_argument("--tls-cert", metavar="FILE", help="with --tls-ca: the client's certificate (PEM)")
    parser.add_argument("--tls-key", metavar="FILE", help="with --tls-cert: its key, if it is in another file")
    parser.add_argument("--record", metavar="FILE", help="write a trace")
    parser.add_argument("--record-secrets", action="store_true", help="also SASL bytes and passwords, in plain")
    parser.add_argument("--rules", metavar="FILE", help="faults, as TOML or JSON")
    parser.add_argument("--fault", metavar="RULE", action="append", default=[], help="one fault; may be repeated")
    parser.add_argument("--seed", type=int, metavar="N", help="repeats what probabilities and garbling chose")
    parser.add_argument(
        "--show", choices=("summary", "full", "none"), default="summary", help="what is printed (default: summary)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON objects, one a line")
    parser.add_argument("--ready-file", metavar="FILE", help="written as JSON once the proxy listens")
    parser.add_argument("--pace", action="store_true", help="replay: keep the recorded distances in time too")
    parser.add_argument(
        "--timeout",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="replay: how long to wait for an answer (30)",
    )


def run(args: argparse.Namespace) -> int:
    from klamm.proxy.rules import RuleError
    from klamm.proxy.trace import TraceError

    try:
        if args.action is not None:
            from klamm.cli.proxy_trace import run_trace

            return run_trace(args, parse_address(args.to) if args.to else None)
        if args.listen is None or args.to is None:
            raise RuleError("--listen and --to are needed")
        listen, to = parse_address(args.listen), parse_address(args.to)
        return _serve(args, listen, to, _rules(args))
    except (RuleError, TraceError) as error:
        print(f"klamm: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"klamm: {error.strerror or error}{f': {error.filename}' if error.filename else ''}", file=sys.stderr)
        return 1


def parse_address(text: str) -> tuple[str, int]:
    """`host:port`, `:port` (this machine) or `[v6]:port`. Raises RuleError."""
    from klamm.proxy.rules import RuleError

    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 0xFFFF:
        raise RuleError(f"{text!r} is not of the form HOST:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)


def _rules(args: argparse.Namespace) -> list[Rule]:
    from klamm.proxy.rules import parse_rule, read_rules

    rules = []
    if args.rules:
        with open(args.rules, encoding="utf-8") as file:
            rules = read_rules(file.read(), is_json=args.rules.endswith(".json"))
    return rules + [parse_rule(text) for text in args.fault]


def _serve(args: argparse.Namespace, listen: tuple[str, int], to: tuple[str, int], rules: list[Rule]) -> int:
    from klamm.server.event_loop import new_event_loop

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_run_proxy(args, listen, to, rules))


async def _run_proxy(args: argparse.Namespace, listen: tuple[str, int], to: tuple[str, int], rules: list[Rule]) -> int:
    from klamm.proxy.faults import Faults
    from klamm.proxy.proxy import Proxy
    from klamm.proxy.subjects import TopicNames
    from klamm.seams import SeededEntropy, SystemClock, SystemEntropy, TcpNetwork

    loop = asyncio.get_running_loop()
    clock, names = SystemClock(loop), TopicNames()
    with contextlib.ExitStack() as files:
        record = files.enter_context(open(args.record, "w", encoding="utf-8")) if args.record else None
        entropy = SystemEntropy() if args.seed is None else SeededEntropy(args.seed)
        faults = Faults(rules, entropy, names) if rules else None
        proxy = Proxy(
            listen,
            to,
            network=TcpNetwork(),
            upstream=_upstream(args),
            clock=clock,
            watcher=_watcher(args, clock, names, record),
            faults=faults,
            names=names,
            advertise=args.advertise,
            ports=_ports(args.node_ports),
        )
        await proxy.start()
        await _until_told(args, proxy, clock, record)
        await proxy.stop()
        for line in faults.told() if faults is not None else ():
            print(f"klamm: {line}", file=sys.stderr)
    return 0


def _upstream(args: argparse.Namespace) -> Network | None:
    """How the servers are reached; None: like the clients reach the proxy. Raises OSError for a certificate."""
    if args.tls_ca is None:
        return None
    import ssl

    from klamm.seams import TlsClientNetwork

    context = ssl.create_default_context(cafile=args.tls_ca)
    if args.tls_cert:
        context.load_cert_chain(args.tls_cert, args.tls_key)
    return TlsClientNetwork(context)


def _ports(text: str | None) -> range | None:
    from klamm.proxy.rules import RuleError

    if text is None:
        return None
    low, _, high = text.partition("-")
    if not low.isdecimal() or not high.isdecimal():
        raise RuleError(f"--node-ports is a range like 9193-9199, not {text!r}")
    return range(int(low), int(high) + 1)


def _watcher(args: argparse.Namespace, clock: Clock, names: TopicNames, record: IO[str] | None) -> Any:
    from klamm.proxy.show import NONE, Shower, Watchers
    from klamm.proxy.trace import TraceWriter

    watchers: list[Any] = []
    if record is not None:
        write = _Output(record.write, f"nothing more is recorded to {args.record}")
        watchers.append(TraceWriter(write, clock, args.to, has_secrets=args.record_secrets))
    if args.show != NONE:
        watchers.append(
            Shower(_Output(_print, "nothing more is shown"), clock, names, form=args.show, is_json=args.json)
        )
    return None if not watchers else watchers[0] if len(watchers) == 1 else Watchers(*watchers)


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


class _Output:
    """Writes text for as long as that can be done: a full disk or a reader that has gone must not stop the traffic."""

    def __init__(self, write: Callable[[str], object], last_words: str) -> None:
        self._write: Callable[[str], object] | None = write
        self._last_words = last_words

    def __call__(self, text: str) -> None:
        if self._write is None:
            return
        try:
            self._write(text)
        except OSError as error:
            self._write = None
            print(f"klamm: {error.strerror or error}: {self._last_words}", file=sys.stderr)


async def _until_told(args: argparse.Namespace, proxy: Proxy, clock: Clock, record: IO[str] | None) -> None:
    """Say where the proxy listens, and wait for a signal to stop; SIGUSR1 lets go what `hold` holds."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if proxy.faults is not None:
        loop.add_signal_handler(signal.SIGUSR1, proxy.faults.release)
    if args.ready_file:
        write_ready(args.ready_file, {"bootstrap_servers": proxy.address})
    told = {"event": "listening", "address": proxy.address, "to": args.to}
    print(json.dumps(told) if args.json else f"{proxy.address} leads to {args.to}", flush=True)
    # What start-up made stays: the collector need not walk it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    flushing = _Flushing(clock, record, args.record) if record is not None else None
    await stop.wait()
    if flushing is not None:
        flushing.stop()


class _Flushing:
    """What is recorded reaches the file soon, also when the proxy is killed."""

    def __init__(self, clock: Clock, record: IO[str], name: str) -> None:
        self._clock = clock
        self._flush = _Output(lambda _: record.flush(), f"nothing more is recorded to {name}")
        self._again()

    def _again(self) -> None:
        self._flush("")
        self._timer = self._clock.call_later(_FLUSH_MS, self._again)

    def stop(self) -> None:
        self._timer.cancel()
