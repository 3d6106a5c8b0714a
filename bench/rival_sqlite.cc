#include "rival_sqlite.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <sqlite3.h>

#include "bank_workload.h"
#include "rival_pipeline.h"

namespace pawl::inline v0::bench {
namespace {

// One connection; used by one thread at a time.
class Connection {
 public:
  explicit Connection(const std::string& path) {
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    Require(sqlite3_open_v2(path.c_str(), &database_, flags, nullptr), "open");
    Execute("PRAGMA journal_mode=WAL");
    Execute("PRAGMA synchronous=OFF");
    Execute("PRAGMA temp_store=MEMORY");
    Execute("PRAGMA cache_size=-65536");
    Execute("PRAGMA mmap_size=1073741824");
    Execute("CREATE TABLE IF NOT EXISTS events (position INTEGER PRIMARY KEY, payload BLOB)");
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { sqlite3_close_v2(database_); }

  void Execute(const char* sql) {
    Require(sqlite3_exec(database_, sql, nullptr, nullptr, nullptr), sql);
  }

  [[nodiscard]] sqlite3_stmt* Prepare(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    Require(sqlite3_prepare_v3(database_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr),
            sql);
    return statement;
  }

  // One row, or the end of the rows; anything else ends the process.
  bool Step(sqlite3_stmt* statement) {
    const int answer = sqlite3_step(statement);
    if (answer != SQLITE_ROW && answer != SQLITE_DONE) Require(answer, "step");
    return answer == SQLITE_ROW;
  }

  void StepAndReset(sqlite3_stmt* statement) {
    Step(statement);
    Require(sqlite3_reset(statement), "reset");
  }

  void Require(int error, const char* what) {
    if (error == SQLITE_OK) return;
    std::fprintf(stderr, "sqlite: %s: %s\n", what, sqlite3_errmsg(database_));
    std::exit(1);
  }

 private:
  sqlite3* database_ = nullptr;
};

class SqliteStore {
 public:
  explicit SqliteStore(const BankOptions& options)
      : path_(options.hot_directory + "/rival_sqlite." + std::to_string(getpid())),
        writer_(path_),
        reader_(path_),
        begin_(writer_.Prepare("BEGIN IMMEDIATE")),
        insert_(writer_.Prepare("INSERT INTO events VALUES (?1, ?2)")),
        commit_(writer_.Prepare("COMMIT")),
        select_(reader_.Prepare("SELECT payload FROM events WHERE position >= ?1 "
                                "ORDER BY position")) {}
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;
  ~SqliteStore() {
    for (sqlite3_stmt* statement : {begin_, insert_, commit_, select_}) {
      sqlite3_finalize(statement);
    }
    for (const char* suffix : {"", "-wal", "-shm"}) unlink((path_ + suffix).c_str());
  }

  void Begin() { writer_.StepAndReset(begin_); }

  void Append(std::uint64_t position, const BankEvent& event) {
    writer_.Require(sqlite3_bind_int64(insert_, 1, static_cast<sqlite3_int64>(position)), "bind");
    writer_.Require(sqlite3_bind_blob(insert_, 2, &event, sizeof event, SQLITE_STATIC), "bind");
    writer_.StepAndReset(insert_);
  }

  void Commit() { writer_.StepAndReset(commit_); }

  template <class F>
  void ReadFrom(std::uint64_t position, F fold) {
    reader_.Require(sqlite3_bind_int64(select_, 1, static_cast<sqlite3_int64>(position)), "bind");
    while (reader_.Step(select_)) {
      BankEvent event;
      std::memcpy(&event, sqlite3_column_blob(select_, 0), sizeof event);
      fold(event);
    }
    reader_.Require(sqlite3_reset(select_), "reset");
  }

  // Database and write-ahead log as they lie there.
  [[nodiscard]] std::uint64_t Bytes() const {
    std::uint64_t bytes = 0;
    for (const char* suffix : {"", "-wal"}) {
      struct stat facts {};
      if (stat((path_ + suffix).c_str(), &facts) == 0) {
        bytes += static_cast<std::uint64_t>(facts.st_size);
      }
    }
    return bytes;
  }

 private:
  std::string path_;
  Connection writer_;     // Loop only.
  Connection reader_;     // Projector only.
  sqlite3_stmt* begin_;   // Loop only.
  sqlite3_stmt* insert_;  // Loop only.
  sqlite3_stmt* commit_;  // Loop only.
  sqlite3_stmt* select_;  // Projector only.
};

BankResult RunSqlite(const BankOptions& options) {
  SqliteStore store(options);
  return RivalPipeline<SqliteStore>(options, store).Run();
}

}  // namespace

const BankSubject kSqlite{
    .name = "sqlite",
    .description = "SQLite: WAL, synchronous=OFF, prepared, one transaction per batch, in memory",
    .commands_default = 1'000'000,
    .run = RunSqlite};

}  // namespace pawl::inline v0::bench
