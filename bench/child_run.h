#pragma once

#include <optional>

#include "bank_subject.h"

namespace pawl::inline v0::bench {

// Runs `subject` once in a child process of its own, so that no run inherits warm pages, memory or
// threads from another. Empty when the child did not end well; it has said why.
//   threads   one; the process has no other thread
std::optional<BankResult> RunInChild(const BankSubject& subject, const BankOptions& options);

}  // namespace pawl::inline v0::bench
