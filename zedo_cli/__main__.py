"""The door of the command line, which loads the commands behind a handler of Ctrl-C."""

from zedo_cli._interrupt import leave_at_once


def main() -> None:
    """Run the command line."""
    leave_at_once()
    from zedo_cli.app import app

    app()


if __name__ == "__main__":
    main()
