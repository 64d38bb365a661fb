"""ApiVersions: what is advertised, and the checks of the client's name. An unknown version is among the odd frames."""

from __future__ import annotations

from compat.differential.cases import case
from compat.differential.run import Run
from klamm.kproto.messages.api_versions import ApiVersionsRequest

_NAMES = (("", "1"), ("a", ""), ("a b", "1"), ("-a", "1"), ("a-", "1"), ("a.b-c", "1.2-x"), ("é", "1"),
          ("a" * 300, "1"), ("a", "1_0"))  # fmt: skip


@case
def advertised(run: Run) -> None:
    for version in run.versions(ApiVersionsRequest):
        run.ask(ApiVersionsRequest, version, client_software_name="compat", client_software_version="1.0")


@case
def software_names(run: Run) -> None:
    for version in run.versions(ApiVersionsRequest, low=3):
        for name, number in _NAMES:
            values = {"client_software_name": name, "client_software_version": number}
            run.ask(ApiVersionsRequest, version, f"{name[:9]!r} {number!r}", **values)
