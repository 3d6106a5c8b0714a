#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "pawl/check.h"

namespace pawl::inline v0 {

// Memory for what does not fit the slot of a command: parcels of any size, one behind the other,
// each in one piece. The producer writes them and the loop reads them in place, by the address that
// stands in the command's slot.
//
// Threads: the producer's; the loop reads parcels only. Lifetime: fixed memory, allocated by the
// constructor.
//
// Memory ordering: as of WindowRing. A parcel is handed over with its slot. It is written again
// only after its command's credit came back, and a credit comes back after the loop has read the
// slot and what belongs to it.
class ParcelRing {
 public:
  static constexpr std::size_t kUnitBytes = 16;

  //   capacity_bytes   a power of two, at least 64
  //   memory           borrowed, aligned to 16 bytes; nullptr: the ring has its own
  explicit ParcelRing(std::size_t capacity_bytes, std::byte* memory = nullptr)
      : own_(memory == nullptr ? std::make_unique<Unit[]>(capacity_bytes / kUnitBytes) : nullptr),
        memory_(memory == nullptr ? own_.get() : reinterpret_cast<Unit*>(memory)),
        mask_(capacity_bytes - 1) {
    PAWL_CHECK(std::has_single_bit(capacity_bytes) && capacity_bytes >= 4 * kUnitBytes);
  }
  ParcelRing(const ParcelRing&) = delete;
  ParcelRing& operator=(const ParcelRing&) = delete;

  // The capacity in which a parcel of so many bytes always finds room when nothing is under way.
  static constexpr std::uint64_t CapacityFor(std::uint64_t parcel_bytes) noexcept {
    return 2 * BytesWithHead(parcel_bytes);
  }

  // Room for a parcel of command number `command`, counted from 0; nullptr: there is none now.
  //   returned   so many commands gave their credit back
  std::byte* Reserve(std::uint64_t command, std::uint64_t returned, std::size_t bytes) noexcept {
    Free(returned);
    const std::size_t wanted = BytesWithHead(bytes);
    const std::size_t to_end = mask_ + 1 - (end_ & mask_);
    // Never over the end of the memory: what is left there belongs to the parcel too.
    const std::size_t skipped = wanted > to_end ? to_end : 0;
    if (skipped + wanted > mask_ + 1 - (end_ - begin_)) return nullptr;
    if (skipped != 0) Append(command, skipped);
    return Append(command, wanted) + sizeof(Head);
  }
  // What was reserved is on its way.
  void SetSent() noexcept { sent_ = end_; }
  // What was reserved since the last SetSent() is not.
  void TakeBack() noexcept { end_ = sent_; }
  // Nothing is under way any more.
  void Clear() noexcept { begin_ = end_ = sent_ = 0; }

 private:
  struct Head {
    std::uint64_t command;
    std::uint64_t bytes;  // with this head
  };
  static_assert(sizeof(Head) == kUnitBytes);
  struct alignas(kUnitBytes) Unit {
    std::byte bytes[kUnitBytes];
  };

  static constexpr std::uint64_t BytesWithHead(std::uint64_t bytes) noexcept {
    return kUnitBytes + (bytes + kUnitBytes - 1) / kUnitBytes * kUnitBytes;
  }
  std::byte* At(std::uint64_t cursor) const noexcept {
    return memory_[(cursor & mask_) / kUnitBytes].bytes;
  }
  std::byte* Append(std::uint64_t command, std::size_t bytes) noexcept {
    std::byte* const at = At(end_);
    const Head head{command, bytes};
    std::memcpy(at, &head, sizeof head);
    end_ += bytes;
    return at;
  }
  void Free(std::uint64_t returned) noexcept {
    while (begin_ != sent_) {
      Head head;
      std::memcpy(&head, At(begin_), sizeof head);
      // Borrowed memory may be taken away: then it is zeros, and nothing gets free any more.
      if (head.command >= returned || head.bytes == 0) return;
      begin_ += head.bytes;
    }
  }

  const std::unique_ptr<Unit[]> own_;
  Unit* const memory_;
  const std::size_t mask_;
  // Bytes counted for ever.
  std::uint64_t begin_ = 0;  // oldest parcel under way
  std::uint64_t sent_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace pawl::inline v0
