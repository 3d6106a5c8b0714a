#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "engine_parts.h"
#include "pawl/check.h"
#include "stats_reading.h"

namespace pawl::inline v0 {

namespace {

void SetName(AgentWords& words, std::string_view name) noexcept {
  std::array<std::uint64_t, 2> text{};
  // An agent with a thread of its own has no thread's name, and memcpy takes no null.
  if (!name.empty()) std::memcpy(text.data(), name.data(), std::min(name.size(), sizeof text - 1));
  // Relaxed, both: a name that is read while it changes is a wrong name for once; guards nothing.
  words.name[1].store(text[1], std::memory_order_relaxed);
  words.name[0].store(text[0], std::memory_order_relaxed);
}

}  // namespace

void EngineParts::MakeStats() {
  const RecoveryReport& recovered = log->recovery();
  const auto stall_after_ns = static_cast<std::uint64_t>(options.stall_after.count());
  stats = std::make_unique<StatsFile>(
      StatsFile::Setup{.storage = options.storage != nullptr ? options.storage : &PosixStorage(),
                       .directory = log->hot_directory(),
                       .is_shown = options.stats,
                       .on_notice = options.on_notice,
                       .log_id = log->id(),
                       .epoch = recovered.epoch.value(),
                       .opened_ns = engine_clock->now_ns(),
                       .stall_after_ns = stall_after_ns,
                       .stores = store_list,
                       .lanes = options.producers_max,
                       .agents = options.agents_max + std::uint32_t{HealthWatch::kFirstAttached}});
  AgentWords* const agents = stats->block().agents();
  SetName(agents[HealthWatch::kLoop], "pawl-loop");
  SetName(agents[HealthWatch::kSync], "pawl-sync");
  SetName(agents[HealthWatch::kPreparer], "pawl-prepare");
  watch = std::make_unique<HealthWatch>(HealthWatch::Setup{.log = log.get(),
                                                           .block = &stats->block(),
                                                           .clock = &clock,
                                                           .stall_after_ns = stall_after_ns,
                                                           .on_health = options.on_health,
                                                           .on_notice = options.on_notice});
  stats->Publish();
}

AgentWords& EngineParts::TakeRow(std::string_view name, const AgentThread& thread) noexcept {
  StatsBlock& block = stats->block();
  AgentWords* const rows = block.agents();
  AgentWords* const end = rows + block.header.agents;
  AgentWords* const free =
      std::find_if(rows + HealthWatch::kFirstAttached, end, [](const AgentWords& words) {
        // Relaxed: written under the cold mutex.
        return words.name[0].load(std::memory_order_relaxed) == 0;
      });
  PAWL_CHECK(free != end);  // the loop has as many bells
  const std::array<std::string_view, 3> own{loop->name(), sync_agent->name(),
                                            prepare_agent->name()};
  const bool holds_engine = options.threads == Threads::kOwn &&
                            std::find(own.begin(), own.end(), thread.name) != own.end();
  watch->UseRow(static_cast<std::size_t>(free - rows), holds_engine);
  for (StatsWord* const word : {&free->sleeps, &free->is_stalled, &free->stalls, &free->position,
                                &free->shows, &free->last_age_ns, &free->most_age_ns}) {
    // Relaxed: the row belongs to nobody; guards nothing.
    word->store(0, std::memory_order_relaxed);
  }
  SetName(*free, name.empty() ? "agent" : name);
  return *free;
}

void EngineParts::LeaveRow(AgentWords& words) noexcept { SetName(words, {}); }

EngineStats EngineParts::ReadStats() const {
  const StatsBlock& block = stats->block();
  EngineStats read = ReadBlock(block, {.epoch = block.header.epoch,
                                       .pid = block.header.pid,
                                       .lanes = block.header.lanes,
                                       .stores = block.header.stores,
                                       .agents = block.header.agents});
  // What the watch has not seen yet.
  read.durable = log->durable();
  read.published = log->published();
  read.health = watch->health();
  return read;
}

}  // namespace pawl::inline v0
