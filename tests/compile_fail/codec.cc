// Codecs that are none, one per case; the list of cases and their messages is in CMakeLists.txt.
// Each case changes one thing of a codec that compiles.
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "pawl/engine.h"

struct Noted {
  static constexpr pawl::EventType kType{"test.noted", 1};
  std::string_view text;
};
struct Erased {
  static constexpr pawl::EventType kType{"test.erased", 1};
  std::string_view text;
};

struct TextView {
#if defined(PAWL_CASE_VIEW_NOT_DEFAULT_CONSTRUCTIBLE)
  explicit TextView(std::string_view of) noexcept : text(of) {}
#elif defined(PAWL_CASE_VIEW_THROWS)
  TextView() {}
#endif
  std::string_view text;
};

template <>
struct pawl::Codec<Noted> {
#if !defined(PAWL_CASE_NO_NAME)
  static constexpr std::string_view kName = "text";
#endif
#if defined(PAWL_CASE_SCHEMA_EMPTY)
  static constexpr std::string_view kSchema = "";
#elif defined(PAWL_CASE_SCHEMA_WITH_SPACE)
  static constexpr std::string_view kSchema = "any text";
#elif defined(PAWL_CASE_SCHEMA_65)
  static constexpr std::string_view kSchema =
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
#elif defined(PAWL_CASE_SCHEMA_IS_NUMBER)
  static constexpr int kSchema = 1;
#elif !defined(PAWL_CASE_NO_SCHEMA)
  static constexpr std::string_view kSchema = "text/1";
#endif
#if !defined(PAWL_CASE_NO_VIEW)
  using View = TextView;
#endif
#if defined(PAWL_CASE_SIZE_NOT_NOEXCEPT)
  static std::size_t Size(const Noted& e) { return e.text.size(); }
#elif defined(PAWL_CASE_SIZE_OF_32_BITS)
  static std::uint32_t Size(const Noted&) noexcept { return 0; }
#else
  static std::size_t Size(const Noted& e) noexcept { return e.text.size(); }
#endif
#if defined(PAWL_CASE_ENCODE_NOT_NOEXCEPT)
  static void Encode(const Noted& e, std::span<std::byte> room) {
#elif defined(PAWL_CASE_ENCODE_MISSPELT)
  static void Encod(const Noted& e, std::span<std::byte> room) noexcept {
#else
  static void Encode(const Noted& e, std::span<std::byte> room) noexcept {
#endif
    std::memcpy(room.data(), e.text.data(), room.size());
  }
#if defined(PAWL_CASE_DECODE_NOT_NOEXCEPT)
  static bool Decode(std::span<const std::byte>, TextView&) { return true; }
#elif defined(PAWL_CASE_DECODE_RETURNS_NOTHING)
  static void Decode(std::span<const std::byte>, TextView&) noexcept {}
#elif defined(PAWL_CASE_DECODE_CHANGES_BYTES)
  static bool Decode(std::span<std::byte>, TextView&) noexcept { return true; }
#else
static bool
Decode(std::span<const std::byte>, TextView&) noexcept {
  return true;
}
#endif
};

template <>
struct pawl::Codec<Erased> {
  static constexpr std::string_view kName = "text";
  static constexpr std::string_view kSchema = "text/1";
#if defined(PAWL_CASE_TWO_EVENTS_OF_ONE_VIEW)
  using View = TextView;
#else
  using View = Erased;
#endif
  static std::size_t Size(const Erased&) noexcept { return 0; }
  static void Encode(const Erased&, std::span<std::byte>) noexcept {}
  static bool Decode(std::span<const std::byte>, View&) noexcept { return true; }
};

struct Note {};

struct Subject {
  using Commands = pawl::Commands<Note>;
  using Events = pawl::Events<Noted, Erased>;
  static constexpr std::string_view kCategory = "subject";
  struct State {
    std::size_t bytes = 0;
  };
  static pawl::Verdict Decide(const State&, const Note&, pawl::Emit<Subject>& emit) noexcept {
    emit(Noted{"text"});
    return pawl::Accept();
  }
#if defined(PAWL_CASE_EVOLVES_EVENT_NOT_VIEW)
  static void Evolve(State& s, const Noted& e) noexcept { s.bytes += e.text.size(); }
#else
  static void Evolve(State& s, const TextView& e) noexcept { s.bytes += e.text.size(); }
#endif
  static void Evolve(State& s, const Erased&) noexcept { s.bytes = 0; }
};

struct Visitor {
#if defined(PAWL_CASE_VISITS_EVENT_NOT_VIEW)
  void operator()(const Noted&, const pawl::Meta&) noexcept {}
#else
  void operator()(const TextView&, const pawl::Meta&) noexcept {}
#endif
  void operator()(const Erased&, const pawl::Meta&) noexcept {}
};

std::size_t Use(pawl::Engine& engine) {
  [[maybe_unused]] const auto traits = pawl::Aggregates<Subject>::Traits();
  return engine.NewEventReader<Subject>()->Forward(Visitor{});
}
