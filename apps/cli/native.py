"""`native`: the optional compiled core."""

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


def status() -> None:
    """Say whether the compiled core is installed here, of this code and allowed by the settings."""
    from stormwatch import compiled

    found, wrong = compiled.look()
    if wrong:
        print(wrong[0].upper() + wrong[1:] + ".")
    elif found is None:
        print("The compiled core is not installed: all is decided in Python.")
        print("To build it: ./stormwatch native build")
    elif shared.settings().core == "python":
        print("The compiled core is installed and switched off (core = python).")
    else:
        print("The compiled core is installed and in use.")
