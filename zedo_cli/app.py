"""Assembly of the commands, which import what they need only when they run, so that `zedo --help` is fast."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from zedo_cli import (
    batch,
    bench,
    convert,
    demo,
    doctor,
    download,
    imports,
    infer,
    live,
    people,
    publish,
    render,
    sample,
    train,
    view,
)
from zedo_cli import eval as evaluation
from zedo_cli._errors import report_errors, show_log_messages
from zedo_cli._interrupt import raise_on_interrupt
from zedo_core.version import __version__


class _Group(TyperGroup):
    """A group whose commands report errors by a line and an exit code instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        with show_log_messages(), report_errors():
            raise_on_interrupt()
            return super().invoke(ctx)


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _show_version(show: bool) -> None:
    if show:
        typer.echo(f"zedo {__version__}")
        raise typer.Exit


@app.callback()
def zedo(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """3D human poses from pictures, videos and 2D keypoints."""


app.command()(infer.infer)
app.command()(batch.batch)
app.command()(live.live)
app.command()(people.people)
app.command()(convert.convert)
app.command()(view.view)
app.command()(render.render)
app.command()(demo.demo)
app.command()(download.download)
app.command("import")(imports.import_weights)
app.command()(publish.publish)
app.command()(doctor.doctor)
app.command("eval")(evaluation.evaluate)
app.command()(bench.bench)
app.command()(sample.sample)
app.add_typer(train.app, name="train")


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
