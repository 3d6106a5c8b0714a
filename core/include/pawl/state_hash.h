#pragma once

#include <array>
#include <bit>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>

#include "pawl/field_binding.h"
#include "pawl/plain_struct.h"
#include "pawl/position.h"

// The hash that proves that two engines hold the same aggregates: live and replayed, before and
// after a crash. Bytes that are hashed are those of values, never of padding or addresses.
//
// A State is hashed by its fields, if these are public and arithmetic (not long double), enums,
// std::array or nested structs of such, with or without padding, at most 32. Any other State
// (containers, strings, private fields) is hashed by a function of the user's that is found beside
// it by argument-dependent lookup:
//
//   void HashState(pawl::StateHasher& into, const Basket& basket) noexcept {
//     into.Add(basket.owner);
//     into.AddUnordered(basket.items);   // a hash map: its order is nobody's business
//   }
namespace pawl::inline v0 {

class StateHasher;

namespace internal {

template <class T>
concept HashesItself = requires(StateHasher& into, const T& value) {
  { HashState(into, value) }
  noexcept;
};

// Scalars whose bytes are their value.
template <class T>
concept HashableScalar = (std::is_arithmetic_v<T> || std::is_enum_v<T>)&&sizeof(T) <= 8;

template <class T>
consteval bool HasHash();

template <class... F>
struct FieldTypes {
  static constexpr bool kAllHaveHash = (HasHash<std::remove_cv_t<F>>() && ...);
};

template <std::size_t... I, class... F>
FieldTypes<F...> TypesOf(const layout_detail::FieldTuple<std::index_sequence<I...>, F...>*);

// A struct whose fields can be listed and hashed one by one.
template <class T>
consteval bool HasHashableFields() {
  if constexpr (layout_detail::FindStructFault<T>() != LayoutFault::kNone) {
    return false;
  } else if constexpr (std::is_empty_v<T>) {
    return true;
  } else if constexpr (layout_detail::FindCountFault<T>() != LayoutFault::kNone) {
    return false;
  } else if constexpr (!layout_detail::BindsAllFields<
                           T, layout_detail::FieldCount<layout_detail::FieldCountOf<T>()>>) {
    return false;
  } else {
    return decltype(TypesOf(static_cast<const layout_detail::FieldsOf<T>*>(nullptr)))::kAllHaveHash;
  }
}

template <class T>
consteval bool HasHash() {
  if constexpr (HashesItself<T> || HashableScalar<T>) {
    return true;
  } else if constexpr (layout_detail::kIsStdArray<T>) {
    return HasHash<std::remove_cv_t<typename T::value_type>>();
  } else if constexpr (std::is_class_v<T>) {
    return HasHashableFields<T>();
  } else {
    return false;
  }
}

}  // namespace internal

// What StateHasher::Add() takes: see above.
template <class T>
concept StateHashable = internal::HasHash<std::remove_cv_t<T>>();

// 128 bits, added up modulo 2^128, so that no order matters.
struct HashSum {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  constexpr HashSum& operator+=(const HashSum& other) noexcept {
    low += other.low;
    high += other.high + (low < other.low ? 1 : 0);
    return *this;
  }
  constexpr HashSum& operator-=(const HashSum& other) noexcept {
    high -= other.high + (low < other.low ? 1 : 0);
    low -= other.low;
    return *this;
  }
  friend constexpr auto operator<=>(const HashSum&, const HashSum&) noexcept = default;
  std::string ToString() const;  // 32 hexadecimal digits
};

// XXH3-128 of values that are added one after the other.
//   threads   one
class StateHasher {
 public:
  StateHasher();
  ~StateHasher();
  StateHasher(const StateHasher&) = delete;
  StateHasher& operator=(const StateHasher&) = delete;

  template <StateHashable T>
  void Add(const T& value) noexcept {
    if constexpr (internal::HashesItself<T>) {
      HashState(*this, value);
    } else if constexpr (internal::HashableScalar<T>) {
      static_assert(std::endian::native == std::endian::little);
      AddBytes(&value, sizeof value);
    } else if constexpr (layout_detail::kIsStdArray<T>) {
      for (const auto& each : value) Add(each);
    } else if constexpr (!std::is_empty_v<T>) {
      AddFields(layout_detail::TieFields(
          value, layout_detail::FieldCount<layout_detail::FieldCountOf<T>()>{}));
    }
  }
  // With its length, so that "ab", "c" is not "a", "bc".
  void Add(std::string_view text) noexcept {
    Add(std::uint64_t{text.size()});
    AddBytes(text.data(), text.size());
  }
  // The elements of a range in their order, and how many there are.
  template <std::ranges::input_range Range>
  requires(!StateHashable<Range> && !std::convertible_to<const Range&, std::string_view>)  //
      void AddRange(const Range& range) noexcept {
    std::uint64_t count = 0;
    for (const auto& each : range) {
      AddElement(each);
      ++count;
    }
    Add(count);
  }
  // The elements of a range whose order means nothing, like those of a hash map. Allocates.
  template <std::ranges::input_range Range>
  void AddUnordered(const Range& range) noexcept {
    StateHasher one;
    HashSum sum;
    std::uint64_t count = 0;
    for (const auto& each : range) {
      one.AddElement(each);
      sum += one.Finish();
      ++count;
    }
    Add(sum.high);
    Add(sum.low);
    Add(count);
  }

  // The hash of what was added since the last Finish().
  HashSum Finish() noexcept;

 private:
  struct State;

  template <class T>
  void AddElement(const T& value) noexcept {
    if constexpr (requires { value.first, value.second; } && !StateHashable<T>) {
      AddElement(value.first);
      AddElement(value.second);
    } else {
      Add(value);
    }
  }
  template <std::size_t... I, class... F>
  void AddFields(
      const layout_detail::FieldTuple<std::index_sequence<I...>, F...>& fields) noexcept {
    (Add<std::remove_cv_t<F>>(*layout_detail::GetField<I>(fields).field), ...);
  }
  void AddBytes(const void* bytes, std::size_t size) noexcept;

  std::unique_ptr<State> state_;
};

// The sum over aggregates of hash(category, key, version, State), and over timers that are set of
// hash(category, key, type, id, due, position of the record that set it, bytes).
struct HashedState {
  HashSum sum;
  std::uint64_t aggregates = 0;  // how many
  Position position;             // the newest record that is in it: the state after that one

  friend constexpr bool operator==(const HashedState&, const HashedState&) noexcept = default;
};

}  // namespace pawl::inline v0
