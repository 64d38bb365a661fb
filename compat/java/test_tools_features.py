"""kafka-features: levels shown, raised, lowered and disabled. Each test leaves the levels as it found them."""

from __future__ import annotations

import re

import pytest

from compat.java.tools import Cli

pytestmark = pytest.mark.needs("java", "javac", "mvn")

NEWEST = {
    "eligible.leader.replicas.version": "1",
    "group.version": "1",
    "kraft.version": "1",
    "metadata.version": "4.3-IV0",
    "share.version": "1",
    "streams.version": "1",
    "transaction.version": "2",
}
WHOLE = "The update failed for all features since the following feature had an error: "
SHARE = ("--feature", "share.version=0")


def _levels(cli: Cli) -> dict[str, str]:
    lines = cli.ok("kafka-features", "describe").lines
    return {
        row["Feature"]: row["FinalizedVersionLevel"] for row in (dict(re.findall(r"(\w+): (\S+)", x)) for x in lines)
    }


def test_describe(cli: Cli) -> None:
    assert _levels(cli) == NEWEST
    rows = [re.split(r"\s{2,}", line) for line in cli.ok("kafka-features", "describe").lines]
    supported = {row[0]: row[1:3] for row in rows}
    assert supported["Feature: metadata.version"] == ["SupportedMinVersion: 3.3-IV3", "SupportedMaxVersion: 4.3-IV0"]
    assert supported["Feature: transaction.version"] == ["SupportedMinVersion: 0", "SupportedMaxVersion: 2"]


def test_down_and_up(cli: Cli) -> None:
    assert cli.ok("kafka-features", "downgrade", *SHARE, "--dry-run").lines == ["share.version can be downgraded to 0."]
    assert _levels(cli) == NEWEST
    assert cli.ok("kafka-features", "downgrade", *SHARE).lines == ["share.version was downgraded to 0."]
    assert cli.ok("kafka-features", "downgrade", *SHARE, "--unsafe").lines == ["share.version was downgraded to 0."]
    assert cli.ok("kafka-features", "disable", "--feature", "streams.version").lines == [
        "streams.version was disabled."
    ]
    dry = cli.ok("kafka-features", "disable", "--feature", "group.version", "--unsafe", "--dry-run")
    assert dry.lines == ["group.version can be disabled."]
    assert _levels(cli) == {**NEWEST, "share.version": "0", "streams.version": "0"}
    raised = cli.ok("kafka-features", "upgrade", "--feature", "share.version=1", "--feature", "streams.version=1")
    assert raised.lines == ["share.version was upgraded to 1.", "streams.version was upgraded to 1."]
    assert _levels(cli) == NEWEST


def test_upgrade_to_the_release(cli: Cli) -> None:
    raised = cli.ok("kafka-features", "upgrade", "--release-version", "4.3").lines
    levels = {**NEWEST, "metadata.version": "30"}
    assert raised == [f"{name} was upgraded to {level}." for name, level in levels.items()]
    alone = cli.ok("kafka-features", "upgrade", "--metadata", "4.3-IV0")
    assert alone.lines[-1] == "metadata.version was upgraded to 30."


@pytest.mark.parametrize(
    ("command", "arguments", "reason"),
    [
        (
            "upgrade",
            ("--feature", "no.such=1"),
            "Could not upgrade no.such to 1. {whole}Invalid update version 1 for feature no.such. "
            "Local controller {node} does not support this feature.",
        ),
        (
            "upgrade",
            ("--feature", "share.version=2", "--dry-run"),
            "Can not upgrade share.version to 2. {whole}Invalid update version 2 for feature share.version. "
            "Local controller {node} only supports versions 0-1",
        ),
        (
            "downgrade",
            ("--metadata", "4.2-IV1"),
            "Could not downgrade metadata.version to 29. {whole}Unsupported metadata.version downgrade from 30 to 29. "
            "Refusing to perform the requested downgrade because it might delete metadata information.",
        ),
        (
            "downgrade",
            ("--metadata", "4.2-IV1", "--unsafe"),
            "Could not downgrade metadata.version to 29. {whole}Unsupported metadata.version downgrade from 30 to 29. "
            "Unsafe metadata downgrade is not supported in this version.",
        ),
        (
            "downgrade",
            ("--feature", "kraft.version=0"),
            "Could not downgrade kraft.version to 0. {whole}Invalid update version 0 for feature kraft.version. "
            "Can't downgrade the version of this feature.",
        ),
        (
            "disable",
            ("--feature", "metadata.version"),
            "Could not disable metadata.version. {whole}Invalid update version 0 for feature metadata.version. "
            "Local controller {node} only supports versions 7-30",
        ),
        (
            "disable",
            ("--feature", "no.such"),
            "Could not disable no.such. {whole}Invalid update version 0 for feature no.such. "
            "Feature no.such not found.",
        ),
    ],
)
def test_refusals(cli: Cli, command: str, arguments: tuple[str, ...], reason: str) -> None:
    run = cli.run("kafka-features", command, *arguments)
    assert run.status == 1
    assert run.lines[-1] == reason.format(whole=WHOLE, node=cli.node_id())
    assert "1 out of 1 operation(s) failed." in run.err
    assert _levels(cli) == NEWEST


def test_one_that_fails_holds_up_the_others(cli: Cli) -> None:
    run = cli.run("kafka-features", "downgrade", "--release-version", "4.2")
    assert run.status == 1 and "7 out of 7 operation(s) failed." in run.err
    assert all(f"{WHOLE}Unsupported metadata.version downgrade from 30 to 29." in line for line in run.lines)
    assert _levels(cli) == NEWEST


def test_eligible_leader_replicas(cli: Cli) -> None:
    """Without them the cluster's minimum ISR may go; with them it is there again, and no broker may have its own."""
    feature = "eligible.leader.replicas.version"
    default = ("--entity-type", "brokers", "--entity-default")
    own = ("--entity-type", "brokers", "--entity-name", cli.node_id())

    def shown() -> str:
        return cli.ok("kafka-configs", "--describe", *default).out

    assert "min.insync.replicas=1 " in shown()
    run = cli.run("kafka-configs", "--alter", *default, "--delete-config", "min.insync.replicas")
    assert run.status == 1 and "cannot be removed while ELR is enabled" in run.out + run.err
    cli.ok("kafka-features", "disable", "--feature", feature)
    cli.ok("kafka-configs", "--alter", *default, "--delete-config", "min.insync.replicas")
    cli.ok("kafka-configs", "--alter", *own, "--add-config", "min.insync.replicas=1")
    assert "min.insync.replicas" not in shown()
    cli.ok("kafka-features", "upgrade", "--feature", f"{feature}=1")
    assert "min.insync.replicas=1 " in shown()
    assert "min.insync.replicas" not in cli.ok("kafka-configs", "--describe", *own).out
    assert _levels(cli) == NEWEST
