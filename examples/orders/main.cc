// Places two orders, ships one, and prints all that the log has of them; run it twice on one
// directory to see that the log remembers.   orders DIRECTORY

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "order.h"
#include <pawl/engine.h>
#include <pawl/view.h>

namespace orders {
namespace {

using namespace std::chrono_literals;

// How much of what was ordered.
struct Demand {
  using Events = pawl::Events<Placed>;
  static constexpr int kVersion = 1;
  std::map<std::string, std::uint64_t> by_sku;
  void On(const PlacedView& placed, const pawl::Meta&) noexcept {
    for (const fb::Line* line : *placed->lines()) by_sku[line->sku()->str()] += line->quantity();
  }
};

// What a History shows of an order.
struct Printer {
  void operator()(const PlacedView& placed, const pawl::Meta&) noexcept {
    std::printf("  placed by %s\n", placed->customer()->c_str());
    for (const fb::Line* line : *placed->lines()) {
      std::printf("    %u x %s at %lld cents\n", line->quantity(), line->sku()->c_str(),
                  static_cast<long long>(line->unit_cents()));
    }
    if (placed->note() != nullptr) std::printf("    note: %s\n", placed->note()->c_str());
  }
  void operator()(const Shipped& e, const pawl::Meta&) noexcept {
    std::printf("  shipped in %u parcels\n", e.parcels);
  }
  void operator()(const Cancelled&, const pawl::Meta&) noexcept { std::printf("  cancelled\n"); }
};

constexpr pawl::Key kFirst{1};
constexpr pawl::Key kSecond{2};

Place FirstOrder() {
  Place place{};
  place.customer = TextOf<32>("ada");
  place.note = TextOf<200>("by the back door, please");
  place.items[0] = {TextOf<16>("tea"), 300, 2};
  place.items[1] = {TextOf<16>("biscuits"), 250, 1};
  place.item_count = 2;
  return place;
}
Place SecondOrder() {
  Place place{};
  place.customer = TextOf<32>("bob");
  place.items[0] = {TextOf<16>("tea"), 300, 1};
  place.item_count = 1;
  return place;
}

// Sends a command, waits until its answer survives a power cut, and says what it was.
template <class C>
absl::Status Run(pawl::Producer& producer, const char* what, const pawl::Key& key,
                 const C& command) {
  const auto receipt = producer.Execute<Order>(key, command);
  const int code = receipt.ok() ? 0 : pawl::RefusalCode(receipt.status());
  if (!receipt.ok() && code <= 0) return receipt.status();
  std::printf("%s: %s\n", what, receipt.ok() ? "accepted" : "refused");
  return absl::OkStatus();
}

absl::Status Trade(pawl::Engine& engine) {
  auto producer = engine.NewProducer();
  if (!producer.ok()) return producer.status();
  auto demand = pawl::Project<Demand>(engine);
  if (!demand.ok()) return demand.status();
  absl::Status run = Run(*producer, "the first order", kFirst, FirstOrder());
  if (run.ok()) run = Run(*producer, "the second order", kSecond, SecondOrder());
  if (run.ok()) run = Run(*producer, "the first one is shipped", kFirst, Ship{1});
  if (!run.ok()) return run;
  for (const pawl::Key& key : {kFirst, kSecond}) {
    auto history = engine.NewHistory<Order>(key);
    if (!history.ok()) return history.status();
    std::printf("order %llu\n", static_cast<unsigned long long>(key.low));
    history->Forward(Printer{});
    if (!history->status().ok()) return history->status();
  }
  const auto newest = engine.StateHash();  // tells of which position it is
  if (!newest.ok()) return newest.status();
  const auto tea = demand->Read(pawl::AtLeast(newest->position, 5s), [](const Demand& d) noexcept {
    const auto found = d.by_sku.find("tea");
    return found == d.by_sku.end() ? std::uint64_t{0} : found->second;
  });
  if (!tea.ok()) return tea.status();
  std::printf("tea ordered: %llu\n", static_cast<unsigned long long>(*tea));
  return engine.Stop();
}

}  // namespace
}  // namespace orders

int main(int argc, char** argv) {
  auto engine =
      pawl::Engine::Open({.directory = argc > 1 ? argv[1] : "orders.log"}, orders::Aggregates{});
  const absl::Status done = engine.ok() ? orders::Trade(**engine) : engine.status();
  if (!done.ok()) std::fprintf(stderr, "orders: %s\n", done.ToString().c_str());
  return done.ok() ? 0 : 1;
}
