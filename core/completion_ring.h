#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>

#include "pawl/atomics.h"
#include "pawl/cache_line.h"
#include "pawl/check.h"

namespace pawl::inline v0 {

// Carries ranges of answers from the loop to one producer, in order. As large as the producer's
// window, so that pushing never fails: an item stands for one credit or more, which return after it
// was polled.
//
// Threads: HasRoom(), Push(), Publish() by the loop; Poll(), Peek(), size() by the producer's
// thread. Lifetime: fixed memory, allocated and written once by the constructor. Every function is
// wait-free (Poll apart from what its callback does); none allocates.
//
// Memory ordering: what the loop did before Publish() is visible to the producer after Poll(),
// Peek() or size() showed it an item of that Publish(). What the producer did before Poll()
// returned is visible to the loop before it reuses the slots polled.
//
// Each side keeps a private copy of its own cursor and the last seen value of the other's, so that
// the loop touches the producer's line once per lap and the producer's polls of an empty ring read
// one shared line and write none. Cursors count items for ever; the slot is the cursor modulo the
// capacity.
//
// source    cached cursors after Lamport's queue as in rigtorp/SPSCQueue
template <class T, class Atomics = StdAtomics>
class CompletionRing {
  using Slot = typename Atomics::template Plain<T>;
  using Cursor = typename Atomics::template Atomic<std::uint64_t>;
  static_assert(std::is_trivially_copyable_v<T>, "items are copied as bytes");

 public:
  //   capacity   items, a power of two; the producer's window
  explicit CompletionRing(std::size_t capacity)
      : slots_(std::make_unique<Slot[]>(capacity)), mask_(capacity - 1) {
    PAWL_CHECK(std::has_single_bit(capacity));
  }
  CompletionRing(const CompletionRing&) = delete;
  CompletionRing& operator=(const CompletionRing&) = delete;

  // Whether `items` more fit. With the window's credits they always do.
  //   threads   loop only
  [[nodiscard]] bool HasRoom(std::size_t items = 1) noexcept {
    if (writer_.staged_tail + items - writer_.seen_head <= capacity()) return true;
    // Acquire: the producer's reads before our reuse of the slots. Pairs with the release in
    // Poll().
    writer_.seen_head = head_.load(std::memory_order_acquire);
    return writer_.staged_tail + items - writer_.seen_head <= capacity();
  }

  // Stages `item` behind those staged before; the producer does not see it yet. There must be room:
  // the Poll() that freed the slot happened before, which the credit's way back through the command
  // queue ensures. Checked always: going on would overwrite a completion that nobody has seen.
  //   threads   loop only
  void Push(const T& item) noexcept {
    PAWL_CHECK(HasRoom());
    PushReserved(item);
  }

  // The same, when HasRoom(n) held n pushes or fewer ago.
  //   threads   loop only
  void PushReserved(const T& item) noexcept {
    PAWL_DCHECK(HasRoom());
    // Read by the producer's core a lap ago: asked back a few items ahead.
    PrefetchToWrite(&slots_[(writer_.staged_tail + kItemsAhead) & mask_]);
    slots_[writer_.staged_tail & mask_] = item;
    ++writer_.staged_tail;
  }

  // Calls change(T&) for the items that are staged and not shown yet.
  //   threads   loop only
  template <class Change>
  void ChangeStaged(Change&& change) noexcept {
    for (std::uint64_t at = writer_.published_tail; at != writer_.staged_tail; ++at) {
      T& item = slots_[at & mask_];
      change(item);
    }
  }

  // Shows all staged items to the producer; without any, stores nothing.
  //   returns   whether there were any: the producer may then need a ring of its bell
  //   threads   loop only
  bool Publish() noexcept {
    if (writer_.staged_tail == writer_.published_tail) return false;
    writer_.published_tail = writer_.staged_tail;
    // Release: the staged slots before the cursor. Pairs with the acquire in Available().
    tail_.store(writer_.published_tail, std::memory_order_release);
    return true;
  }

  // Hands at most `items_max` items, oldest first, to `f(const T&)` and frees their slots. The
  // slots are freed together, after the last call of `f`, which must not poll this ring itself.
  //   returns   number of items handed out; 0 stores nothing
  //   threads   producer's only
  template <class F>
  std::size_t Poll(F&& f, std::size_t items_max) noexcept {
    const std::uint64_t head = reader_.head;
    const std::uint64_t end = head + std::min<std::uint64_t>(Available(items_max), items_max);
    if (end == head) return 0;
    for (std::uint64_t cursor = head; cursor != end; ++cursor) {
      const T& item = slots_[cursor & mask_];
      f(item);
    }
    reader_.head = end;
    // Release: the reads of the slots before their reuse. Pairs with the acquire in HasRoom().
    head_.store(end, std::memory_order_release);
    return static_cast<std::size_t>(end - head);
  }

  // The item `ahead` places behind the next one to be polled, left in place; the producer's thread
  // owns it, and may mark it, until it is polled.
  //   returns   nullptr if it is not there yet
  //   threads   producer's only
  [[nodiscard]] T* Peek(std::size_t ahead) noexcept {
    if (Available(ahead + 1) <= ahead) return nullptr;
    T& item = slots_[(reader_.head + ahead) & mask_];
    return &item;
  }

  // Items that wait to be polled.
  //   threads   producer's only
  [[nodiscard]] std::size_t size() noexcept { return Available(capacity()); }

  [[nodiscard]] std::size_t capacity() const noexcept { return mask_ + 1; }

 private:
  // How far Push() looks ahead: the time that a line takes from another core.
  static constexpr std::uint64_t kItemsAhead = 16;

  // Items waiting as far as is known; looks at the loop's cursor only if fewer than `wanted` are.
  [[nodiscard]] std::size_t Available(std::size_t wanted) noexcept {
    if (reader_.seen_tail - reader_.head < wanted) {
      // Acquire: the slots before it. Pairs with the release in Publish().
      reader_.seen_tail = tail_.load(std::memory_order_acquire);
    }
    return static_cast<std::size_t>(reader_.seen_tail - reader_.head);
  }

  // Loop only. Apart from tail_, which the producer polls while the loop stages.
  struct alignas(kCacheLineBytes) Writer {
    std::uint64_t staged_tail = 0;
    std::uint64_t published_tail = 0;
    std::uint64_t seen_head = 0;
  };

  // Producer's thread only.
  struct alignas(kCacheLineBytes) Reader {
    std::uint64_t head = 0;
    std::uint64_t seen_tail = 0;
  };

  // Written by the loop, read by the producer; only grows. Guards the slots below it.
  alignas(kCacheLineBytes) Cursor tail_{0};
  Writer writer_;
  // Written by the producer, read by the loop; only grows. Guards the reuse of the slots below it.
  alignas(kCacheLineBytes) Cursor head_{0};
  Reader reader_;
  // Constant after construction.
  alignas(kCacheLineBytes) const std::unique_ptr<Slot[]> slots_;
  const std::uint64_t mask_;
};

static_assert(sizeof(CompletionRing<std::uint64_t>) == 5 * kCacheLineBytes,
              "each cursor, each side's own state and the constants have a line of their own");

}  // namespace pawl::inline v0
