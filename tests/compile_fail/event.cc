// Structs that are no events, one per case; the list of cases and their messages is in
// CMakeLists.txt. Each case defines Subject.
#include "pawl/event.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "pawl/key.h"

#define PAWL_EVENT_TYPE \
  static constexpr pawl::EventType kType { "test.subject", 1 }

struct Gapped {
  std::int64_t cents;
  std::int32_t code;
};

#if defined(PAWL_CASE_PLAIN)
enum class Colour : std::uint16_t { kRed };
struct Subject {
  PAWL_EVENT_TYPE;
  std::int64_t cents = 0;
  pawl::Key to;
  double rate;
  std::array<std::array<float, 2>, 3> grid;
  Colour colour;
  std::array<char, 5> text;
  bool is_final;
};
#elif defined(PAWL_CASE_EMPTY)
struct Subject {
  PAWL_EVENT_TYPE;
};
#elif defined(PAWL_CASE_FIELDS_32)
struct Subject {
  PAWL_EVENT_TYPE;
  std::int8_t a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16;
  std::int8_t b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15, b16;
};
#elif defined(PAWL_CASE_FIELDS_33)
struct Subject {
  PAWL_EVENT_TYPE;
  std::int8_t a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16;
  std::int8_t b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15, b16, b17;
};
#elif defined(PAWL_CASE_PADDING_BETWEEN)
struct Subject {
  PAWL_EVENT_TYPE;
  std::int32_t code;
  std::int64_t cents;
};
#elif defined(PAWL_CASE_PADDING_AFTER)
struct Subject {
  PAWL_EVENT_TYPE;
  std::int64_t cents;
  std::int32_t code;
};
#elif defined(PAWL_CASE_PADDING_NESTED)
struct Subject {
  PAWL_EVENT_TYPE;
  Gapped inner;
};
#elif defined(PAWL_CASE_PADDING_IN_ARRAY)
struct Subject {
  PAWL_EVENT_TYPE;
  std::array<Gapped, 2> inner;
};
#elif defined(PAWL_CASE_POINTER)
struct Subject {
  PAWL_EVENT_TYPE;
  const char* name;
};
#elif defined(PAWL_CASE_POINTER_IN_ARRAY)
struct Subject {
  PAWL_EVENT_TYPE;
  std::array<int*, 2> inner;
};
#elif defined(PAWL_CASE_REFERENCE)
struct Subject {
  PAWL_EVENT_TYPE;
  std::int64_t& cents;
};
#elif defined(PAWL_CASE_OVERALIGNED)
struct alignas(16) Subject {
  PAWL_EVENT_TYPE;
  std::int64_t a;
  std::int64_t b;
};
#elif defined(PAWL_CASE_PACKED)
struct [[gnu::packed]] Subject {
  PAWL_EVENT_TYPE;
  std::int8_t a;
  std::int64_t b;
};
#elif defined(PAWL_CASE_C_ARRAY)
struct Subject {
  PAWL_EVENT_TYPE;
  char text[8];
};
#elif defined(PAWL_CASE_C_ARRAY_OF_ONE)
struct Subject {
  PAWL_EVENT_TYPE;
  std::int64_t cents[1];
};
#elif defined(PAWL_CASE_BASE_CLASS)
struct Cents {
  std::int64_t cents;
};
struct Subject : Cents {
  PAWL_EVENT_TYPE;
};
#elif defined(PAWL_CASE_EMPTY_BASE_CLASS)
struct Nothing {};
struct Subject : Nothing {
  PAWL_EVENT_TYPE;
  std::int64_t cents;
};
#elif defined(PAWL_CASE_BIT_FIELD)
struct Subject {
  PAWL_EVENT_TYPE;
  std::int32_t a : 20;
  std::int32_t b;
};
#elif defined(PAWL_CASE_UNION_FIELD)
union Either {
  std::int64_t cents;
  double rate;
};
struct Subject {
  PAWL_EVENT_TYPE;
  Either either;
};
#elif defined(PAWL_CASE_ANONYMOUS_UNION)
struct Subject {
  PAWL_EVENT_TYPE;
  union {
    std::int64_t cents;
    double rate;
  };
};
#elif defined(PAWL_CASE_UNION)
union Subject {
  PAWL_EVENT_TYPE;
  std::int64_t cents;
  double rate;
};
#elif defined(PAWL_CASE_LONG_DOUBLE)
struct Subject {
  PAWL_EVENT_TYPE;
  long double rate;
};
#elif defined(PAWL_CASE_STRING)
struct Subject {
  PAWL_EVENT_TYPE;
  std::string name;
};
#elif defined(PAWL_CASE_STRING_VIEW)
struct Subject {
  PAWL_EVENT_TYPE;
  std::string_view name;
};
#elif defined(PAWL_CASE_SPAN)
struct Subject {
  PAWL_EVENT_TYPE;
  std::span<const int> codes;
};
#elif defined(PAWL_CASE_OPTIONAL)
struct Subject {
  PAWL_EVENT_TYPE;
  std::int64_t cents;
  std::optional<std::int64_t> fee;
};
#elif defined(PAWL_CASE_VOLATILE)
struct Subject {
  PAWL_EVENT_TYPE;
  volatile std::int64_t cents;
};
#elif defined(PAWL_CASE_VIRTUAL_FUNCTION)
struct Subject {
  PAWL_EVENT_TYPE;
  std::int64_t cents;
  virtual void Apply();
};
#elif defined(PAWL_CASE_CONSTRUCTOR)
struct Subject {
  PAWL_EVENT_TYPE;
  explicit Subject(std::int64_t amount);
  std::int64_t cents;
};
#elif defined(PAWL_CASE_PRIVATE_FIELD)
class Subject {
 public:
  PAWL_EVENT_TYPE;

 private:
  std::int64_t cents_;
};
#elif defined(PAWL_CASE_NO_TYPE)
struct Subject {
  std::int64_t cents;
};
#elif defined(PAWL_CASE_TYPE_IS_STRING)
struct Subject {
  static constexpr std::string_view kType = "test.subject";
  std::int64_t cents;
};
#elif defined(PAWL_CASE_NO_STRUCT)
using Subject = std::int64_t;
#elif defined(PAWL_CASE_NAME_UPPER_CASE)
struct Subject {
  static constexpr pawl::EventType kType{"Test.Subject", 1};
};
#elif defined(PAWL_CASE_NAME_EMPTY)
struct Subject {
  static constexpr pawl::EventType kType{"", 1};
};
#elif defined(PAWL_CASE_NAME_65)
struct Subject {
  static constexpr pawl::EventType kType{
      "a1234567890123456789012345678901234567890123456789012345678901234", 1};
};
#elif defined(PAWL_CASE_VERSION_0)
struct Subject {
  static constexpr pawl::EventType kType{"test.subject", 0};
};
#else
#error "no case"
#endif

static_assert(pawl::CheckEvent<Subject>());
