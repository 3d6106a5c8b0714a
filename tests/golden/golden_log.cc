// Makes a log that has something of everything the format can hold so far, and lists a log as the
// library reads it:
//   golden_log make DIRECTORY   a new log in a directory that does not exist yet
//   golden_log list DIRECTORY   one line per record, as format_reader.py prints them; opens the log
//                               for writing, so give it a copy
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
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
struct Look {};   // accepted, emits nothing
struct Close {};  // an event without fields

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

struct Account {
  using Commands = pawl::Commands<Deposit, Withdraw, Transfer, Look, Close>;
  using Events = pawl::Events<Deposited, Withdrawn, Closed>;
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
  static void Evolve(State& s, const Deposited& e) noexcept { s.cents += e.cents; }
  static void Evolve(State& s, const Withdrawn& e) noexcept { s.cents -= e.cents; }
  static void Evolve(State& s, const Closed&) noexcept { s.cents = 0; }
};

struct Notebook {
  using Commands = pawl::Commands<Note>;
  using Events = pawl::Events<Noted>;
  static constexpr std::string_view kCategory = "notebook";
  struct State {
    std::uint64_t notes = 0;
  };
  static Verdict Decide(const State&, const Note& c, Emit<Notebook>& emit) noexcept {
    emit(Noted{c.text});
    return Accept();
  }
  static void Evolve(State& s, const Noted&) noexcept { ++s.notes; }
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

std::unique_ptr<Engine> Open(const std::string& directory) {
  EngineOptions options;
  options.directory = directory;
  // Copies of a log have its id, and so its default hot directory.
  options.hot_directory = directory + ".hot";
  options.segment_bytes = 64 * 1024;
  options.threads = Threads::kHost;
  return OrFail(Engine::Open(options, Aggregates<Account, Notebook>{}));
}

// Whose answers nobody reads: single commits and frames of many, on old and new streams.
class Customer {
 public:
  explicit Customer(Engine& engine)
      : engine_(engine), producer_(OrFail(engine.NewProducer({.session = "golden"}))) {}

  void Act(std::uint64_t commands) {
    for (std::uint64_t i = 0; i < commands; ++i) {
      const Key account(1 + i % 3);
      switch (i % 10) {
        case 0: Send<Notebook>(Key(0xABCD, i), Note{{'h', 'e', 'l', 'l', 'o'}}); break;
        case 1: Send<Account>(account, Look{}); break;
        case 2: Send<Account>(account, Withdraw{1'000'000}); break;  // refused
        case 3: Send<Account>(account, Transfer{Key(1 + (i + 1) % 3), 5}); break;
        case 4: Send<Account>(account, Close{}); break;
        default: Send<Account>(account, Deposit{static_cast<std::int64_t>(i)});
      }
      if (i % 7 == 0) Settle();
    }
    Settle();
  }

 private:
  template <class A, class C>
  void Send(const Key& key, const C& command) {
    if (!producer_.Submit<A>(key, command)) Fail("a command was not taken");
  }
  void Settle() {
    while (producer_.in_flight() != 0) {
      engine_.Poll();
      producer_.Poll([](const Completion&) noexcept {});
    }
  }

  Engine& engine_;
  Producer producer_;
};

// A life of its own process, which ends with a clean stop or with a death.
void Live(const std::string& directory, std::uint64_t commands, bool is_killed) {
  const pid_t child = fork();
  if (child == 0) {
    std::unique_ptr<Engine> engine = Open(directory);
    Customer(*engine).Act(commands);
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
    default: return "?";
  }
}

void PrintRecord(const RecordView& record) {
  const RecordHeader& header = record.header;
  std::printf(
      "{\"position\": %llu, \"epoch\": %u, \"time_ns\": %llu, \"cause\": %u, \"session\": %u, "
      "\"sequence\": %u, \"kind\": \"%s\", \"own_stream\": %d, \"stream\": %u, \"version\": %llu, "
      "\"type\": %u, \"back_link\": %llu, \"payload\": \"",
      static_cast<unsigned long long>(record.position.value()), record.frame.epoch,
      static_cast<unsigned long long>(record.frame.time_ns),
      static_cast<unsigned>(record.commit.cause), record.commit.session, record.commit.sequence,
      NameOf(header.kind), (header.flags & kRecordOwnStream) != 0 ? 1 : 0, header.stream,
      static_cast<unsigned long long>(header.version()), header.type,
      static_cast<unsigned long long>(header.back_link));
  for (std::uint32_t i = 0; i < header.payload_bytes(); ++i) {
    std::printf("%02x", static_cast<unsigned>(record.payload()[i]));
  }
  std::printf("\"}\n");
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
  } else {
    std::fputs("usage: golden_log make|list DIRECTORY\n", stderr);
    return 2;
  }
  return 0;
}
