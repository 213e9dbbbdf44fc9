"""Why a request is not answered with what it asks for; each message is a plain sentence."""

from __future__ import annotations

from typing import ClassVar


class AnswerError(Exception):
    """A request gets a sentence instead of data.

    Attributes:
        code: HTTP's status code for it.
    """

    code: ClassVar[int]


class RequestError(AnswerError):
    """The request breaks a rule."""

    code = 400


class UnknownSeriesError(AnswerError):
    """There is no such run or tag."""

    code = 404


class TooLargeError(AnswerError):
    """There are more records than a page could show."""

    code = 413


class UnavailableError(AnswerError):
    """TensorBoard's data server does not answer."""

    code = 503
