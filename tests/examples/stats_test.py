#!/usr/bin/env python3
"""stats: what a bank that runs does, seen from another process.

    BANK=build/release/examples/bank STATS=build/release/examples/stats tests/examples/stats_test.py [StatsTest.test_…]
"""

import os
import re
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
from program import ProgramTest


class StatsTest(ProgramTest):
    variable = "STATS"

    def test_a_bank_that_runs_is_shown(self):
        log = f"{self.folder}/log"
        bank = [os.environ["BANK"], "--directory", log, "--commands", "1000000000"]
        with subprocess.Popen(bank, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
            try:
                done = self.run_program("--directory", log)
                while running.poll() is None and not re.search(r"[\d,]+ accepted", done.stdout):
                    done = self.run_program("--directory", log)  # not open yet, or nothing decided
            finally:
                running.kill()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for what in (rf"engine +open, process {running.pid}, epoch 1, ", r"log +position [\d,]+, ", r"queue wait +", r"decide +p50 \S+ \S+, p99 ",
                     r"pawl-loop +[\d,]+ rounds", r"account +[\d,]+ streams, "):
            self.assertRegex(done.stdout, rf"(?m)^ *{what}")

    def test_a_log_without_an_engine_is_refused_with_one_message(self):
        log = f"{self.folder}/log"
        bank = [os.environ["BANK"], "--directory", log, "--commands", "100", "--json"]
        subprocess.run(bank, capture_output=True, timeout=240, check=True)
        self.assert_refused(self.run_program("--directory", log), "no engine runs on", status=1)

    def test_wrong_options_are_refused_with_one_message(self):
        for arguments in ([], ["--wrong"], ["--directory", "log", "--every", "0"]):
            with self.subTest(arguments=arguments):
                done = self.run_program(*arguments)
                self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1))


if __name__ == "__main__":
    unittest.main()
