"""Numbers, units, dates and times of a text, in whichever way they are written, in English and Japanese."""

from objectives.numbers.quantities import Quantity, quantities

__all__ = ["Quantity", "quantities"]
