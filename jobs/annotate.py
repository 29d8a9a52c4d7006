"""Entry point of annotate for ``ray job submit``; takes the same flags as ``ray-qa annotate``."""

import sys

from ray_qa.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["annotate", *sys.argv[1:]]))
