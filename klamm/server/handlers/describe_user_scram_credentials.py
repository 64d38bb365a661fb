"""DescribeUserScramCredentials v0: which SCRAM credentials users have, from this broker's image (KIP-554).

`kafka-configs --describe --entity-type users` asks for them beside the quotas.
"""

from __future__ import annotations

from klamm.kproto import errors
from klamm.kproto.messages.describe_user_scram_credentials import (
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
)
from klamm.server.broker import Broker
from klamm.server.request import RequestContext

Result = DescribeUserScramCredentialsResponse.DescribeUserScramCredentialsResult


def handle(
    broker: Broker, context: RequestContext, request: DescribeUserScramCredentialsRequest
) -> DescribeUserScramCredentialsResponse:
    credentials = broker.metadata.image.scram_credentials
    asked = [user.name for user in request.users or ()] or [name for _, name in credentials]
    is_filter = bool(request.users)
    results = []
    for name in dict.fromkeys(asked):
        found = [record for (_, user), record in sorted(credentials.items()) if user == name]
        result = Result(user=name, error_code=errors.NONE, error_message="", credential_infos=[])
        if is_filter and asked.count(name) > 1:
            result.error_code = errors.DUPLICATE_RESOURCE
            what = "Cannot describe SCRAM credentials for the same user twice in a single request"
            result.error_message = f"{what}: {name}"
        elif found:
            result.credential_infos = [
                Result.CredentialInfo(mechanism=record.mechanism, iterations=record.iterations) for record in found
            ]
        else:
            result.error_code = errors.RESOURCE_NOT_FOUND
            result.error_message = f"Attempt to describe a user credential that does not exist: {name}"
        results.append(result)
    return DescribeUserScramCredentialsResponse(
        throttle_time_ms=0, error_code=errors.NONE, error_message="", results=results
    )
