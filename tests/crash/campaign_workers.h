#pragma once

#include <cstdint>
#include <functional>

namespace pawl::inline v0 {

// What is dealt out to workers: `count` numbers from `first` on.
struct WorkerOrders {
  std::uint64_t workers = 1;
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

// Deals numbers out to worker processes, for campaigns whose cases fork: a process with threads
// must not. Which worker gets a number is chance; what the number stands for is not.
//   work      in a worker, which is below `orders.workers`: does one number
//   look      in the caller, every now and then, and at the end
//   returns   workers that died; what these had still to do was not done
//   threads   one; the caller has no other
[[nodiscard]] std::uint64_t RunInWorkers(
    const WorkerOrders& orders,
    const std::function<void(std::uint64_t worker, std::uint64_t number)>& work,
    const std::function<void()>& look);

}  // namespace pawl::inline v0
