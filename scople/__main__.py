"""`python -m scople` is the command `scople`."""

from scople.commands.cli import app

app(prog_name="scople")
