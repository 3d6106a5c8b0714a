#!/usr/bin/env python3
"""bank: short runs at both levels, with one to three producers, on a schedule, and killed.

    BANK=build/release/examples/bank tests/examples/bank_test.py [BankTest.test_…]
"""

import os
import pathlib
import random
import sys
import unittest

sys.dont_write_bytecode = True
from program import ProgramTest

LATENCY = {"p50", "p99", "p999", "max"}
SEED = os.environ.get("PAWL_SEED") or str(random.SystemRandom().randrange(1 << 32))


class BankTest(ProgramTest):
    variable = "BANK"

    def setUp(self):
        super().setUp()
        print(f"PAWL_SEED={SEED}", file=sys.stderr)

    def bank(self, *arguments, **expected):
        return self.run_json("--seed", SEED, *arguments, **expected)

    def assert_sound(self, found, commands):
        self.assertEqual(found["accepted"] + found["refused"], commands)
        self.assertGreater(found["accepted"], commands // 2)
        self.assertIs(found["money_conserved"], True)
        self.assertIs(found["view_matches"], True)
        self.assertGreater(found["commands_per_second"], 0)
        self.assertGreater(found["log_bytes_per_command"], 8)  # an event alone has so many
        for name in ("submit_to_ack_ns", "submit_to_visible_ns"):
            latency = found[name]
            self.assertEqual(set(latency), LATENCY)
            self.assertGreater(latency["p50"], 0)
            self.assertLessEqual(latency["p50"], latency["p99"])
            self.assertLessEqual(latency["p99"], latency["p999"])
            self.assertLessEqual(latency["p999"], latency["max"])

    def test_one_to_three_producers_at_both_levels(self):
        for ack in ("published", "durable"):
            for producers in (1, 2, 3):
                with self.subTest(ack=ack, producers=producers):
                    found = self.bank("--commands", 20_001, "--accounts", 50, "--producers", producers, "--ack", ack)
                    self.assert_sound(found, 20_001)
                    self.assertIs(found["is_saturated"], True)

    def test_fewer_commands_than_producers(self):
        found = self.bank("--commands", 2, "--accounts", 1, "--producers", 3)
        self.assertEqual(found["accepted"] + found["refused"], 2)
        self.assertIs(found["view_matches"], True)

    def test_on_a_schedule_it_is_not_faster_than_the_schedule(self):
        found = self.bank("--commands", 5_000, "--rate", 20_000, "--producers", 2)
        self.assert_sound(found, 5_000)
        self.assertLess(found["commands_per_second"], 20_000 * 1.01)  # the last one is sent at its time, not before
        self.assertIs(found["is_saturated"], False)

    def test_a_directory_that_is_named_stays_and_a_second_run_goes_on_with_it(self):
        log = f"{self.folder}/log"
        for _ in range(2):
            self.assert_sound(self.bank("--commands", 10_000, "--directory", log), 10_000)
            self.assertTrue(os.path.isfile(f"{log}/manifest"))

    def test_a_temporary_directory_is_named_and_removed(self):
        done = self.run_program("--commands", 1_000)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"log in {self.folder}/bank-", done.stderr)
        self.assertEqual(list(pathlib.Path(self.folder).iterdir()), [])

    def test_the_table_is_for_people(self):
        done = self.run_program("--commands", 1_000)
        for words in ("saturated", "commands a second", "submit → acknowledged", "submit → visible", "p99.9",
                      "bytes per accepted command", "money conserved", "views equal aggregates"):
            self.assertIn(words, done.stdout)
        self.assertNotIn("{", done.stdout)

    def test_wrong_options_are_refused_with_one_message(self):
        for arguments, message in ((("--comands", 1), "'--comands' is no option"),
                                   (("--commands", 0), "--commands: expected a whole number from 1 to"),
                                   (("--commands", "many"), "found 'many'"),
                                   (("--rate", "-1"), "--rate: expected a whole number"),
                                   (("--ack", "soon"), "--ack: expected published or durable, found 'soon'"),
                                   (("--accounts",), "--accounts needs a value"),
                                   (("--crash", "--cycles", 0), "--cycles: expected a whole number")):
            with self.subTest(arguments=arguments):
                self.assert_refused(self.run_program(*arguments), message)

    def test_a_log_that_cannot_be_is_refused_with_one_message(self):
        done = self.run_program("--commands", 1, "--directory", f"{self.folder}/no/such/parent")
        self.assert_refused(done, f"{self.folder}/no/such/parent")

    def test_killed_in_mid_run_it_loses_nothing(self):
        found = self.bank("--crash", "--cycles", 30)  # more than one log
        self.assertEqual(found["cycles"], 30)
        self.assertGreaterEqual(found["kills_in_flight"], 28)
        self.assertGreater(found["acknowledged"], 0)
        self.assertGreaterEqual(found["unacked_present"], 0)
        for name in ("lost", "duplicated", "unexpected", "wrong_receipts", "wrong_balances"):
            self.assertEqual(found[name], 0, name)

    def test_an_answer_that_was_never_given_is_found_to_be_lost(self):
        found = self.bank("--crash", "--cycles", 2, "--forge", status=1)
        self.assertEqual(found["lost"], 1)
        self.assertEqual(found["duplicated"], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
