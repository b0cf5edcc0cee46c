"""Entry point of the command line, which handles Ctrl-C while the commands are loaded."""

import os

from zedo_cli._interrupt import exit_on_interrupt


def main() -> None:
    """Run the command line."""
    exit_on_interrupt()
    # Read when torch is loaded: idle threads sleep. By default they spin, which costs nothing on an idle machine, but
    # takes ten times as long when other programs use the same cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from zedo_cli.app import app

    app()


if __name__ == "__main__":
    main()
