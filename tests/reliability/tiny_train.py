"""`train.py` with networks of one convolution, which are there and traced in a second."""

import sys

from cyclegan_keras.cli import main
from tests import tiny

if __name__ == "__main__":
    tiny.use_in_all_models()
    sys.exit(main.main(None, "train.py", "train"))
