"""Entry point for ``ray job submit -- python jobs/evaluate.py``: the same as ``ray-qa evaluate``."""

import sys

from ray_qa.cli.main import main

sys.exit(main(["evaluate", *sys.argv[1:]]))
