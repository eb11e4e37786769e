"""`python train.py …` is `cyclegan train …`."""

import sys

from cyclegan_keras.cli.main import main

if __name__ == "__main__":
    sys.exit(main(prog="train.py", verb="train"))
