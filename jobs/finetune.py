"""Entry point of finetune for ``ray job submit``; takes the same flags as ``ray-qa finetune``."""

import sys

from ray_qa.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["finetune", *sys.argv[1:]]))
