"""Runs the command line as ``python -m stackproof``."""

import sys


def main() -> int:
    """Run one command; says it plainly when the suite's requirements are not installed."""
    try:
        from stackproof.cli import main as command_line

        return command_line()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("stackproof", "steps"):
            raise
        print(
            "stackproof: the suite's requirements are missing\n"
            f"  why: {error}; this is {sys.executable}\n"
            "  what to do: `make venv`, then use .venv/bin/stackproof; "
            "or pip install -r requirements.txt",
            file=sys.stderr,
        )
        return 2


if __name__ == "__main__":
    sys.exit(main())
