#!/usr/bin/env python3
"""The golden log of each format version: read by a script that knows the format page only, and by this library."""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
READER = HERE / "format_reader.py"
PROGRAM = os.environ["GOLDEN_LOG"]
GOLDEN = HERE / "v1"
KINDS = {"event", "epoch-began", "type-bound", "category-bound", "stream-bound", "session-opened", "accepted",
         "session-closed", "lane-opened", "stream-closed", "timer-set", "timer-fired", "clock-adopted", "timer-cancelled"}


def lines_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def read_by_page(log):
    """Records, and the last line: where the log ends."""
    lines = lines_of(sys.executable, READER, log)
    return lines[:-1], json.loads(lines[-1])


class GoldenTest(unittest.TestCase):
    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="pawl-golden-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.expected, self.end = read_by_page(GOLDEN / "log")

    def copy_of_golden(self):
        return Path(shutil.copytree(GOLDEN / "log", self.directory / "copy"))

    def test_the_format_page_suffices_to_read_the_golden_log(self):
        listing = "".join(line + "\n" for line in self.expected)
        hash_of_listing = (GOLDEN / "records.sha256").read_text().strip()
        self.assertEqual(hashlib.sha256(listing.encode()).hexdigest(), hash_of_listing)
        self.assertEqual(self.end["durable"], self.end["end"], "it ended with a clean stop")
        records = [json.loads(line) for line in self.expected]
        self.assertEqual({record["kind"] for record in records}, KINDS, "something of everything")
        self.assertEqual({record["epoch"] for record in records}, {1, 2, 3})
        self.assertEqual({record["cause"] for record in records}, {1, 2, 3, 4})
        self.assertEqual({record["is_bulk"] for record in records}, {0, 1})
        extensions = {each.split(":")[0] for record in records for each in record["extensions"]}
        self.assertEqual(extensions, {"3", "4"}, "an idempotency key, a first receipt")

    def test_this_version_reads_the_golden_log(self):
        self.assertEqual(lines_of(PROGRAM, "list", self.copy_of_golden()), self.expected)

    def test_a_later_release_sees_the_golden_events_upcast(self):
        log = self.copy_of_golden()
        states = lines_of(PROGRAM, "states", log)
        upcast = [line.split(" older ") for line in lines_of(PROGRAM, "upcast", log)]
        self.assertEqual([state for state, _ in upcast], states)
        changed = set()  # type numbers of events that changed in the later release
        for record in map(json.loads, self.expected):
            if record["kind"] == "type-bound":
                payload = bytes.fromhex(record["payload"])
                if payload[24:].startswith((b"golden.deposited", b"golden.withdrawn")):
                    changed.add(record["type"])
        events = [record for record in map(json.loads, self.expected)
                  if record["kind"] == "event" and record["type"] in changed]
        self.assertEqual(sum(int(older) for _, older in upcast), len(events), "each of them, once")
        self.assertGreater(len(events), 100)

    def test_the_format_page_suffices_to_read_what_this_version_writes(self):
        log = self.directory / "fresh"
        subprocess.run([PROGRAM, "make", log], check=True)
        records, _ = read_by_page(log)
        self.assertGreater(len(records), len(self.expected) // 2)
        self.assertEqual(records, lines_of(PROGRAM, "list", log))

    def test_a_flipped_bit_never_shows_a_wrong_record(self):
        seed = int(os.environ.get("PAWL_SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"PAWL_SEED={seed}")
        chance = random.Random(seed)
        segment = self.copy_of_golden() / "0000000000.seg"
        whole = segment.read_bytes()
        used = len(whole.rstrip(b"\0"))
        for _ in range(40):
            at = chance.randrange(4096, used)
            flipped = bytearray(whole)
            flipped[at] ^= 1 << chance.randrange(8)
            segment.write_bytes(flipped)
            got = subprocess.run([sys.executable, READER, segment.parent], capture_output=True, text=True)
            records = got.stdout.splitlines()[:-1]
            self.assertEqual(records, self.expected[:len(records)], f"byte {at}")
            self.assertLess(len(records), len(self.expected), f"byte {at}")
            self.assertEqual(got.returncode, 1, "what was durable is missing")
            self.assertIn("damaged", got.stderr)

    def test_the_reader_is_short(self):
        self.assertLessEqual(len(READER.read_text().splitlines()), 150)


if __name__ == "__main__":
    unittest.main()
