"""What the proxy costs: `python -m compat.proxy.overhead [SECONDS] [ROUNDS]`, klamm directly and through the proxy.

Rounds are interleaved, direct and through, with `--show none`; the proxy shares the machine with broker and load.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from compat.bench.measure import cpu_s
from compat.bench.side import Side, klamm, loadgen
from compat.proxy.running import RunningProxy

PARTITIONS = 6
LOADS: dict[str, tuple[Any, ...]] = {
    "produce, tiny requests": ("produce", "-conns", 32),
    "produce, batches of 16 KB": ("produce", "-conns", 2, "-in-flight", 5, "-batch-bytes", 16384),
    "produce, batches of 1 MB": ("produce", "-conns", 2, "-in-flight", 5, "-batch-bytes", 1_000_000),
    "fetch": ("fetch",),
}


class Through(Side):
    """The same broker by way of the proxy."""

    def use(self, proxy: RunningProxy) -> Through:
        self.bootstrap = proxy.address
        return self


def measure(direct: Side, through: Side, proxy: RunningProxy, seconds: float, rounds: int) -> None:
    topic = direct.create(PARTITIONS)
    for name, (mode, *options) in LOADS.items():
        rates: dict[str, list[float]] = {"direct": [], "through": []}
        costs = []
        for _ in range(rounds):
            for side_name, side in (("direct", direct), ("through", through)):
                before = cpu_s(proxy.pid)
                report = side.load(mode, "-topic", topic, "-partitions", PARTITIONS, *options, seconds=seconds)
                rates[side_name].append(_rate(name, report))
                if side is through:
                    costs.append((cpu_s(proxy.pid) - before) / report["requests"] * 1e6)
        without, within = (statistics.median(rates[key]) for key in ("direct", "through"))
        unit = "requests/s" if "tiny" in name else "MB/s"
        print(
            f"{name}: direct {without:.0f} {unit}, through the proxy {within:.0f} {unit} "
            f"({within / without:.2f}), {statistics.median(costs):.0f} us of its CPU a request",
            flush=True,
        )


def _rate(name: str, report: dict[str, Any]) -> float:
    return float(report["requests_per_s"] if "tiny" in name else report["mb_per_s"])


def main() -> int:
    seconds, rounds = float((sys.argv[1:] or ["2"])[0]), int((sys.argv[2:] or ["3"])[0])
    program = loadgen()
    with (
        klamm() as broker,
        tempfile.TemporaryDirectory(prefix="compat-proxy-") as directory,
        RunningProxy(broker.bootstrap, Path(directory), "--show", "none") as proxy,
    ):
        measure(Side(broker, program), Through(broker, program).use(proxy), proxy, seconds, rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
