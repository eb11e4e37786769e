"""`python -m cyclegan_keras VERB …` is `cyclegan VERB …`."""

import sys

from cyclegan_keras.cli.main import main

if __name__ == "__main__":
    sys.exit(main(prog="python -m cyclegan_keras"))
