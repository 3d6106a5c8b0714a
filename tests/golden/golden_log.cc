// Makes a log that has something of everything the format can hold so far, and lists a log as the
// library reads it:
//   golden_log make DIRECTORY   a new log in a directory that does not exist yet
//   golden_log list DIRECTORY   one line per record, as format_reader.py prints them; opens the log
//                               for writing, so give it a copy
//   golden_log states DIRECTORY   the accounts after it: key, version, cents; opens it likewise
//   golden_log upcast DIRECTORY   the same of a later release, in which the events changed, and how
//                                 many of an account's events were older ones
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "pawl/engine.h"
#include "pawl/log_reader.h"

namespace pawl {
namespace {

struct Deposit {
  std::int64_t cents;
};
struct Withdraw {
  std::int64_t cents;
};
struct Transfer {
  Key to;
  std::int64_t cents;
};
struct Note {
  std::array<std::uint8_t, 5> text;
};
struct Remark {
  std::uint32_t bytes;
};
struct TearUp {};  // closes the notebook
struct Look {};    // accepted, emits nothing
struct Close {};   // an event without fields
struct Remind {    // sets a timer, or cancels it
  std::uint64_t id;
  std::int64_t cents;
  bool is_wanted;
};

struct Deposited {
  static constexpr EventType kType{"golden.deposited", 1};
  std::int64_t cents;
};
struct Withdrawn {
  static constexpr EventType kType{"golden.withdrawn", 2};
  std::int64_t cents;
};
struct Noted {  // 5 bytes: 3 of padding
  static constexpr EventType kType{"golden.noted", 1};
  std::array<std::uint8_t, 5> text;
};
struct Closed {
  static constexpr EventType kType{"golden.closed", 1};
};
struct Remarked {  // of any length
  static constexpr EventType kType{"golden.remarked", 1};
  std::string_view text;
};

struct Reminder {  // a timer
  static constexpr EventType kType{"golden.reminder", 1};
  std::int64_t cents;
};

}  // namespace

template <>
struct Codec<Remarked> {
  static constexpr std::string_view kName = "text";
  static constexpr std::string_view kSchema = "golden.Remarked";
  using View = Remarked;
  static std::size_t Size(const Remarked& e) noexcept { return e.text.size(); }
  static void Encode(const Remarked& e, std::span<std::byte> room) noexcept {
    e.text.copy(reinterpret_cast<char*>(room.data()), room.size());
  }
  static bool Decode(std::span<const std::byte> bytes, View& view) noexcept {
    view.text = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    return true;
  }
};

namespace {

struct Account {
  using Commands = pawl::Commands<Deposit, Withdraw, Transfer, Look, Close, Remind>;
  using Events = pawl::Events<Deposited, Withdrawn, Closed>;
  using Timers = pawl::Timers<Reminder>;
  static constexpr std::string_view kCategory = "account";
  struct State {
    std::int64_t cents = 0;
  };
  static Verdict Decide(const State&, const Deposit& c, Emit<Account>& emit) noexcept {
    emit(Deposited{c.cents});
    return Accept();
  }
  static Verdict Decide(const State& s, const Withdraw& c, Emit<Account>& emit) noexcept {
    emit(Withdrawn{c.cents});
    return s.cents < c.cents ? Refuse(1) : Accept();
  }
  static Verdict Decide(const State&, const Transfer& c, Emit<Account>& emit) noexcept {
    emit(Withdrawn{c.cents});
    emit.On<Account>(c.to, Deposited{c.cents});
    return Accept();
  }
  static Verdict Decide(const State&, const Look&, Emit<Account>&) noexcept { return Accept(); }
  static Verdict Decide(const State&, const Close&, Emit<Account>& emit) noexcept {
    emit(Closed{});
    return Accept();
  }
  static Verdict Decide(const State&, const Remind& c, Emit<Account>& emit) noexcept {
    if (c.is_wanted) {
      emit.After(std::chrono::hours(static_cast<int>(c.id)), Reminder{c.cents}, c.id);
    } else {
      emit.Cancel<Reminder>(c.id);
    }
    return Accept();
  }
  static Verdict Decide(const State& s, const Reminder& t, Emit<Account>& emit) noexcept {
    emit(Withdrawn{t.cents});
    return s.cents < t.cents ? Refuse(2) : Accept();
  }
  static void Evolve(State& s, const Deposited& e) noexcept { s.cents += e.cents; }
  static void Evolve(State& s, const Withdrawn& e) noexcept { s.cents -= e.cents; }
  static void Evolve(State& s, const Closed&) noexcept { s.cents = 0; }
};

// A later release: each of these changed.
struct Paid {
  static constexpr EventType kType{"golden.deposited", 2};
  using Older = Deposited;
  std::int64_t cents;
  std::uint64_t is_older;
};
struct Drawn {
  static constexpr EventType kType{"golden.withdrawn", 3};
  using Older = Withdrawn;
  double euros;
  std::uint64_t is_older;
};
Paid Upcast(const Deposited& e) noexcept { return {e.cents, 1}; }
Drawn Upcast(const Withdrawn& e) noexcept { return {static_cast<double>(e.cents) / 100, 1}; }

struct LaterAccount {
  using Commands = pawl::Commands<Look>;
  using Events = pawl::Events<Paid, Drawn, Closed>;
  using Timers = pawl::Timers<Reminder>;
  static constexpr std::string_view kCategory = "account";
  struct State {
    std::int64_t cents = 0;
    std::uint64_t older = 0;
  };
  static Verdict Decide(const State&, const Look&, Emit<LaterAccount>&) noexcept {
    return Accept();
  }
  static Verdict Decide(const State&, const Reminder&, Emit<LaterAccount>&) noexcept {
    return Accept();
  }
  static void Evolve(State& s, const Paid& e) noexcept {
    s.cents += e.cents;
    s.older += e.is_older;
  }
  static void Evolve(State& s, const Drawn& e) noexcept {
    s.cents -= std::llround(e.euros * 100);
    s.older += e.is_older;
  }
  static void Evolve(State& s, const Closed&) noexcept { s.cents = 0; }
};

struct Notebook {
  using Commands = pawl::Commands<Note, Remark, TearUp>;
  using Events = pawl::Events<Noted, Remarked>;
  static constexpr std::string_view kCategory = "notebook";
  struct State {
    std::uint64_t notes = 0;
  };
  static Verdict Decide(const State&, const Note& c, Emit<Notebook>& emit) noexcept {
    emit(Noted{c.text});
    return Accept();
  }
  static Verdict Decide(const State&, const Remark& c, Emit<Notebook>& emit) noexcept {
    static constexpr std::string_view kText = "what somebody said, of which this is a part";
    emit(Remarked{kText.substr(0, c.bytes)});
    return Accept();
  }
  static Verdict Decide(const State&, const TearUp&, Emit<Notebook>& emit) noexcept {
    emit.Close();
    return Accept();
  }
  static void Evolve(State& s, const Noted&) noexcept { ++s.notes; }
  static void Evolve(State& s, const Remarked& e) noexcept { s.notes += e.text.size(); }
};

[[noreturn]] void Fail(std::string_view why) {
  std::fprintf(stderr, "golden_log: %.*s\n", static_cast<int>(why.size()), why.data());
  std::exit(1);
}

template <class T>
T OrFail(absl::StatusOr<T> got) {
  if (!got.ok()) Fail(std::string(got.status().message()));
  return *std::move(got);
}

// The machine's, set forward by hand.
class GoldenClock final : public Clock {
 public:
  std::uint64_t WallNs() noexcept override { return system_.WallNs() + wall_ns_; }
  std::uint64_t BootNs() noexcept override { return system_.BootNs() + passed_ns_; }

  void Pass(std::chrono::nanoseconds time) noexcept {
    passed_ns_ += static_cast<std::uint64_t>(time.count());
    SetWall(time);
  }
  void SetWall(std::chrono::nanoseconds forward) noexcept {
    wall_ns_ += static_cast<std::uint64_t>(forward.count());
  }

 private:
  SystemClock system_;
  std::uint64_t passed_ns_ = 0;
  std::uint64_t wall_ns_ = 0;
};

template <class... As>
std::unique_ptr<Engine> OpenWith(const std::string& directory, Clock* clock = nullptr) {
  EngineOptions options;
  options.clock = clock;
  options.directory = directory;
  // Copies of a log have its id, and so its default hot directory.
  options.hot_directory = directory + ".hot";
  options.segment_bytes = 64 * 1024;
  options.threads = Threads::kHost;
  return OrFail(Engine::Open(options, Aggregates<As...>{}));
}
std::unique_ptr<Engine> Open(const std::string& directory, Clock* clock = nullptr) {
  return OpenWith<Account, Notebook>(directory, clock);
}

// Whose answers nobody reads: single commits and frames of many, on old and new streams.
class Customer {
 public:
  Customer(Engine& engine, GoldenClock& clock)
      : engine_(engine),
        clock_(clock),
        producer_(OrFail(engine.NewProducer({.session = "golden"}))) {}

  void Act(std::uint64_t commands) {
    for (std::uint64_t i = 0; i < commands; ++i) {
      const Key account(1 + i % 3);
      switch (i % 10) {
        case 0: Send<Notebook>(Key(0xABCD, i), Note{{'h', 'e', 'l', 'l', 'o'}}); break;
        case 1: Send<Account>(account, Look{}); break;
        case 2: Send<Account>(account, Withdraw{1'000'000}); break;  // refused
        case 5: Send<Notebook>(Key(0xABCD), Remark{static_cast<std::uint32_t>(i % 30)}); break;
        case 3: Send<Account>(account, Transfer{Key(1 + (i + 1) % 3), 5}); break;
        case 4: Send<Account>(account, Close{}); break;
        default: Send<Account>(account, Deposit{static_cast<std::int64_t>(i)});
      }
      if (i % 7 == 0) Settle();
    }
    Settle();
  }

  // Timers that are set, set again and cancelled; fired, refused, and still set in the end.
  void UseTimers() {
    Send<Account>(Key(1), Deposit{1000});
    for (std::uint64_t i = 0; i < 8; ++i) {
      Send<Account>(Key(1 + i % 2), Remind{1 + i % 6, 10, true});
    }
    Send<Account>(Key(1), Remind{5, 0, false});
    Send<Account>(Key(9), Remind{2, 1'000'000, true});  // on a new stream; will be refused
    Settle();
    for (int hour = 0; hour < 4; ++hour) PassTime(std::chrono::hours(1));
  }

  // A key used again after a closing.
  void CloseStreams() {
    for (int life = 0; life < 3; ++life) {
      Send<Notebook>(Key(0xABCE), Note{{'a', 'g', 'a', 'i', 'n'}});
      Send<Notebook>(Key(0xABCE), TearUp{});
      Settle();
    }
  }

  // The bulk lane; commands with an idempotency key, executed once; a session that is closed.
  void UseSessions() {
    Producer bulk = OrFail(engine_.NewProducer({.session = "golden", .lane = SessionLane::kBulk}));
    for (std::uint64_t i = 0; i < 6; ++i) {
      const SubmitOptions with_key{.idempotency_key = Key(7, 1 + i % 3)};
      if (!bulk.Submit<Account>(Key(2), Deposit{static_cast<std::int64_t>(i % 3)}, with_key)) {
        Fail("a command with a key was not taken");
      }
      Settle(bulk);
    }
    for (int life = 0; life < 2; ++life) {
      Producer passing = OrFail(engine_.NewProducer({.session = "passing"}));
      if (!passing.Submit<Account>(Key(2), Look{})) Fail("a command was not taken");
      Settle(passing);
      if (!engine_.CloseSession("passing").ok()) Fail("a session was not closed");
    }
  }

  // Somebody sets the wall clock, and it stays.
  void SetClock() {
    clock_.SetWall(std::chrono::hours(1));
    for (int second = 0; second < 65; ++second) PassTime(std::chrono::seconds(1));
  }

 private:
  template <class A, class C>
  void Send(const Key& key, const C& command) {
    if (!producer_.Submit<A>(key, command)) Fail("a command was not taken");
  }
  void PassTime(std::chrono::nanoseconds time) {
    clock_.Pass(time);
    Send<Account>(Key(3), Deposit{1});
    Settle();
    while (engine_.Poll() != 0) {
    }
  }
  void Settle() { Settle(producer_); }
  void Settle(Producer& producer) {
    while (producer.in_flight() != 0) {
      engine_.Poll();
      producer.Poll([](const Completion&) noexcept {});
    }
  }

  Engine& engine_;
  GoldenClock& clock_;
  Producer producer_;
};

// The first of them does everything.
void Serve(Engine& engine, GoldenClock& clock, std::uint64_t commands) {
  Customer customer(engine, clock);
  customer.Act(commands);
  if (engine.epoch() != Epoch(1)) return;
  customer.UseTimers();
  customer.CloseStreams();
  customer.UseSessions();
  customer.SetClock();
}

// A life of its own process, which ends with a clean stop or with a death.
void Live(const std::string& directory, std::uint64_t commands, bool is_killed) {
  const pid_t child = fork();
  if (child == 0) {
    GoldenClock clock;
    std::unique_ptr<Engine> engine = Open(directory, &clock);
    Serve(*engine, clock, commands);
    if (!is_killed) engine.reset();
    _exit(0);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0) Fail("a life failed");
}

const char* NameOf(RecordKind kind) {
  switch (kind) {
    case RecordKind::kEvent: return "event";
    case RecordKind::kEpochBegan: return "epoch-began";
    case RecordKind::kTypeBound: return "type-bound";
    case RecordKind::kCategoryBound: return "category-bound";
    case RecordKind::kStreamBound: return "stream-bound";
    case RecordKind::kSessionOpened: return "session-opened";
    case RecordKind::kAccepted: return "accepted";
    case RecordKind::kSessionClosed: return "session-closed";
    case RecordKind::kLaneOpened: return "lane-opened";
    case RecordKind::kStreamClosed: return "stream-closed";
    case RecordKind::kTimerSet: return "timer-set";
    case RecordKind::kTimerFired: return "timer-fired";
    case RecordKind::kClockAdopted: return "clock-adopted";
    case RecordKind::kTimerCancelled: return "timer-cancelled";
    default: return "?";
  }
}

void PrintHex(const std::byte* bytes, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) std::printf("%02x", static_cast<unsigned>(bytes[i]));
}

// Kind and bytes of each.
void PrintExtensions(const CommitHeader& commit) {
  const auto* at = reinterpret_cast<const std::byte*>(&commit + 1);
  const char* between = "";
  for (bool more = (commit.flags & kCommitHasExtensions) != 0; more;) {
    ExtensionHeader header;
    std::memcpy(&header, at, sizeof header);
    std::printf("%s\"%u:", between, static_cast<unsigned>(header.kind));
    PrintHex(at + sizeof header, header.bytes - sizeof header);
    std::printf("\"");
    between = ", ";
    more = header.more != 0;
    at += header.bytes;
  }
}

void PrintRecord(const RecordView& record) {
  const RecordHeader& header = record.header;
  std::printf(
      "{\"position\": %llu, \"epoch\": %u, \"time_ns\": %llu, \"cause\": %u, \"is_bulk\": %d, "
      "\"session\": %u, \"sequence\": %u, \"kind\": \"%s\", \"own_stream\": %d, \"stream\": %u, "
      "\"version\": %llu, "
      "\"type\": %u, \"back_link\": %llu, \"payload\": \"",
      static_cast<unsigned long long>(record.position.value()), record.frame.epoch,
      static_cast<unsigned long long>(record.frame.time_ns),
      static_cast<unsigned>(record.commit.cause),
      (record.commit.flags & kCommitBulkLane) != 0 ? 1 : 0, record.commit.session,
      record.commit.sequence, NameOf(header.kind), (header.flags & kRecordOwnStream) != 0 ? 1 : 0,
      header.stream, static_cast<unsigned long long>(header.version()), header.type,
      static_cast<unsigned long long>(header.back_link));
  PrintHex(record.payload(), header.payload_bytes());
  std::printf("\", \"extensions\": [");
  PrintExtensions(record.commit);
  std::printf("]}\n");
}

// Lists what was there before this opening.
void List(const std::string& directory) {
  const std::unique_ptr<Engine> engine = Open(directory);
  LogReader reader = engine->log().NewReader();
  const Address published = engine->log().published();
  for (const FrameHeader* frame = nullptr; (frame = reader.NextFrame(published)) != nullptr;) {
    if (frame->epoch == engine->epoch().value()) break;
    ForEachRecord(*frame, PrintRecord);
  }
}

template <class A>
void PrintStates(const std::string& directory) {
  const std::unique_ptr<Engine> engine = OpenWith<A>(directory);
  const absl::Status visited =
      engine->VisitAggregates<A>([](const Key& key, Version version, const auto& state) {
        std::printf(
            "account %llu version %llu cents %lld", static_cast<unsigned long long>(key.low),
            static_cast<unsigned long long>(version.value()), static_cast<long long>(state.cents));
        if constexpr (requires { state.older; }) {
          std::printf(" older %llu", static_cast<unsigned long long>(state.older));
        }
        std::printf("\n");
      });
  if (!visited.ok()) Fail(std::string(visited.message()));
}

}  // namespace
}  // namespace pawl

int main(int argc, char** argv) {
  const std::string_view what = argc == 3 ? argv[1] : "";
  if (what == "make") {
    pawl::Live(argv[2], 300, false);
    pawl::Live(argv[2], 900, true);
    pawl::Live(argv[2], 20, false);
  } else if (what == "list") {
    pawl::List(argv[2]);
  } else if (what == "states") {
    pawl::PrintStates<pawl::Account>(argv[2]);
  } else if (what == "upcast") {
    pawl::PrintStates<pawl::LaterAccount>(argv[2]);
  } else {
    std::fputs("usage: golden_log make|list|states|upcast DIRECTORY\n", stderr);
    return 2;
  }
  return 0;
}
