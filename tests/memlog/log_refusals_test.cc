#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "log_fixture.h"

namespace pawl::inline v0 {
namespace {

class LogRefusalsTest : public LogTest {
 protected:
  void ExpectRefused(const std::string& part, const LogOptions& options,
                     absl::StatusCode code = absl::StatusCode::kFailedPrecondition) {
    const absl::Status status = OpenStatus(options);
    EXPECT_EQ(status.code(), code) << status.ToString();
    EXPECT_NE(std::string(status.message()).find(part), std::string::npos) << status.ToString();
  }

  // The exit status of a child that does `act`; 100 if it did not end so.
  template <class Act>
  int InChild(const Act& act) {
    const pid_t child = ::fork();
    EXPECT_GE(child, 0);
    if (child == 0) ::_exit(act());
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
  }
  // As a user whom permissions bind: root may do everything.
  template <class Act>
  int InChildOfNobody(const Act& act) {
    constexpr ::uid_t kNobody = 65534;
    const bool is_root = ::geteuid() == 0;
    EXPECT_TRUE(!is_root || ::chown(scratch_.path().c_str(), kNobody, kNobody) == 0);
    return InChild([&] {
      if (is_root && (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0)) return 99;
      return act();
    });
  }
};

TEST_F(LogRefusalsTest, AMissingParentDirectoryIsRefused) {
  LogOptions options = Options();
  options.directory = scratch_.Sub("missing/log");
  ExpectRefused("missing/log", options);
  EXPECT_FALSE(std::filesystem::exists(scratch_.Sub("missing")));
}

TEST_F(LogRefusalsTest, ASecondOpenerIsRefusedInThisProcessAndInAnother) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  AppendEvents(*log, 1, 3);
  ExpectRefused("process " + std::to_string(::getpid()), Options());
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::_exit(OpenStatus().code() == absl::StatusCode::kFailedPrecondition ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  // Not even with the lock file gone.
  std::filesystem::remove(File("lock"));
  ExpectRefused(scratch_.Sub("log") + " is open for writing", Options());
  AppendEvents(*log, 4, 6);
  EXPECT_EQ(CountEvents(*log), 6U);
  ASSERT_OK(log->Close());
  EXPECT_TRUE(OpenStatus().ok());
}

TEST_F(LogRefusalsTest, TwoLogsInOneHotDirectoryAreRefused) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  LogOptions options = Options();
  options.directory = scratch_.Sub("second");
  ExpectRefused("open for writing in another engine", options);
  AppendEvents(*log, 1, 3);
  EXPECT_EQ(CountEvents(*log), 3U);
}

TEST_F(LogRefusalsTest, OtherThingsInPlaceOfOurFilesAreRefused) {
  const auto files = [&] {
    auto log = OpenLog();
    EXPECT_NE(log, nullptr);
    AppendEvents(*log, 1, 3);
    EXPECT_TRUE(log->Close().ok());
    log = nullptr;
    return ReadFiles(scratch_.Sub("log"));
  }();
  for (const std::string name : {"manifest", "evidence", "0000000000.seg", "lock"}) {
    SCOPED_TRACE(name);
    WriteFiles(scratch_.Sub("log"), files);
    std::filesystem::remove(File(name));
    std::filesystem::create_directory(File(name));
    ExpectRefused(name, Options());
    std::filesystem::remove(File(name));
    if (name != "lock") WriteWhole(scratch_.Sub("elsewhere"), files.at(name));
    std::filesystem::create_symlink(scratch_.Sub("elsewhere"), File(name));
    ExpectRefused(name, Options());
    std::filesystem::remove(File(name));
    ASSERT_EQ(::mkfifo(File(name).c_str(), 0600), 0);
    ExpectRefused(name, Options());
  }
  WriteFiles(scratch_.Sub("log"), files);
  WriteWhole(File("manifest"), Bytes(5000, std::byte{'x'}));
  ExpectRefused("manifest", Options(), absl::StatusCode::kDataLoss);
  std::filesystem::remove_all(scratch_.Sub("log"));
  WriteWhole(scratch_.Sub("log"), Bytes(10));
  ExpectRefused("not a directory", Options());
}

TEST_F(LogRefusalsTest, ADirectoryThatMayNotBeWrittenIsRefused) {
  std::filesystem::create_directory(scratch_.Sub("log"));
  ASSERT_EQ(::chmod(scratch_.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(scratch_.Sub("log").c_str(), 0555), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // Root may write everywhere; nobody may not.
    if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) ::_exit(2);
    const absl::Status status = OpenStatus();
    const bool is_told = status.message().find("log/lock") != absl::string_view::npos;
    ::_exit(status.code() == absl::StatusCode::kFailedPrecondition && is_told ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_TRUE(std::filesystem::is_empty(scratch_.Sub("log")));
}

TEST_F(LogRefusalsTest, OptionsOutOfRangeAreRefusedBeforeAnythingIsMade) {
  const auto refuse = [&](const LogOptions& options) {
    EXPECT_EQ(OpenStatus(options).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_FALSE(std::filesystem::exists(scratch_.Sub("log")));
  };
  LogOptions options = Options();
  options.directory = "";
  refuse(options);
  for (const std::uint64_t bytes :
       {std::uint64_t{0}, kSegmentBytesMin - 1, kSegmentBytesMin + 1, 2 * kSegmentBytesMax}) {
    options = Options();
    options.segment_bytes = bytes;
    refuse(options);
  }
  options = Options();
  options.segments_ahead = 0;
  refuse(options);
  options.segments_ahead = 257;
  refuse(options);
  options = Options();
  options.commit_bytes_max = kSegmentBytesMin / 4 + 1;
  refuse(options);
  options.commit_bytes_max = 100;
  refuse(options);
}

// A umask that takes everything away made files that their own engine could not open again.
TEST_F(LogRefusalsTest, FilesAreForTheOwnerOnlyWhateverTheUmaskIs) {
  for (const ::mode_t mask : {0000U, 0022U, 0077U, 0277U, 0477U, 0777U}) {
    SCOPED_TRACE(mask);
    std::filesystem::remove_all(scratch_.Sub("log"));
    EXPECT_EQ(InChildOfNobody([&] {
                ::umask(mask);
                auto log = Log::Open(Options());
                if (!log.ok()) return 1;
                AppendEvents(**log, 1, 200, 1000);
                if (!DriveToRest(**log)) return 2;
                log->reset();
                log = Log::Open(Options());
                return log.ok() && CountEvents(**log) == 200U ? 0 : 3;
              }),
              0);
    for (const char* const directory : {"log", "hot"}) {
      struct stat facts {};
      ASSERT_EQ(::stat(scratch_.Sub(directory).c_str(), &facts), 0);
      EXPECT_EQ(facts.st_mode & 0777U, 0700U);
      for (const auto& entry : std::filesystem::directory_iterator(scratch_.Sub(directory))) {
        ASSERT_EQ(::stat(entry.path().c_str(), &facts), 0);
        EXPECT_EQ(facts.st_mode & 0777U, 0600U) << entry.path();
      }
    }
    std::filesystem::remove_all(scratch_.Sub("hot"));
  }
}

TEST_F(LogRefusalsTest, ADirectoryThatEverybodyMayWriteIsRefusedUnlessTold) {
  for (const char* const name : {"log", "hot"}) {
    for (const ::mode_t mode : {0777U, 01777U, 0702U}) {
      SCOPED_TRACE(std::string(name) + " " + std::to_string(mode));
      std::filesystem::create_directory(scratch_.Sub(name));
      ASSERT_EQ(::chmod(scratch_.Sub(name).c_str(), mode), 0);
      ExpectRefused(scratch_.Sub(name), Options());
      ExpectRefused("allow_shared_directory", Options());
      EXPECT_TRUE(std::filesystem::is_empty(scratch_.Sub(name)));
      LogOptions options = Options();
      options.allow_shared_directory = true;
      auto log = OpenLog(options);
      ASSERT_NE(log, nullptr);
      AppendEvents(*log, 1, 3);
      ASSERT_OK(log->Close());
      log = nullptr;
      std::filesystem::remove_all(scratch_.Sub("log"));
      std::filesystem::remove_all(scratch_.Sub("hot"));
    }
  }
  // Its group is its owner's choice.
  std::filesystem::create_directory(scratch_.Sub("log"));
  ASSERT_EQ(::chmod(scratch_.Sub("log").c_str(), 0770), 0);
  ASSERT_OK(OpenStatus());
}

// Everything called *.img went, and a clean stop failed because the directory could not be removed.
TEST_F(LogRefusalsTest, FilesOfOthersBesideOursAreLeftAlone) {
  for (const char* const directory : {"log", "hot"}) {
    std::filesystem::create_directory(scratch_.Sub(directory));
    for (const char* const name :
         {"disk.img", "disk.img.tmp", "00.img", "x.seg", "7.idx", "x.cut", "x.tmp", "notes"}) {
      WriteWhole(scratch_.Sub(directory) + "/" + name, Bytes(10, std::byte{1}));
    }
    std::filesystem::create_directory(scratch_.Sub(directory) + "/a.img");
    ASSERT_EQ(::mkfifo((scratch_.Sub(directory) + "/b.img").c_str(), 0600), 0);
  }
  const auto hot = ReadFiles(scratch_.Sub("hot"));
  const auto beside = ReadFiles(scratch_.Sub("log"));
  for (int life = 0; life < 3; ++life) {
    auto log = OpenLog();
    ASSERT_NE(log, nullptr);
    AppendEvents(*log, 1 + 100U * static_cast<unsigned>(life),
                 100 + 100U * static_cast<unsigned>(life), 1000);
    if (life == 2) ASSERT_OK(log->Close());
  }
  EXPECT_EQ(ReadFiles(scratch_.Sub("hot")), hot);
  const auto all = ReadFiles(scratch_.Sub("log"));
  for (const auto& [name, bytes] : beside) EXPECT_TRUE(all.contains(name) && all.at(name) == bytes);
  EXPECT_TRUE(std::filesystem::exists(scratch_.Sub("hot/b.img")));
}

// A memory volume of its own for the images, as the README advises for containers.
TEST_F(LogRefusalsTest, AHotDirectoryThatIsAMountStaysAtACleanStop) {
  std::filesystem::create_directory(scratch_.Sub("hot"));
  const int result = InChild([&] {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", scratch_.Sub("hot").c_str(), "tmpfs", 0, "mode=0700") != 0) {
      return 9;
    }
    auto log = Log::Open(Options());
    if (!log.ok()) return 1;
    AppendEvents(**log, 1, 3);
    const bool is_there = std::filesystem::exists(scratch_.Sub("hot/marks"));
    if (!is_there || !(*log)->Close().ok()) return 2;
    return std::filesystem::is_empty(scratch_.Sub("hot")) ? 0 : 3;
  });
  if (result == 9) GTEST_SKIP() << "no mounts here";
  EXPECT_EQ(result, 0);
}

// Where manifest and segments were lost, a new log began in silence.
TEST_F(LogRefusalsTest, WhatIsLeftOfALogThatIsGoneIsNoNewLog) {
  {
    auto log = OpenLog();
    ASSERT_NE(log, nullptr);
    AppendEvents(*log, 1, 200, 1000);
    ASSERT_TRUE(DriveToRest(*log));
    ASSERT_OK(log->Close());
  }
  const auto files = ReadFiles(scratch_.Sub("log"));
  for (const std::string left : {"evidence", "0000000000.idx", "0000000001.seg"}) {
    SCOPED_TRACE(left);
    const std::map<std::string, Bytes> only = {{left, files.at(left)}};
    WriteFiles(scratch_.Sub("log"), only);
    ExpectRefused(left, Options(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(ReadFiles(scratch_.Sub("log")), only);
  }
  const std::map<std::string, Bytes> foreign = {{"evidence", Bytes(100, std::byte{'x'})}};
  WriteFiles(scratch_.Sub("log"), foreign);
  ExpectRefused("not the evidence of a log", Options());
  EXPECT_EQ(ReadFiles(scratch_.Sub("log")), foreign);
}

TEST_F(LogRefusalsTest, ARefusedOpenLeavesNoHotDirectory) {
  {
    auto log = OpenLog();
    ASSERT_NE(log, nullptr);
    AppendEvents(*log, 1, 3);
    ASSERT_OK(log->Close());
  }
  Bytes segment = ReadWhole(File("0000000000.seg"));
  segment[kSegmentHeaderBytes + 100] ^= std::byte{1};
  WriteWhole(File("0000000000.seg"), segment);
  ExpectRefused("0000000000.seg", Options(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(std::filesystem::exists(scratch_.Sub("hot")));
}

// The images of the life before are in the log's directory; an engine that may not read their marks
// went on without them, and removed them.
TEST_F(LogRefusalsTest, MarksBesideTheSegmentsThatCannotBeReadEndTheOpen) {
  LogOptions options = Options();
  options.hot_directory = options.directory;
  const auto as_nobody = [&](auto&& act) { return InChildOfNobody(act); };
  ASSERT_EQ(as_nobody([&] {
              auto log = Log::Open(options);
              if (!log.ok()) return 1;
              AppendEvents(**log, 1, 3);
              return 0;
            }),
            0);
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give permissions back";
  ASSERT_EQ(::chmod(File("marks").c_str(), 0), 0);
  EXPECT_EQ(as_nobody([&] {
              const absl::Status status = OpenStatus();
              const bool is_told = status.message().find("log/marks") != std::string::npos;
              return status.code() == absl::StatusCode::kFailedPrecondition && is_told ? 0 : 1;
            }),
            0);
  ASSERT_EQ(::chmod(File("marks").c_str(), 0600), 0);
  EXPECT_EQ(as_nobody([&] {
              auto log = Log::Open(Options());
              return log.ok() && CountEvents(**log) == 3U ? 0 : 1;
            }),
            0);
}

TEST_F(LogRefusalsTest, TheManifestDecidesTheSegmentSize) {
  {
    auto log = OpenLog();
    ASSERT_NE(log, nullptr);
    AppendEvents(*log, 1, 3);
  }
  LogOptions options = Options();
  options.segment_bytes = 8 * kSegmentBytesMin;
  auto log = OpenLog(options);
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->segment_bytes(), kSegmentBytesMin);
}

TEST_F(LogRefusalsTest, AForkedChildCannotWriteIntoTheImages) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // The mapping is not there: the load or store ends the child, quietly.
    ::signal(SIGSEGV, SIG_DFL);
    static_cast<void>(AppendEvent(*log, 1));
    log->writer().Publish();
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) << status;
  EXPECT_EQ(CountEvents(*log), 0U);
}

}  // namespace
}  // namespace pawl::inline v0
