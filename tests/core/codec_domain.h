#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "pawl/aggregate.h"

namespace pawl {

// Letters: events of any length with a codec written by hand.

struct Written {
  static constexpr EventType kType{"letter.written", 1};
  std::string_view author;
  std::string_view text;
};
struct WrittenView {  // points into the log
  std::string_view author;
  std::string_view text;
};
template <>
struct Codec<Written> {
  static constexpr std::string_view kName = "letters";
  static constexpr std::string_view kSchema = "letter.Written/1";
  static constexpr std::size_t kHeadBytes = 8;  // the lengths of both texts

  using View = WrittenView;
  // A newer release of the encoding, which decodes more than the one before.
  static inline bool accepts_zeros = false;

  static std::size_t Size(const Written& e) noexcept {
    return kHeadBytes + e.author.size() + e.text.size();
  }
  static void Encode(const Written& e, std::span<std::byte> room) noexcept {
    const std::array<std::uint32_t, 2> lengths{static_cast<std::uint32_t>(e.author.size()),
                                               static_cast<std::uint32_t>(e.text.size())};
    std::memcpy(room.data(), lengths.data(), kHeadBytes);
    e.author.copy(reinterpret_cast<char*>(room.data()) + kHeadBytes, e.author.size());
    e.text.copy(reinterpret_cast<char*>(room.data()) + kHeadBytes + e.author.size(), e.text.size());
  }
  static bool Decode(std::span<const std::byte> bytes, View& view) noexcept {
    if (bytes.size() < kHeadBytes) return false;
    std::array<std::uint32_t, 2> lengths;
    std::memcpy(lengths.data(), bytes.data(), kHeadBytes);
    if (bytes.size() - kHeadBytes != std::uint64_t{lengths[0]} + lengths[1]) return false;
    const char* const texts = reinterpret_cast<const char*>(bytes.data()) + kHeadBytes;
    view = {{texts, lengths[0]}, {texts + lengths[0], lengths[1]}};
    return accepts_zeros || view.text.find('\0') == std::string_view::npos;
  }
  static std::string Text(const View& view) {
    return "\"" + std::string(view.text.substr(0, 20)) + "\" by " + std::string(view.author);
  }
};

// An event that had no codec, and one whose codec's first version knew less.
struct PostedV1 {
  static constexpr EventType kType{"letter.posted", 1};
  std::array<char, 8> to;
};
struct PostedV2 {
  static constexpr EventType kType{"letter.posted", 2};
  using Older = PostedV1;
  std::string_view to;
};
struct Posted {
  static constexpr EventType kType{"letter.posted", 3};
  using Older = PostedV2;
  std::string_view to;
  bool is_urgent;
};
struct PostedV2View {
  std::string_view to;
};
struct PostedView {
  std::string_view to;
  bool is_urgent = false;
};
template <>
struct Codec<PostedV2> {
  static constexpr std::string_view kName = "letters";
  static constexpr std::string_view kSchema = "letter.Posted/2";
  using View = PostedV2View;
  static std::size_t Size(const PostedV2& e) noexcept { return e.to.size(); }
  static void Encode(const PostedV2& e, std::span<std::byte> room) noexcept {
    e.to.copy(reinterpret_cast<char*>(room.data()), room.size());
  }
  static bool Decode(std::span<const std::byte> bytes, View& view) noexcept {
    view.to = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    return true;
  }
};
template <>
struct Codec<Posted> {
  static constexpr std::string_view kName = "letters";
  static constexpr std::string_view kSchema = "letter.Posted/3";
  using View = PostedView;
  static std::size_t Size(const Posted& e) noexcept { return 1 + e.to.size(); }
  static void Encode(const Posted& e, std::span<std::byte> room) noexcept {
    room[0] = std::byte{e.is_urgent};
    e.to.copy(reinterpret_cast<char*>(room.data()) + 1, e.to.size());
  }
  static bool Decode(std::span<const std::byte> bytes, View& view) noexcept {
    if (bytes.empty() || bytes[0] > std::byte{1}) return false;
    view = {{reinterpret_cast<const char*>(bytes.data()) + 1, bytes.size() - 1},
            bytes[0] != std::byte{0}};
    return true;
  }
};
inline PostedV2View Upcast(const PostedV1& e) noexcept {
  return {{e.to.data(), std::string_view(e.to.data(), e.to.size()).find_last_not_of('\0') + 1}};
}
inline PostedView Upcast(const PostedV2View& e) noexcept { return {e.to, false}; }

struct Torn {  // without a codec, beside those that have one
  static constexpr EventType kType{"letter.torn", 1};
  std::uint64_t pieces;
};

struct Write {
  std::uint32_t text_bytes;
  char letter;  // which the text is made of
};
struct WriteThere {  // here, on `there`, here again
  Key there;
  std::uint32_t text_bytes;
};
struct WriteThenRefuse {
  std::uint32_t text_bytes;
};
struct Post {
  std::array<char, 8> to;
};
struct Tear {};
struct Burn {  // a last word, and the letter is closed
  std::uint32_t text_bytes;
};

inline constexpr std::size_t kTextBytesMax = 300 * 1024;

// 'h': a huge one, which nobody may read. Its length fits no 32 bits.
inline std::string_view TextOf(std::size_t bytes, char letter) noexcept {
  if (letter == 'h') return {"", (std::size_t{1} << 32) + bytes};
  static const std::string kA(kTextBytesMax, 'a');
  static const std::string kB(kTextBytesMax, 'b');
  static const std::string kZero(kTextBytesMax, '\0');
  const std::string& all = letter == 'a' ? kA : letter == 'b' ? kB : kZero;
  return std::string_view(all).substr(0, bytes);
}

// The aggregate of a release, which lists this version of "posted".
template <class PostedEvent>
struct Letter {
  using Commands = pawl::Commands<Write, WriteThere, WriteThenRefuse, Post, Tear, Burn>;
  using Events = pawl::Events<Written, PostedEvent, Torn>;
  static constexpr std::string_view kCategory = "letter";
  struct State {
    std::uint64_t bytes = 0;
    std::uint64_t events = 0;
    std::uint64_t hash = 0;
  };
  static Verdict Decide(const State&, const Write& c, Emit<Letter>& emit) noexcept {
    emit(Written{"ada", TextOf(c.text_bytes, c.letter)});
    return Accept();
  }
  static Verdict Decide(const State&, const WriteThere& c, Emit<Letter>& emit) noexcept {
    emit(Written{"here", TextOf(c.text_bytes, 'a')});
    emit.template On<Letter>(c.there, Written{"there", TextOf(c.text_bytes + 1, 'b')});
    emit(Torn{3});
    emit(Written{"here", TextOf(c.text_bytes + 2, 'a')});
    return Accept();
  }
  static Verdict Decide(const State&, const WriteThenRefuse& c, Emit<Letter>& emit) noexcept {
    emit(Written{"ada", TextOf(c.text_bytes, 'a')});
    emit(Written{"ada", TextOf(c.text_bytes, 'b')});
    return Refuse(9);
  }
  static Verdict Decide(const State&, const Post& c, Emit<Letter>& emit) noexcept {
    const std::string_view to(c.to.data(), ::strnlen(c.to.data(), c.to.size()));
    if constexpr (std::is_same_v<PostedEvent, PostedV1>) {
      emit(PostedV1{c.to});
    } else if constexpr (std::is_same_v<PostedEvent, PostedV2>) {
      emit(PostedV2{to});
    } else {
      emit(Posted{to, true});
    }
    return Accept();
  }
  static Verdict Decide(const State&, const Burn& c, Emit<Letter>& emit) noexcept {
    emit(Written{"ada", TextOf(c.text_bytes, 'a')});
    emit.Close();
    return Accept();
  }
  static Verdict Decide(const State&, const Tear&, Emit<Letter>& emit) noexcept {
    emit(Torn{2});
    return Accept();
  }
  static void Evolve(State& s, const WrittenView& e) noexcept {
    s.bytes += e.text.size();
    Mix(s, e.author);
    Mix(s, e.text);
  }
  static void Evolve(State& s, const EventView<PostedEvent>& e) noexcept {
    Mix(s, std::string_view(e.to.data(), e.to.size()));
  }
  static void Evolve(State& s, const Torn& e) noexcept {
    s.bytes += e.pieces;
    Mix(s, "torn");
  }

 private:
  static void Mix(State& s, std::string_view text) noexcept {
    ++s.events;
    for (const char c : text) s.hash = (s.hash ^ static_cast<std::uint64_t>(c)) * 0x1'0000'01B3;
  }
};
using LetterV1 = Letter<PostedV1>;
using LetterV2 = Letter<PostedV2>;
using LetterV3 = Letter<Posted>;

}  // namespace pawl
