# SPDX-License-Identifier: GPL-2.0-only
"""Results in the Test Anything Protocol (TAP 13), the plan at the end."""
import os
import re
import sys
import time
import traceback

from host import Unanswered

# How often a test has begun anew, and may at most.
AGAIN = 'LAB_AGAIN'
MOST = 1
RESULT = re.compile(r'(not )?ok \d+ (.*?)(?: # SKIP (.*))?$')
PLAN = re.compile(r'1\.\.(\d+)$')


def is_excused(error):
    """Was it a guest that did not answer, first of all?"""
    while error:
        if isinstance(error, Unanswered):
            return True
        error = error.__context__
    return False


class Tap:
    """Prints results as they come; a test's name is a claim.

    tap.ok(cond, name, detail='')       one result; returns cond as a bool
    tap.equal(got, expected, name)      the same; a failure prints both
    tap.skip(name, reason)
    tap.note(text)                      a comment line
    tap.pass_on(program, line)          a line of a program's own TAP
    tap.done()                          prints the plan; True if all was well
    Tap.main(function)                  calls function(tap), then exits with
                                        0 or 1; an exception is a 'not ok'
    """

    def __init__(self):
        self.count = 0
        self.failed = 0
        self.began = time.monotonic()
        self._line('TAP version 13')

    def _line(self, text):
        print(text, flush=True)

    def note(self, text):
        for line in str(text).splitlines():
            self._line('# ' + line)

    def ok(self, cond, name, detail=''):
        self.count += 1
        self._line(f'{"ok" if cond else "not ok"} {self.count} {name}')
        if not cond:
            self.failed += 1
            if detail != '':
                self.note(detail)
        return bool(cond)

    def equal(self, got, expected, name):
        return self.ok(got == expected, name,
                       f'expected: {expected!r}\ngot:      {got!r}')

    def skip(self, name, reason):
        self.count += 1
        self._line(f'ok {self.count} {name} # SKIP {reason}')

    def pass_on(self, program, line):
        """Print a line that a program has printed; returns the plan if it is one."""
        result, plan = RESULT.match(line), PLAN.match(line)
        if result:
            bad, name, reason = result.groups()
            if reason is not None:
                self.skip(f'{program}: {name}', reason)
            else:
                self.ok(not bad, f'{program}: {name}')
        elif not plan and line != 'TAP version 13':
            self.note(line.removeprefix('# '))
        return int(plan.group(1)) if plan else None

    def elapsed(self):
        """Seconds since the test began."""
        return time.monotonic() - self.began

    def done(self):
        self._line(f'1..{self.count}')
        return self.failed == 0

    def begin_anew(self, times):
        """Run the whole test once more; the runner forgets what it has said
        so far (scripts/lab/run)."""
        self._line('# lab: again, a guest has not answered')
        os.environ[AGAIN] = str(times)
        os.execv(sys.executable, [sys.executable] + sys.argv)

    @classmethod
    def main(cls, function):
        tap = cls()
        try:
            function(tap)
        except KeyboardInterrupt:
            raise
        except BaseException as error:      # SystemExit is no way out, either
            text = traceback.format_exc()
            times = int(os.environ.get(AGAIN, '0'))
            if is_excused(error) and times < MOST:
                tap.note(text)
                tap.begin_anew(times + 1)
            tap.ok(False, f'the test ran to its end ({type(error).__name__})', text)
        sys.exit(0 if tap.done() else 1)
