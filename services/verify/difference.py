"""What is not as it should be, and why something could not be looked at."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two accounts of the same thing part, in a sentence."""

    about: str
    says: str

    def __str__(self) -> str:
        """The sentence."""
        return f"{self.about}: {self.says}"


class CannotVerify(Exception):
    """The log or the API could not be read, so that nothing is said about them."""
