// What the operating system may refuse: sizes of files, descriptors, memory, a file system that is
// read-only. Open ends with a status that names path and errno; nothing leaks, no signal comes, and
// the log is what it was.
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <iostream>

#include <gmock/gmock.h>

#include "log_fixture.h"

namespace pawl::inline v0 {
namespace {

constexpr int kNotHere = 99;  // a child that could not even begin

// Told by a child, in memory that it shares with its parent.
struct Told {
  absl::StatusCode code = absl::StatusCode::kOk;
  std::uint64_t events = 0;  // in what was opened, or durable at the child's end
  std::uint64_t leaked = 0;  // descriptors and mappings
  char message[1024] = {};
};

class LogLimitsTest : public LogTest {
 protected:
  void SetUp() override {
    void* const memory =
        ::mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    told_ = new (memory) Told;
  }
  void TearDown() override { ::munmap(told_, sizeof *told_); }

  // Exit status of a child that does `act`; −signal if one ended it.
  template <class Act>
  int InChild(const Act& act) {
    *told_ = Told{};
    const pid_t child = ::fork();
    EXPECT_GE(child, 0);
    if (child == 0) {
      for (const int each : {SIGXFSZ, SIGBUS, SIGSEGV}) ::signal(each, SIG_DFL);
      ::_exit(act());
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  static void Limit(int resource, ::rlim_t most) {
    rlimit limit{};
    ::getrlimit(static_cast<__rlimit_resource>(resource), &limit);
    limit.rlim_cur = std::min(most, limit.rlim_max);
    ::setrlimit(static_cast<__rlimit_resource>(resource), &limit);
  }

  void Tell(const absl::Status& status) {
    told_->code = status.code();
    const std::string text(status.message());
    text.copy(told_->message, sizeof told_->message - 1);
  }

  // A log of several segments, killed with its last events only in the images.
  void WriteKilledLog() {
    auto log = OpenLog();
    ASSERT_NE(log, nullptr);
    AppendEvents(*log, 1, 150, 1000);
    ASSERT_TRUE(DriveToRest(*log));
    AppendEvents(*log, 151, kPublished, 1000);
  }

  static std::size_t CountEntries(const std::string& directory) {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(directory), {}));
  }
  // Of this process, of the files of a log.
  std::size_t MappingsOfLog() const {
    std::ifstream maps("/proc/self/maps");
    std::size_t found = 0;
    for (std::string line; std::getline(maps, line);) {
      found += line.find(scratch_.path()) != std::string::npos ? 1U : 0U;
    }
    return found;
  }

  // Opens under a limit, which is lifted again to look at what is left.
  void OpenUnder(int resource, ::rlim_t most) {
    const std::size_t descriptors = CountEntries("/proc/self/fd");
    rlimit before{};
    ::getrlimit(static_cast<__rlimit_resource>(resource), &before);
    Limit(resource, most);
    auto log = Log::Open(Options());
    ::setrlimit(static_cast<__rlimit_resource>(resource), &before);
    Tell(log.status());
    if (log.ok()) told_->events = CountEvents(**log);
    log = absl::UnknownError("gone");
    told_->leaked = MappingsOfLog() + CountEntries("/proc/self/fd") - descriptors;
  }

  // Raises a limit step by step until Open succeeds, each time in a process of its own.
  void ClimbTo(int resource, ::rlim_t first, ::rlim_t step, int steps_max) {
    int refused = 0;
    for (;; ++refused) {
      ASSERT_LT(refused, steps_max) << told_->message;
      const ::rlim_t most = first + step * static_cast<::rlim_t>(refused);
      SCOPED_TRACE(most);
      ASSERT_EQ(InChild([&] {
                  OpenUnder(resource, resource == RLIMIT_AS ? most + VirtualBytes() : most);
                  return 0;
                }),
                0);
      EXPECT_EQ(told_->leaked, 0U);
      if (told_->code == absl::StatusCode::kOk) break;
      ASSERT_EQ(told_->code, absl::StatusCode::kResourceExhausted) << told_->message;
      ASSERT_NE(told_->message[0], 0);
    }
    std::cout << refused << " opens refused before one succeeded\n";
    EXPECT_GT(refused, 0);
    EXPECT_EQ(told_->events, kPublished);
  }

  // With nothing left over of what was allocated before.
  static ::rlim_t VirtualBytes() {
    ::malloc_trim(0);
    std::ifstream in("/proc/self/statm");
    ::rlim_t pages = 0;
    in >> pages;
    return pages * static_cast<::rlim_t>(::getpagesize());
  }

  static constexpr std::uint64_t kPublished = 160;
  Told* told_ = nullptr;
};

constexpr ::rlim_t kFileSizes[] = {0,      1,      512,    4095,   4096,    4097,    8192,   12'288,
                                   40'000, 65'535, 65'536, 65'537, 131'072, 262'144, 1 << 20};

TEST_F(LogLimitsTest, ANewLogUnderALimitOfFileSizesWorksOrSaysSo) {
  for (const ::rlim_t most : kFileSizes) {
    SCOPED_TRACE(most);
    std::filesystem::remove_all(scratch_.Sub("log"));
    std::filesystem::remove_all(scratch_.Sub("hot"));
    ASSERT_EQ(InChild([&] {
                Limit(RLIMIT_FSIZE, most);
                auto log = Log::Open(Options());
                Tell(log.status());
                if (!log.ok()) return 0;
                for (std::uint64_t number = 1; number <= 200; ++number) {
                  if (!AppendEvent(**log, number, 1000)) break;
                  (*log)->writer().Publish();
                  if (!Drive(**log)) break;
                  told_->events = number;
                }
                Tell((*log)->error());
                return 0;
              }),
              0);
    if (most < kSegmentBytesMin) {
      EXPECT_EQ(told_->code, absl::StatusCode::kResourceExhausted) << told_->message;
      EXPECT_THAT(told_->message, ::testing::HasSubstr("ulimit -f"));
      EXPECT_EQ(told_->events, 0U);
    } else {
      EXPECT_EQ(told_->events, 200U) << told_->message;
    }
    const std::uint64_t durable = told_->events;
    auto log = OpenLog();
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(CountEvents(*log), durable);
  }
}

TEST_F(LogLimitsTest, ALogThatWasKilledLosesNothingToALimitOfFileSizes) {
  for (const ::rlim_t most : kFileSizes) {
    SCOPED_TRACE(most);
    std::filesystem::remove_all(scratch_.Sub("log"));
    std::filesystem::remove_all(scratch_.Sub("hot"));
    ASSERT_NO_FATAL_FAILURE(WriteKilledLog());
    ASSERT_EQ(InChild([&] {
                OpenUnder(RLIMIT_FSIZE, most);
                return 0;
              }),
              0);
    EXPECT_EQ(told_->code, most < kSegmentBytesMin ? absl::StatusCode::kResourceExhausted
                                                   : absl::StatusCode::kOk)
        << told_->message;
    EXPECT_EQ(told_->leaked, 0U);
    auto log = OpenLog();
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(CountEvents(*log), kPublished);
  }
}

// The limit comes while the engine runs: a write to the disk fails, and that is final.
TEST_F(LogLimitsTest, ALimitThatComesLaterStopsTheLogAndLosesNothing) {
  for (const ::rlim_t most : kFileSizes) {
    SCOPED_TRACE(most);
    std::filesystem::remove_all(scratch_.Sub("log"));
    std::filesystem::remove_all(scratch_.Sub("hot"));
    ASSERT_EQ(InChild([&] {
                auto log = Log::Open(Options());
                if (!log.ok()) return 1;
                AppendEvents(**log, 1, 5, 1000);
                if (!Drive(**log)) return 2;
                Limit(RLIMIT_FSIZE, most);
                told_->events = 5;
                for (std::uint64_t number = 6; number <= 200; ++number) {
                  if (!AppendEvent(**log, number, 1000)) break;
                  (*log)->writer().Publish();
                  told_->events = number;
                  if (!Drive(**log)) break;
                }
                Tell((*log)->error());
                return 0;
              }),
              0);
    const std::uint64_t published = told_->events;
    if (most < kSegmentBytesMin) {
      EXPECT_LT(published, 200U);
      EXPECT_THAT(told_->message, ::testing::HasSubstr("errno 27"));
    } else {
      EXPECT_EQ(published, 200U) << told_->message;
    }
    auto log = OpenLog();
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(CountEvents(*log), published);
  }
}

TEST_F(LogLimitsTest, AnyLimitOfDescriptorsIsAStatusOrEnough) {
  ASSERT_NO_FATAL_FAILURE(WriteKilledLog());
  ASSERT_NO_FATAL_FAILURE(ClimbTo(RLIMIT_NOFILE, 0, 1, 64));
  EXPECT_TRUE(OpenStatus().ok());
}

TEST_F(LogLimitsTest, AnyLimitOfMemoryIsAStatusOrEnough) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's memory has no such limit";
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "a sanitizer's memory has no such limit";
#endif
#endif
  ASSERT_NO_FATAL_FAILURE(WriteKilledLog());
  ASSERT_NO_FATAL_FAILURE(ClimbTo(RLIMIT_AS, 0, 4096, 4000));
  EXPECT_TRUE(OpenStatus().ok());
}

// ---- places where nothing may be written

class ReadOnlyTest : public LogLimitsTest {
 protected:
  // Of this process alone.
  static bool Mount(const std::string& path) {
    return ::unshare(CLONE_NEWNS) == 0 &&
           ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount(path.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) == 0 &&
           ::mount(nullptr, path.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) == 0;
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(scratch_.path())) {
      names.push_back(entry.path());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  // With `path` read-only, Open refuses and names `named`.
  void ExpectRefused(const std::string& path, const std::string& named) {
    const std::vector<std::string> names = Names();
    const int result = InChild([&] {
      if (!Mount(path)) return kNotHere;
      Tell(OpenStatus());
      return 0;
    });
    if (result == kNotHere) GTEST_SKIP() << "no mounts here";
    ASSERT_EQ(result, 0);
    EXPECT_EQ(told_->code, absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(told_->message, ::testing::HasSubstr(named));
    EXPECT_THAT(told_->message, ::testing::HasSubstr("mount it for writing"));
    EXPECT_EQ(Names(), names);
  }
};

TEST_F(ReadOnlyTest, ALogOnAReadOnlyFileSystemIsRefusedUntouched) {
  {
    auto log = OpenLog();
    ASSERT_NE(log, nullptr);
    AppendEvents(*log, 1, 3);
    ASSERT_OK(log->Close());
  }
  const auto files = ReadFiles(scratch_.Sub("log"));
  ExpectRefused(scratch_.Sub("log"), scratch_.Sub("log/lock"));
  EXPECT_EQ(ReadFiles(scratch_.Sub("log")), files);
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(CountEvents(*log), 3U);
}

TEST_F(ReadOnlyTest, NoLogIsBegunWhereNothingMayBeWritten) {
  ExpectRefused(scratch_.path(), scratch_.Sub("log"));
}

TEST_F(ReadOnlyTest, AReadOnlyHotDirectoryWithTheImagesOfAKilledEngineIsRefused) {
  ASSERT_NO_FATAL_FAILURE(WriteKilledLog());
  ExpectRefused(scratch_.Sub("hot"), scratch_.Sub("hot/lock"));
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(CountEvents(*log), kPublished);
}

TEST_F(ReadOnlyTest, DirectoriesWithoutPermissionAreRefusedUntouched) {
  constexpr ::uid_t kNobody = 65534;
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become nobody and tidy up behind";
  ASSERT_EQ(::chown(scratch_.path().c_str(), kNobody, kNobody), 0);
  const auto as_nobody = [&](auto&& act) {
    return InChild([&] {
      if (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0) return kNotHere;
      return act();
    });
  };
  ASSERT_EQ(as_nobody([&] {
              auto log = Log::Open(Options());
              if (log.ok()) AppendEvents(**log, 1, 3);
              return log.ok() ? 0 : 1;
            }),
            0);
  for (const char* const directory : {"log", "hot"}) {
    for (const ::mode_t mode : {0500U, 0400U, 0100U, 0000U, 0300U}) {
      SCOPED_TRACE(std::string(directory) + " " + std::to_string(mode));
      const std::vector<std::string> names = Names();
      ASSERT_EQ(::chmod(scratch_.Sub(directory).c_str(), mode), 0);
      ASSERT_EQ(as_nobody([&] {
                  Tell(OpenStatus());
                  return 0;
                }),
                0);
      ASSERT_EQ(::chmod(scratch_.Sub(directory).c_str(), 0700), 0);
      EXPECT_EQ(told_->code, absl::StatusCode::kFailedPrecondition);
      EXPECT_THAT(told_->message, ::testing::HasSubstr(scratch_.Sub(directory)));
      EXPECT_THAT(told_->message, ::testing::HasSubstr("give this user the permission"));
      EXPECT_EQ(Names(), names);
    }
  }
  EXPECT_EQ(as_nobody([&] {
              auto log = Log::Open(Options());
              return log.ok() && CountEvents(**log) == 3U ? 0 : 1;
            }),
            0);
}

}  // namespace
}  // namespace pawl::inline v0
