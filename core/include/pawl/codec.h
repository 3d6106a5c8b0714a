#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

// Events that are no plain structs: texts and lists of any length, messages of a schema language.
namespace pawl::inline v0 {

// How an event E becomes bytes, and what handlers see of them. Specialise it right behind the
// event, which is then what Decide emits, and may point to what lives until `emit` returns:
//
//   struct Placed {
//     static constexpr pawl::EventType kType{"orders.placed", 1};
//     std::string_view customer;
//     std::span<const Line> lines;
//   };
//   template <>
//   struct pawl::Codec<Placed> {
//     static constexpr std::string_view kName = "my-list";           // of the encoding
//     static constexpr std::string_view kSchema = "orders.Placed/1"; // see below
//     using View = Placed;   // what Evolve, On and visitors get; points into the log
//     static std::size_t Size(const Placed& event) noexcept;         // bytes that it takes
//     static void Encode(const Placed& event, std::span<std::byte> room) noexcept;  // all of room
//     static bool Decode(std::span<const std::byte> bytes, View& view) noexcept;
//     static std::string Text(const View& view);                     // optional: for the test kit
//   };
//
// Encode is a function of the event alone: equal events have equal bytes. Decode believes nothing:
// it is asked whether bytes of any length and content are an event, and answers false if not. The
// bytes begin at a multiple of 8 and stay as long as the handler runs.
//
// Name and schema are the event's layout to the log: another one is refused, as another struct is.
// What may change while kSchema stays is the codec's concern: everything that lets it decode what
// is in logs already. For all else give the event a new version (pawl/upcast.h).
//   limits    kRecordPayloadBytesMax, 256 KiB, for each event
//   threads   Size, Encode: the loop; Decode: any
template <class E>
struct Codec;

template <class E>
concept HasCodec = requires {
  sizeof(Codec<E>);
};

namespace codec_detail {

inline constexpr std::size_t kTextBytesMax = 64;

// Of kName and kSchema: letters, digits and what stands between them in names of schemas.
consteval bool IsText(std::string_view text) {
  return !text.empty() && text.size() <= kTextBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("._-/:").find(c) != std::string_view::npos;
         });
}

template <class E>
consteval bool HasTexts() {
  if constexpr (requires {
                  { Codec<E>::kName } -> std::convertible_to<std::string_view>;
                  { Codec<E>::kSchema } -> std::convertible_to<std::string_view>;
                }) {
    return IsText(Codec<E>::kName) && IsText(Codec<E>::kSchema);
  } else {
    return false;
  }
}

template <class E>
concept HasView = std::is_nothrow_default_constructible_v<typename Codec<E>::View>;

template <class E>
concept HasSize = requires(const E& event) {
  { Codec<E>::Size(event) }
  noexcept->std::same_as<std::size_t>;
};

template <class E>
concept Encodes = requires(const E& event, std::span<std::byte> room) {
  { Codec<E>::Encode(event, room) }
  noexcept->std::same_as<void>;
};

template <class E>
concept Decodes = HasView<E> &&
    requires(std::span<const std::byte> bytes, typename Codec<E>::View& view) {
  { Codec<E>::Decode(bytes, view) }
  noexcept->std::same_as<bool>;
};

template <class E>
concept TellsText = HasView<E> && requires(const typename Codec<E>::View& view) {
  { Codec<E>::Text(view) } -> std::same_as<std::string>;
};

// The event's layout text, "codec<name,schema>": a part of the format, memlog/FORMAT.md.
template <class E>
inline constexpr auto kLayoutText = [] {
  constexpr std::string_view kName = Codec<E>::kName;
  constexpr std::string_view kSchema = Codec<E>::kSchema;
  constexpr std::array<std::string_view, 5> kParts{"codec<", kName, ",", kSchema, ">"};
  std::array<char, kName.size() + kSchema.size() + 8> text{};
  auto at = text.begin();
  for (const std::string_view part : kParts) at = std::copy(part.begin(), part.end(), at);
  return text;
}();

template <class E>
struct ViewOf {
  using type = E;
};
template <class E>
requires requires { typename Codec<E>::View; }
struct ViewOf<E> {
  using type = typename Codec<E>::View;
};

}  // namespace codec_detail

// E has a codec that is whole. RequireEvent<E> says what is missing.
template <class E>
concept CodedEvent = HasCodec<E> && codec_detail::HasTexts<E>() && codec_detail::HasSize<E> &&
    codec_detail::Encodes<E> && codec_detail::Decodes<E>;

// What handlers see of an event: itself, or the View of its codec.
template <class E>
using EventView = typename codec_detail::ViewOf<E>::type;

// Does not compile unless E's codec is whole, and then with a message that says what is missing.
template <class E>
struct RequireCodec {
  static_assert(codec_detail::HasTexts<E>(),
                "pawl: Codec has no `static constexpr std::string_view kName, kSchema` of 1 to 64 "
                "letters, digits and ._-/:");
  static_assert(codec_detail::HasView<E>,
                "pawl: Codec has no View that is default constructible without throwing");
  static_assert(codec_detail::HasSize<E>,
                "pawl: Codec has no `static std::size_t Size(const E&) noexcept`");
  static_assert(codec_detail::Encodes<E>,
                "pawl: Codec has no `static void Encode(const E&, std::span<std::byte>) noexcept`");
  static_assert(codec_detail::Decodes<E> || !codec_detail::HasView<E>,
                "pawl: Codec has no `static bool Decode(std::span<const std::byte>, View&) "
                "noexcept`");
};

}  // namespace pawl::inline v0
