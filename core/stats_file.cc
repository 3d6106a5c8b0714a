#include "stats_file.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace pawl::inline v0 {

void StatsFile::FreeLines::operator()(std::byte* memory) const noexcept {
  ::operator delete (memory, std::align_val_t{kCacheLineBytes});
}

StatsFile::StatsFile(const Setup& setup)
    : storage_(setup.storage),
      path_(setup.directory + "/" + kStatsName),
      on_notice_(setup.on_notice),
      bytes_(StatsBlock::BytesFor(setup.agents, setup.stores.size(), setup.lanes)) {
  block_ = new (MemoryFor(setup)) StatsBlock{};
  StatsHeader& header = block_->header;
  header.magic = kStatsMagic;
  header.version = kStatsVersion;
  header.epoch = setup.epoch;
  header.bytes = bytes_;
  header.log_id = setup.log_id;
  header.pid = static_cast<std::uint32_t>(::getpid());
  header.lanes = setup.lanes;
  header.stores = static_cast<std::uint32_t>(setup.stores.size());
  header.agents = setup.agents;
  header.opened_ns = setup.opened_ns;
  header.stall_after_ns = setup.stall_after_ns;
  for (std::uint32_t i = 0; i < header.agents; ++i) new (block_->agents() + i) AgentWords{};
  for (std::uint32_t i = 0; i < header.lanes; ++i) new (block_->lanes() + i) LaneWords{};
  for (std::uint32_t i = 0; i < header.stores; ++i) {
    auto& words = *new (block_->stores() + i) StoreWords{};
    const std::string_view name = setup.stores[i]->traits().category;
    name.copy(words.name.data(), words.name.size());
  }
}

StatsFile::~StatsFile() { Remove(); }

std::byte* StatsFile::MemoryFor(const Setup& setup) {
  if (setup.is_shown) {
    absl::StatusOr<std::shared_ptr<Mapping>> mapped = storage_->MapImage(path_, bytes_);
    if (mapped.ok() && (*mapped)->size() >= bytes_) {
      mapping_ = *std::move(mapped);
      return mapping_->data();
    }
    Tell("other processes cannot read this engine's statistics: " +
         std::string(mapped.status().message()));
  } else if (const absl::Status gone = storage_->Unlink(path_); !gone.ok()) {
    // Of an engine that had them on, and was killed.
    if (!absl::IsNotFound(gone)) Tell("old statistics stay: " + std::string(gone.message()));
  }
  memory_.reset(
      static_cast<std::byte*>(::operator new (bytes_, std::align_val_t{kCacheLineBytes})));
  std::memset(memory_.get(), 0, bytes_);  // the loop meets no cold page
  return memory_.get();
}

void StatsFile::Publish() noexcept {
  // Release: the header before it. Pairs with the acquire in ReadStats().
  block_->header.state.store(static_cast<std::uint32_t>(StatsState::kOpen),
                             std::memory_order_release);
}

void StatsFile::Remove() {
  // Relaxed: guards nothing.
  block_->header.state.store(static_cast<std::uint32_t>(StatsState::kStopped),
                             std::memory_order_relaxed);
  if (mapping_ == nullptr || is_removed_) return;
  is_removed_ = true;
  const absl::Status gone = storage_->Unlink(path_);
  // Who empties the directory of a running engine has taken it away already.
  if (!gone.ok() && !absl::IsNotFound(gone)) {
    Tell("statistics of an engine that stopped stay: " + std::string(gone.message()));
  }
}

}  // namespace pawl::inline v0
