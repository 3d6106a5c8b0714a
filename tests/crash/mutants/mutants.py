#!/usr/bin/env python3
"""Copies a source of memlog with one fault of the protocol put in, for a program that a campaign must see through.

    mutants.py NAME SOURCE OUTPUT

A piece that is to be replaced must stand in the source exactly once: where the source has moved on, the build stops here
and the mutant must follow it. Nothing of this gets near the library."""

import os
import sys

# name -> file -> (piece, what stands there instead)
MUTANTS = {
    "evidence-before-sync": {"sync_agent.cc": [(
        "  if (!Accept(target_.file->WriteAt(first,",
        "  if (!Accept(evidence_->Write(Address(end), epoch_, false))) return false;\n"
        "  if (!Accept(target_.file->WriteAt(first,")]},
    "seam-passed-early": {"sync_agent.cc": [(
        "const bool is_done = end == from_ ?",
        "const bool is_done = published > geometry_.End(index_) || end == from_ ?")]},
    "header-not-synced": {"segment_preparer.cc": [(
        "  return file_->Sync();",
        "  return absl::OkStatus();")]},
    "published-before-stored": {"log_writer.cc": [(
        "  storage_->StoreFrame(*segment_.image,",
        "  marks_->published.store(address_.value() + length, std::memory_order_release);\n"
        "  storage_->StoreFrame(*segment_.image,")]},
    "holes-skipped": {"frame_scan.cc": [
        (" || header.previous_checksum != cursor.previous_checksum) {", ") {"),
        ("      case FrameVerdict::kInvalid: return SegmentVerdict::kEnds;\n",
         """      case FrameVerdict::kInvalid: {
        ScanCursor ahead = cursor;
        do {
          ahead.next = ahead.next.Plus(kFrameAlignBytes);
          if (ahead.next.value() >= geometry.End(segment.index)) return SegmentVerdict::kEnds;
        } while (CheckFrame(segment, geometry, ahead) == FrameVerdict::kInvalid);
        cursor = ahead;
        continue;
      }
""")]},
    "ghosts": {
        "frame_scan.cc": [(
            "  if (header.epoch < cursor.epoch.value() || header.previous_checksum != cursor.previous_checksum) {",
            "  if (header.epoch == 0) {")],
        "recovery_settle.cc": [(
            "    const std::uint64_t size = std::min(end_.next.value() - start, geometry_.segment_bytes);",
            "    const std::uint64_t size = geometry_.segment_bytes + 0 * start;")]},
}


def mutate(text, pieces):
    for piece, instead in pieces:
        if text.count(piece) != 1:
            raise ValueError(f"stands there {text.count(piece)} times, not once:\n{piece}")
        text = text.replace(piece, instead)
    return text


def main():
    name, source, output = sys.argv[1:]
    with open(source, encoding="utf-8") as stream:
        text = stream.read()
    try:
        text = mutate(text, MUTANTS[name][os.path.basename(source)])
    except ValueError as error:
        sys.exit(f"mutant {name}: {source}: {error}")
    with open(output, "w", encoding="utf-8") as stream:
        stream.write(text)


if __name__ == "__main__":
    main()
