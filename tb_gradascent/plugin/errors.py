"""Errors that a route answers with a sentence and an HTTP status."""

from __future__ import annotations

from typing import ClassVar


class AnswerError(Exception):
    """A request that is answered with this error's message.

    Attributes:
        code: The HTTP status.
    """

    code: ClassVar[int]


class RequestError(AnswerError):
    """The request breaks a rule."""

    code = 400


class UnknownSeriesError(AnswerError):
    """The run or the tag does not exist."""

    code = 404


class TooLargeError(AnswerError):
    """There are more records than a page can show."""

    code = 413


class UnavailableError(AnswerError):
    """TensorBoard's data server does not answer."""

    code = 503
