#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <absl/status/statusor.h>

#include "pawl/format.h"
#include "pawl/storage.h"
#include "readable_segments.h"

namespace pawl::inline v0 {

// Which memory shows which segment: its hot image until it is sealed and durable, its file from
// then on. The loop never comes here (ReadySegments is its way); the readers do at a segment's end.
//   threads   any; one short lock, never held over a system call of the disk but one mmap
class SegmentSet final : public ReadableSegments {
 public:
  struct Image {
    std::shared_ptr<Mapping> mapping;
    std::string path;
  };
  struct Retired {
    std::uint64_t index = 0;
    Image image;
  };
  // What the sync agent needs of a segment. Nothing here allocates.
  struct SyncTarget {
    std::shared_ptr<Mapping> image;
    std::unique_ptr<File> file;
    std::uint64_t written_bytes = 0;  // of the file: its blocks so far were written once
  };

  SegmentSet(Storage* storage, std::string directory, std::uint64_t segment_bytes);

  // Preparer, and Open. `file` is open for durable writes; its first `written_bytes` were written.
  void AddHot(std::uint64_t index, Image image, std::unique_ptr<File> file,
              std::uint64_t written_bytes);
  // Open: a segment that is sealed and durable. `is_verified`: its frames were checked just now.
  void AddSealed(std::uint64_t index, bool is_verified);

  // Readers.
  absl::StatusOr<Entered> Enter(std::uint64_t index) override;
  // Indexer: all frames of a sealed segment were found right on the disk, or were not.
  void SetVerified(std::uint64_t index, bool is_verified);
  bool IsSealed(std::uint64_t index) const;

  // Sync agent.
  SyncTarget TakeForSync(std::uint64_t index);
  // The segment is sealed and durable: from now on readers enter its file.
  void Retire(std::uint64_t index);

  // Preparer: the oldest image that was retired and not taken yet.
  std::optional<Retired> TakeRetired();
  bool HasRetired() const;
  // Images that are not retired, plus those retired and not taken.
  std::size_t images() const;

 private:
  struct Segment {
    Image image;                          // empty once retired and taken
    std::unique_ptr<File> file;           // until the sync agent takes it
    std::uint64_t written_bytes = 0;      // likewise
    std::weak_ptr<const Mapping> sealed;  // shared by the readers that are in it
    bool is_sealed = false;
    bool is_verified = true;  // what this engine wrote it need not check
  };

  mutable std::mutex mutex_;
  // Under mutex_.
  std::map<std::uint64_t, Segment> segments_;
  std::size_t images_ = 0;
  std::size_t retired_ = 0;
  std::uint64_t oldest_image_ = 0;  // no segment below has an image
};

}  // namespace pawl::inline v0
