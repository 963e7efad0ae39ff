"""`native`: the optional compiled core."""

from typing import Annotated

import typer

from apps.cli import app as shared


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    native = typer.Typer(
        help="Build the optional compiled core, or see whether it is in use.",
        epilog=shared.example("native build", "native status"),
    )
    native.command(epilog=shared.example("native build"))(build)
    native.command(epilog=shared.example("native status"))(status)
    app.add_typer(native, name="native", no_args_is_help=True)


def build() -> None:
    """Build the compiled core with cargo and install it into this virtualenv.

    Decisions are the same bytes with and without it (docs/native-core.md).
    """
    from apps.build import native

    wheel = native.build(shared.ROOT)
    print(f"{wheel} is built and installed. For workers: docs/native-core.md.")


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say whether the compiled core is installed here, of this code and allowed by the settings."""
    from stormwatch import compiled

    found, wrong = compiled.look()
    if as_json:
        allowed = shared.settings().core != "python"
        usable = found is not None and not wrong
        return shared.print_json(
            {"installed": found is not None, "in_use": usable and allowed, "wrong": wrong or ""}
        )
    if wrong:
        print(wrong[0].upper() + wrong[1:] + ".")
    elif found is None:
        print("The compiled core is not installed: all is decided in Python.")
        print("To build it: ./stormwatch native build")
    elif shared.settings().core == "python":
        print("The compiled core is installed and switched off (core = python).")
    else:
        print("The compiled core is installed and in use.")
