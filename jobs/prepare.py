"""Entry point of prepare for ``ray job submit``; takes the same flags as ``ray-qa prepare``."""

import sys

from ray_qa.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["prepare", *sys.argv[1:]]))
