"""Exact arithmetic on the expressions that a prompt holds."""

from __future__ import annotations

import re
from fractions import Fraction

from sentient_cli.llm.offline.assistant.talk import Talk

__all__ = ["calculate", "evaluate"]

MAX_DEPTH = 40
MAX_DIGITS = 400
MAX_LENGTH = 300
_WORDS = (
    (r"(?i)\bplus\b", "+"),
    (r"(?i)\bminus\b", "-"),
    (r"(?i)\b(?:times|multiplied by)\b|\u00d7|\u00b7|(?<=[\d)])\s*x\s*(?=[\d(])", "*"),
    (r"(?i)\b(?:divided by|over)\b|\u00f7", "/"),
    (r"(?i)\b(?:to the power of|raised to)\b|\*\*", "^"),
    (r"(?i)\s*\bsquared\b", "^2"),
    (r"(?i)\s*\bcubed\b", "^3"),
    (r"(?i)%\s*of\b|\bpercent of\b", "%*"),
    (r"(?i)\bmod(?:ulo)?\b", "~"),
    (r"(?<=\d),(?=\d{3}(?!\d))", ""),
)
_EXPRESSION = re.compile(r"[-+(\s]*\d[\d\s.+\-*/^%~()]*")
_TOKEN = re.compile(r"\s*(\d+(?:\.\d+)?|[-+*/^%~()])")
_ASKED = re.compile(r"(?i)\b(?:what|calculate|compute|how much|how many|evaluate|solve|result|value|is)\b|=")
_DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b")
_HAS_OPERATOR = re.compile(r"[\d)%]\s*[-+*/^~]\s*[-+]?\s*[\d(]|%\s*\*")


class _Unanswerable(Exception):  # noqa: N818 - it carries an answer, not a fault
    pass


def calculate(talk: Talk) -> str | None:
    """The value of the longest expression in the prompt, when there is one."""
    text = talk.prompt
    if not talk.within(MAX_LENGTH) or _DATE.search(text):
        return None
    for pattern, symbol in _WORDS:
        text = re.sub(pattern, symbol, text)
    found = [match[0].strip() for match in _EXPRESSION.finditer(text) if _HAS_OPERATOR.search(match[0])]
    if not found or not (_ASKED.search(text) or 2 * max(map(len, found)) > len(text)):
        return None
    expression = max(found, key=len).rstrip(".+-*/^~( ")
    try:
        value = evaluate(expression)
    except _Unanswerable as error:
        return str(error)
    except ValueError:
        return None
    return f"{_shown(expression)} = {_number(value)}"


def evaluate(expression: str) -> Fraction:
    """The exact value of an expression of ``+ - * / ^ % ~ ( )``; ``%`` is a hundredth, ``~`` the remainder.

    Raises:
        ValueError: it is no expression.

    Example:
        >>> evaluate("2 + 3 * 4 ^ 2")
        Fraction(50, 1)
    """
    parser = _Parser(expression)
    value = parser.sum(0)
    parser.end()
    return value


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise ValueError("not an expression")
            self._tokens.append(found[1])
            at = found.end()
        self._at = 0

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def end(self) -> None:
        if self._peek():
            raise ValueError("more than an expression")

    def sum(self, depth: int) -> Fraction:
        if depth > MAX_DEPTH:
            raise ValueError("nested too deeply")
        value = self._product(depth)
        while self._peek() in {"+", "-"}:
            sign = 1 if self._take() == "+" else -1
            value = _small(value + sign * self._product(depth))
        return value

    def _product(self, depth: int) -> Fraction:
        value = self._sign(depth)
        while self._peek() in {"*", "/", "~"}:
            operator = self._take()
            value = _small(_combined(value, operator, self._sign(depth)))
        return value

    def _sign(self, depth: int) -> Fraction:
        negative = False
        while self._peek() in {"+", "-"}:
            negative ^= self._take() == "-"
        value = self._power(depth)
        return -value if negative else value

    def _power(self, depth: int) -> Fraction:
        base = self._atom(depth)
        if self._peek() != "^":
            return base
        self._take()
        return _raised(base, self._sign(depth + 1))

    def _atom(self, depth: int) -> Fraction:
        symbol = self._take()
        if symbol == "(":
            value = self.sum(depth + 1)
            if self._take() != ")":
                raise ValueError("a bracket is open")
        elif symbol[:1].isdecimal():
            value = Fraction(symbol)
        else:
            raise ValueError("a number is missing")
        while self._peek() == "%":
            self._take()
            value /= 100
        return value


def _combined(left: Fraction, operator: str, right: Fraction) -> Fraction:
    if operator == "*":
        return left * right
    if right == 0:
        raise _Unanswerable("That divides by zero, so it has no value.")
    return left / right if operator == "/" else left % right


def _raised(base: Fraction, exponent: Fraction) -> Fraction:
    size = max(len(str(abs(base.numerator))), len(str(base.denominator)))
    if exponent.denominator != 1:
        raise _Unanswerable("I only raise to whole powers.")
    if abs(exponent) * size > MAX_DIGITS:
        raise _Unanswerable("That number is too long for me to write down.")
    if base == 0 and exponent < 0:
        raise _Unanswerable("That divides by zero, so it has no value.")
    return Fraction(base ** int(exponent))


def _small(value: Fraction) -> Fraction:
    if max(abs(value.numerator), value.denominator).bit_length() > MAX_DIGITS * 4:
        raise _Unanswerable("That number is too long for me to write down.")
    return value


def _number(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    scaled = round(abs(value) * 10**10)
    whole, rest = divmod(scaled, 10**10)
    text = f"{'-' if value < 0 else ''}{whole}.{rest:010d}".rstrip("0").rstrip(".")
    return text if Fraction(scaled, 10**10) == abs(value) else f"{text} (rounded)"


def _shown(expression: str) -> str:
    text = expression.replace("~", " mod ").replace("%*", "% of ")
    return " ".join(re.sub(r"(?<=[\d)%])\s*([+\-*/])\s*(?=[\d(+\-])", r" \1 ", text).split())
