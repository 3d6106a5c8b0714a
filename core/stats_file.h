#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "pawl/stats_layout.h"
#include "pawl/storage.h"
#include "pawl/stream_store.h"

namespace pawl::inline v0 {

// The memory of an engine's statistics: the file `stats` beside the hot images, made anew at each
// open, or memory of this process where that cannot be had or is not wanted. What a killed engine
// left under that name is taken away unread.
//   threads   the constructor, Publish() and Remove(): one at a time
//   lifetime  block() as long as this; a reader that mapped the file keeps its memory
class StatsFile {
 public:
  struct Setup {
    Storage* storage;
    std::string directory;  // of the hot images
    bool is_shown;          // false: no file
    std::function<void(std::string_view)> on_notice;
    LogId log_id;
    std::uint32_t epoch;
    std::uint64_t opened_ns;  // engine time
    std::uint64_t stall_after_ns;
    std::span<StreamStore* const> stores;
    std::uint32_t lanes;
    std::uint32_t agents;
  };

  explicit StatsFile(const Setup& setup);
  StatsFile(const StatsFile&) = delete;
  StatsFile& operator=(const StatsFile&) = delete;
  ~StatsFile();  // Remove()

  StatsBlock& block() const noexcept { return *block_; }
  std::uint64_t bytes() const noexcept { return bytes_; }

  // From now on readers believe it.
  void Publish() noexcept;
  // Says that the engine stopped, and takes the file's name away.
  void Remove();

 private:
  struct FreeLines {
    void operator()(std::byte* memory) const noexcept;
  };

  std::byte* MemoryFor(const Setup& setup);
  void Tell(const std::string& text) const {
    if (on_notice_) on_notice_(text);
  }

  Storage* const storage_;
  const std::string path_;
  const std::function<void(std::string_view)> on_notice_;
  const std::uint64_t bytes_;
  std::shared_ptr<Mapping> mapping_;              // the file's, if there is one
  std::unique_ptr<std::byte, FreeLines> memory_;  // else
  StatsBlock* block_ = nullptr;
  bool is_removed_ = false;
};

}  // namespace pawl::inline v0
