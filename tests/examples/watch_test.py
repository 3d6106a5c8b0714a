#!/usr/bin/env python3
"""watch: a log that a bank writes is read along from another process.

    BANK=build/release/examples/bank WATCH=build/release/examples/watch tests/examples/watch_test.py [WatchTest.test_…]
"""

import json
import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
from program import ProgramTest

WHAT = (r"epoch \d+ began", r"type \d+ is bank\.\w+, version 1", r"category \d+ is account", r"stream \d+ is account [0-9a-f]{32}",
        r"stream \d+, version \d+: bank\.\w+(?: [0-9a-f]+)+", r"session \d+ is [\w.-]+, control lane opened, generation \d+",
        r"accepted, without an event")
# Of the golden log, which has a record of each kind.
GOLDEN = Path(__file__).resolve().parent.parent / "golden/v1/log"
ALL = (r"session 1 is golden, control lane opened, generation 3", r"session 1 is golden, bulk lane opened, generation 1",
       r"session 2 is passing, control lane opened, generation 1", r"session 2 closed", r"stream \d+ closed, after version 1",
       r"accepted, without an event", r"clock adopted", r"stream \d+, timer golden\.reminder 5 set, due at \d+ ns",
       r"stream \d+, timer golden\.reminder 5 cancelled", r"stream \d+, timer golden\.reminder 1 fired, accepted",
       r"stream \d+, timer golden\.reminder 2 fired, not accepted", r"epoch 2 began", r"stream \d+ is notebook [0-9a-f]{32}")
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
        bank = subprocess.run(self.bank(log, 2_000), capture_output=True, timeout=240, check=True)
        done = self.run_program("--directory", log, "--once")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        positions = self.positions(done.stdout)
        self.assertEqual(positions, list(range(1, len(positions) + 1)))
        # What is refused depends on whose command comes first.
        self.assertGreater(len(positions), json.loads(bank.stdout)["accepted"])

    def test_a_record_of_each_kind_has_its_name(self):
        log = shutil.copytree(GOLDEN, f"{self.folder}/golden")
        done = self.run_program("--directory", log, "--once")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = [line.split(maxsplit=1)[1] for line in done.stdout.splitlines()]
        for wanted in ALL:
            self.assertTrue(any(re.fullmatch(wanted, line) for line in lines), wanted)
        self.assertEqual([line for line in lines if line.startswith("record of kind")], [])

    def test_records_come_while_the_bank_runs(self):
        log = f"{self.folder}/log"
        subprocess.run(self.bank(log, 100), capture_output=True, timeout=240, check=True)
        with subprocess.Popen([self.program, "--directory", log], stdout=subprocess.PIPE, text=True) as watcher:
            try:
                before = len(self.positions(self.run_program("--directory", log, "--once").stdout))
                subprocess.run(self.bank(log, 20_000), capture_output=True, timeout=240, check=True)
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
