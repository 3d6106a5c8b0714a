#include "campaign_workers.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include "child.h"
#include "shared_report.h"

namespace pawl::inline v0 {
namespace {

constexpr auto kLookEvery = std::chrono::milliseconds(200);

struct Tickets {
  // Taken by every worker; only grows.
  std::atomic<std::uint64_t> next{0};
};

}  // namespace

std::uint64_t RunInWorkers(
    const WorkerOrders& orders,
    const std::function<void(std::uint64_t worker, std::uint64_t number)>& work,
    const std::function<void()>& look) {
  const SharedReport<Tickets> tickets;
  std::vector<std::unique_ptr<Child>> workers;
  for (std::uint64_t worker = 0; worker < orders.workers; ++worker) {
    workers.push_back(std::make_unique<Child>([&, worker] {
      for (;;) {
        // Relaxed: a ticket; what it numbers is made from the seed.
        const std::uint64_t ticket = tickets->next.fetch_add(1, std::memory_order_relaxed);
        if (ticket >= orders.count) return 0;
        work(worker, orders.first + ticket);
      }
    }));
  }
  std::uint64_t died = 0;
  for (const std::unique_ptr<Child>& worker : workers) {
    while (!worker->EndsWithin(kLookEvery)) look();
    if (worker->Wait(0).exit_status != 0) ++died;
  }
  look();
  return died;
}

}  // namespace pawl::inline v0
