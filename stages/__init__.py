"""One script per DVC stage, run as `python -m stages.<name>`: read params, call the library, write files."""

import os

# Must stand before the first import of torch. Threads that wait for each other by spinning make a training more than
# ten times slower as soon as anything else runs on one of the cores; asleep they cost next to nothing.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
