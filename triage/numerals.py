"""Numbers as people write them, in digits, Chinese and English words. Pure."""

DIGITS = {"零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
WORDS = {
    **{"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8},
    **{"nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "a couple of": 2, "couple of": 2, "a few": 3, "few": 3},
}
CHINESE = "零〇一二两三四五六七八九十百几"
PATTERN = rf"(?:\d{{1,4}}(?:\.\d{{1,2}})?|[{CHINESE}]{{1,4}})"
"""A number in digits or Chinese, as part of a regular expression."""
PATTERN_EN = r"(?:\d{1,4}(?:\.\d{1,2})?|" + "|".join(sorted(WORDS, key=len, reverse=True)) + ")"


def number(words: str) -> float | None:
    """The number that `words` says; of an approximate one (五六天, 十几天) the least; None where it says none."""
    if words.isascii():
        if words.replace(".", "", 1).isdigit():
            return float(words)
        return WORDS.get(words.strip().lower())
    if words.startswith("几"):
        return 20.0 if words.startswith("几十") else 3.0
    return _chinese(words.rstrip("几"))


def _chinese(words: str) -> float | None:
    """一百二十三 and what is said less fully, 八十; of two neighbours (五六, 七八十) the first counts."""
    total, digit = 0, None
    for character in words:
        if character == "百":
            total += (1 if digit is None else digit) * 100
            digit = None
        elif character == "十":
            total += (1 if digit is None else digit) * 10
            digit = None
        elif digit is None:
            digit = DIGITS.get(character)
    if digit is None and total == 0:
        return None
    return float(total + (digit or 0))
