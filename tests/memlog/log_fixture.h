#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "pawl/log.h"

#define ASSERT_OK(expression)                        \
  do {                                               \
    const absl::Status status_ = (expression);       \
    ASSERT_TRUE(status_.ok()) << status_.ToString(); \
  } while (false)

namespace pawl::inline v0 {

using Bytes = std::vector<std::byte>;

// A directory that is gone at the end. In memory where that is possible: the tests that cut and
// reopen hundreds of logs wait for no disk. `on_disk` asks for the real one.
class ScratchDirectory {
 public:
  explicit ScratchDirectory(bool on_disk = false) {
    const char* const told = ::getenv("TMPDIR");
    std::string root = told != nullptr ? told : "/tmp";
    if (!on_disk && std::filesystem::is_directory("/dev/shm")) root = "/dev/shm";
    std::string name = root + "/pawl-test-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "mkdtemp " << name;
    path_ = name;
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory() {
    std::error_code ignored;  // what cannot be removed is a mount of the test's own
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const noexcept { return path_; }
  std::string Sub(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline Bytes ReadWhole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  Bytes bytes(text.size());
  if (!text.empty()) std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

inline void WriteWhole(const std::string& path, const Bytes& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  out.close();
  ASSERT_TRUE(out.good()) << path;
}

// Every file but the lock, which holds the number of a process.
inline std::map<std::string, Bytes> ReadFiles(const std::string& directory) {
  std::map<std::string, Bytes> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (!entry.is_regular_file() || entry.path().filename() == "lock") continue;
    files[entry.path().filename()] = ReadWhole(entry.path());
  }
  return files;
}

inline void WriteFiles(const std::string& directory, const std::map<std::string, Bytes>& files) {
  std::filesystem::remove_all(directory);
  std::filesystem::create_directory(directory);
  for (const auto& [name, bytes] : files) WriteWhole(directory + "/" + name, bytes);
}

// A log with small segments, its hot directory beside it.
class LogTest : public ::testing::Test {
 protected:
  LogOptions Options() {
    return {.directory = scratch_.Sub("log"),
            .hot_directory = scratch_.Sub("hot"),
            .segment_bytes = kSegmentBytesMin,
            .on_notice = [this](std::string_view text) { notices_.emplace_back(text); }};
  }

  std::unique_ptr<Log> OpenLog(const LogOptions& options) {
    absl::StatusOr<std::unique_ptr<Log>> log = Log::Open(options);
    if (!log.ok()) {
      ADD_FAILURE() << log.status().ToString();
      return nullptr;
    }
    return *std::move(log);
  }
  std::unique_ptr<Log> OpenLog() { return OpenLog(Options()); }

  absl::Status OpenStatus(const LogOptions& options) { return Log::Open(options).status(); }
  absl::Status OpenStatus() { return OpenStatus(Options()); }

  // What a power cut leaves: no memory file system.
  void LosePower() { std::filesystem::remove_all(scratch_.Sub("hot")); }

  std::string File(const std::string& name) const { return scratch_.Sub("log/" + name); }

  ScratchDirectory scratch_;
  std::vector<std::string> notices_;
};

// Payload of event `number`: its bytes tell the number.
inline void FillEvent(std::byte* payload, std::uint32_t bytes, std::uint64_t number) {
  for (std::uint32_t i = 0; i < bytes; ++i) {
    payload[i] = static_cast<std::byte>((number * 31 + i) & 0xFF);
  }
}

// Does both agents' work until there is none; false if the log failed or the disk is low.
inline bool Drive(Log& log) {
  while (log.HasSyncWork() || log.HasPrepareWork()) {
    if (log.SyncWork() + log.PrepareWork() == 0) return false;
    if (log.health() != LogHealth::kOpen) return false;
  }
  return log.health() == LogHealth::kOpen;
}

// The same until the evidence of the last sync is written too.
inline bool DriveToRest(Log& log) {
  do {
    if (!Drive(log)) return false;
  } while (log.sync_delay_ns() >= 0);
  return true;
}

// Stages one commit with one event; false if there is no room.
inline bool AppendEvent(Log& log, std::uint64_t number, std::uint32_t bytes = 64) {
  LogWriter& writer = log.writer();
  for (int rounds = 0; !writer.CanBeginCommit(); ++rounds) {
    if (rounds > 10'000 || log.SyncWork() + log.PrepareWork() == 0) return false;
  }
  writer.BeginCommit();
  std::byte* const payload =
      writer.AppendRecord({.type = 1, .stream = 1, .version = Version(number)}, bytes);
  if (payload == nullptr) return false;
  FillEvent(payload, bytes, number);
  writer.EndCommit({.session = 1, .sequence = Sequence(number)});
  return true;
}

// Events first…last, one frame each.
inline void AppendEvents(Log& log, std::uint64_t first, std::uint64_t last,
                         std::uint32_t bytes = 64) {
  for (std::uint64_t number = first; number <= last; ++number) {
    ASSERT_TRUE(AppendEvent(log, number, bytes)) << number << " " << log.error().ToString();
    log.writer().Publish();
  }
}

// Reads all frames below `limit` and checks that the events are 1, 2, 3… whole, and that positions
// have no hole. Returns the number of the last event.
inline std::uint64_t CountEvents(const Log& log, Address limit) {
  LogReader reader = log.NewReader();
  std::uint64_t events = 0;
  Position position;
  while (const FrameHeader* frame = reader.NextFrame(limit)) {
    ForEachRecord(*frame, [&](const RecordView& record) {
      EXPECT_EQ(record.position.value(), position.value() + 1);
      position = record.position;
      if (record.header.kind != RecordKind::kEvent) return;
      ++events;
      EXPECT_EQ(record.header.version(), events);
      const std::uint32_t bytes = record.header.payload_bytes();
      Bytes expected(bytes);
      FillEvent(expected.data(), bytes, events);
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), record.payload())) << events;
    });
  }
  EXPECT_TRUE(reader.status().ok()) << reader.status().ToString();
  EXPECT_EQ(reader.position(), position);
  return events;
}
inline std::uint64_t CountEvents(const Log& log) { return CountEvents(log, log.published()); }

}  // namespace pawl::inline v0
