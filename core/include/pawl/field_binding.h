#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

// Binds the fields of a struct to their addresses. Structured bindings have a fixed number of
// names, so the arities are spelled out, up to kFieldsMax. For plain_struct.h and layout.h only.
namespace pawl::inline v0 {

// Largest number of fields of one struct. 32 keeps the table below, and compile time, small; a
// larger event nests structs.
inline constexpr std::size_t kFieldsMax = 32;

namespace layout_detail {

// A place for an object of T whose fields have addresses but which never exists: T needs no
// constructor that runs at compile time. Not const, hence reading it is no constant expression;
// that is how BindsAllFields sees a bit-field, whose binding would read it.
template <class T>
union Slot {
  char none;
  T object;
  constexpr Slot() noexcept : none{} {}
};

template <class T>
inline constinit Slot<T> slot{};

// Address of a field of slot<T>, usable as a template argument.
template <class F>
struct FieldPointer {
  const F* field;
};

template <std::size_t kIndex, class F>
struct IndexedField {
  FieldPointer<F> pointer;
};

// The fields of one struct. A flat tuple: one instantiation for all fields instead of a chain.
template <class Indices, class... F>
struct FieldTuple;

template <std::size_t... I, class... F>
struct FieldTuple<std::index_sequence<I...>, F...> : IndexedField<I, F>... {
  constexpr explicit FieldTuple(const F*... fields) noexcept : IndexedField<I, F>{{fields}}... {}
};

template <std::size_t kIndex, class F>
constexpr FieldPointer<F> GetField(const IndexedField<kIndex, F>& field) noexcept {
  return field.pointer;
}

template <class... F>
constexpr auto Tie(const F&... fields) noexcept {
  return FieldTuple<std::index_sequence_for<F...>, F...>{&fields...};
}

template <std::size_t kCount>
using FieldCount = std::integral_constant<std::size_t, kCount>;

template <class T>
constexpr auto TieFields(T& object, FieldCount<1>) noexcept {
  auto& [a] = object;
  return Tie(a);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<2>) noexcept {
  auto& [a, b] = object;
  return Tie(a, b);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<3>) noexcept {
  auto& [a, b, c] = object;
  return Tie(a, b, c);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<4>) noexcept {
  auto& [a, b, c, d] = object;
  return Tie(a, b, c, d);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<5>) noexcept {
  auto& [a, b, c, d, e] = object;
  return Tie(a, b, c, d, e);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<6>) noexcept {
  auto& [a, b, c, d, e, f] = object;
  return Tie(a, b, c, d, e, f);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<7>) noexcept {
  auto& [a, b, c, d, e, f, g] = object;
  return Tie(a, b, c, d, e, f, g);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<8>) noexcept {
  auto& [a, b, c, d, e, f, g, h] = object;
  return Tie(a, b, c, d, e, f, g, h);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<9>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i] = object;
  return Tie(a, b, c, d, e, f, g, h, i);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<10>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i, j] = object;
  return Tie(a, b, c, d, e, f, g, h, i, j);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<11>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i, j, k] = object;
  return Tie(a, b, c, d, e, f, g, h, i, j, k);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<12>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l] = object;
  return Tie(a, b, c, d, e, f, g, h, i, j, k, l);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<13>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = object;
  return Tie(a, b, c, d, e, f, g, h, i, j, k, l, m);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<14>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = object;
  return Tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<15>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o] = object;
  return Tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<16>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = object;
  return Tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<17>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q] = object;
  return Tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<18>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r] = object;
  return Tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<19>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s] = object;
  return Tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<20>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t] = object;
  return Tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<21>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u] = object;
  return Tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<22>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v] = object;
  return Tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<23>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w] = object;
  return Tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<24>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x] = object;
  return Tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<25>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y] = object;
  return Tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<26>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z] = object;
  return Tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<27>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, A] = object;
  return Tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, A);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<28>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, A, B] =
      object;
  return Tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, A, B);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<29>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, A, B, C] =
      object;
  return Tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, A, B, C);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<30>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, A, B, C, D] =
      object;
  return Tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, A, B, C,
             D);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<31>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, A, B, C, D,
         E] = object;
  return Tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, A, B, C,
             D, E);
}

template <class T>
constexpr auto TieFields(T& object, FieldCount<32>) noexcept {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, A, B, C, D,
         E, F] = object;
  return Tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, A, B, C,
             D, E, F);
}

}  // namespace layout_detail
}  // namespace pawl::inline v0
