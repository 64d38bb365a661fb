"""`python -m compat.kill_loop --target klamm|kafka --rounds 20`: a table of the rounds, and the totals as JSON.

Exit status 1 when a promise was broken; the broker's directory is then kept.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from compat.kill_loop.loop import Killer
from compat.loop_command import carry_out
from compat.targets import KafkaTarget, KlammTarget


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=["klamm", "kafka"], default="klamm")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--rate", type=int, default=3000, help="records a second (librdkafka; kafka-python a sixth)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which the kills come")
    parser.add_argument("--json", type=Path, help="write the totals here too")
    options = parser.parse_args()
    target = KlammTarget() if options.target == "klamm" else KafkaTarget()

    def loop() -> dict[str, Any]:
        killer = Killer(target, seed=options.seed, rate=options.rate)
        killer.run(options.rounds)
        target.stop()
        return {"target": options.target} | killer.totals()

    return carry_out(target, loop, json_file=options.json)


if __name__ == "__main__":
    sys.exit(main())
