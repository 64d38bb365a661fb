"""Text to value and back: Java's rules for numbers, lists, durations, and Kafka's special checks."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klamm.server.config.definitions import definitions
from klamm.server.config.keys import BOOLEAN, CLASS, DOUBLE, HIGH, INT, LIST, LONG, PASSWORD, STRING, ConfigKey
from klamm.server.config.values import ConfigError, parse, render


def key(type_: str, **more: object) -> ConfigKey:
    return ConfigKey("k", type_, None, None, HIGH)._replace(**more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        (INT, " +7\t", 7),
        (INT, "-0", 0),
        (INT, "0" * 5000 + "12", 12),
        (LONG, "9223372036854775807", 2**63 - 1),
        (DOUBLE, "1e3", 1000.0),
        (DOUBLE, ".5", 0.5),
        (DOUBLE, "2.f", 2.0),
        (DOUBLE, "-Infinity", -math.inf),
        (BOOLEAN, " TRUE ", True),
        (BOOLEAN, "false", False),
        (STRING, "  a b ", "a b"),
        (LIST, "", ()),
        (LIST, "  a ,\tb  ", ("a", "b")),
        (CLASS, "org.apache.Foo$Bar", "org.apache.Foo$Bar"),
        (PASSWORD, " secret ", "secret"),
    ],
)
def test_parse(type_: str, text: str, value: object) -> None:
    assert parse(key(type_), text) == value


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        (INT, "2147483648"),
        (INT, "9" * 10000),
        (INT, "\u0661"),
        (INT, "1.0"),
        (LONG, "10L"),
        (DOUBLE, "1e"),
        (DOUBLE, "inf"),
        (DOUBLE, "nan"),
        (BOOLEAN, "yes"),
        (BOOLEAN, "1"),
        (CLASS, "not a class"),
        (CLASS, "a..b"),
        (LIST, "a,,b"),
        (LIST, ","),
    ],
)
def test_refused(type_: str, text: str) -> None:
    with pytest.raises(ConfigError):
        parse(key(type_), text)


def test_a_password_is_not_told() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(key(PASSWORD, valid=definitions("broker")["remote.log.storage.manager.impl.prefix"].valid), "")
    assert "[hidden]" in str(caught.value)
    assert render("secret", PASSWORD) == "[hidden]"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (0.5, "0.5"),
        (0.001, "0.001"),
        (0.0001, "1.0E-4"),
        (0.000123, "1.23E-4"),
        (-9999999.0, "-9999999.0"),
        (9999999.5, "9999999.5"),
        (1e7, "1.0E7"),
        (12345678.0, "1.2345678E7"),
        (2147483647.0, "2.147483647E9"),
        (1e16, "1.0E16"),
        (1.5e300, "1.5E300"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (math.nan, "NaN"),
    ],
)
def test_doubles_are_written_as_java_writes_them(value: float, text: str) -> None:
    assert render(value, DOUBLE) == text


@given(st.floats())
def test_doubles_read_back(value: float) -> None:
    text = render(value, DOUBLE)
    assert text is not None
    again = parse(key(DOUBLE), text)
    assert again == value or (math.isnan(value) and isinstance(again, float) and math.isnan(again))


@given(st.text())
def test_any_text_gives_a_value_or_a_config_error(text: str) -> None:
    for name in ("log.retention.bytes", "log.cleaner.min.cleanable.ratio", "listeners", "controller.quorum.voters"):
        try:
            parse(definitions("broker")[name], text)
        except ConfigError as error:
            assert error.name == name


@pytest.mark.parametrize("text", ["1@a:9093", "1@a:1,2@[::1]:2", "1@h:0", "1@PLAINTEXT://h:9"])
def test_quorum_voters(text: str) -> None:
    assert parse(definitions("broker")["controller.quorum.voters"], text) == tuple(text.split(","))


@pytest.mark.parametrize("text", ["a:9093", "x@a:9093", "1@a", "1@a:b", "1@a b:1", "1@a:65536", "1@a:1,", "1@2@a:1"])
def test_bad_quorum_voters(text: str) -> None:
    with pytest.raises(ConfigError, match="id@host:port"):
        parse(definitions("broker")["controller.quorum.voters"], text)


@pytest.mark.parametrize(("text", "good"), [("a:1,b:2", True), ("", True), ("a", False), ("a:1,", False)])
def test_bootstrap_servers(text: str, good: bool) -> None:
    bootstrap = definitions("broker")["controller.quorum.bootstrap.servers"]
    if good:
        parse(bootstrap, text)
    else:
        with pytest.raises(ConfigError, match="host:port"):
            parse(bootstrap, text)


@pytest.mark.parametrize(("text", "good"), [("0:1,1:2", True), ("*", True), ("", True), ("0", False), ("*,0:1", False)])
def test_throttled_replicas(text: str, good: bool) -> None:
    throttled = definitions("topic")["leader.replication.throttled.replicas"]
    if good:
        parse(throttled, text)
    else:
        with pytest.raises(ConfigError, match="partition:broker"):
            parse(throttled, text)


@pytest.mark.parametrize("level", ["-1", "1", "9"])
def test_gzip_level(level: str) -> None:
    assert parse(definitions("topic")["compression.gzip.level"], level) == int(level)


@pytest.mark.parametrize("level", ["0", "10", "-2"])
def test_bad_gzip_level(level: str) -> None:
    with pytest.raises(ConfigError, match="from 1 to 9, or -1"):
        parse(definitions("topic")["compression.gzip.level"], level)


@pytest.mark.parametrize(
    "text", ["latest", "earliest", "by_duration:P1D", "by_duration:pt1h30m", "by_duration:PT0.5S", "by_duration:-PT-1S"]
)
def test_share_offset_reset(text: str) -> None:
    assert parse(definitions("group")["share.auto.offset.reset"], text) == text


@pytest.mark.parametrize(
    "text", ["none", "Latest", "by_duration", "by_duration:", "by_duration:P", "by_duration:P1DT", "by_duration:-PT1S"]
)
def test_bad_share_offset_reset(text: str) -> None:
    with pytest.raises(ConfigError, match="ISO 8601"):
        parse(definitions("group")["share.auto.offset.reset"], text)
