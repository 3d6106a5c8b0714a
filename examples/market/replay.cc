#include "replay.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <thread>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "../console/progress_line.h"
#include <pawl/engine.h>
#include <pawl/view.h>

namespace market {
namespace {

using Clock = std::chrono::steady_clock;

constexpr pawl::Key kInstrument(1);
constexpr int kMismatchesShown = 5;

Movement MovementOf(const Day& day, std::size_t index) {
  const Message& message = day.messages[index];
  const Quote& after = day.book[index];
  return {.instrument = kInstrument,
          .row = index + 1,
          .time_ns = message.time_ns,
          .price = message.price,
          .shares = message.shares,
          .side = message.side,
          .behind = message.side == Side::kBuy ? after.bid : after.ask};
}

// Sends the day through one producer.
class Feed {
 public:
  Feed(const Day& day, pawl::Producer producer)
      : day_(day), producer_(std::move(producer)), before_(producer_.last_sequence()) {}

  // Returns when every message is answered.
  absl::Status Send() {
    console::ProgressLine progress;
    const Quote& first = day_.book.front();
    SendOne([&] { return producer_.Submit<Book>(kInstrument, OpenBook{first}); });
    for (std::size_t i = 0; i < day_.messages.size() && status_.ok(); ++i) {
      SendOne([&] { return Submit(i); });
      if (i % 256 == 0) progress.Show(i, day_.messages.size(), "messages");
    }
    while (producer_.in_flight() > 0 && status_.ok()) {
      if (Collect() == 0) producer_.Wait(std::chrono::milliseconds(10));
    }
    return status_;
  }

  pawl::Position last_position() const { return last_position_; }

 private:
  pawl::Sent Submit(std::size_t index) {
    const Movement movement = MovementOf(day_, index);
    const pawl::Key order(day_.messages[index].order);
    switch (day_.messages[index].type) {
      case MessageType::kPlace: return producer_.Submit<Order>(order, Place{movement});
      case MessageType::kReduce: return producer_.Submit<Order>(order, Reduce{movement});
      case MessageType::kDelete: return producer_.Submit<Order>(order, Delete{movement});
      case MessageType::kExecute: return producer_.Submit<Order>(order, Execute{movement});
      case MessageType::kExecuteHidden: break;
    }
    return producer_.Submit<Book>(kInstrument, ExecuteHidden{movement});
  }

  // Sends until there is room; collecting answers makes room.
  template <class F>
  void SendOne(F&& submit) {
    pawl::Sent sent = submit();
    while (!sent && sent.code() == absl::StatusCode::kResourceExhausted && status_.ok()) {
      if (Collect() == 0) std::this_thread::yield();
      sent = submit();
    }
    if (!sent && status_.ok()) {
      status_ =
          absl::Status(sent.code(), absl::string_view{sent.reason().data(), sent.reason().size()});
    }
  }

  std::size_t Collect() {
    return producer_.Poll([this](const pawl::Completion& c) noexcept { Settle(c); });
  }

  void Settle(const pawl::Completion& completion) {
    if (completion.verdict.is_accepted()) {
      last_position_ = completion.receipt.position;
      return;
    }
    if (!status_.ok()) return;  // the first refusal is the reason of those after it
    const pawl::Verdict verdict = completion.verdict;
    const std::string_view why = verdict.kind() == pawl::VerdictKind::kRefused
                                     ? ToString(static_cast<Refusal>(verdict.code()))
                                     : pawl::ToString(verdict.kind());
    // The opening of the book was sent first, then row 1, 2, 3…
    const std::uint64_t row = std::max<std::uint64_t>(completion.sequence - before_, 2) - 1;
    status_ = absl::FailedPreconditionError(
        absl::StrCat(day_.messages_file, ":", row, ": refused: ", std::string(why)));
  }

  const Day& day_;
  pawl::Producer producer_;
  const pawl::Sequence before_;
  pawl::Position last_position_;
  absl::Status status_;
};

std::string Text(const Quote& quote) {
  return absl::StrCat("ask ", quote.ask.shares, " at ", quote.ask.price, ", bid ", quote.bid.shares,
                      " at ", quote.bid.price);
}

// Compares the book after each message with the exchange's.
void CompareBook(const Day& day, const Tape& tape, ReplayResult& result) {
  int shown = 0;
  for (std::size_t i = 0; i < day.book.size(); ++i) {
    const bool is_there = i < tape.quotes.size() && tape.quotes[i].row == i + 1;
    if (is_there && tape.quotes[i].quote == day.book[i]) {
      ++result.rows_matched;
    } else if (++shown <= kMismatchesShown) {
      const std::string found = is_there ? Text(tape.quotes[i].quote) : "no quote";
      std::fprintf(stderr, "market: %s:%zu: expected %s; found %s\n", day.book_file.c_str(), i + 1,
                   Text(day.book[i]).c_str(), found.c_str());
    }
  }
  if (shown > kMismatchesShown) {
    std::fprintf(stderr, "market: … and %d more rows differ\n", shown - kMismatchesShown);
  }
  for (const Quoted& quoted : tape.quotes) {
    result.rows_first += quoted.source == Source::kFirst ? 1 : 0;
    result.rows_told += quoted.source == Source::kTold ? 1 : 0;
    result.rows_derived += quoted.source == Source::kDerived ? 1 : 0;
  }
}

// Do the views say what the files and the aggregates say?
absl::StatusOr<bool> CompareCounts(const Day& day, pawl::Engine& engine,
                                   const ReplayResult& result) {
  std::int64_t visible = 0;
  std::int64_t hidden = 0;
  for (const Message& message : day.messages) {
    if (message.type == MessageType::kExecute) visible += message.shares;
    if (message.type == MessageType::kExecuteHidden) hidden += message.shares;
  }
  std::int64_t through_minutes = 0;
  for (const std::int64_t shares : result.per_minute.shares) through_minutes += shares;
  std::uint64_t open = 0;
  absl::Status visited = engine.VisitAggregates<Order>(
      [&](const pawl::Key&, pawl::Version, const Order::State& state) {
        open += state.phase == Order::Phase::kOpen ? 1 : 0;
      });
  if (!visited.ok()) return visited;
  return visible == result.volume.visible.shares && hidden == result.volume.hidden.shares &&
         through_minutes == visible + hidden && open == result.orders.open &&
         result.top.row == day.messages.size();
}

// A copy of a view's whole state, from `least` on.
template <class P>
absl::Status Copy(const pawl::View<P>& view, const pawl::AtLeast& least, P& to) {
  absl::StatusOr<P> copy = view.Read(least, [](const P& p) { return p; });
  if (copy.ok()) to = *std::move(copy);
  return copy.status();
}

}  // namespace

double ReplayResult::messages_per_second() const {
  return seconds <= 0 ? 0 : static_cast<double>(rows) / seconds;
}

absl::StatusOr<ReplayResult> Replay(const Day& day, const std::string& directory) {
  pawl::EngineOptions options;
  options.directory = directory;
  options.streams_max =
      std::max(options.streams_max, static_cast<std::uint32_t>(day.messages.size() + 1));
  options.on_notice = [](std::string_view notice) {
    std::fprintf(stderr, "market: note: %.*s\n", static_cast<int>(notice.size()), notice.data());
  };
  auto opened = pawl::Engine::Open(options, pawl::Aggregates<Book, Order>{});
  if (!opened.ok()) return opened.status();
  pawl::Engine& engine = **opened;
  auto tape = pawl::Project<Tape>(engine);
  auto top = pawl::Project<TopOfBook>(engine);
  auto orders = pawl::Project<OrdersByState>(engine);
  auto volume = pawl::Project<Volume>(engine);
  auto per_minute = pawl::Project<VolumePerMinute>(engine);
  auto producer = engine.NewProducer({.session = "feed"});
  for (const absl::Status& status : {tape.status(), top.status(), orders.status(), volume.status(),
                                     per_minute.status(), producer.status()}) {
    if (!status.ok()) return status;
  }

  Feed feed(day, *std::move(producer));
  const Clock::time_point start = Clock::now();
  if (absl::Status sent = feed.Send(); !sent.ok()) return sent;
  ReplayResult result;
  result.rows = day.messages.size();
  result.seconds = std::chrono::duration<double>(Clock::now() - start).count();

  const pawl::AtLeast everything(feed.last_position(), std::chrono::seconds(30));
  Tape quotes;
  for (const absl::Status& status :
       {Copy(*tape, everything, quotes), Copy(*top, everything, result.top),
        Copy(*orders, everything, result.orders), Copy(*volume, everything, result.volume),
        Copy(*per_minute, everything, result.per_minute)}) {
    if (!status.ok()) return status;
  }
  CompareBook(day, quotes, result);
  const absl::StatusOr<bool> is_equal = CompareCounts(day, engine, result);
  if (!is_equal.ok()) return is_equal.status();
  result.is_view_equal = *is_equal;
  if (absl::Status stopped = engine.Stop(); !stopped.ok()) return stopped;
  return result;
}

}  // namespace market
