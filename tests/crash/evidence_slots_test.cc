#include <memory>
#include <utility>

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "life.h"
#include "sim_storage.h"

namespace pawl::inline v0 {
namespace {

constexpr Conduct kStep{.steps = 1, .commits_max = 2, .payload_max = 64};
constexpr int kStepsMax = 10'000;

bool IsEvidenceWrite(const SimOp& op) {
  return op.kind == SimOpKind::kWriteDurable && absl::EndsWith(op.path, "/evidence");
}

// A process died while it wrote an evidence slot: what the disk had taken over of it could be read,
// but no flush had covered it. The next life believed that slot and wrote the other one. A power
// cut then tore both, and the log did not open any more.
TEST(EvidenceSlotsTest, ASlotThatAKilledProcessWroteIsMadeDurableBeforeTheOtherOneIsWritten) {
  SimOptions options;
  SimStorage first_machine(options);
  Life::Prepare(first_machine);
  Life first(&first_machine, {}, 1);
  std::unique_ptr<SimStorage> machine;
  LogHistory given;
  std::uint64_t writes = 0;
  first_machine.set_observer([&](const SimOp& op) {
    first.Watch(op);
    // Not the one of Open(), if there is one.
    if (!first.has_begun() || !IsEvidenceWrite(op) || ++writes < 3 || machine != nullptr) return;
    RandomCut all(1, CutMode::kAll);
    machine = first_machine.Kill(all, 2);
    given = first.Now();
  });
  ASSERT_TRUE(first.Begin(0).is_good());
  for (int i = 0; i < kStepsMax && machine == nullptr; ++i) {
    ASSERT_TRUE(first.Work(kStep).is_good());
  }
  ASSERT_NE(machine, nullptr);

  Life second(machine.get(), given, 3);
  std::uint64_t states = 0;
  machine->set_observer([&](const SimOp& op) {
    second.Watch(op);
    if (!IsEvidenceWrite(op) || states > 0) return;
    EveryCut every;
    do {
      const std::unique_ptr<SimStorage> cut = machine->Cut(every, 4);
      const LogHistory now = second.Now();
      Life third(cut.get(), now, 5);
      const Judgement verdict = third.Begin(now.owed.durable);
      EXPECT_TRUE(verdict.is_good()) << verdict.what;
      ++states;
    } while (second.has_begun() && every.Next());
    // Within Open() the slot is only written again, and the bytes are the same.
    if (!second.has_begun()) states = 0;
  });
  ASSERT_TRUE(second.Begin(given.owed.published).is_good());
  for (int i = 0; i < kStepsMax && states == 0; ++i) ASSERT_TRUE(second.Work(kStep).is_good());
  EXPECT_GT(states, 1U);
}

}  // namespace
}  // namespace pawl::inline v0
