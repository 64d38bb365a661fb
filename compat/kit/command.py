"""`klamm compat run`: the same steps on two servers, and a score card of how far the answers are equal.

Exit status: 0 when every difference is a known one and no client suite lost a test, 1 otherwise, 2 when the run could
not be made.
"""

from __future__ import annotations

import argparse
import json
import math
import signal
import ssl
import sys
import time
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from compat import providers
from compat.access import MECHANISMS, Access
from compat.differential.card import Card
from compat.differential.cases import LIVELY, CaseFunction, all_cases
from compat.differential.drawing import NAMES
from compat.differential.known import KNOWN
from compat.external import ExternalTarget
from compat.kafka_jars import MissingTool
from compat.kit import html, pairs, suite_runs, text
from compat.kit.coverage import Errors, coverage
from compat.kit.random_search import search
from compat.kit.running import run_case
from compat.suites import Suite, all_suites

SLOW = (
    "live_configs.*", "random_requests.*", "feature_levels.*",
    "configs.incremental_topic", "configs.incremental_broker", "configs.alter_configs",
    "subscriptions.unreadable_subscriptions", "sessions.two-members",
)  # fmt: skip
"""Cases that `--short` leaves out, besides those that need a second pair of brokers."""
SHORT_S = 45.0
"""No case of `--short` begins later than that after the start: it ends within a minute on a busy machine, too."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `klamm compat run`."""
    names = ", ".join(providers.names())
    parser.add_argument("--target", default="klamm", metavar="NAME", help=f"what is tried: {names} (default: klamm)")
    parser.add_argument(
        "--against", default="kafka", metavar="NAME", help="what it is held to (default: kafka, which is 4.3.1)"
    )
    parser.add_argument("--bootstrap", metavar="HOST:PORT", help="try the server that runs there, in place of --target")
    parser.add_argument("--provider", choices=providers.PROVIDERS, default="auto", help="where Kafka comes from")
    parser.add_argument("--short", action="store_true", help="lowest and highest versions only; ends within a minute")
    parser.add_argument("--only", action="append", metavar="PATTERN", help="only these cases and suites ('fetch.*')")
    parser.add_argument("--no-suites", action="store_true", help="leave the client suites out")
    parser.add_argument(
        "--random",
        type=int,
        default=0,
        metavar="N",
        help="N random requests for each API version more (of all APIs, "
        "or of those that --only names as 'random_requests.Fetch')",
    )
    parser.add_argument("--seed", type=int, default=0, help="the seed of --random")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the score card there, as JSON")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write it there as one page of HTML")
    parser.add_argument("--resume", action="store_true", help="go on where the run that wrote the --json file ended")
    parser.add_argument("--list", action="store_true", help="name the cases and suites, and run nothing")
    access = parser.add_argument_group("credentials for --bootstrap")
    access.add_argument("--tls", action="store_true", help="encrypt; the server's certificate is checked")
    access.add_argument("--tls-ca", metavar="FILE", help="the authority that signed it (PEM)")
    access.add_argument("--tls-cert", metavar="FILE", help="our own certificate and its key (PEM)")
    access.add_argument("--sasl", choices=MECHANISMS, help="authenticate by this mechanism")
    access.add_argument("--user", default="", help="the user's name")
    access.add_argument("--password-file", type=Path, metavar="FILE", help="a file with the password")


def run(options: argparse.Namespace) -> int:
    """Run what was asked for; gives the exit status."""
    cases, suites = _chosen(options)
    if options.list:
        sys.stdout.writelines(f"{name}\n" for name in (*cases, *(f"suite {suite.name}" for suite in suites)))
        return 0
    if options.resume and not options.json:
        sys.stderr.write("klamm compat: --resume needs the --json FILE of the run that ended early\n")
        return 2
    if not cases and not suites and not options.random:
        sys.stderr.write("klamm compat: no case and no suite is called so; --list names them\n")
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the brokers end with us
    try:
        report = _report(options, _wanted(options), cases, suites)
    except (MissingTool, ValueError, RuntimeError, OSError) as error:
        sys.stderr.write(f"klamm compat: {error}\n")
        return 2
    _save(options, report)
    if options.html:
        options.html.write_text(html.page(report))
    sys.stdout.write(text.table(report))
    return 1 if report["unexplained"] or report["broken"] or any(suite["lost"] for suite in report["suites"]) else 0


def _chosen(options: argparse.Namespace) -> tuple[dict[str, CaseFunction], list[Suite]]:
    def named(name: str) -> bool:
        return any(fnmatchcase(name, pattern) or pattern in name for pattern in options.only)

    cases, suites = all_cases(), [] if options.no_suites else all_suites()
    if options.only:
        return {name: case for name, case in cases.items() if named(name)}, [s for s in suites if named(s.name)]
    if options.short:
        left_out = {name for name in cases if name in LIVELY or any(fnmatchcase(name, slow) for slow in SLOW)}
        return {k: v for k, v in cases.items() if k not in left_out}, [s for s in suites if s.is_short]
    return cases, suites


def _random_apis(options: argparse.Namespace) -> list[str]:
    """Those whose cases of random requests --only names; all if it names none."""
    patterns = options.only or ()
    return [api for api in NAMES if any(fnmatchcase(f"random_requests.{api}", p) for p in patterns)] or list(NAMES)


def _wanted(options: argparse.Namespace) -> pairs.Wanted:
    tls = None
    if options.tls or options.tls_ca or options.tls_cert:
        tls = ssl.create_default_context(cafile=options.tls_ca)
        if options.tls_cert:
            tls.load_cert_chain(options.tls_cert)
    password = options.password_file.read_text().strip() if options.password_file else ""
    access = Access(tls, options.sasl or "", options.user, password)
    return pairs.Wanted(options.bootstrap or options.target, options.against, options.provider, access)


def _save(options: argparse.Namespace, report: Mapping[str, Any]) -> None:
    if options.json:
        text_of = json.dumps(report, indent=1) + "\n"
        beside = options.json.with_name(f".{options.json.name}.new")
        beside.write_text(text_of)
        beside.replace(options.json)


def _report(
    options: argparse.Namespace, wanted: pairs.Wanted, cases: Mapping[str, CaseFunction], suites: Sequence[Suite]
) -> dict[str, Any]:
    """The card. It is written to the --json file as it grows, with `unfinished`, until a run has come to its end."""
    report: dict[str, Any] = {"target": wanted.left, "against": wanted.right, "short": options.short}
    report["is_part"] = bool(options.only)
    before = _unfinished(options, report)
    if before:
        report = before
    else:
        report |= _cases_report(options, wanted, cases) | {"suites": []}
        _save(options, report | {"unfinished": True})

    def save(rows: list[suite_runs.Row]) -> None:
        _save(options, report | {"suites": rows, "unfinished": True})

    report["suites"] = suite_runs.run(wanted, suites, _note, report["suites"], save)
    report.pop("unfinished", None)
    _note("")
    return report


def _unfinished(options: argparse.Namespace, same: Mapping[str, Any]) -> dict[str, Any]:
    """The card of a run that ended before its end, if it was the same run; {} if there is none."""
    if not options.resume or not options.json.exists():
        return {}
    found: dict[str, Any] = json.loads(options.json.read_text())
    is_same = all(found.get(name) == value for name, value in same.items())
    if not is_same:
        raise ValueError(f"{options.json} is the card of another run; leave --resume out to begin anew")
    return found


def _cases_report(
    options: argparse.Namespace, wanted: pairs.Wanted, cases: Mapping[str, CaseFunction]
) -> dict[str, Any]:
    """The part of the card that has no client suites."""
    is_ours = wanted.left == "klamm" and wanted.right.startswith("kafka")
    card = Card(KNOWN if is_ours else ())
    errors = Errors()
    broken: dict[str, str] = {}
    report: dict[str, Any] = {}
    deadline = time.monotonic() + SHORT_S if options.short else math.inf
    usual = {name: case for name, case in cases.items() if name not in LIVELY}
    # What may bring a server down comes last.
    usual = dict(sorted(usual.items(), key=lambda item: item[0].startswith("odd_frames.")))
    lively = {name: case for name, case in cases.items() if name in LIVELY}
    if usual or options.random:
        with pairs.running(wanted, ends=broken) as pair:
            report |= {"target_name": pair.left.name, "against_name": pair.right.name}
            _run_cases(pair, usual, card, errors, broken, options.short, deadline)
            if options.random:
                report["random"] = search(pair, card, options.random, options.seed, _note, _random_apis(options))
            report |= coverage(pair, card)
    if lively and options.bootstrap:
        for name in lively:
            card.add(name, [], [], "it takes a broker with settings of its own")
    elif lively:
        with pairs.running(wanted, pairs.LIVELY, broken) as pair:
            _run_cases(pair, lively, card, errors, broken, options.short, deadline)
    return report | {
        **card.as_json(),
        "errors": errors.as_json(),
        "broken": broken,
        "left_out": len(cases) - card.cases,
    }


def _run_cases(
    pair: pairs.Pair,
    cases: Mapping[str, CaseFunction],
    card: Card,
    errors: Errors,
    broken: dict[str, str],
    is_short: bool,
    deadline: float,
) -> None:
    """The cases that begin before the deadline (monotonic seconds)."""
    plan = pair.plan(is_short=is_short)
    for number, (name, case) in enumerate(cases.items(), 1):
        if time.monotonic() > deadline:
            break
        _note(f"{number}/{len(cases)} {name}")
        ran = run_case(pair, name, case, plan)
        card.add(name, ran.left, ran.differences, ran.cut)
        errors.add(ran.right)
        if ran.broken:
            broken[name] = ran.broken
        if isinstance(pair.left, ExternalTarget) and not pair.left.is_there():
            broken[name] = f"{pair.left.name} was gone after this case; the rest was not asked"
            break


def _note(what: str) -> None:
    """What is being done, in one line that the next one takes the place of; lines with an end stay."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{what}")
    elif what.endswith("\n"):
        sys.stderr.write(what)
    sys.stderr.flush()
