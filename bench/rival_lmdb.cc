#include "rival_lmdb.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include <lmdb.h>

#include "bank_workload.h"
#include "rival_pipeline.h"

namespace pawl::inline v0::bench {
namespace {

constexpr std::size_t kMapSlackBytes = 64U << 20U;  // Inner pages, and pages freed but still seen.
constexpr std::size_t kMapBytesPerEvent = 120;      // A leaf holds 49 events: 84 bytes each.

// NOTLS: the read transaction is begun here and used by the projector's thread.
constexpr unsigned kFlags = MDB_NOSUBDIR | MDB_NOSYNC | MDB_WRITEMAP | MDB_NOTLS;

void Require(int error, const char* what) {
  if (error == 0) return;
  std::fprintf(stderr, "lmdb: %s: %s\n", what, mdb_strerror(error));
  std::exit(1);
}

class LmdbStore {
 public:
  explicit LmdbStore(const BankOptions& options)
      : path_(options.hot_directory + "/rival_lmdb." + std::to_string(getpid())) {
    Require(mdb_env_create(&environment_), "create");
    Require(
        mdb_env_set_mapsize(environment_, kMapSlackBytes + options.commands * kMapBytesPerEvent),
        "map size");
    Require(mdb_env_open(environment_, path_.c_str(), kFlags, 0600), "open");
    Require(mdb_txn_begin(environment_, nullptr, 0, &writing_), "begin");
    Require(mdb_dbi_open(writing_, nullptr, MDB_INTEGERKEY, &table_), "open table");
    Require(mdb_txn_commit(writing_), "commit");
    OpenReader();
  }
  LmdbStore(const LmdbStore&) = delete;
  LmdbStore& operator=(const LmdbStore&) = delete;
  ~LmdbStore() {
    mdb_cursor_close(reader_);
    mdb_txn_abort(reading_);
    mdb_env_close(environment_);
    unlink(path_.c_str());
    unlink((path_ + "-lock").c_str());
  }

  // LMDB does not tell where it mapped its file; the kernel does.
  void FaultIn() const {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      std::uintptr_t begin = 0;
      std::uintptr_t end = 0;
      if (!line.ends_with(path_) || std::sscanf(line.c_str(), "%lx-%lx", &begin, &end) != 2) {
        continue;
      }
      void* start = reinterpret_cast<void*>(begin);
      if (madvise(start, end - begin, MADV_POPULATE_WRITE) == 0) return;
    }
    std::fprintf(stderr, "lmdb: cannot fault in the map of %s\n", path_.c_str());
    std::exit(1);
  }

  void Begin() {
    Require(mdb_txn_begin(environment_, nullptr, 0, &writing_), "begin");
    Require(mdb_cursor_open(writing_, table_, &writer_), "open cursor");
  }

  void Append(std::uint64_t position, const BankEvent& event) {
    MDB_val key{sizeof position, &position};
    MDB_val value{sizeof event, nullptr};
    Require(mdb_cursor_put(writer_, &key, &value, MDB_APPEND | MDB_RESERVE), "append");
    std::memcpy(value.mv_data, &event, sizeof event);
  }

  void Commit() {
    mdb_cursor_close(writer_);
    Require(mdb_txn_commit(writing_), "commit");
  }

  template <class F>
  void ReadFrom(std::uint64_t position, F fold) {
    Require(mdb_txn_renew(reading_), "renew");
    Require(mdb_cursor_renew(reading_, reader_), "renew cursor");
    MDB_val key{sizeof position, &position};
    MDB_val value{};
    int found = mdb_cursor_get(reader_, &key, &value, MDB_SET_RANGE);
    for (; found == 0; found = mdb_cursor_get(reader_, &key, &value, MDB_NEXT)) {
      BankEvent event;
      std::memcpy(&event, value.mv_data, sizeof event);
      fold(event);
    }
    if (found != MDB_NOTFOUND) Require(found, "read");
    mdb_txn_reset(reading_);
  }

  [[nodiscard]] std::uint64_t Bytes() const {
    MDB_envinfo facts;
    Require(mdb_env_info(environment_, &facts), "info");
    return (facts.me_last_pgno + 1) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  }

 private:
  void OpenReader() {
    Require(mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &reading_), "begin read");
    Require(mdb_cursor_open(reading_, table_, &reader_), "open read cursor");
    mdb_txn_reset(reading_);
  }

  std::string path_;
  MDB_env* environment_ = nullptr;
  MDB_dbi table_ = 0;
  MDB_txn* writing_ = nullptr;    // Loop only.
  MDB_cursor* writer_ = nullptr;  // Loop only.
  MDB_txn* reading_ = nullptr;    // Projector only.
  MDB_cursor* reader_ = nullptr;  // Projector only.
};

BankResult RunLmdb(const BankOptions& options) {
  LmdbStore store(options);
  return RivalPipeline<LmdbStore>(options, store).Run();
}

BankResult RunLmdbWarm(const BankOptions& options) {
  LmdbStore store(options);
  store.FaultIn();
  return RivalPipeline<LmdbStore>(options, store).Run();
}

}  // namespace

const BankSubject kLmdb{
    .name = "lmdb",
    .description =
        "LMDB: NOSYNC, WRITEMAP, cursor APPEND with RESERVE, a transaction per batch, in memory",
    .commands_default = 10'000'000,
    .run = RunLmdb};

const BankSubject kLmdbWarm{
    .name = "lmdb-warm",
    .description = "the same, with every page of the map faulted in by hand beforehand",
    .commands_default = 10'000'000,
    .run = RunLmdbWarm};

}  // namespace pawl::inline v0::bench
