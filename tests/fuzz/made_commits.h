#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "log_files.h"

namespace pawl::inline v0 {

// Appends the bytes of a value.
template <class T>
void Put(Bytes& bytes, const T& value) {
  const std::size_t at = bytes.size();
  bytes.resize(at + sizeof value);
  StoreAt(bytes, at, value);
}

// The commits that the made logs consist of, each as its bytes.
Bytes EpochCommit(std::uint32_t epoch, EpochReason reason, std::uint64_t start);
Bytes BindingsCommit();                         // category 1 and type 1
Bytes SessionCommit(std::uint32_t generation);  // of session 1
Bytes FirstEventCommit();                       // binds stream 1 and has its first event
Bytes EventCommit(std::uint64_t version, std::uint64_t back_link, std::uint32_t sequence);
// Closes a stream at its newest event; binds the key of stream 1 anew, with a first event.
Bytes ClosingCommit(std::uint32_t stream, std::uint64_t version, std::uint64_t back_link,
                    std::uint32_t sequence);
Bytes BoundAgainCommit(std::uint32_t stream, std::uint32_t sequence);
// Of stream 1, with the type of its events.
Bytes TimerSetCommit(std::uint64_t id, std::uint64_t due_ns);
Bytes TimerFiredCommit(std::uint64_t id, std::uint64_t set_position);
Bytes TimerCancelledCommit(std::uint64_t id, std::uint64_t set_position);
Bytes ClockCommit(std::uint64_t held_ns, std::uint64_t adopted_ns);
Bytes ExtendedCommit();  // two extensions before a record without payload
Bytes BulkCommit(std::uint32_t session, std::uint32_t generation, std::string_view name);
Bytes SessionClosingCommit(std::uint32_t session, std::uint32_t generation);
// Commands that emitted nothing: with an idempotency key, and answered by one.
Bytes KeyCommit(std::uint32_t session, std::uint32_t sequence, std::uint8_t flags);
Bytes FirstReceiptCommit(std::uint32_t session, std::uint32_t sequence, std::uint64_t position);
Bytes SkippedCommit(std::size_t bytes);  // a record that readers may skip

}  // namespace pawl::inline v0
