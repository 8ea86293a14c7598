"""One script per DVC stage, run as `python -m stages.<name>`: read params, call the library, write files."""

from scople.pipeline.starting import start

start()
