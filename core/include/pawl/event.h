#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "pawl/codec.h"
#include "pawl/layout.h"

// What makes a struct an event: a name and version that the log keeps, and a layout that can be
// stored as its bytes and read back in place. All of it is checked at compile time.
namespace pawl::inline v0 {

// Events are stored as they lie in memory, and the log is little-endian.
static_assert(std::endian::native == std::endian::little, "pawl: little-endian machines only");

// Longest name of an event type, in bytes. Names are printed in tables and kept once per log.
inline constexpr std::size_t kEventNameBytesMax = 64;

namespace event_detail {
// Not constexpr: a call during compilation is the error, and its name is the message.
void EventNameMustBeOneTo64CharactersOfLowerCaseLettersDigitsDotUnderscoreDash();
void EventVersionMustBeAtLeastOne();

consteval bool IsEventName(std::string_view name) {
  if (name.empty() || name.size() > kEventNameBytesMax) return false;
  for (const char c : name) {
    const bool is_letter_or_digit = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!is_letter_or_digit && c != '.' && c != '_' && c != '-') return false;
  }
  return true;
}
}  // namespace event_detail

// Stable identity of an event type in the log, independent of its C++ name:
//   struct Deposited { static constexpr pawl::EventType kType{"bank.deposited", 1}; … };
class EventType {
 public:
  //   name     1..64 characters of [a-z0-9._-]; a string literal
  //   version  ≥ 1; raised when the layout changes
  consteval EventType(const char* name, std::uint16_t version) : name_(name), version_(version) {
    if (!event_detail::IsEventName(name_)) {
      event_detail::EventNameMustBeOneTo64CharactersOfLowerCaseLettersDigitsDotUnderscoreDash();
    }
    if (version_ == 0) event_detail::EventVersionMustBeAtLeastOne();
  }

  constexpr std::string_view name() const noexcept { return name_; }
  constexpr std::uint16_t version() const noexcept { return version_; }

  friend constexpr bool operator==(const EventType&, const EventType&) noexcept = default;

 private:
  std::string_view name_;
  std::uint16_t version_;
};

// E has `static constexpr pawl::EventType kType`.
template <class E>
concept HasEventType = std::same_as<decltype(&E::kType), const EventType*>;

namespace event_detail {
// Of an event without a codec.
template <class E>
consteval LayoutFault FaultOf() {
  if constexpr (HasCodec<E>) {
    return LayoutFault::kNone;
  } else {
    return kLayoutFault<E>;
  }
}
}  // namespace event_detail

// What can be stored as an event: a plain struct, or what has a codec. It answers quietly;
// RequireEvent<E> says what is wrong.
template <class E>
concept Event = std::same_as<E, std::remove_cv_t<E>> && HasEventType<E> &&
    (HasCodec<E> ? CodedEvent<E> : event_detail::FaultOf<E>() == LayoutFault::kNone);

// Does not compile unless E is an event, and then with one message that says why.
template <class E>
struct RequireEvent {
 private:
  template <LayoutFault kFault>
  static constexpr bool kIsFree = event_detail::FaultOf<E>() != kFault;
  struct NoCodec {};

 public:
  static_assert(sizeof(std::conditional_t<HasCodec<E>, RequireCodec<E>, NoCodec>) > 0);
  static_assert(kIsFree<LayoutFault::kNotStruct>, "pawl: event is not a struct");
  static_assert(
      HasEventType<E> || !kIsFree<LayoutFault::kNotStruct>,
      "pawl: event has no `static constexpr pawl::EventType kType{\"area.happened\", 1};`");
  static_assert(kIsFree<LayoutFault::kUnion>,
                "pawl: event is or has a union; use a struct with one field per case");
  static_assert(kIsFree<LayoutFault::kVirtual>, "pawl: event has a virtual function");
  static_assert(kIsFree<LayoutFault::kNotTriviallyCopyable>,
                "pawl: event is not trivially copyable (std::string, std::vector, smart pointers, "
                "own copy or destructor); use std::array or a Codec");
  static_assert(kIsFree<LayoutFault::kNotAggregate>,
                "pawl: event or a nested struct is not an aggregate; remove constructors, private "
                "fields and private bases");
  static_assert(kIsFree<LayoutFault::kBaseClass>,
                "pawl: event or a nested struct has a base class; nest it as a field");
  static_assert(kIsFree<LayoutFault::kReference>,
                "pawl: event has a reference field; store a key or the value");
  static_assert(kIsFree<LayoutFault::kCArray>, "pawl: event has a C array field; use std::array");
  static_assert(kIsFree<LayoutFault::kTooManyFields>,
                "pawl: event has more than 32 fields; group them in nested structs");
  static_assert(kIsFree<LayoutFault::kFieldClass>,
                "pawl: event has a field of a class that is no plain struct (std::string_view, "
                "std::span, std::optional, std::pair, a duration); store its parts");
  static_assert(kIsFree<LayoutFault::kBitField>,
                "pawl: event has a bit-field; use a whole integer");
  static_assert(kIsFree<LayoutFault::kPointer>,
                "pawl: event has a pointer field; store a key or the value");
  static_assert(kIsFree<LayoutFault::kLongDouble>,
                "pawl: event has a long double field; use double");
  static_assert(kIsFree<LayoutFault::kFieldType>,
                "pawl: event has a field that is neither arithmetic of at most 8 bytes, enum, "
                "std::array nor struct, or is volatile");
  static_assert(kIsFree<LayoutFault::kNotStandardLayout>,
                "pawl: event is not standard layout (a reference field, mixed access)");
  static_assert(kIsFree<LayoutFault::kAlignment>,
                "pawl: event is aligned to more than 8 bytes, or aligned without fields");
  static_assert(kIsFree<LayoutFault::kPacked>,
                "pawl: event is packed; order its fields by size, largest first");
  static_assert(kIsFree<LayoutFault::kPaddingBetween>,
                "pawl: event has padding bytes between fields; add explicit fields");
  static_assert(kIsFree<LayoutFault::kPaddingAfter>,
                "pawl: event has padding bytes after its last field or before an over-aligned one; "
                "add explicit fields");
  static constexpr bool kHolds = Event<E>;
};

// RequireEvent<E> as an expression, for static_assert.
template <class E>
consteval bool CheckEvent() {
  return RequireEvent<E>::kHolds;
}

// Instead of a number of bytes: each event has its own.
inline constexpr std::uint32_t kVariableBytes = 0xFFFF'FFFF;

namespace event_detail {
template <class E>
consteval std::uint32_t BytesOf() {
  if constexpr (HasCodec<E>) {
    return kVariableBytes;
  } else {
    return kLayoutBytes<E>;
  }
}
template <class E>
consteval std::string_view LayoutTextOf() {
  if constexpr (HasCodec<E>) {
    constexpr const auto& kText = codec_detail::kLayoutText<E>;
    return {kText.data(), kText.size()};
  } else {
    return LayoutText<E>();
  }
}
}  // namespace event_detail

// Bytes of an E in a record: none for an event without fields, although sizeof says 1;
// kVariableBytes if it has a codec.
template <Event E>
inline constexpr std::uint32_t kEventBytes = event_detail::BytesOf<E>();

// Identity of a C++ type in this process; compare only for equality. Types that cross shared
// objects with hidden visibility have one tag in each: compare name, version and layout hash there.
using TypeTag = const void*;

namespace event_detail {
// Never written, but not const: linkers may fold equal read-only bytes, and tags must stay apart.
template <class T>
inline constinit char type_tag = 0;
}  // namespace event_detail

template <class T>
constexpr TypeTag TagOf() noexcept {
  return &event_detail::type_tag<std::remove_cv_t<T>>;
}

// An event type without its C++ type: what the engine and the log's catalog keep of it.
struct EventDescriptor {
  std::string_view name;
  std::uint16_t version;
  std::uint64_t layout_hash;
  std::string_view layout_text;  // see LayoutText(); "codec<name,schema>" of an event with a codec
  std::uint32_t bytes;           // of one event in a record, or kVariableBytes

  // An event of this type may have so many bytes in its record.
  constexpr bool MayHave(std::uint32_t payload_bytes) const noexcept {
    return bytes == payload_bytes || bytes == kVariableBytes;
  }
};

namespace event_detail {
template <Event E>
inline constexpr EventDescriptor kDescriptor{
    .name = E::kType.name(),
    .version = E::kType.version(),
    .layout_hash = layout_detail::HashText(LayoutTextOf<E>()),
    .layout_text = LayoutTextOf<E>(),
    .bytes = kEventBytes<E>};
}  // namespace event_detail

// Lives as long as the program.
template <Event E>
constexpr const EventDescriptor& DescriptorOf() noexcept {
  return event_detail::kDescriptor<E>;
}

}  // namespace pawl::inline v0
