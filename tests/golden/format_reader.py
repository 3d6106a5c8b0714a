#!/usr/bin/env python3
"""Reads a log with nothing but memlog/FORMAT.md at hand: `format_reader.py LOG` prints one line per record of the files
in the log directory, oldest first, then where the log ends and what is known to be durable. It believes nothing that it
can check. Exits with 1 and one line on standard error for a log that FORMAT.md calls damaged."""

import json
import struct
import sys
from pathlib import Path

BLOCK = 4096
KINDS = {1: "event", 2: "epoch-began", 3: "type-bound", 4: "category-bound", 5: "stream-bound", 6: "session-opened",
         7: "accepted", 16: "session-closed", 17: "lane-opened", 19: "stream-closed", 32: "timer-set",
         33: "timer-fired", 34: "clock-adopted", 35: "timer-cancelled"}


class Damaged(Exception):
    pass


def check(holds, what):
    if not holds:
        raise Damaged(what)


CRC_TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    CRC_TABLE.append(byte)


def crc32c(seed, data):
    crc = seed ^ 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def block_is_whole(block, magic):
    return len(block) == BLOCK and block[:8] == magic and crc32c(0, block[:4092]) == struct.unpack_from("<I", block, 4092)[0]


class Log:
    def __init__(self, directory):
        self.directory = Path(directory)
        manifest = (self.directory / "manifest").read_bytes()
        check(block_is_whole(manifest, b"PAWLMAN1"), "manifest")
        version, _, self.log_id, self.segment_bytes = struct.unpack_from("<II16sQ", manifest, 8)
        check(version == 1, f"format version {version}")
        files = sorted(self.directory.glob("*.seg"))
        check([file.name for file in files] == [f"{index:010}.seg" for index in range(len(files))], "a segment is missing")
        self.segments = [self.read_segment(index, file) for index, file in enumerate(files)]
        self.durable = self.durable_by_evidence()
        self.position = 1
        self.end = BLOCK

    def read_segment(self, index, file):
        data = file.read_bytes().ljust(self.segment_bytes, b"\0")
        check(len(data) == self.segment_bytes and block_is_whole(data[:BLOCK], b"PAWLSEG1"), file.name)
        version, salt, log_id, own_index, segment_bytes = struct.unpack_from("<II16sQQ", data, 8)
        check((version, log_id, own_index, segment_bytes) == (1, self.log_id, index, self.segment_bytes), file.name)
        return salt, data

    def durable_by_evidence(self):
        slots = (self.directory / "evidence").read_bytes()
        found = []
        for slot in (slots[:BLOCK], slots[BLOCK:2 * BLOCK]):
            if not block_is_whole(slot, b"PAWLEVI1"):
                continue
            log_id, round_, durable = struct.unpack_from("<16sQQ", slot, 8)
            if log_id == self.log_id:
                found.append((round_, durable))
        check(found, "both evidence slots")
        return max(found)[1]

    def frames(self):
        """Follows the chain; ends at E."""
        previous_checksum = epoch = 0
        for index, (salt, data) in enumerate(self.segments):
            at, previous_length = BLOCK, 0
            while at + 64 <= len(data):
                head = struct.unpack_from("<IIQIIQQQIHBBII", data, at)
                length, checksum, address, frame_epoch, chained = head[:5]
                if not 64 <= length <= len(data) - at or length % 64 or address != index * self.segment_bytes + at:
                    return
                if checksum != crc32c(salt, data[at + 8:at + 64] + data[at:at + 4] + data[at + 64:at + length]):
                    return
                if frame_epoch < epoch or chained != previous_checksum or head[12] != previous_length:
                    return
                epoch, previous_checksum, previous_length = frame_epoch, checksum, length
                self.durable = max(self.durable, head[5])
                yield data[at:at + length], head
                at += length
                self.end = index * self.segment_bytes + at
                if head[10] == 2:  # seal
                    break
            else:
                return

    def records(self):
        for frame, head in self.frames():
            first_position, time_ns, records, commits, kind, flags = head[6:12]
            payload_end = 64 + head[13]
            check(kind in (1, 2) and flags == 0 and payload_end <= len(frame), "frame kind, flags or payload")
            check(first_position == self.position and not any(frame[payload_end:]), "frame position or padding")
            at = 64
            for _ in range(commits):
                size, count, cause, commit_flags, session, sequence = struct.unpack_from("<IHBBII", frame, at)
                end, at = at + size, at + 16
                check(end <= payload_end and count >= 1, "commit size")
                more, extensions = commit_flags & 1, []
                while more:
                    code, size, more = struct.unpack_from("<HHI", frame, at)
                    check(8 <= size <= end - at and size % 8 == 0 and more <= 1, "extension size")
                    extensions.append(f"{code}:{frame[at + 8:at + size].hex()}")
                    at += size
                for _ in range(count):
                    units, code, bits, stream, low, high, type_, back_link = struct.unpack_from("<HBBIIHHQ", frame, at)
                    check(units >= 3 and at + units * 8 <= end, "record size")
                    yield {"position": self.position, "epoch": head[3], "time_ns": time_ns, "cause": cause,
                           "is_bulk": commit_flags >> 1 & 1, "session": session, "sequence": sequence,
                           "kind": KINDS.get(code, str(code)), "own_stream": bits >> 3 & 1, "stream": stream, "version": high << 32 | low, "type": type_,
                           "back_link": back_link, "payload": frame[at + 24:at + units * 8 - (bits & 7)].hex(),
                           "extensions": extensions}
                    self.position += 1
                    records -= 1
                    at += units * 8
                check(at == end, "commit records")
            check(at == payload_end and records == 0, "frame records")


def main(directory):
    try:
        log = Log(directory)
        for record in log.records():
            print(json.dumps(record))
        print(json.dumps({"end": log.end, "durable": log.durable}))
        check(log.durable <= log.end, f"durable up to {log.durable}, whole up to {log.end}")
    except (Damaged, OSError, struct.error) as why:
        sys.exit(f"{directory}: damaged: {why}")


if __name__ == "__main__":
    main(sys.argv[1])
