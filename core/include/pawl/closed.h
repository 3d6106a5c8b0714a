#pragma once

namespace pawl::inline v0 {

// That an aggregate of type A was closed, for those who read what happened: an entry of a
// projection's Events,
//   void On(const pawl::Closed<Account>&, const pawl::Meta&) noexcept;
// whose Meta has the aggregate's key, the version of its last event, and the closing's position and
// time; in the test kit it stands among the events of an aggregate. It is no event: an aggregate
// does not list it, and nothing evolves it.
template <class A>
struct Closed {};

template <class T>
inline constexpr bool kIsClosed = false;
template <class A>
inline constexpr bool kIsClosed<Closed<A>> = true;

}  // namespace pawl::inline v0
