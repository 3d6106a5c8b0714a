#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "pawl/engine.h"
#include "pawl/log_reader.h"

namespace pawl {

// A record as a reader of the log finds it, without what differs between two runs (time).
struct SeenRecord {
  std::uint64_t position;
  std::uint64_t commit;  // 1, 2, 3…: records of one commit share it
  RecordKind kind;
  std::uint32_t stream;
  std::uint64_t version;
  std::uint16_t type;
  std::uint64_t back_link;
  std::uint32_t session;
  std::uint32_t sequence;
  std::string payload;

  friend bool operator==(const SeenRecord&, const SeenRecord&) = default;

  template <class E>
  E As() const {
    E event;
    std::memcpy(&event, payload.data(), sizeof event);
    return event;
  }
};

// All that is published.
inline std::vector<SeenRecord> ReadLog(const Engine& engine) {
  std::vector<SeenRecord> seen;
  LogReader reader = engine.log().NewReader();
  const Address limit = engine.log().published();
  const CommitHeader* last_commit = nullptr;
  std::uint64_t commits = 0;
  while (const FrameHeader* frame = reader.NextFrame(limit)) {
    ForEachRecord(*frame, [&](const RecordView& record) {
      if (&record.commit != last_commit) ++commits;
      last_commit = &record.commit;
      const RecordHeader& header = record.header;
      seen.push_back(
          {.position = record.position.value(),
           .commit = commits,
           .kind = header.kind,
           .stream = header.stream,
           .version = header.version(),
           .type = header.type,
           .back_link = header.back_link,
           .session = record.commit.session,
           .sequence = record.commit.sequence,
           .payload = {reinterpret_cast<const char*>(record.payload()), header.payload_bytes()}});
    });
  }
  return seen;
}

inline std::vector<SeenRecord> EventsOf(const std::vector<SeenRecord>& records) {
  std::vector<SeenRecord> events;
  for (const SeenRecord& record : records) {
    if (record.kind == RecordKind::kEvent) events.push_back(record);
  }
  return events;
}

// The bytes of all segment files and hot images, by path.
inline std::map<std::string, std::string> SegmentBytes(const EngineOptions& options) {
  std::map<std::string, std::string> bytes;
  for (const std::string& folder : {options.directory, options.hot_directory}) {
    if (!std::filesystem::exists(folder)) continue;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string extension = entry.path().extension();
      if (extension != ".seg" && extension != ".img") continue;
      std::string& content = bytes[entry.path()];
      content.resize(entry.file_size());
      std::ifstream(entry.path(), std::ios::binary)
          .read(content.data(), static_cast<std::streamsize>(content.size()));
    }
  }
  return bytes;
}

}  // namespace pawl
