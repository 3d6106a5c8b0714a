#include <fcntl.h>
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

TEST_F(LogRefusalsTest, FilesAreForTheOwnerOnly) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  AppendEvents(*log, 1, 3);
  ASSERT_TRUE(DriveToRest(*log));
  for (const char* const directory : {"log", "hot"}) {
    struct stat facts {};
    ASSERT_EQ(::stat(scratch_.Sub(directory).c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777U, 0700U);
    for (const auto& entry : std::filesystem::directory_iterator(scratch_.Sub(directory))) {
      ASSERT_EQ(::stat(entry.path().c_str(), &facts), 0);
      EXPECT_EQ(facts.st_mode & 0777U, 0600U) << entry.path();
    }
  }
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
