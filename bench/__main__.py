"""``python -m bench [NAME ...]``: the suite measured; figures, no verdicts."""

import importlib
import sys

BENCHES = {
    "seed": "the first flows, from the command to the verdict",
    "history": "recording and checking histories",
    "loops": "what closed and open loops cost, and what they see of a stall",
    "overhead": "the suite's own time per step, above bare behave",
    "starts": "until each service is ready, and the memory it then has",
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"no bench is called {unknown[0]}; they are: {', '.join(BENCHES)}")
        return 2
    for name in names or BENCHES:
        print(f"\n== {name}: {BENCHES[name]}", flush=True)
        importlib.import_module(f"bench.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
