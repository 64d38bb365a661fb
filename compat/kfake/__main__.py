"""`python -m compat.kfake CARD.json`: the whole kit on kfake, and the card of it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from compat.kfake.target import Kfake
from klamm.cli.main import main as klamm_main


def main() -> int:
    """Status 0 when the kit came to its end; that much differs is what is expected."""
    card = Path(sys.argv[1])
    server = Kfake()
    try:
        with server:
            arguments = ["compat", "run", "--bootstrap", server.bootstrap, "--against", "kafka", "--no-suites"]
            status = klamm_main([*arguments, "--json", str(card)])
            address = server.bootstrap
    finally:
        server.remove()
    # The port and the token of the run are others each time.
    report = json.loads(re.sub("kit-[0-9a-f]{6}-", "", card.read_text()).replace(address, "kfake"))
    for row in report["by_case"]:
        row.pop("differences", None)  # their kinds are under `differing`, which is enough of ten thousand
    card.write_text(json.dumps(report, indent=1) + "\n")
    return 0 if status == 1 and report["answers"] else status


if __name__ == "__main__":
    sys.exit(main())
