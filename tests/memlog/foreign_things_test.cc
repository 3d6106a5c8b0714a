// Something that is not ours under every name that is: Open says so, follows nothing, waits for
// nothing and changes nothing; with our own thing back in its place the log opens, and nothing is
// lost.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <cstdio>
#include <iostream>
#include <ostream>
#include <random>
#include <system_error>
#include <tuple>
#include <utility>

#include <gmock/gmock.h>

#include "log_fixture.h"
#include "pawl/hot_marks.h"

namespace pawl::inline v0 {
namespace {

constexpr ::uid_t kNobody = 65534;
constexpr unsigned kSecondsMax = 60;  // of one open: one that takes so long hangs

enum class Thing {
  kText,
  kZeros,  // as many as our file has bytes
  kNoise,
  kEmpty,
  kDirectory,
  kLink,  // to our own file, elsewhere
  kDanglingLink,
  kFifo,
  kSocket,
  kDevice,
  kOfAnotherUser,  // our own file, given away
  kUnreadable,     // our own file, its permissions taken away
};

constexpr std::pair<Thing, const char*> kThings[] = {
    {Thing::kText, "text"},
    {Thing::kZeros, "zeros"},
    {Thing::kNoise, "noise"},
    {Thing::kEmpty, "an empty file"},
    {Thing::kDirectory, "a directory"},
    {Thing::kLink, "a link"},
    {Thing::kDanglingLink, "a link to nothing"},
    {Thing::kFifo, "a FIFO"},
    {Thing::kSocket, "a socket"},
    {Thing::kDevice, "a device"},
    {Thing::kOfAnotherUser, "a file of another user"},
    {Thing::kUnreadable, "an unreadable file"},
};

// What Open does.
enum class Answer {
  kRefuses,      // FAILED_PRECONDITION: what is there is no file of ours
  kReportsLoss,  // DATA_LOSS: in our file is not what we wrote
  kOpens,        // as if there were none; what was durable is there
};

// Paths below the test's directory; an empty file name is the directory itself.
struct Place {
  const char* path;
  Answer foreign_bytes;  // for a regular file of this user with other bytes
  Answer no_bytes;       // for zeros and for an empty file
  Answer unreadable;

  friend std::ostream& operator<<(std::ostream& out, const Place& place) {
    return out << place.path;
  }
};

constexpr Place kPlaces[] = {
    {"log/manifest", Answer::kReportsLoss, Answer::kReportsLoss, Answer::kRefuses},
    {"log/evidence", Answer::kReportsLoss, Answer::kReportsLoss, Answer::kRefuses},
    {"log/lock", Answer::kRefuses, Answer::kOpens, Answer::kRefuses},
    {"log/0000000000.seg", Answer::kReportsLoss, Answer::kReportsLoss, Answer::kRefuses},
    {"log/0000000001.seg", Answer::kReportsLoss, Answer::kReportsLoss, Answer::kRefuses},
    {"log/0000000003.seg", Answer::kReportsLoss, Answer::kReportsLoss, Answer::kRefuses},
    {"log/0000000001.idx", Answer::kOpens, Answer::kOpens, Answer::kOpens},
    {"log/0000000009.seg.tmp", Answer::kOpens, Answer::kOpens, Answer::kOpens},
    {"log/0000000009.idx.tmp", Answer::kOpens, Answer::kOpens, Answer::kOpens},
    {"log/manifest.tmp", Answer::kOpens, Answer::kOpens, Answer::kOpens},
    {"log/evidence.tmp", Answer::kOpens, Answer::kOpens, Answer::kOpens},
    {"log/4096.cut", Answer::kOpens, Answer::kOpens, Answer::kOpens},
    {"hot/marks", Answer::kRefuses, Answer::kOpens, Answer::kRefuses},
    {"hot/lock", Answer::kRefuses, Answer::kOpens, Answer::kRefuses},
    {"hot/0000000003.img", Answer::kReportsLoss, Answer::kReportsLoss, Answer::kRefuses},
    {"hot/0000000009.img.tmp", Answer::kOpens, Answer::kOpens, Answer::kOpens},
    {"hot", Answer::kRefuses, Answer::kRefuses, Answer::kRefuses},
    {"log", Answer::kRefuses, Answer::kRefuses, Answer::kRefuses},
};

// Kind, permissions, owner, and bytes or the link's target.
using Tree = std::map<std::string, std::tuple<::mode_t, ::uid_t, Bytes>>;

bool IsNumber(const Bytes& bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte byte) {
    return std::isdigit(std::to_integer<unsigned char>(byte)) != 0;
  });
}

Tree TreeOf(const std::string& root) {
  Tree tree;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    struct stat facts {};
    EXPECT_EQ(::lstat(entry.path().c_str(), &facts), 0) << entry.path();
    Bytes bytes;
    if (S_ISREG(facts.st_mode)) bytes = ReadWhole(entry.path());
    // The hint which process holds the lock.
    if (entry.path().filename() == "lock" && IsNumber(bytes)) bytes.clear();
    if (S_ISLNK(facts.st_mode)) {
      for (const char c : std::filesystem::read_symlink(entry.path()).string()) {
        bytes.push_back(static_cast<std::byte>(c));
      }
    }
    tree[entry.path()] = {facts.st_mode, facts.st_uid, std::move(bytes)};
  }
  return tree;
}

struct Opened {
  absl::StatusCode code = absl::StatusCode::kOk;
  std::uint64_t events = 0;
  std::string message;
};

// The log that every case begins with: four segments, the first two indexed, the last events
// published but not durable, killed.
struct Model {
  Model() {
    auto log = Log::Open({.directory = scratch.Sub("log"),
                          .hot_directory = scratch.Sub("hot"),
                          .segment_bytes = kSegmentBytesMin});
    EXPECT_TRUE(log.ok()) << log.status().ToString();
    for (; (*log)->published().value() < 3 * kSegmentBytesMin + 8192; ++durable) {
      AppendEvents(**log, durable + 1, durable + 1, 1000);
      EXPECT_TRUE(Drive(**log));
    }
    published = durable + 3;
    AppendEvents(**log, durable + 1, published, 1000);
    EXPECT_TRUE(std::filesystem::exists(scratch.Sub("log/0000000001.idx")));
    EXPECT_TRUE(std::filesystem::exists(scratch.Sub("hot/0000000003.img")));
  }
  ScratchDirectory scratch;
  std::uint64_t durable = 0;
  std::uint64_t published = 0;
};

// One thing in one place of a copy of the model.
class Case {
 public:
  Case(const Model& model, const Place& place, Thing thing)
      : model_(model), place_(place), thing_(thing), is_for_nobody_(thing == Thing::kUnreadable) {
    PutTree();
    if (is_for_nobody_) GiveAway(scratch_.path());
  }

  // False: cannot be made here.
  bool Make() {
    if (thing_ == Thing::kDirectory && std::filesystem::is_directory(Path())) return false;
    if (!std::filesystem::exists(Path())) {
      WriteWhole(Path(), Bytes(100, std::byte{7}));  // a draft of a life before
      if (is_for_nobody_) GiveAway(scratch_.path());
    }
    if (IsOurs()) return Take();
    std::filesystem::rename(Path(), Aside());
    return Put();
  }
  void Check() {
    const Tree before = TreeOf(scratch_.path());
    const Answer answer = AnswerTo(place_, thing_);
    const Opened opened = Open();
    if (answer == Answer::kOpens) {
      EXPECT_EQ(opened.code, absl::StatusCode::kOk) << opened.message;
      EXPECT_GE(opened.events, model_.durable);
      return;
    }
    EXPECT_EQ(opened.code, answer == Answer::kRefuses ? absl::StatusCode::kFailedPrecondition
                                                      : absl::StatusCode::kDataLoss)
        << opened.message;
    EXPECT_THAT(opened.message, ::testing::HasSubstr(NamedIn(answer)));
    EXPECT_THAT(opened.message, ::testing::ContainsRegex("move it away|restore|name the directory|"
                                                         "pawl repair|give this user"));
    EXPECT_TRUE(TreeOf(scratch_.path()) == before) << "a refusal changes no byte";

    PutBack();
    const Opened again = Open();
    EXPECT_EQ(again.code, absl::StatusCode::kOk) << again.message;
    EXPECT_EQ(again.events, model_.published);
  }

 private:
  // A copy of the model, whose marks belong to its own manifest.
  void PutTree() {
    for (const char* const name : {"log", "hot"}) {
      std::filesystem::copy(model_.scratch.Sub(name), scratch_.Sub(name),
                            std::filesystem::copy_options::recursive);
    }
    struct stat facts {};
    ASSERT_EQ(::stat(scratch_.Sub("log/manifest").c_str(), &facts), 0);
    Bytes marks = ReadWhole(scratch_.Sub("hot/marks"));
    const std::uint64_t identity[2] = {facts.st_dev, facts.st_ino};
    std::memcpy(marks.data() + offsetof(HotMarks, manifest_device), identity, sizeof identity);
    WriteWhole(scratch_.Sub("hot/marks"), marks);
    ASSERT_EQ(::chmod(scratch_.Sub("log").c_str(), 0700), 0);
    ASSERT_EQ(::chmod(scratch_.Sub("hot").c_str(), 0700), 0);
  }

  static void GiveAway(const std::string& root) {
    if (::geteuid() != 0) return;
    ASSERT_EQ(::lchown(root.c_str(), kNobody, kNobody), 0);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      ASSERT_EQ(::lchown(entry.path().c_str(), kNobody, kNobody), 0);
    }
  }

  std::string Path() const { return scratch_.Sub(place_.path); }

  std::string Aside() const { return scratch_.Sub("aside"); }

  // Our own file, in a state in which we cannot trust or read it.
  bool IsOurs() const { return thing_ == Thing::kOfAnotherUser || thing_ == Thing::kUnreadable; }
  bool Take() {
    if (::geteuid() != 0) return false;  // only root gives files away; it can read all of them
    if (thing_ == Thing::kUnreadable) return ::chmod(Path().c_str(), 0) == 0;
    return ::lchown(Path().c_str(), kNobody, kNobody) == 0;
  }
  void PutBack() {
    if (thing_ == Thing::kOfAnotherUser) {
      ASSERT_EQ(::lchown(Path().c_str(), ::geteuid(), ::getegid()), 0);
    } else if (thing_ == Thing::kUnreadable) {
      ASSERT_EQ(::chmod(Path().c_str(), std::filesystem::is_directory(Path()) ? 0700 : 0600), 0);
    } else {
      std::filesystem::remove_all(Path());
      std::filesystem::rename(Aside(), Path());
    }
  }

  bool Put() {
    const std::string path = Path();
    switch (thing_) {
      case Thing::kText: {
        const std::string text = "what another program wrote\n";
        Bytes bytes(text.size());
        std::memcpy(bytes.data(), text.data(), text.size());
        WriteWhole(path, bytes);
        return true;
      }
      case Thing::kZeros: WriteWhole(path, Bytes(OurSize())); return true;
      case Thing::kNoise: {
        std::mt19937_64 random(1);  // any bytes will do, and the same ones are easier to look at
        Bytes bytes(5000);
        for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
        WriteWhole(path, bytes);
        return true;
      }
      case Thing::kEmpty: WriteWhole(path, {}); return true;
      case Thing::kDirectory: return std::filesystem::create_directory(path);
      case Thing::kLink: return ::symlink(Aside().c_str(), path.c_str()) == 0;
      case Thing::kDanglingLink: return ::symlink("/nowhere/at/all", path.c_str()) == 0;
      case Thing::kFifo: return ::mkfifo(path.c_str(), 0600) == 0;
      case Thing::kSocket: return PutSocket(path);
      case Thing::kDevice: return ::mknod(path.c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0;
      case Thing::kOfAnotherUser:
      case Thing::kUnreadable: return Take();
    }
    return false;
  }

  std::size_t OurSize() const {
    return std::filesystem::is_regular_file(Aside()) ? std::filesystem::file_size(Aside()) : 100;
  }
  static bool PutSocket(const std::string& path) {
    sockaddr_un address{};
    if (path.size() >= sizeof address.sun_path) return false;
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    const bool is_bound =
        ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return is_bound;
  }

  // In a process of its own, which may be another user's and is ended if it hangs.
  Opened Open() const {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    EXPECT_GE(child, 0);
    if (child == 0) OpenAndTell(ends[1]);
    ::close(ends[1]);
    std::string told;
    char piece[1024];
    for (ssize_t n = 0; (n = ::read(ends[0], piece, sizeof piece)) > 0;) {
      told.append(piece, static_cast<std::size_t>(n));
    }
    ::close(ends[0]);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
        << "open hung or crashed: " << status << " " << told;
    Opened opened;
    opened.code = absl::StatusCode::kInternal;
    int code = 0;
    unsigned long long events = 0;
    int used = 0;
    if (std::sscanf(told.c_str(), "%d %llu %n", &code, &events, &used) == 2) {
      opened = {static_cast<absl::StatusCode>(code), events,
                told.substr(static_cast<std::size_t>(used))};
    }
    return opened;
  }
  [[noreturn]] void OpenAndTell(int to) const {
    ::alarm(kSecondsMax);
    if (is_for_nobody_ && ::geteuid() == 0 && (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0)) {
      ::_exit(3);
    }
    const bool had_failed = ::testing::Test::HasFailure();
    const auto log = Log::Open({.directory = scratch_.Sub("log"),
                                .hot_directory = scratch_.Sub("hot"),
                                .segment_bytes = kSegmentBytesMin});
    const std::string told = std::to_string(static_cast<int>(log.status().code())) + " " +
                             std::to_string(log.ok() ? CountEvents(**log) : 0) + " " +
                             std::string(log.status().message());
    const bool is_told = ::write(to, told.data(), told.size()) == static_cast<ssize_t>(told.size());
    ::_exit(is_told && ::testing::Test::HasFailure() == had_failed ? 0 : 4);
  }

  static Answer AnswerTo(const Place& place, Thing thing) {
    switch (thing) {
      case Thing::kText:
      case Thing::kNoise: return place.foreign_bytes;
      case Thing::kZeros:
      case Thing::kEmpty: return place.no_bytes;
      case Thing::kUnreadable: return place.unreadable;
      case Thing::kOfAnotherUser:
        // Who owns the log's directory is its user's choice; in memory a name can be squatted on.
        return std::string_view(place.path) == "log" ? Answer::kOpens : Answer::kRefuses;
      default: return Answer::kRefuses;
    }
  }

  // What an image held is missed, wherever it should have been.
  std::string NamedIn(Answer answer) const {
    const bool is_image = std::string_view(place_.path).ends_with(".img");
    return answer == Answer::kReportsLoss && is_image ? scratch_.Sub("hot") : Path();
  }

  const Model& model_;
  const Place place_;
  const Thing thing_;
  const bool is_for_nobody_;
  ScratchDirectory scratch_;
};

class ForeignThingsTest : public ::testing::TestWithParam<Place> {};

TEST_P(ForeignThingsTest, AreRefusedUnchangedOrHaveNoEffect) {
  const Model model;
  int skipped = 0;
  for (const auto& [thing, name] : kThings) {
    SCOPED_TRACE(name);
    Case one(model, GetParam(), thing);
    if (one.Make()) {
      one.Check();
    } else {
      ++skipped;
    }
  }
  std::cout << std::size(kThings) - static_cast<std::size_t>(skipped) << " things, " << skipped
            << " that cannot be made here\n";
}

std::string NameOf(const ::testing::TestParamInfo<Place>& param) {
  std::string name = param.param.path;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(InPlaceOf, ForeignThingsTest, ::testing::ValuesIn(kPlaces), NameOf);

}  // namespace
}  // namespace pawl::inline v0
