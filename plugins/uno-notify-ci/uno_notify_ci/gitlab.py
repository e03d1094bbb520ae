"""GitLab CI: every step is a section of the log that folds."""

from __future__ import annotations

import re

from uno_core import Notice, NoticeKind
from uno_notify_ci.options import CiOptions
from uno_notify_ci.quoting import clean
from uno_notify_ci.saying import say

_CLEAR = "\x1b[0K"
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


class GitLab:
    """Writes sections. What uno shows between them holds no control character, so that nobody else can."""

    def __init__(self, options: CiOptions) -> None:
        self._options = options
        self._open = ""
        self._number = 0

    def notify(self, notice: Notice) -> None:
        """Raises OSError where nobody reads the log."""
        text = ""
        begins = notice.kind in (NoticeKind.STEP, NoticeKind.ROLLING_BACK)
        if self._options.groups:
            if self._open and (begins or notice.kind.last or notice.kind is NoticeKind.PROMOTED):
                text += self._end(notice)
            if begins:
                text += self._begin(notice)
        if notice.kind.last:
            how = notice.status.value if notice.status else notice.kind.value
            words = clean(f"{notice.application} in {notice.environment}: {notice.version} {how}")
            text += f"{_BOLD}{words}{_PLAIN}\n"
        if text:
            say(text)

    def _begin(self, notice: Notice) -> str:
        self._number += 1
        self._open = re.sub(r"[^a-z0-9]+", "_", f"uno_{self._number}_{notice.kind.value}")
        way = "going back: " if notice.kind is NoticeKind.ROLLING_BACK else ""
        return _section("start", self._open, notice) + clean(way + notice.message) + "\n"

    def _end(self, notice: Notice) -> str:
        name, self._open = self._open, ""
        return _section("end", name, notice) + "\n"


def _section(what: str, name: str, notice: Notice) -> str:
    return f"{_CLEAR}section_{what}:{int(notice.at.timestamp())}:{name}\r{_CLEAR}"
