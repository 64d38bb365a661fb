"""The log cleaner's settings as they are in force: `log.cleaner.*`, dynamic changes included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from klamm.log.cleaner.plan import CleanerSettings

if TYPE_CHECKING:
    from klamm.metadata.image.image import MetadataImage
    from klamm.server.settings import Settings


def cleaner_settings(settings: Settings, image: MetadataImage) -> CleanerSettings:
    """Those that are not defaults of topic configs."""

    def number(name: str) -> float:
        value = settings.broker(image, name)
        assert isinstance(value, int | float)
        return value

    return CleanerSettings(
        is_enabled=settings.broker(image, "log.cleaner.enable") is True,
        threads=int(number("log.cleaner.threads")),
        dedupe_buffer_bytes=int(number("log.cleaner.dedupe.buffer.size")),
        load_factor=number("log.cleaner.io.buffer.load.factor"),
        io_buffer_bytes=int(number("log.cleaner.io.buffer.size")),
        io_bytes_per_second_max=number("log.cleaner.io.max.bytes.per.second"),
        backoff_ms=int(number("log.cleaner.backoff.ms")),
    )
