"""Numbers in sentences."""


def counted(number: int, noun: str) -> str:
    """Puts a number before what it counts.

    Args:
        number: How many.
        noun: In the singular; its plural ends in s.

    Returns:
        Such as "1 epoch" or "1,000 epochs".
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"
