#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "evidence.h"
#include "health_board.h"
#include "hot_images.h"
#include "pawl/hot_marks.h"
#include "pawl/log.h"
#include "pawl/ready_segments.h"
#include "reader_slots.h"
#include "recovery.h"
#include "segment_indexer.h"
#include "segment_preparer.h"
#include "segment_scrubber.h"
#include "segment_set.h"
#include "sync_agent.h"

namespace pawl::inline v0 {

// What an open log is made of, in the order of its making (log_open.cc). Constant after Open but
// for what the parts themselves guard.
struct Log::Parts {
  LogOptions options;
  Storage* storage = nullptr;
  std::unique_ptr<File> lock;
  Manifest manifest{};
  FileIdentity manifest_identity;
  std::optional<BootId> boot_id;
  std::uint32_t commit_bytes_max = 0;
  std::unique_ptr<HotImages> images;
  std::shared_ptr<SegmentSet> segments;
  std::shared_ptr<Mapping> marks_mapping;
  HotMarks* marks = nullptr;
  std::unique_ptr<ReaderBoard> readers;
  std::unique_ptr<Evidence> evidence;
  ReadySegments ready;
  Doorbell sync_bell;
  Doorbell prepare_bell;
  HealthBoard health;
  std::unique_ptr<SyncAgent> sync_agent;
  std::unique_ptr<SegmentPreparer> preparer;
  std::unique_ptr<SegmentIndexer> indexer;
  std::unique_ptr<SegmentScrubber> scrubber;
  std::unique_ptr<LogWriter> writer;
  RecoveryReport report;
  bool is_direct = true;
  bool is_closed = false;

  void Tell(const std::string& text) const {
    if (options.on_notice) options.on_notice(text);
  }
  absl::Status Open();
  absl::Status EnterDirectory();
  absl::Status Recover(Recovery& recovery);
  absl::Status Assemble(const Recovery& recovery);
  void CreateAgents(const Recovery& recovery, const ReadySegment& tail);
  absl::StatusOr<ReadySegment> AddTail(const Recovery& recovery);
  absl::Status CreateMarks(Address end);
  void CreateReaders();
  absl::Status BeginEpoch(const Recovery& recovery);
  absl::Status AwaitRoom();
  absl::Status SyncAll();
  std::size_t ImagesMax() const;
};

}  // namespace pawl::inline v0
