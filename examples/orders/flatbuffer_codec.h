#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include <flatbuffers/flatbuffers.h>

#include <pawl/codec.h>

// FlatBuffers as the bytes of events: nothing here knows of orders.
namespace orders {

// A message that stands in the log, verified; its fields are read where they are.
template <class Table>
class FlatView {
 public:
  FlatView() noexcept = default;
  explicit FlatView(const Table* table) noexcept : table_(table) {}

  const Table* operator->() const noexcept { return table_; }
  const Table& operator*() const noexcept { return *table_; }

 private:
  const Table* table_ = nullptr;
};

// What pawl::Codec<E> derives from if E is `struct E { kType; std::span<const std::byte> message;
// }` with a finished buffer whose root is a Table. To be added: `kSchema`, which stays as long as
// new versions of the schema only add fields (schema_test.cc), and `Text` for tests.
template <class E, class Table>
struct FlatCodec {
  static constexpr std::string_view kName = "flatbuffers";
  using View = FlatView<Table>;

  static std::size_t Size(const E& event) noexcept { return event.message.size(); }
  static void Encode(const E& event, std::span<std::byte> room) noexcept {
    if (!room.empty()) std::memcpy(room.data(), event.message.data(), room.size());
  }
  // Every offset, length and required field of the message is checked before anybody follows it.
  static bool Decode(std::span<const std::byte> bytes, View& view) noexcept {
    const auto* const begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
    flatbuffers::Verifier verifier(begin, bytes.size());
    if (bytes.empty() || !verifier.VerifyBuffer<Table>(nullptr)) return false;
    view = View(flatbuffers::GetRoot<Table>(begin));
    return true;
  }
};

// Where a message is built: memory of its own, so that a Decide that builds one allocates nothing
// unless the message is larger than kBytes.
template <std::size_t kBytes>
class FlatRoom final : public flatbuffers::DefaultAllocator {
 public:
  std::uint8_t* allocate(std::size_t size) override {
    return size <= kBytes ? room_.data() : flatbuffers::DefaultAllocator::allocate(size);
  }
  void deallocate(std::uint8_t* at, std::size_t size) override {
    if (at != room_.data()) flatbuffers::DefaultAllocator::deallocate(at, size);
  }

 private:
  alignas(8) std::array<std::uint8_t, kBytes> room_;
};

inline std::span<const std::byte> BytesOf(const flatbuffers::FlatBufferBuilder& built) noexcept {
  return {reinterpret_cast<const std::byte*>(built.GetBufferPointer()), built.GetSize()};
}

}  // namespace orders
