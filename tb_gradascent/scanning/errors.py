"""The error of a command that its user can mend."""

from __future__ import annotations


class CommandError(Exception):
    """What is wrong with the command line or with what it names, and the remedy.

    The command prints the message without a traceback, and ends with the status 2.
    """
