"""What the log takes and gives as bytes.

A `Buffer` may be read in place; only a writable `memoryview` is ever patched in place.
"""

from __future__ import annotations

from typing import TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview
