#include "power_cuts.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace pawl::inline v0 {
namespace {

// Streams of random numbers of a case.
enum Purpose : std::uint64_t {
  kMachine,
  kConduct,
  kWorkload,
  kCuts,
  kKills,
  kRots,
  kFollow,
  kFallbacks
};

constexpr std::uint32_t kLives = 3;        // after the first
constexpr std::uint32_t kLaterSteps = 24;  // of a later life, at most
constexpr std::uint64_t kKillsPerCase = 2;
constexpr std::uint64_t kRotsPerCase = 2;
// A choice of more states than this is sampled instead.
constexpr std::uint64_t kExhaustiveMax = 4096;
constexpr std::uint64_t kExhaustiveSample = 128;

std::uint32_t DrawStepsMax(SimRandom& random) {
  const std::uint32_t sizes[] = {4, 40, 120, 200};
  return sizes[random.Below(4)];
}

void DrawTrouble(SimStorage& machine, SimRandom& random) {
  if (random.OneIn(6)) {
    machine.set_fault({.at_disk_op = random.Below(80),
                       .is_sticky = random.OneIn(2),
                       .code = random.OneIn(4) ? absl::StatusCode::kResourceExhausted
                                               : absl::StatusCode::kUnknown});
  }
  if (random.OneIn(12)) machine.set_disk_bytes_max((1 + random.Below(5)) * kSegmentBytesMin);
  // For all lives: images that find no room in memory live in the log's directory.
  if (random.OneIn(12)) machine.set_memory_bytes_max(random.Below(4 * kSegmentBytesMin));
}

// For all lives, on top of buffered writes and a memory without room.
void DrawFallbacks(SimOptions& options, SimRandom random) {
  options.is_memory_forbidden = random.OneIn(12);
  options.has_boot_id = !random.OneIn(12);
}

}  // namespace

bool PowerCuts::Note(const Judgement& verdict, const Caught& caught, const std::string& name) {
  if (verdict.is_good()) return true;
  switch (verdict.finding) {
    case Finding::kLost: ++(caught.is_kill ? tally_->kill_lost : tally_->lost); break;
    case Finding::kRefused: ++tally_->refused_torn; break;
    case Finding::kBrokenRule: ++tally_->violations; break;
    default: ++tally_->wrong_reads;
  }
  on_failure_(
      absl::StrCat(NameOf(verdict.finding), ": ", name, ", ", caught.where, ": ", verdict.what));
  return false;
}

void PowerCuts::NoteViolations(const SimStorage& machine, const std::string& name) {
  tally_->violations += machine.violations().size();
  for (const std::string& what : machine.violations()) {
    on_failure_(absl::StrCat("violation: ", name, ": ", what));
  }
}

void PowerCuts::NotePaths(const Life& life) {
  const RecoveryReport& report = life.recovery();
  if (report.cut_bytes > 0) ++tally_->met["torn_tail_cut"];
  if (report.used_hot_images) ++tally_->met["hot_images_used"];
  if (report.reason == EpochReason::kReopened) ++tally_->met["clean_reopen"];
  if (report.end.value() > kSegmentBytesMin) ++tally_->met["several_segments"];
}

void PowerCuts::NoteFallbacks(const SimStorage& machine, const Life& life) {
  if (machine.options().is_buffered) ++tally_->met["buffered_writes"];
  if (!machine.options().has_boot_id) ++tally_->met["no_boot_id"];
  if (machine.options().is_memory_forbidden) {
    ++tally_->met["memory_forbidden"];
  } else if (life.has_images_with_log()) {
    ++tally_->met["memory_full"];
  }
}

Caught PowerCuts::CatchNow(const SimStorage& machine, const Life& life, const SimOp* op,
                           Sample& sample) {
  const bool is_kill =
      sample.how == Catch::kKill || (sample.how == Catch::kEither && sample.random.OneIn(4));
  const auto mode = static_cast<CutMode>(sample.random.Below(kCutModes));
  RandomCut choices(sample.random.Next(), mode, sample.random.OneIn(4));
  const std::uint64_t seed = sample.random.Next();
  Caught caught;
  caught.machine = is_kill ? machine.Kill(choices, seed) : machine.Cut(choices, seed);
  caught.history = life.Now();
  // Without a boot id images count as lost with the process.
  const bool has_images = is_kill && machine.options().has_boot_id;
  caught.owed = has_images ? caught.history.owed.published : caught.history.owed.durable;
  // A power cut takes what a process's death would have left.
  caught.history.owed.published = caught.owed;
  caught.is_kill = is_kill;
  caught.is_within_open = !life.has_begun();
  caught.where = absl::StrCat(is_kill ? "kill" : "power cut (", is_kill ? "" : NameOf(mode),
                              is_kill ? "" : ")", " in ", op == nullptr ? "rest" : NameOf(op->kind),
                              op == nullptr ? "" : absl::StrCat(" ", op->path, " op ", op->number),
                              life.has_begun() ? "" : " within Open()");
  return caught;
}

void PowerCuts::Offer(const SimStorage& machine, const Life& life, const SimOp* op,
                      Sample& sample) {
  const std::uint64_t number = sample.offered++;
  if (number < sample.size) {
    sample.caught.push_back(CatchNow(machine, life, op, sample));
    return;
  }
  const std::uint64_t slot = sample.random.Below(number + 1);
  if (slot < sample.size) sample.caught[slot] = CatchNow(machine, life, op, sample);
}

void PowerCuts::FirstLife(std::uint64_t number, std::vector<Sample>& samples) {
  SimRandom random = SimRandom::For(options_.seed, number, kConduct);
  SimOptions machine_options;
  machine_options.seed = SimRandom::For(options_.seed, number, kMachine).Next();
  machine_options.is_buffered = random.OneIn(4);
  DrawFallbacks(machine_options, SimRandom::For(options_.seed, number, kFallbacks));
  SimStorage machine(machine_options);
  Life::Prepare(machine);
  machine.set_lies(options_.lies);
  DrawTrouble(machine, random);
  Conduct conduct = Conduct::Drawn(random, DrawStepsMax(random));
  conduct.steps = std::min(conduct.steps, options_.steps_limit);

  Life life(&machine, {}, SimRandom::For(options_.seed, number, kWorkload).Next());
  life.set_acks_published(options_.acks_published);
  machine.set_observer([&](const SimOp& op) {
    life.Watch(op);
    for (Sample& sample : samples) Offer(machine, life, &op, sample);
  });
  const std::string name = absl::StrCat("case ", number, ", first life");
  const Judgement begun = life.Begin(0);
  // A disk that fails or is full may refuse a new log; nothing else may.
  if (begun.finding != Finding::kRefused || !machine.had_trouble()) {
    if (Note(begun, {}, name)) Note(life.Work(conduct), {}, name);
  }
  machine.set_observer({});
  for (Sample& sample : samples) {
    do {
      Offer(machine, life, nullptr, sample);
    } while (sample.caught.size() < sample.size);
  }
  NoteViolations(machine, name);
}

void PowerCuts::RunCase(std::uint64_t number, std::uint64_t first, std::uint64_t last) {
  std::vector<Sample> samples(3);
  samples[0] = {.how = Catch::kCut,
                .size = kStatesPerCase,
                .random = SimRandom::For(options_.seed, number, kCuts),
                .caught = {}};
  samples[1] = {.how = Catch::kKill,
                .size = kKillsPerCase,
                .random = SimRandom::For(options_.seed, number, kKills),
                .caught = {}};
  samples[2] = {.how = Catch::kCut,
                .size = kRotsPerCase,
                .random = SimRandom::For(options_.seed, number, kRots),
                .caught = {}};
  FirstLife(number, samples);
  for (std::uint64_t slot = first; slot < last; ++slot) {
    const std::uint64_t state = number * kStatesPerCase + slot;
    ++tally_->states;
    Follow(std::move(samples[0].caught[slot]), SimRandom::For(options_.seed, state, kFollow).Next(),
           absl::StrCat("state ", state));
  }
  if (first > 0) return;
  for (std::uint64_t i = 0; i < kKillsPerCase; ++i) {
    Follow(std::move(samples[1].caught[i]),
           SimRandom::For(options_.seed, ~number, kFollow + i).Next(),
           absl::StrCat("state ", number * kStatesPerCase, ", kill ", i));
  }
  for (std::uint64_t i = 0; i < kRotsPerCase; ++i) {
    Rot(std::move(samples[2].caught[i]), SimRandom::For(options_.seed, ~number, kRots + i),
        absl::StrCat("state ", number * kStatesPerCase, ", flip ", i));
  }
}

void PowerCuts::Follow(Caught caught, std::uint64_t seed, const std::string& name) {
  SimRandom random(seed);
  for (std::uint32_t number = 1; number <= kLives; ++number) {
    ++tally_->images;
    if (caught.is_kill) ++tally_->kills;
    Caught next =
        LiveAgain(caught, random, number == kLives, absl::StrCat(name, ", life ", number));
    if (next.machine == nullptr) return;
    next.where += absl::StrCat(" after ", caught.where);
    caught = std::move(next);
  }
}

// One recovery and what follows it.
//   returns   the image that this life leaves; without a machine after the last life or a failure
Caught PowerCuts::LiveAgain(Caught& caught, SimRandom& random, bool is_last,
                            const std::string& name) {
  SimStorage& machine = *caught.machine;
  machine.clear_trouble();
  // Now and then the disk fails while the log recovers; then the next image must be good.
  const bool has_fault = !is_last && random.OneIn(8);
  if (has_fault) {
    machine.set_fault({.at_disk_op = random.Below(24), .is_sticky = random.OneIn(2)});
  }
  Sample sample{.how = Catch::kEither, .random = SimRandom(random.Next()), .caught = {}};
  Life life(&machine, caught.history, random.Next());
  life.set_acks_published(options_.acks_published);
  machine.set_observer([&](const SimOp& op) {
    life.Watch(op);
    if (!is_last) Offer(machine, life, &op, sample);
  });
  const std::uint32_t steps = random.OneIn(4) ? 0 : kLaterSteps;
  const Conduct conduct = Conduct::Drawn(random, steps);
  const Judgement begun = life.Begin(caught.owed);
  const bool is_excused = begun.finding == Finding::kRefused && machine.had_trouble();
  if (is_excused) ++tally_->met["recovery_failed_by_disk"];
  bool is_good = is_excused || Note(begun, caught, name);
  if (life.has_begun() && is_good) {
    NotePaths(life);
    NoteFallbacks(machine, life);
    is_good = is_last || Note(life.Work(conduct), caught, name);
  }
  machine.set_observer({});
  NoteViolations(machine, name);
  if (is_last || !is_good) return {};
  Offer(machine, life, nullptr, sample);
  ++tally_->met[sample.caught.front().is_within_open ? "caught_in_open" : "caught_at_work"];
  return std::move(sample.caught.front());
}

void PowerCuts::Rot(Caught caught, SimRandom random, const std::string& name) {
  SimStorage& machine = *caught.machine;
  machine.clear_trouble();
  const std::string flipped = FlipDurableBit(machine, caught.history, random);
  if (flipped.empty()) return;
  ++tally_->flips;
  const std::uint64_t evidence = SurvivingEvidence(machine, caught.history);
  Life life(&machine, caught.history, random.Next());
  const Judgement verdict = life.Begin(caught.owed);
  if (verdict.is_good()) {
    ++tally_->flips_harmless;
  } else if (verdict.finding == Finding::kRefused) {
    ++tally_->flips_refused;
  } else if (verdict.finding == Finding::kLost && life.recovery().end.value() >= evidence) {
    ++tally_->flips_unevidenced;
  } else {
    ++tally_->accepted_damage;
    on_failure_(absl::StrCat("accepted_damage: ", name, ", ", caught.where, ", flipped ", flipped,
                             ", evidence up to address ", evidence, ": ", verdict.what));
  }
}

void PowerCuts::RunExhaustive(std::uint64_t number) {
  SimOptions machine_options;
  machine_options.seed = SimRandom::For(options_.seed, number, kMachine).Next();
  SimStorage machine(machine_options);
  Life::Prepare(machine);
  machine.set_lies(options_.lies);
  Life life(&machine, {}, SimRandom::For(options_.seed, number, kWorkload).Next());
  life.set_acks_published(options_.acks_published);
  const std::string name = absl::StrCat("small case ", number);
  const auto judge = [&](const SimOp& op, CutChoices& choices) {
    Caught caught;
    caught.machine = machine.Cut(choices, number);
    caught.history = life.Now();
    caught.owed = caught.history.owed.durable;
    caught.where = absl::StrCat("power cut in ", NameOf(op.kind), " ", op.path, " op ", op.number);
    ++tally_->exhaustive_states;
    Life next(caught.machine.get(), std::move(caught.history), number);
    Note(next.Begin(caught.owed), caught, name);
  };
  machine.set_observer([&](const SimOp& op) {
    life.Watch(op);
    if (op.kind == SimOpKind::kStoreFrame || op.kind == SimOpKind::kStoreBytes) return;
    EveryCut every;
    judge(op, every);
    if (every.states() <= kExhaustiveMax) {
      while (every.Next()) judge(op, every);
      ++tally_->met["exhaustive_operation"];
      return;
    }
    for (std::uint64_t i = 0; i < kExhaustiveSample; ++i) {
      RandomCut choices(number * 1000 + i, CutMode::kCoin);
      judge(op, choices);
    }
    ++tally_->met["sampled_operation"];
  });
  const Conduct conduct{.steps = 12 + static_cast<std::uint32_t>(number % 5),
                        .publish_weight = 4,
                        .sync_weight = 3,
                        .commits_max = 2,
                        .records_max = 2,
                        .payload_max = 60,
                        .reads_along = false,
                        .closes = number % 2 == 0};
  if (Note(life.Begin(0), {}, name)) Note(life.Work(conduct), {}, name);
  machine.set_observer({});
}

std::uint32_t PowerCuts::Shrink(const PowerCutOptions& options, std::uint64_t number) {
  for (std::uint32_t steps = 0; steps < 200; ++steps) {
    PowerCutOptions smaller = options;
    smaller.steps_limit = steps;
    Tally tally;
    PowerCuts cuts(smaller, &tally, [](const std::string&) {});
    cuts.RunCase(number, 0, kStatesPerCase);
    if (!tally.is_clean()) return steps;
  }
  return options.steps_limit;
}

}  // namespace pawl::inline v0
