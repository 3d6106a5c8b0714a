// Every public header without exceptions and run-time type information, and a little of everything
// that they offer. Says what was not as it should be, and exits with 1 then.

#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "all_headers.h"

#if defined(__cpp_exceptions) || (defined(__GXX_RTTI) && !defined(PAWL_SANITIZER_WANTS_RTTI))
#error "this is to be compiled without exceptions and run-time type information"
#endif

namespace {

using std::chrono_literals::operator""s;

int failures = 0;
void Expect(bool is_so, const char* what) {
  if (is_so) return;
  std::fprintf(stderr, "not so: %s\n", what);
  ++failures;
}

// --- a domain: an event that changed, one with a codec, one that fires on another stream ---

struct Add {
  std::int64_t amount;
};
struct Rename {
  std::array<char, 100> name;  // larger than a slot
};
struct Copy {
  pawl::Key to;
};

struct AddedV1 {
  static constexpr pawl::EventType kType{"smoke.added", 1};
  std::int32_t amount;
};
struct Added {
  static constexpr pawl::EventType kType{"smoke.added", 2};
  using Older = AddedV1;
  std::int64_t amount;
};
Added Upcast(const AddedV1& e) noexcept { return {e.amount}; }
struct Renamed {
  static constexpr pawl::EventType kType{"smoke.renamed", 1};
  std::string_view name;
};

}  // namespace

template <>
struct pawl::Codec<Renamed> {
  static constexpr std::string_view kName = "text";
  static constexpr std::string_view kSchema = "smoke.Renamed";
  using View = Renamed;
  static std::size_t Size(const Renamed& e) noexcept { return e.name.size(); }
  static void Encode(const Renamed& e, std::span<std::byte> room) noexcept {
    e.name.copy(reinterpret_cast<char*>(room.data()), room.size());
  }
  static bool Decode(std::span<const std::byte> bytes, View& view) noexcept {
    view.name = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    return true;
  }
};

namespace {

struct Counter {
  using Commands = pawl::Commands<Add, Rename, Copy>;
  using Events = pawl::Events<Added, Renamed>;
  static constexpr std::string_view kCategory = "counter";
  struct State {
    std::int64_t sum = 0;
    std::uint64_t name_bytes = 0;
  };
  static pawl::Verdict Decide(const State&, const Add& c, pawl::Emit<Counter>& emit) noexcept {
    if (c.amount == 0) return pawl::Refuse(7);
    emit(Added{c.amount});
    return pawl::Accept();
  }
  static pawl::Verdict Decide(const State&, const Rename& c, pawl::Emit<Counter>& emit) noexcept {
    emit(Renamed{std::string_view(c.name.data())});
    return pawl::Accept();
  }
  static pawl::Verdict Decide(const State& s, const Copy& c, const pawl::Others& others,
                              pawl::Emit<Counter>& emit) noexcept {
    if (others.Find<Counter>(c.to) != nullptr) return pawl::Refuse(8);
    emit.On<Counter>(c.to, Added{s.sum});
    return pawl::Accept();
  }
  static void Evolve(State& s, const Added& e) noexcept { s.sum += e.amount; }
  static void Evolve(State& s, const Renamed& e) noexcept { s.name_bytes = e.name.size(); }
};

struct Total {
  using Events = pawl::Events<Added, Renamed>;
  static constexpr int kVersion = 1;
  std::int64_t sum = 0;
  std::string name;
  void On(const Added& e, const pawl::Meta&) noexcept { sum += e.amount; }
  pawl::Outcome On(const Renamed& e, const pawl::Meta&) noexcept {
    name = e.name;
    return {};
  }
};

// --- an aggregate that a timer closes ---

struct Begin {
  std::uint64_t value;
};
struct Begun {
  static constexpr pawl::EventType kType{"smoke.begun", 1};
  std::uint64_t value;
};
struct Fade {
  static constexpr pawl::EventType kType{"smoke.fade", 1};
};
struct Fleeting {
  using Commands = pawl::Commands<Begin>;
  using Events = pawl::Events<Begun>;
  using Timers = pawl::Timers<Fade>;
  static constexpr std::string_view kCategory = "fleeting";
  struct State {
    std::uint64_t value = 0;
  };
  static pawl::Verdict Decide(const State&, const Begin& c, pawl::Emit<Fleeting>& emit) noexcept {
    emit(Begun{c.value});
    emit.After(0s, Fade{});
    return pawl::Accept();
  }
  static pawl::Verdict Decide(const State&, const Fade&, pawl::Emit<Fleeting>& emit) noexcept {
    emit.Close();
    return pawl::Accept();
  }
  static void Evolve(State& s, const Begun& e) noexcept { s.value = e.value; }
};
struct Ends {
  using Events = pawl::Events<Begun, pawl::Closed<Fleeting>>;
  static constexpr int kVersion = 1;
  std::size_t begun = 0;
  std::size_t closed = 0;
  void On(const Begun&, const pawl::Meta&) noexcept { ++begun; }
  void On(const pawl::Closed<Fleeting>&, const pawl::Meta&) noexcept { ++closed; }
};

// --- interfaces that a user derives from ---

class OwnClock final : public pawl::Clock {
 public:
  std::uint64_t WallNs() noexcept override { return below_.WallNs(); }
  std::uint64_t BootNs() noexcept override { return below_.BootNs(); }

 private:
  pawl::SystemClock below_;
};

class OwnAgent final : public pawl::Agent {
 public:
  int DoWork() noexcept override { return rounds_++ == 0 ? 1 : 0; }
  bool HasWork() noexcept override { return rounds_ == 0; }
  pawl::Doorbell& bell() noexcept override { return bell_; }
  std::string_view name() const noexcept override { return "own"; }
  int rounds() const noexcept { return rounds_; }

 private:
  pawl::Doorbell bell_;
  int rounds_ = 0;
};

class OwnStorage final : public pawl::Storage {
 public:
  absl::Status CreateDirectory(const std::string& path) override {
    return on_.CreateDirectory(path);
  }
  absl::Status RemoveDirectory(const std::string& path) override {
    return on_.RemoveDirectory(path);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override {
    return on_.List(path);
  }
  absl::StatusOr<std::unique_ptr<pawl::File>> Open(const std::string& path,
                                                   pawl::FileMode mode) override {
    ++opened;
    return on_.Open(path, mode);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return on_.Rename(from, to);
  }
  absl::Status Unlink(const std::string& path) override { return on_.Unlink(path); }
  absl::Status SyncDirectory(const std::string& path) override { return on_.SyncDirectory(path); }
  absl::StatusOr<pawl::FileIdentity> Identify(const std::string& path) override {
    return on_.Identify(path);
  }
  absl::StatusOr<std::unique_ptr<pawl::File>> Lock(const std::string& path) override {
    return on_.Lock(path);
  }
  absl::StatusOr<std::shared_ptr<pawl::Mapping>> MapImage(const std::string& path,
                                                          std::uint64_t bytes) override {
    return on_.MapImage(path, bytes);
  }
  absl::StatusOr<std::shared_ptr<pawl::Mapping>> MapFile(const std::string& path) override {
    return on_.MapFile(path);
  }
  void StoreFrame(pawl::Mapping& image, std::uint64_t offset, const std::byte* frame,
                  std::uint32_t bytes) noexcept override {
    on_.StoreFrame(image, offset, frame, bytes);
  }
  void StoreBytes(pawl::Mapping& image, std::uint64_t offset,
                  std::span<const std::byte> bytes) noexcept override {
    on_.StoreBytes(image, offset, bytes);
  }
  absl::StatusOr<pawl::BootId> ReadBootId() override { return on_.ReadBootId(); }
  std::uint64_t Random() override { return on_.Random(); }
  std::uint64_t WallClockNs() override { return on_.WallClockNs(); }

  int opened = 0;

 private:
  pawl::Storage& on_ = pawl::PosixStorage();
};

struct Task {
  struct promise_type {
    Task get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
};

// --- what it does with them ---

using Counters = pawl::Aggregates<Counter>;
constexpr pawl::Key kOne{1};
constexpr pawl::Key kTwo{2};

void Send(pawl::Producer& producer, pawl::Engine& engine) {
  Expect(static_cast<bool>(producer.Submit<Counter>(kOne, Add{1})), "a command is taken");
  const auto fill = [](std::uint32_t, pawl::Key& key, Add& add, pawl::Condition&) noexcept {
    key = kOne;
    add = {2};
  };
  Expect(producer.SubmitBatch<Counter, Add>(10, fill).count == 10, "a batch is taken");
  while (producer.in_flight() > 0) {
    producer.Wait(1s);
    producer.PollRanges([](const pawl::CompletionRange& range) noexcept {
      Expect(range.verdict().is_accepted(), "ranges are accepted");
    });
  }
  const auto refused = producer.Execute<Counter>(kOne, Add{0});
  Expect(pawl::RefusalCode(refused.status()) == 7, "a refusal has its code");
  Expect(producer.Execute<Counter>(kOne, Copy{kTwo}).ok(), "a second stream is written");
  Expect(producer.Execute<Counter>(kOne, Rename{{'n', 'a', 'm', 'e'}}).ok(), "a parcel is decided");
  const auto conflict = producer.Execute<Counter>(kOne, Add{1}, {.condition = pawl::NoStream()});
  Expect(conflict.status().code() == absl::StatusCode::kAborted, "a conflict is ABORTED");
  const auto sent = producer.Execute<Counter>(kTwo, Add{100});
  Expect(sent.ok() && engine.Confirm(*sent).ok(), "a receipt is confirmed");
}

Task Await(pawl::AwaitingProducer& producer, int& accepted) {
  const pawl::Completion done = co_await producer.Call<Counter>(kTwo, Add{1000});
  accepted += done.verdict.is_accepted() ? 1 : 0;
}

void Read(pawl::Engine& engine, const pawl::View<Total>& view) {
  const auto newest = engine.StateHash();
  Expect(newest.ok() && newest->aggregates == 2, "two aggregates are hashed");
  const auto seen = view.Read(pawl::AtLeast(newest->position, 30s),
                              [](const Total& t) noexcept { return t.sum + std::ssize(t.name); });
  Expect(seen.ok() && *seen == 21 + 21 + 100 + 1000 + 4, "a view shows it");
  std::size_t visited = 0;
  const auto count = [&visited](const auto&, const pawl::Meta&) noexcept { ++visited; };
  auto history = engine.NewHistory<Counter>(kOne);
  Expect(history.ok() && history->Forward(count) == 12, "a history is read");
  auto reader = engine.NewEventReader<Counter, Renamed>();
  Expect(reader.ok() && reader->Forward(count) == 1 && visited == 13, "one type is read");
  Expect(engine.Stats().outcome(pawl::VerdictKind::kAccepted) == 15, "accepted ones are counted");
}

void ReadAlong(const std::string& directory) {
  auto log = pawl::AttachedLog::Attach({.directory = directory});
  Expect(log.ok(), "the log is attached to");
  if (!log.ok()) return;
  pawl::LogReader reader = (*log)->NewReader();
  std::uint64_t records = 0;
  while (const pawl::FrameHeader* frame = reader.NextFrame((*log)->published())) {
    pawl::ForEachRecord(*frame, [&records](const pawl::RecordView&) noexcept { ++records; });
  }
  Expect(records > 15, "records are read along");
  Expect(pawl::ReadStats(directory).ok(), "statistics are read from outside");
}

void Live(const std::string& directory) {
  OwnClock clock;
  OwnStorage storage;
  auto opened = pawl::Engine::Open({.directory = directory, .clock = &clock, .storage = &storage},
                                   Counters{});
  Expect(opened.ok(), "an engine opens");
  if (!opened.ok()) return;
  pawl::Engine& engine = **opened;
  const auto agent = std::make_shared<OwnAgent>();
  Expect(engine.Attach(agent).ok(), "an agent of its own is attached");
  {
    auto view = pawl::Project<Total>(engine);
    auto producer = engine.NewProducer({.session = "smoke"});
    Expect(view.ok() && producer.ok(), "a view and a producer are made");
    Send(*producer, engine);
    pawl::AwaitingProducer awaiting(*std::move(producer));
    int accepted = 0;
    Await(awaiting, accepted);
    while (awaiting.suspended() > 0) {
      awaiting.Wait(1s);
      awaiting.Run();
    }
    Expect(accepted == 1, "a coroutine is resumed");
    Read(engine, *view);
    ReadAlong(directory);
  }
  Expect(engine.Stop().ok(), "it stops");
  Expect(agent->rounds() > 0 && storage.opened > 0, "what is the user's own was called");
}

// The same log, host-driven, by a storage of the library's.
void LiveAgain(const std::string& directory) {
  auto engine =
      pawl::Engine::Open({.directory = directory, .threads = pawl::Threads::kHostAll}, Counters{});
  Expect(engine.ok(), "it opens again");
  if (!engine.ok()) return;
  std::int64_t sum = 0;
  const absl::Status visited = (*engine)->VisitAggregates<Counter>(
      [&sum](const pawl::Key&, pawl::Version, const Counter::State& s) noexcept { sum += s.sum; });
  Expect(visited.ok() && sum == 21 + 21 + 100 + 1000, "all of it was replayed");
  auto producer = (*engine)->NewProducer({.session = "smoke"});
  Expect(producer.ok() && producer->Execute<Counter>(kOne, Add{1}).ok(), "Execute pumps the host");
  Expect((*engine)->Stop().ok(), "it stops again");
}

// Idempotency keys, timers, closings, and a session that is closed.
void LiveShortly(const std::string& directory) {
  auto engine = pawl::Engine::Open({.directory = directory, .threads = pawl::Threads::kHostAll},
                                   pawl::Aggregates<Fleeting>{});
  Expect(engine.ok() && (*engine)->Quarantined().empty(), "an engine with timers opens");
  if (!engine.ok()) return;
  {
    auto view = pawl::Project<Ends>(**engine);
    auto producer = (*engine)->NewProducer({.session = "smoke"});
    Expect(view.ok() && producer.ok(), "a view of closings is made");
    for (const bool is_again : {false, true}) {
      const auto begun =
          producer->Execute<Fleeting>(kOne, Begin{1}, {.idempotency_key = pawl::Key(7)});
      Expect(begun.ok() && begun->is_duplicate == is_again, "a key is executed once");
    }
    while ((*engine)->NextTimer() != std::chrono::nanoseconds::max()) (*engine)->Poll();
    std::size_t set = 0;
    const absl::Status visited = (*engine)->VisitTimers<Fleeting, Fade>(
        [&set](const pawl::Key&, std::uint64_t, std::uint64_t, const Fade&) noexcept { ++set; });
    Expect(visited.ok() && set == 0, "the timer has fired");
    const auto lives = (*engine)->FindLives<Fleeting>(kOne);
    Expect(lives.ok() && lives->size() == 1, "the life that ended is found");
    const auto newest = (*engine)->StateHash();
    Expect(newest.ok() && newest->aggregates == 0, "nothing lives");
    const auto seen = view->Read(pawl::AtLeast(newest->position, 30s), [](const Ends& e) noexcept {
      return e.begun == 1 && e.closed == 1;
    });
    Expect(seen.ok() && *seen, "a view is told of the closing");
    Expect(producer->CloseSession().ok(), "a session is closed");
  }
  Expect((*engine)->Stop().ok(), "it stops, too");
}

}  // namespace

int main() {
  Expect(pawl::InstallFaultGuard().ok(), "the fault guard is installed");
  std::string folder = (std::filesystem::temp_directory_path() / "pawl-smoke-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  Live(folder + "/log");
  LiveAgain(folder + "/log");
  LiveShortly(folder + "/short");
  std::error_code ignored;  // what stays behind harms nobody
  std::filesystem::remove_all(folder, ignored);
  return failures == 0 ? 0 : 1;
}
