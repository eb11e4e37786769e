"""Writing a study: the page, and the key beside it."""

import random
from typing import Any

from cyclegan_keras._files import PathLike, write_text
from cyclegan_keras.study import dealing, key, page
from cyclegan_keras.study.key import Key
from cyclegan_keras.study.material import Material
from cyclegan_keras.study.page import Timing

NUM_TRIALS = 40
NUM_PRACTICE = 10
NUM_PRACTICE_OF_TWO_RUNS = 3  # No answer is right, so there is nothing to learn but the keys.
MAX_PAIRS = 500  # Three quarters of an hour for a participant.


def numbers(
    available: int, trials: int | None, practice: int | None, has_real: bool = True
) -> tuple[int, int]:
    """Decides how many trials a study has.

    Args:
        available: The number of pairs that there are.
        trials: As wanted; `None` means 40 or, with fewer images, what is left after practice.
        practice: As wanted; `None` means 10 or, if no answer is right, 3; but at most a fifth of
            the pairs.
        has_real: Whether there is a right answer.

    Returns:
        The number of trials that count, at least 1, and of those for practice.

    Raises:
        ValueError: If there are too few images.
    """
    if practice is None:
        usual = NUM_PRACTICE if has_real else NUM_PRACTICE_OF_TWO_RUNS
        practice = max(0, min(usual, available // 5, available - (trials or 0)))
    if trials is None:
        trials = min(NUM_TRIALS, available - practice)
    if trials < 1 or practice < 0 or trials + practice > min(available, MAX_PAIRS):
        raise ValueError(
            f"A study needs at least 1 trial that counts, and shows no image twice: --trials and "
            f"--practice must come to at most {min(available, MAX_PAIRS)} here. Lower them, or "
            f"add test images. Received: trials={trials}, practice={practice}"
        )
    return trials, practice


def write(
    output: PathLike,
    material: Material,
    num_practice: int,
    *,
    way: str,
    runs: tuple[str, ...],
    subject: str | None = None,
    about: dict[str, Any] | None = None,
    timing: Timing | None = None,
    rng: random.Random | None = None,
) -> Key:
    """Writes the page of a study and its key, both or neither.

    Args:
        output: Of the page. The key is beside it, at `key.place(output)`.
        material: The pairs of images.
        num_practice: How many pairs are for practice.
        way: `"AB"` or `"BA"`.
        runs: The name of the run, or of both.
        subject: What the images show, in words for the participants.
        about: What else the key is to record.
        timing: The times of a trial; `None` means those of the published studies.
        rng: Throws the dice; `None` means those of the operating system, which nobody can repeat.

    Returns:
        The key.

    Raises:
        FileExistsError: If one of the files exists.
        OSError: If they cannot be written.
    """
    rng = rng or random.SystemRandom()
    timing = timing or Timing()
    key.check_free(output)
    deal = dealing.deal(len(material.files), num_practice, rng)
    truth = Key(
        f"{rng.getrandbits(64):016x}",
        key.REAL_OR_FAKE if material.has_real else key.TWO_RUNS,
        way,
        runs,
        timing.exposure,
        {_pair(deal, index): deal.scored[index] for index in deal.trials},
        {
            **(about or {}),
            "files": [
                {"pair": deal.pair(index), "scored": one, "other": other}
                for index, (one, other) in enumerate(material.files)
                if index in deal.trials
            ],
        },
    )
    text = page.render(truth.study, material, deal, timing, subject)
    # First, since results of a page without a key are worth nothing.
    key.write(key.place(output), truth)
    try:
        key.check_missing(output)  # Another process may have written one meanwhile.
        write_text(output, text)
    except BaseException:
        key.place(output).unlink(missing_ok=True)
        raise
    return truth


def _pair(deal: dealing.Deal, index: int) -> tuple[int, int]:
    low, high = deal.pair(index)
    return low, high
