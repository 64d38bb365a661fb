"""What must not be shown or kept: SASL exchanges, SCRAM credentials, delegation tokens, passwords among settings.

What cannot be read cannot be searched for secrets either: its bytes are left out whole.
"""

from __future__ import annotations

import re
from typing import Final

from klamm.kproto import apis
from klamm.kproto.schema import Message, Struct

_BYTES: Final = {"auth_bytes", "salt", "salted_password", "hmac", "request_data", "response_data"}
_SETTING: Final = re.compile(
    r"password|passphrase|secret|jaas|credential|private|token|keystore\.key|api\.?key", re.IGNORECASE
)
_HIDDEN: Final = "<hidden>"
_APIS: Final = frozenset(
    {
        apis.SASL_AUTHENTICATE, apis.ALTER_USER_SCRAM_CREDENTIALS, apis.CREATE_DELEGATION_TOKEN,
        apis.RENEW_DELEGATION_TOKEN, apis.EXPIRE_DELEGATION_TOKEN, apis.DESCRIBE_DELEGATION_TOKEN, apis.ALTER_CONFIGS,
        apis.INCREMENTAL_ALTER_CONFIGS, apis.CREATE_TOPICS, apis.DESCRIBE_CONFIGS, apis.ENVELOPE,
    }
)  # fmt: skip


def may_bear_secrets(key: int) -> bool:
    """Whether messages of an API have to be looked through."""
    return key in _APIS


def hide_secrets(message: Message) -> bool:
    """Empty what is secret in a decoded message, in place; tells whether there was anything."""
    return _hide(message)


def _hide(struct: Struct) -> bool:
    found = False
    for field in struct.__schema__.fields:
        value = getattr(struct, field.name)
        if field.struct is not None and value is not None:
            for item in value if field.array else [value]:
                found |= _hide(item)
        elif field.name in _BYTES and field.type == "bytes" and value:
            setattr(struct, field.name, b"")
            found = True
    name, value = getattr(struct, "name", None), getattr(struct, "value", None)
    if isinstance(name, str) and isinstance(value, str) and value and _SETTING.search(name):
        struct.value = _HIDDEN  # type: ignore[attr-defined]
        found = True
    return found
