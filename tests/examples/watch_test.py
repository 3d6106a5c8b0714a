#!/usr/bin/env python3
"""watch: a log that a bank writes is read along from another process.

    BANK=build/release/examples/bank WATCH=build/release/examples/watch tests/examples/watch_test.py [WatchTest.test_…]
"""

import os
import re
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
from program import ProgramTest

WHAT = (r"epoch \d+ began", r"type \d+ is bank\.\w+, version 1", r"category \d+ is account", r"stream \d+ is account [0-9a-f]{32}",
        r"stream \d+, version \d+: bank\.\w+(?: [0-9a-f]+)+", r"record of kind \d+")
LINE = re.compile(rf" *(\d+)  (?:{'|'.join(WHAT)})")


class WatchTest(ProgramTest):
    variable = "WATCH"

    def bank(self, log, commands):
        return [os.environ["BANK"], "--directory", log, "--commands", str(commands), "--ack", "durable", "--json"]

    def positions(self, text):
        lines = text.splitlines()
        found = [LINE.fullmatch(line) for line in lines]
        self.assertNotIn(None, found, [line for line, match in zip(lines, found) if match is None][:3])
        return [int(match.group(1)) for match in found]

    def test_a_log_that_was_closed_is_shown_whole(self):
        log = f"{self.folder}/log"
        subprocess.run(self.bank(log, 2_000), capture_output=True, timeout=120, check=True)
        done = self.run_program("--directory", log, "--once")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        positions = self.positions(done.stdout)
        self.assertEqual(positions, list(range(1, len(positions) + 1)))
        self.assertGreater(len(positions), 1_000)

    def test_records_come_while_the_bank_runs(self):
        log = f"{self.folder}/log"
        subprocess.run(self.bank(log, 100), capture_output=True, timeout=120, check=True)
        with subprocess.Popen([self.program, "--directory", log], stdout=subprocess.PIPE, text=True) as watcher:
            try:
                before = len(self.positions(self.run_program("--directory", log, "--once").stdout))
                subprocess.run(self.bank(log, 20_000), capture_output=True, timeout=120, check=True)
                # More than its output buffer holds: it comes without an end of the log.
                shown = [watcher.stdout.readline() for _ in range(before + 5_000)]
            finally:
                watcher.kill()
        self.assertEqual(self.positions("".join(shown)), list(range(1, before + 5_001)))

    def test_what_is_no_log_is_refused_with_one_message(self):
        for arguments, status in ((["--directory", f"{self.folder}/nothing"], 1), ([], 2), (["--wrong"], 2)):
            with self.subTest(arguments=arguments):
                done = self.run_program(*arguments)
                self.assertEqual(done.returncode, status)
                self.assertEqual(len(done.stderr.splitlines()), 1)


if __name__ == "__main__":
    unittest.main()
