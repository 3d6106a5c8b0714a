#pragma once

// The lock-free structures' view of Relacy: an Atomics policy (pawl/atomics.h) whose words and
// plain memory are those of the model checker, and mutations that weaken one kind of access, to
// show that the model would find the mistake.

#include <atomic>
#include <cstddef>
#include <source_location>

#include <relacy/relacy.hpp>

// Relacy replaces these words for programs written against it. Ours is not.
#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef assert
#undef errno
#undef memory_order_relaxed
#undef memory_order_consume
#undef memory_order_acquire
#undef memory_order_release
#undef memory_order_acq_rel
#undef memory_order_seq_cst

namespace pawl::litmus {

enum class Access { kLoad, kStore, kAdd, kSub, kOr, kAnd, kExchange };

inline constexpr unsigned kAnyThread = ~0U;

// The code as it is.
struct Faithful {
  static std::memory_order Apply(Access, std::memory_order order) { return order; }
};

// Accesses of one kind, order and thread get a weaker order.
template <Access kAccess, std::memory_order kFrom, std::memory_order kTo,
          unsigned kThread = kAnyThread>
struct Weakened {
  static std::memory_order Apply(Access access, std::memory_order order) {
    const bool is_meant = access == kAccess && order == kFrom &&
                          (kThread == kAnyThread || kThread == rl::thread_index());
    return is_meant ? kTo : order;
  }
};

inline rl::memory_order Translate(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed: return rl::mo_relaxed;
    case std::memory_order_consume: return rl::mo_consume;
    case std::memory_order_acquire: return rl::mo_acquire;
    case std::memory_order_release: return rl::mo_release;
    case std::memory_order_acq_rel: return rl::mo_acq_rel;
    case std::memory_order_seq_cst: break;
  }
  return rl::mo_seq_cst;
}

// Where an access stands in the source, for Relacy's histories.
inline rl::debug_info Place(const std::source_location& place) {
  return {place.function_name(), place.file_name(), static_cast<unsigned>(place.line())};
}

template <class T, class Mutation>
class RelacyAtomic {
  using Here = std::source_location;

 public:
  RelacyAtomic() : RelacyAtomic(T{}) {}
  RelacyAtomic(T value) : word_(value) {}  // NOLINT: as std::atomic
  RelacyAtomic(const RelacyAtomic&) = delete;
  RelacyAtomic& operator=(const RelacyAtomic&) = delete;

  T load(std::memory_order order, Here here = Here::current()) const {
    return word_.load(Order(Access::kLoad, order), Place(here));
  }
  void store(T value, std::memory_order order, Here here = Here::current()) {
    word_.store(value, Order(Access::kStore, order), Place(here));
  }
  T exchange(T value, std::memory_order order, Here here = Here::current()) {
    return word_.exchange(value, Order(Access::kExchange, order), Place(here));
  }
  T fetch_add(T value, std::memory_order order, Here here = Here::current()) {
    return word_.fetch_add(value, Order(Access::kAdd, order), Place(here));
  }
  T fetch_sub(T value, std::memory_order order, Here here = Here::current()) {
    return word_.fetch_sub(value, Order(Access::kSub, order), Place(here));
  }
  T fetch_or(T value, std::memory_order order, Here here = Here::current()) {
    return word_.fetch_or(value, Order(Access::kOr, order), Place(here));
  }
  T fetch_and(T value, std::memory_order order, Here here = Here::current()) {
    return word_.fetch_and(value, Order(Access::kAnd, order), Place(here));
  }

 private:
  static rl::memory_order Order(Access access, std::memory_order order) {
    return Translate(Mutation::Apply(access, order));
  }
  mutable rl::atomic<T> word_;
};

// Ordinary memory; Relacy reports two accesses that nothing orders, one of them a write.
template <class T>
class RelacyPlain {
  using Here = std::source_location;

 public:
  RelacyPlain() : cell_(T{}) {}
  void Set(T value, Here here = Here::current()) { cell_(Place(here)).store(value); }
  T Get(Here here = Here::current()) const { return cell_(Place(here)).load(); }

  RelacyPlain& operator=(const T& value) {
    Set(value);
    return *this;
  }
  operator T() const { return Get(); }  // NOLINT: as a T

 private:
  mutable rl::var<T> cell_;
};

template <class Mutation>
struct RelacyAtomics {
  template <class T>
  using Atomic = RelacyAtomic<T, Mutation>;
  template <class T>
  using Plain = RelacyPlain<T>;
  [[nodiscard]] static std::size_t ThreadNumber() { return rl::thread_index(); }
};

}  // namespace pawl::litmus
