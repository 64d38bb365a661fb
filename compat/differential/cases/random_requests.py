"""Random requests that are well formed (drawing.py), one case an API.

The seed is the API's name, so that a run can be repeated and both brokers are asked the same. `--random` asks more of
them by another seed, and makes what differs small.
"""

from __future__ import annotations

import random
from functools import partial

from compat.differential.cases import add_case
from compat.differential.cases.groups import create_internal_topics
from compat.differential.drawing import NAMES, Draws, Pools, is_ambiguous, lowest
from compat.differential.run import Run, fit
from klamm.kproto.catalog import message_class
from klamm.kproto.schema import Message
from klamm.proxy.normal import normal_form

REQUESTS_A_VERSION = 40
IN_SHORT = 5


def _case(run: Run, name: str) -> None:
    request: type[Message] = message_class(f"{name}Request")
    create_internal_topics(run)
    pools = Pools(run, name)
    source = random.Random(name)
    for version in run.versions(request, low=lowest(name, request.__schema__.key)):
        for _ in range(IN_SHORT if run.plan.is_short else REQUESTS_A_VERSION):
            values = pools.message(request, version, Draws(source))
            if not is_ambiguous(name, values):
                note = normal_form(fit(request, version, **values), version, run.names)
                run.ask(request, version, str(note), **values)


for _name in NAMES:
    add_case(f"random_requests.{_name}", partial(_case, name=_name))
