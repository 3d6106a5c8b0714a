#include "segment_index.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "content_hash.h"
#include "frame_checksum.h"

namespace pawl::inline v0 {
namespace {

absl::Status Damaged(const std::string& path, const char* what) {
  return absl::DataLossError(path + ": " + what +
                             ": remove it, the engine makes it again from its segment");
}

absl::Status CheckHeader(const SegmentIndexHeader& header, const std::string& path,
                         const SegmentHeader& segment) {
  if (header.magic != kIndexMagic || header.checksum != BlockChecksum(header)) {
    return Damaged(path, "not an index, or a damaged one");
  }
  if (header.format_version != kFormatVersion) return Damaged(path, "of another format version");
  const SegmentGeometry geometry{segment.segment_bytes};
  const bool is_ours = header.log_id == segment.log_id && header.salt == segment.salt &&
                       header.index == segment.index &&
                       header.segment_bytes == segment.segment_bytes;
  if (!is_ours) return Damaged(path, "the index of another segment");
  // Everything is in range: who follows the numbers stays within the segment.
  const bool is_sane = header.end_address > geometry.FirstFrame(header.index) &&
                       header.end_address <= geometry.End(header.index) &&
                       header.end_address % kFrameAlignBytes == 0 &&
                       header.records < segment.segment_bytes && header.places > 0 &&
                       header.durable_address <= header.end_address;
  return is_sane ? absl::OkStatus() : Damaged(path, "contradicts itself");
}

absl::StatusOr<std::unique_ptr<File>> OpenIndex(Storage& storage, const std::string& path,
                                                const SegmentHeader& segment,
                                                SegmentIndexHeader& header) {
  absl::StatusOr<std::unique_ptr<File>> file = storage.Open(path, FileMode::kRead);
  if (!file.ok()) return file.status();
  const absl::Status read =
      (*file)->ReadAt(0, std::as_writable_bytes(std::span<SegmentIndexHeader, 1>(&header, 1)));
  if (absl::IsOutOfRange(read)) return Damaged(path, "cut short");
  if (!read.ok()) return read;
  if (absl::Status good = CheckHeader(header, path, segment); !good.ok()) return good;
  return file;
}

}  // namespace

bool IndexedSegment::Follows(const ScanCursor& before,
                             const ContentHash& chain_before) const noexcept {
  return first_position == before.position.Next() && end.epoch >= before.epoch &&
         chain_hash == ChainHash(chain_before, content_hash);
}

ScanCursor IndexedSegment::EndCursor() const noexcept {
  ScanCursor cursor = end;
  cursor.evidence = seal.Plus(sizeof(FrameHeader));
  cursor.frames = 0;
  return cursor;
}

IndexedSegment SegmentIndex::Summarise(const SegmentIndexHeader& header) noexcept {
  const SegmentGeometry geometry{header.segment_bytes};
  return IndexedSegment{.first_position = Position(header.first_position),
                        .records = header.records,
                        .first_time_ns = header.first_time_ns,
                        .seal = Address(header.end_address - sizeof(FrameHeader)),
                        .end = {.next = Address(geometry.FirstFrame(header.index + 1)),
                                .position = Position(header.first_position + header.records - 1),
                                .epoch = Epoch(header.epoch),
                                .previous_checksum = header.seal_checksum,
                                .previous_length = 0,
                                .time_ns = header.last_time_ns,
                                .evidence = Address(header.durable_address),
                                .frames = header.frames},
                        .content_hash = header.content_hash,
                        .chain_hash = header.chain_hash};
}

absl::StatusOr<IndexedSegment> SegmentIndex::ReadHeader(Storage& storage,
                                                        const std::string& directory,
                                                        const SegmentHeader& segment) {
  SegmentIndexHeader header{};
  const absl::StatusOr<std::unique_ptr<File>> file =
      OpenIndex(storage, directory + "/" + IndexName(segment.index), segment, header);
  if (!file.ok()) return file.status();
  return Summarise(header);
}

absl::StatusOr<std::unique_ptr<const SegmentIndex>> SegmentIndex::Read(
    Storage& storage, const std::string& directory, const SegmentHeader& segment) {
  const std::string path = directory + "/" + IndexName(segment.index);
  SegmentIndexHeader header{};
  absl::StatusOr<std::unique_ptr<File>> file = OpenIndex(storage, path, segment, header);
  if (!file.ok()) return file.status();
  const absl::StatusOr<std::uint64_t> size = (*file)->Size();
  if (!size.ok()) return size.status();
  // Before memory is taken: the counts are checked against the file.
  if (*size != IndexBytes(header)) return Damaged(path, "of a wrong size");
  std::vector<std::byte> bytes(*size);
  if (absl::Status read = (*file)->ReadAt(0, bytes); !read.ok()) return read;
  return Parse(std::move(bytes), path, segment);
}

absl::StatusOr<std::unique_ptr<const SegmentIndex>> SegmentIndex::Parse(
    std::vector<std::byte> bytes, const std::string& path, const SegmentHeader& segment) {
  if (bytes.size() < sizeof(SegmentIndexHeader)) return Damaged(path, "cut short");
  std::unique_ptr<SegmentIndex> index(new SegmentIndex);
  index->bytes_ = std::move(bytes);
  SegmentIndexHeader& header = index->header_;
  std::memcpy(&header, index->bytes_.data(), sizeof header);
  if (absl::Status good = CheckHeader(header, path, segment); !good.ok()) return good;
  const std::size_t body = index->bytes_.size() - sizeof header;
  if (index->bytes_.size() != IndexBytes(header)) return Damaged(path, "of a wrong size");
  if (Crc32c(0, index->bytes_.data() + sizeof header, body) != header.body_checksum) {
    return Damaged(path, "the body's checksum is wrong");
  }
  std::size_t offset = sizeof header;
  index->places_ = index->Take<IndexPlace>(offset, header.places);
  index->types_ = index->Take<IndexType>(offset, header.types);
  index->streams_ = index->Take<IndexStream>(offset, header.streams);
  index->keys_ = index->Take<IndexKey>(offset, header.keys);
  index->postings_ = index->Take<IndexPosting>(offset, header.postings);
  if (!index->IsSane()) return Damaged(path, "contradicts itself");
  return index;
}

template <class Row>
std::span<const Row> SegmentIndex::Take(std::size_t& offset, std::uint32_t count) const noexcept {
  const std::span<const Row> rows(reinterpret_cast<const Row*>(bytes_.data() + offset), count);
  offset += rows.size_bytes();
  return rows;
}

// The searches below rely on this.
bool SegmentIndex::IsSane() const noexcept {
  const auto is_place_sane = [this](const IndexPlace& place) {
    const std::uint64_t offset = std::uint64_t{place.offset64} * kFrameAlignBytes;
    return offset >= kSegmentHeaderBytes && offset < header_.segment_bytes &&
           place.position <= header_.records;
  };
  if (!std::all_of(places_.begin(), places_.end(), is_place_sane)) return false;
  const auto is_before = [](const IndexPlace& a, const IndexPlace& b) {
    return a.offset64 < b.offset64;
  };
  if (!std::is_sorted(places_.begin(), places_.end(), is_before)) return false;
  std::uint32_t first = 0;
  std::uint32_t stream = 0;
  for (const IndexStream& row : streams_) {
    if (row.stream <= stream || row.first_posting < first) return false;
    if (row.first_posting > postings_.size()) return false;
    stream = row.stream;
    first = row.first_posting;
  }
  return std::all_of(postings_.begin(), postings_.end(),
                     [this](IndexPosting posting) { return posting < header_.records; });
}

const IndexPlace& SegmentIndex::PlaceOf(Position position) const noexcept {
  const std::uint64_t wanted = position - first_position();
  const auto behind = std::upper_bound(
      places_.begin(), places_.end(), wanted,
      [](std::uint64_t value, const IndexPlace& place) { return value < place.position; });
  return behind == places_.begin() ? places_.front() : *(behind - 1);
}

const IndexPlace& SegmentIndex::PlaceBefore(std::uint64_t time_ns) const noexcept {
  const auto at = std::lower_bound(
      places_.begin(), places_.end(), time_ns,
      [](const IndexPlace& place, std::uint64_t value) { return place.time_ns < value; });
  return at == places_.begin() ? places_.front() : *(at - 1);
}

std::span<const IndexPosting> SegmentIndex::PostingsOf(std::uint32_t stream) const noexcept {
  const auto row = std::lower_bound(
      streams_.begin(), streams_.end(), stream,
      [](const IndexStream& each, std::uint32_t value) { return each.stream < value; });
  if (row == streams_.end() || row->stream != stream) return {};
  const std::size_t end = row + 1 == streams_.end() ? postings_.size() : (row + 1)->first_posting;
  return postings_.subspan(row->first_posting, end - row->first_posting);
}

}  // namespace pawl::inline v0
