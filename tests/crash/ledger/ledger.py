#!/usr/bin/env python3
"""The ledger of the campaigns: what was run, on which code, and what came of it.

    ledger.py add RESULT.json CAMPAIGN   appends a row for a clean result
    ledger.py add-fuzz PROGRAM SEED RUNS SECONDS
                                         appends a row for that many clean executions of <target>_fuzz: tests/fuzz/run --ledger
    ledger.py sums                       totals per campaign, and how much of that is stale
    ledger.py sample PROGRAMS            runs a slice of a few rows again; fails if it fails now (PAWL_SEED draws)

A row is stale when the code that it speaks of has changed since: the campaign's own sources, or those of the log that
decide what the disk holds. Comments and white space do not count. Stale rows stay, and are summed apart."""

import datetime
import hashlib
import json
import os
import random
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
LEDGER = os.path.join(os.path.dirname(HERE), "LEDGER.tsv")
COLUMNS = ["campaign", "seed", "first", "last", "commit", "harness", "count", "failures", "seconds", "date"]

MACHINE = [f"tests/crash/{name}" for name in (
    "cut_choices.h", "cut_choices.cc", "sim_disk.h", "sim_disk.cc", "sim_file.h", "sim_file.cc", "sim_op.h", "sim_op.cc",
    "sim_random.h", "sim_storage.h", "sim_storage.cc", "history.h", "history.cc", "life.h", "life.cc")]
POWER_CUTS = [f"tests/crash/{name}" for name in ("power_cuts.h", "power_cuts.cc", "rot.cc", "tally.h", "tally.cc")]
# campaign -> its program, its own sources, cases of one slice when rows are sampled
CAMPAIGNS = {
    "power-cuts": ("pawl_campaign", POWER_CUTS, 500),
    "flips": ("pawl_campaign_flips", ["tests/crash/flips/"], 500),
    "failures": ("pawl_campaign_failures", ["tests/crash/failures/"], 200),
    "kills": ("pawl_kills", ["tests/crash/kills/"], 50),
    # Not sampled: they want root, or minutes, or count something else than their cases; a ctest each runs them anyway.
    "commands": ("pawl_commands", ["tests/crash/commands/", "core/", "core/include/pawl/"], 0),
    "disk-full": ("pawl_disk_full", ["tests/crash/ext4/"], 0),
    "ext4-cuts": ("pawl_ext4_cuts", ["tests/crash/ext4/"], 0),
    "steps": ("pawl_steps", ["tests/crash/steps/"], 0),
}
# Of memlog: what reads, writes and orders the bytes of a log.
PROTOCOL = [f"memlog/{name}" for name in (
    "attached_log.cc", "attached_segments.cc", "block_file.cc", "content_hash.cc", "evidence.cc", "evidence.h",
    "file_follower.cc", "frame_checksum.h", "frame_scan.cc", "frame_scan.h", "hot_images.cc", "index_builder.cc",
    "index_format.h", "log.cc", "log_open.cc", "log_reader.cc", "log_writer.cc", "manifest.cc", "posix_mapping.cc",
    "reader_slots.cc", "recovery.cc", "recovery.h", "recovery_settle.cc", "recovery_table.h", "segment_file.cc",
    "segment_index.cc", "segment_indexer.cc", "segment_indexes.cc", "segment_preparer.cc", "segment_scrubber.cc",
    "segment_set.cc", "segment_source.cc", "segment_walk.cc", "sync_agent.cc", "include/pawl/format.h",
    "include/pawl/hot_marks.h", "include/pawl/log_writer.h")]
# Fuzz targets, campaign fuzz-<target>: numbers are executions, a seed draws its own inputs. Of the machine they have the
# disk; of memlog and core what the target reads. Not sampled: ctest runs the targets anyway.
FUZZ_MACHINE = [name for name in MACHINE if not name.startswith(("tests/crash/history", "tests/crash/life"))]
FORMAT = ["memlog/include/pawl/format.h", "memlog/frame_checksum.h", "memlog/crc32c.cc"]
FUZZED = {
    "evidence": ["memlog/evidence.h", "memlog/evidence.cc", "memlog/block_file.cc"],
    "frame": ["memlog/frame_scan.h", "memlog/frame_scan.cc", "memlog/include/pawl/log_reader.h"],
    "index": ["memlog/index_format.h", "memlog/index_builder.cc", "memlog/segment_index.h", "memlog/segment_index.cc"],
    "manifest": ["memlog/manifest.h", "memlog/manifest.cc", "memlog/block_file.cc"],
    "reader_slots": ["memlog/reader_slots.h", "memlog/reader_slots.cc", "memlog/process_identity.cc"],
    "recover": PROTOCOL,
    "replay": PROTOCOL + [f"core/{name}.cc" for name in ("replay", "session_table", "stream_store", "type_catalog")],
}
# Of tests/fuzz what runs no input of a target.
NO_FUZZ_SOURCES = ("hostile_log_test.cc", "corpus_replay.cc")
FAILURES = ("lost", "wrong_reads", "refused_torn", "accepted_damage", "violations", "kill_lost", "changed_by_refusal",
            "refused", "accepted", "wrong_status", "leaked", "signals", "hung")


def code_of(path):
    with open(path, encoding="utf-8") as stream:
        lines = [re.sub(r"(^|\s)//.*", "", line) for line in stream]
    return re.sub(r"\s+", "", "".join(lines))


def fuzz_sources_of(target):
    folder = os.path.join(ROOT, "tests/fuzz")
    for file in sorted(os.listdir(folder)):
        is_other_target = file.endswith("_fuzz.cc") and file != f"{target}_fuzz.cc"
        if file.endswith((".cc", ".h")) and not is_other_target and file not in NO_FUZZ_SOURCES:
            yield os.path.join(folder, file)
    yield from (os.path.join(ROOT, name) for name in dict.fromkeys(FUZZ_MACHINE + FORMAT + FUZZED[target]))


def sources_of(campaign):
    if campaign.startswith("fuzz-"):
        yield from fuzz_sources_of(campaign.removeprefix("fuzz-"))
        return
    for name in CAMPAIGNS[campaign][1] + MACHINE + PROTOCOL:
        path = os.path.join(ROOT, name)
        if not name.endswith("/"):
            yield path
            continue
        yield from sorted(os.path.join(path, file) for file in os.listdir(path)
                          if file.endswith((".cc", ".h")) and not file.endswith("_main.cc"))


def harness_hash(campaign):
    digest = hashlib.sha256()
    for path in sources_of(campaign):
        digest.update(os.path.basename(path).encode() + code_of(path).encode())
    return digest.hexdigest()[:12]


def rows():
    if not os.path.exists(LEDGER):
        return []
    with open(LEDGER, encoding="utf-8") as stream:
        lines = stream.read().splitlines()
    if lines[0].split("\t") != COLUMNS:
        sys.exit(f"{LEDGER}: the first line names other columns")
    return [dict(zip(COLUMNS, line.split("\t"), strict=True)) for line in lines[1:]]


def commit():
    def git(*words):
        return subprocess.run(["git", "-C", ROOT, *words], check=True, capture_output=True, text=True).stdout.strip()
    is_changed = git("status", "--porcelain", "--untracked-files=no", "memlog", "core", "tests/crash", "tests/fuzz",
                     ":(exclude)tests/crash/LEDGER.tsv")
    return git("rev-parse", "--short=12", "HEAD") + ("+" if is_changed else "")


def add(result_path, campaign, at_commit=None):
    with open(result_path, encoding="utf-8") as stream:
        result = json.load(stream)
    # What a command may end as is no failure of the campaign that sends commands.
    names = ("differences",) if campaign == "commands" else FAILURES
    failures = sum(result.get(name, 0) for name in names)
    if failures:
        sys.exit(f"{failures} failures: such a run is mended, not entered")
    row = {"campaign": campaign, "seed": result["seed"], "first": result["first"],
           "last": result["first"] + result["count"] - 1, "commit": at_commit or commit(), "harness": harness_hash(campaign),
           "count": result["count"], "failures": failures, "seconds": round(result["seconds"]),
           "date": datetime.date.today().isoformat()}
    append(row)


def add_fuzz(program, seed, runs, seconds):
    target = os.path.basename(program).removesuffix("_fuzz")
    if target not in FUZZED:
        sys.exit(f"{target}: no such fuzz target, there are {', '.join(FUZZED)}")
    campaign = f"fuzz-{target}"
    changed = [path for path in sources_of(campaign) if os.path.getmtime(path) > os.path.getmtime(program)]
    if changed:
        sys.exit(f"{program} is older than {changed[0]}: the run does not speak of the code as it is now, no row")
    append({"campaign": campaign, "seed": int(seed), "first": 0, "last": int(runs) - 1, "commit": commit(),
            "harness": harness_hash(campaign), "count": int(runs), "failures": 0, "seconds": int(seconds),
            "date": datetime.date.today().isoformat()})


def append(row):
    is_new = not os.path.exists(LEDGER)
    with open(LEDGER, "a", encoding="utf-8") as stream:
        if is_new:
            stream.write("\t".join(COLUMNS) + "\n")
        stream.write("\t".join(str(row[column]) for column in COLUMNS) + "\n")


def is_stale(row):
    is_known = row["campaign"] in CAMPAIGNS or row["campaign"].removeprefix("fuzz-") in FUZZED
    return not is_known or row["harness"] != harness_hash(row["campaign"])


def cases_of(ranges):
    """How many different numbers there are in ranges that may overlap."""
    total, end = 0, -1
    for first, last in sorted(ranges):
        total += max(0, last - max(first, end + 1) + 1)
        end = max(end, last)
    return total


def sums():
    for campaign in sorted({row["campaign"] for row in rows()}):
        for stale in (False, True):
            these = [row for row in rows() if row["campaign"] == campaign and is_stale(row) == stale]
            seeds = {row["seed"] for row in these}
            different = sum(cases_of([(int(row["first"]), int(row["last"])) for row in these if row["seed"] == seed])
                            for seed in seeds)
            if these:
                print(f"{campaign:17} {different:>12,} cases, {sum(int(row['failures']) for row in these)} failures, "
                      f"{sum(int(row['seconds']) for row in these):,} s, {len(these)} rows"
                      + (", stale: the code has changed since" if stale else ""))


def sample(programs):
    seed = int(os.environ.get("PAWL_SEED", "1"))
    print(f"seed {seed}")
    draw = random.Random(seed)
    failed = 0
    for campaign, (program, _, size) in sorted(CAMPAIGNS.items()):
        candidates = [row for row in rows() if row["campaign"] == campaign and size > 0]
        for row in draw.sample(candidates, min(2, len(candidates))):
            first = draw.randint(int(row["first"]), max(int(row["first"]), int(row["last"]) - size + 1))
            # Cases of a workload belong together: a slice begins with one.
            first = max(int(row["first"]), first - first % 10)
            command = [os.path.join(programs, program), campaign, "--first", str(first), "--count", str(size), "--json"]
            if campaign != "failures":
                command += ["--seed", row["seed"]]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            failed += result.returncode != 0
            print(f"{campaign} of {row['commit']}, {'stale' if is_stale(row) else 'fresh'}: {' '.join(command[1:])}: "
                  f"{'clean' if result.returncode == 0 else 'FAILS NOW'}")
            if result.returncode:
                print(result.stderr)
    return 1 if failed else 0


def main():
    words = sys.argv[1:]
    if words[:1] == ["add"] and len(words) in (3, 4):
        return add(*words[1:])
    if words[:1] == ["add-fuzz"] and len(words) == 5:
        return add_fuzz(*words[1:])
    if words == ["sums"]:
        return sums()
    if words[:1] == ["sample"] and len(words) == 2:
        return sample(words[1])
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main())
