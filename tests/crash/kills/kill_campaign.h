#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "child.h"
#include "kill_reader.h"
#include "kill_report.h"
#include "kill_victim.h"
#include "sim_random.h"

namespace pawl::inline v0 {

struct KillTally {
  std::uint64_t kills = 0;          // of engines under load that every reader had seen
  std::uint64_t with_commands = 0;  // of those, with commands under way
  std::uint64_t kills_in_open = 0;  // before or while the log was opened
  std::uint64_t clean_stops = 0;
  std::uint64_t readers_killed = 0;
  std::uint64_t lost = 0;
  std::uint64_t wrong_reads = 0;
  std::uint64_t refused = 0;
  std::uint64_t broken_rules = 0;
  std::uint64_t signals = 0;  // a process died that nobody had killed
  std::uint64_t hung = 0;
  std::uint64_t logs = 0;
  std::uint64_t events = 0;      // of all logs at their end
  std::uint64_t reads = 0;       // looks of readers at the log
  std::uint64_t from_files = 0;  // of those, at its files

  void Add(const KillTally& other) noexcept;
  bool is_clean() const noexcept {
    return lost + wrong_reads + refused + broken_rules + signals + hung == 0;
  }
};

struct KillOptions {
  std::uint64_t seed = 1;
  VictimFault fault = VictimFault::kNone;
};

// Kills an engine under load, again and again on one log, while reader processes live through it;
// each next engine judges what the one before left, each reader what it reads.
//   threads   one
class KillCampaign {
 public:
  static constexpr std::uint64_t kKillsPerLog = 50;

  // Told of a failure: number of the log, and what.
  using Failure = std::function<void(std::uint64_t, const std::string&)>;
  //   tally   borrowed
  KillCampaign(const KillOptions& options, KillTally* tally, Failure failure);
  ~KillCampaign();

  // Makes log `number` and kills its engine `kills` times.
  void RunLog(std::uint64_t number, std::uint64_t kills);

 private:
  // Published, durable, and durable through the files alone.
  static constexpr std::size_t kReaders = 3;
  struct Reader {
    ReaderOrders orders;
    std::optional<SharedReport<ReaderReport>> report;
    std::unique_ptr<Child> process;
  };

  void RunLife(bool stops);
  void StartReader(std::size_t index);
  void EndReader(std::size_t index);
  void AwaitTheEnd(std::uint64_t number);
  bool HaveAllSeenMore() const;
  std::string Progress() const;
  template <class IsDone>
  bool Await(Child& victim, IsDone is_done);
  void Count(const ChildEnd& end, const TellReport& report, bool was_killed);
  void Fail(std::uint64_t& counter, const std::string& what);

  const KillOptions options_;
  KillTally* const tally_;
  const Failure failure_;
  SimRandom random_;
  std::string root_;
  std::uint64_t log_ = 0;
  bool has_failed_ = false;
  std::optional<SharedReport<VictimReport>> victim_;
  std::array<Reader, kReaders> readers_;
};

}  // namespace pawl::inline v0
