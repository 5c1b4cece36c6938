"""`python -m tests.torture [--kills N] [--seed N] [--folder PATH] [always|everysec] [server|embedded]`."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.torture.rounds import VICTIMS, torture

POLICIES = ("always", "everysec")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.torture", description="Kills programs and looks what is lost."
    )
    parser.add_argument(
        "only", nargs="*", metavar="which", help="always or everysec, server or embedded; all by default"
    )
    parser.add_argument("--kills", type=int, default=200, help="for each policy and program")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--folder", type=Path, help="where the data is kept; a temporary folder by default")
    options = parser.parse_args()
    unknown = {*options.only} - {*POLICIES, *VICTIMS}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    top = options.folder or Path(tempfile.mkdtemp(prefix="alcove-torture-"))
    print(f"seed {options.seed}, in {top}", flush=True)
    good = True
    for fsync in [each for each in POLICIES if each in options.only] or POLICIES:
        for kind in [each for each in VICTIMS if each in options.only] or VICTIMS:
            folder = top / f"{fsync}-{kind}"
            folder.mkdir(parents=True)
            outcome = torture(kind, fsync, options.kills, folder, options.seed)
            print(outcome, flush=True)
            good = good and outcome.good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
