#include <algorithm>
#include <cstring>
#include <new>
#include <system_error>
#include <utility>

#include "block_file.h"
#include "block_memory.h"
#include "log_names.h"
#include "log_parts.h"
#include "manifest.h"
#include "pawl/check.h"
#include "segment_source.h"

namespace pawl::inline v0 {
namespace {

constexpr std::uint32_t kCommitBytesMin = 1024;  // holds the engine's own commits
constexpr std::uint32_t kCommitBytesDefault = 1 << 20;
constexpr std::uint32_t kSegmentsAheadMax = 256;
constexpr std::uint32_t kReadersMax = 65536;

// Bytes of one commit in segments of that size: a frame with it must leave room for others.
absl::StatusOr<std::uint32_t> CommitBytesMax(const LogOptions& options,
                                             std::uint64_t segment_bytes) {
  const std::uint64_t quarter = segment_bytes / 4;
  if (options.commit_bytes_max == 0) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(kCommitBytesDefault, quarter));
  }
  if (options.commit_bytes_max < kCommitBytesMin || options.commit_bytes_max > quarter) {
    return absl::InvalidArgumentError("commit_bytes_max must be 1024 to " +
                                      std::to_string(quarter) + ", a quarter of a segment, not " +
                                      std::to_string(options.commit_bytes_max));
  }
  return options.commit_bytes_max;
}

absl::Status CheckOptions(const LogOptions& options) {
  if (options.directory.empty()) return absl::InvalidArgumentError("directory is empty");
  if (options.segment_bytes < kSegmentBytesMin || options.segment_bytes > kSegmentBytesMax ||
      options.segment_bytes % kSegmentBytesMin != 0) {
    return absl::InvalidArgumentError(
        "segment_bytes must be a multiple of 65536 up to 4 GiB, not " +
        std::to_string(options.segment_bytes));
  }
  if (options.segments_ahead == 0 || options.segments_ahead > kSegmentsAheadMax) {
    return absl::InvalidArgumentError("segments_ahead must be 1 to 256, not " +
                                      std::to_string(options.segments_ahead));
  }
  if (options.readers_max > kReadersMax) {
    return absl::InvalidArgumentError("readers_max must be 0 to 65536, not " +
                                      std::to_string(options.readers_max));
  }
  return CommitBytesMax(options, options.segment_bytes).status();
}

std::string ParentOf(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Evidence first, then the manifest: a directory with a manifest has everything it needs.
absl::Status CreateLog(Storage& storage, const LogOptions& options) {
  const Manifest manifest = NewManifest(storage, options.segment_bytes);
  absl::Status done = Evidence::Create(storage, options.directory, manifest.log_id);
  if (done.ok()) done = WriteManifest(storage, options.directory, manifest);
  return done;
}

absl::Status CreateLogIfNew(Storage& storage, const LogOptions& options) {
  const absl::StatusOr<std::vector<std::string>> names = storage.List(options.directory);
  if (!names.ok()) return names.status();
  const auto is_named = [&](const char* name) {
    return std::find(names->begin(), names->end(), name) != names->end();
  };
  if (is_named(kManifestName)) return absl::OkStatus();
  for (const std::string& name : *names) {
    if (!IsSegmentName(name)) continue;
    return absl::DataLossError(options.directory + "/" + kManifestName + " is missing, but " +
                               name + " is there: restore it from a backup of this log");
  }
  if (is_named(kEvidenceName)) {
    absl::Status leftover = Evidence::CheckLeftover(storage, options.directory);
    if (!leftover.ok()) return leftover;
  }
  return CreateLog(storage, options);
}

absl::Status AsRefusal(const absl::Status& status) {
  if (!absl::IsNotFound(status)) return status;
  return absl::FailedPreconditionError(std::string(status.message()) +
                                       ": create the parent directory first");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Log>> Log::Open(const LogOptions& options) {
  try {
    if (const absl::Status good = CheckOptions(options); !good.ok()) return good;
    auto parts = std::make_unique<Parts>();
    parts->options = options;
    parts->storage = options.storage != nullptr ? options.storage : &PosixStorage();
    if (const absl::Status opened = parts->Open(); !opened.ok()) return opened;
    return std::unique_ptr<Log>(new Log(std::move(parts)));
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("no memory to open " + options.directory);
  } catch (const std::system_error& error) {
    return absl::UnknownError("open " + options.directory + ": " + error.what());
  }
}

absl::Status Log::Parts::EnterDirectory() {
  const std::string& directory = options.directory;
  // Not CreateDirectory() at once: what stands in its place is told by name.
  absl::Status own = CheckDirectory(*storage, directory, options.allow_shared_directory, false);
  if (absl::IsNotFound(own)) {
    if (absl::Status made = storage->CreateDirectory(directory); !made.ok()) {
      return AsRefusal(made);
    }
    own = CheckDirectory(*storage, directory, options.allow_shared_directory, false);
  }
  if (!own.ok()) return own;
  return CheckNames(*storage, directory, &IsLogName);
}

absl::Status Log::Parts::Open() {
  const std::string& directory = options.directory;
  if (absl::Status entered = EnterDirectory(); !entered.ok()) return entered;
  absl::StatusOr<std::unique_ptr<File>> locked = storage->Lock(directory);
  if (!locked.ok()) return locked.status();
  lock = *std::move(locked);
  if (absl::Status made = CreateLogIfNew(*storage, options); !made.ok()) return made;
  // A life before may have died between a rename and its sync: what is seen is not yet durable.
  if (absl::Status synced = storage->SyncDirectory(directory); !synced.ok()) return synced;
  const absl::StatusOr<Manifest> read = ReadManifest(*storage, directory);
  if (!read.ok()) return read.status();
  manifest = *read;
  const absl::StatusOr<FileIdentity> identity = storage->Identify(directory + "/" + kManifestName);
  if (!identity.ok()) return identity.status();
  manifest_identity = *identity;
  const absl::StatusOr<std::uint32_t> commit_max = CommitBytesMax(options, manifest.segment_bytes);
  if (!commit_max.ok()) return commit_max.status();
  commit_bytes_max = *commit_max;
  // Without a boot id (no /proc) no images of an earlier life are believed. Where it merely could
  // not be read now, the next open may believe them.
  const absl::StatusOr<BootId> boot = storage->ReadBootId();
  const bool has_none =
      absl::IsNotFound(boot.status()) || absl::IsFailedPrecondition(boot.status());
  if (!boot.ok() && !has_none) return boot.status();
  if (boot.ok()) boot_id = *boot;
  if (has_none) {
    Tell("no boot id, so that what is published and not durable is lost with this process: " +
         std::string(boot.status().message()));
  }

  const std::string hot =
      options.hot_directory.empty() ? DefaultHotDirectory(manifest.log_id) : options.hot_directory;
  images = std::make_unique<HotImages>(storage, hot, directory, options.on_notice);
  if (absl::Status prepared = images->Prepare(options.allow_shared_directory); !prepared.ok())
    return prepared;
  Recovery recovery({.storage = storage,
                     .directory = directory,
                     .manifest = manifest,
                     .manifest_identity = manifest_identity,
                     .boot_id = boot_id,
                     .images = images.get()});
  if (absl::Status recovered = Recover(recovery); !recovered.ok()) return recovered;
  if (report.reason == EpochReason::kCreated) {
    // Nothing was acknowledged yet; from now on the directory itself must survive.
    if (absl::Status synced = storage->SyncDirectory(ParentOf(directory)); !synced.ok()) {
      return synced;
    }
  }
  if (absl::Status assembled = Assemble(recovery); !assembled.ok()) return assembled;
  return BeginEpoch(recovery);
}

absl::Status Log::Parts::Recover(Recovery& recovery) {
  if (absl::Status examined = recovery.Examine(); !examined.ok()) return examined;
  if (absl::Status settled = recovery.Settle(); !settled.ok()) return settled;
  report = recovery.report();
  report.epoch = Epoch(recovery.newest_epoch().value() + 1);
  if (report.cut_bytes > 0) {
    Tell("cut a torn tail of " + std::to_string(report.cut_bytes) + " bytes behind position " +
         std::to_string(report.last_position.value()) + "; kept in " + report.cut_file);
  }
  return absl::OkStatus();
}

std::size_t Log::Parts::ImagesMax() const {
  const std::uint64_t wanted = options.undurable_bytes_max / manifest.segment_bytes + 2U +
                               std::uint64_t{options.segments_ahead};
  return static_cast<std::size_t>(std::min<std::uint64_t>(wanted, ReadySegments::kSegmentsMax));
}

absl::Status Log::Parts::Assemble(const Recovery& recovery) {
  segments = std::make_shared<SegmentSet>(storage, options.directory, manifest.segment_bytes);
  const std::uint64_t indexed = recovery.indexed().size();
  for (std::uint64_t i = 0; i < recovery.tail_index(); ++i) segments->AddSealed(i, i >= indexed);
  for (std::uint64_t i = 0; i < indexed; ++i) {
    segments->indexes().Add(recovery.header(i), recovery.indexed()[i]);
  }
  const absl::StatusOr<ReadySegment> tail = AddTail(recovery);
  if (!tail.ok()) return tail.status();
  if (absl::Status made = CreateMarks(recovery.end().next); !made.ok()) return made;
  CreateReaders();
  absl::StatusOr<std::unique_ptr<Evidence>> opened =
      Evidence::Open(*storage, options.directory, manifest.log_id, recovery.evidence());
  if (!opened.ok()) return opened.status();
  evidence = *std::move(opened);
  CreateAgents(recovery, *tail);
  return absl::OkStatus();
}

void Log::Parts::CreateAgents(const Recovery& recovery, const ReadySegment& tail) {
  const ScanCursor& end = recovery.end();
  sync_agent = std::make_unique<SyncAgent>(SyncAgent::Start{.storage = storage,
                                                            .marks = marks,
                                                            .marks_memory = marks_mapping.get(),
                                                            .segments = segments.get(),
                                                            .evidence = evidence.get(),
                                                            .health = &health,
                                                            .readers = readers.get(),
                                                            .prepare_bell = &prepare_bell,
                                                            .epoch = report.epoch,
                                                            .durable = end.next});
  preparer = std::make_unique<SegmentPreparer>(
      SegmentPreparer::Start{.storage = storage,
                             .manifest = &manifest,
                             .directory = options.directory,
                             .marks = marks,
                             .images = images.get(),
                             .segments = segments.get(),
                             .ready = &ready,
                             .health = &health,
                             .epoch = report.epoch,
                             .next_index = recovery.tail_index() + 1,
                             .segments_ahead = options.segments_ahead,
                             .images_max = ImagesMax()});
  const std::vector<IndexedSegment>& indexed = recovery.indexed();
  indexer = std::make_unique<SegmentIndexer>(SegmentIndexer::Start{
      .storage = storage,
      .manifest = &manifest,
      .directory = options.directory,
      .marks = marks,
      .segments = segments.get(),
      .health = &health,
      .on_notice = options.on_notice,
      .next_index = indexed.size(),
      .cursor = recovery.indexed_end(),
      .chain_before = indexed.empty() ? ContentHash{} : indexed.back().chain_hash});
  scrubber = std::make_unique<SegmentScrubber>(
      SegmentScrubber::Start{.storage = storage,
                             .manifest = &manifest,
                             .directory = options.directory,
                             .segments = segments.get(),
                             .health = &health,
                             .on_notice = options.on_notice,
                             .segments_count = indexed.size(),
                             .bytes_per_second = options.scrub_bytes_per_second});
  writer = std::make_unique<LogWriter>(
      LogWriter::Start{.storage = storage,
                       .marks = marks,
                       .ready = &ready,
                       .health = &health,
                       .readers = readers.get(),
                       .sync_bell = &sync_bell,
                       .prepare_bell = &prepare_bell,
                       .segment = tail,
                       .address = end.next,
                       .next_position = end.position.Next(),
                       .epoch = report.epoch,
                       .previous_checksum = end.previous_checksum,
                       .previous_length = end.previous_length,
                       .segment_bytes = manifest.segment_bytes,
                       .frame_bytes_max = static_cast<std::uint32_t>(
                           std::min<std::uint64_t>(kFrameBytesMax, manifest.segment_bytes / 4)),
                       .commit_bytes_max = commit_bytes_max});
}

// The tail segment gets a fresh image with what was recovered of it.
absl::StatusOr<ReadySegment> Log::Parts::AddTail(const Recovery& recovery) {
  const std::uint64_t index = recovery.tail_index();
  absl::StatusOr<SegmentSet::Image> image = images->NewDraft(index, manifest.segment_bytes);
  if (!image.ok()) return image.status();
  storage->StoreBytes(*image->mapping, 0, recovery.tail_bytes());
  if (absl::Status named = images->NameDraft(*image, index); !named.ok()) return named;
  absl::StatusOr<std::unique_ptr<File>> file =
      storage->Open(options.directory + "/" + SegmentName(index), FileMode::kDurable);
  if (!file.ok()) return file.status();
  is_direct = (*file)->is_direct();
  if (!is_direct) {
    Tell(options.directory + " has no direct I/O: buffered writes, each followed by fdatasync");
  }
  const ReadySegment tail{
      .image = image->mapping.get(), .index = index, .salt = recovery.tail_header().salt};
  segments->AddHot(index, *std::move(image), *std::move(file),
                   BlockEnd(recovery.tail_bytes().size()));
  return tail;
}

absl::Status Log::Parts::CreateMarks(Address end) {
  absl::StatusOr<std::shared_ptr<Mapping>> mapped = images->NewMarks();
  if (!mapped.ok()) return mapped.status();
  marks_mapping = *std::move(mapped);
  marks = new (marks_mapping->data()) HotMarks{};
  marks->magic = kMarksMagic;
  marks->format_version = kFormatVersion;
  marks->epoch = report.epoch.value();
  marks->log_id = manifest.log_id;
  marks->boot_id = boot_id.value_or(BootId{});
  marks->manifest_device = manifest_identity.device;
  marks->manifest_inode = manifest_identity.inode;
  // Relaxed, both: the state below publishes them.
  marks->published.store(end.value(), std::memory_order_relaxed);
  marks->durable.store(end.value(), std::memory_order_relaxed);
  // Release: all of the marks before the state that makes them believed. Pairs with the acquire
  // in recovery.
  marks->state.store(static_cast<std::uint32_t>(MarksState::kOpen), std::memory_order_release);
  return absl::OkStatus();
}

// Nobody needs it to read along: without it readers poll, and are not listed.
void Log::Parts::CreateReaders() {
  readers = std::make_unique<ReaderBoard>(marks);
  if (options.readers_max == 0) return;
  absl::StatusOr<std::shared_ptr<Mapping>> file =
      images->NewReaders(ReaderBoard::BytesFor(options.readers_max));
  if (!file.ok()) {
    Tell("readers in other processes are not listed: " + std::string(file.status().message()));
    return;
  }
  readers = std::make_unique<ReaderBoard>(*std::move(file), marks, manifest.log_id, report.epoch);
}

// The first commit of the incarnation, durable before anybody else's, and evidence of it.
absl::Status Log::Parts::BeginEpoch(const Recovery& recovery) {
  if (absl::Status room = AwaitRoom(); !room.ok()) return room;
  report.time_ns = std::max(recovery.end().time_ns, storage->WallClockNs());
  writer->SetTime(report.time_ns);
  const EpochBegan began{.epoch = report.epoch.value(),
                         .reason = report.reason,
                         .start_address = report.end.value(),
                         .cut_bytes = report.cut_bytes,
                         .boot_id = boot_id.value_or(BootId{})};
  writer->BeginCommit();
  std::byte* const payload = writer->AppendRecord({.kind = RecordKind::kEpochBegan}, sizeof began);
  PAWL_CHECK(payload != nullptr);
  std::memcpy(payload, &began, sizeof began);
  writer->EndCommit({.cause = CommitCause::kEpoch});
  writer->Publish();
  if (absl::Status synced = SyncAll(); !synced.ok()) return synced;
  // Or a log that lost its only segment, before the first slot was written, would pass for a new
  // one.
  return sync_agent->WriteEvidenceNow(false);
}

// Where the recovered tail is nearly full, the next segment is made before the epoch begins.
absl::Status Log::Parts::AwaitRoom() {
  while (!writer->CanBeginCommit()) {
    const int work = preparer->DoWork();
    if (health.health() != LogHealth::kOpen) return health.error();
    PAWL_CHECK(work > 0);
  }
  return absl::OkStatus();
}

}  // namespace pawl::inline v0
