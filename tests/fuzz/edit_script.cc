#include "edit_script.h"

#include <algorithm>

#include "checksum_repair.h"

namespace pawl::inline v0 {
namespace {

constexpr std::size_t kEditHeadBytes = 5;

void OverwriteAt(Bytes& bytes, std::size_t at, std::span<const std::uint8_t> payload) {
  if (at >= bytes.size() || payload.empty()) return;
  std::memcpy(bytes.data() + at, payload.data(), std::min(payload.size(), bytes.size() - at));
}

void MoveBlocks(LogFiles& files, const Edit& edit) {
  if (edit.payload.size() < 4) return;
  const std::optional<Bytes>& source = files[edit.payload[3] % kFiles];
  Bytes& target = *files[edit.file];
  const std::size_t from = (edit.payload[1] | std::size_t{edit.payload[2]} << 8) * kFrameAlignBytes;
  const std::size_t to = std::size_t{edit.at} * kFrameAlignBytes;
  if (!source || from >= source->size() || to >= target.size()) return;
  const std::size_t bytes = std::min(
      {edit.payload[0] * std::size_t{kFrameAlignBytes}, source->size() - from, target.size() - to});
  std::memmove(target.data() + to, source->data() + from, bytes);
}

void Append(Bytes& segment, const Edit& edit) {
  const auto kind = static_cast<std::uint8_t>(edit.at & 0xFF);
  AppendFrame(segment, std::as_bytes(std::span(edit.payload)),
              kind == 0 ? FrameKind::kData : static_cast<FrameKind>(kind),
              static_cast<std::uint8_t>(edit.at >> 8));
}

void Resize(Bytes& bytes, std::uint16_t at) {
  bytes.resize(std::min(std::size_t{at} * 2, kFileBytesMax));
}

void Apply(const Edit& edit, LogFiles& files) {
  std::optional<Bytes>& file = files[edit.file];
  if (edit.kind == EditKind::kRepair) return RepairLog(files, static_cast<std::uint8_t>(edit.at));
  if (edit.kind == EditKind::kRemove) return file.reset();
  if (edit.kind == EditKind::kResize && !file) file.emplace();
  if (!file) return;
  switch (edit.kind) {
    case EditKind::kOverwrite: OverwriteAt(*file, edit.at, edit.payload); break;
    case EditKind::kOverwriteFrame:
      if (edit.payload.empty()) break;
      OverwriteAt(*file, FrameByLengths(*file, edit.at) + edit.payload[0],
                  std::span(edit.payload).subspan(1));
      break;
    case EditKind::kAppendFrame: Append(*file, edit); break;
    case EditKind::kMoveBlocks: MoveBlocks(files, edit); break;
    case EditKind::kResize: Resize(*file, edit.at); break;
    case EditKind::kCopy:
      if (!edit.payload.empty()) files[edit.payload[0] % kFiles] = Bytes(*file);
      break;
    case EditKind::kRemove:
    case EditKind::kRepair: break;
  }
}

Edit ParseEdit(std::span<const std::uint8_t>& bytes) {
  Edit edit{.kind = static_cast<EditKind>(bytes[0] % kEditKinds),
            .file = static_cast<std::uint8_t>(bytes[1] % kFiles),
            .at = static_cast<std::uint16_t>(bytes[2] | bytes[3] << 8),
            .payload = {}};
  const std::size_t size = std::min<std::size_t>(bytes[4], bytes.size() - kEditHeadBytes);
  const auto payload = bytes.subspan(kEditHeadBytes, size);
  edit.payload.assign(payload.begin(), payload.end());
  bytes = bytes.subspan(kEditHeadBytes + size);
  return edit;
}

}  // namespace

EditScript EditScript::Parse(std::span<const std::uint8_t> bytes) {
  EditScript script;
  if (bytes.size() < 2) return script;
  script.log = bytes[0] % kMadeLogs;
  script.choices = bytes[1];
  bytes = bytes.subspan(2);
  while (bytes.size() >= kEditHeadBytes && script.edits.size() < kEditsMax) {
    script.edits.push_back(ParseEdit(bytes));
  }
  return script;
}

std::size_t EditScript::Write(std::span<std::uint8_t> into) const {
  if (into.size() < 2) return 0;
  into[0] = log;
  into[1] = choices;
  std::size_t size = 2;
  for (const Edit& edit : edits) {
    const std::size_t payload = std::min<std::size_t>(edit.payload.size(), 255);
    if (into.size() - size < kEditHeadBytes + payload) break;
    into[size] = static_cast<std::uint8_t>(edit.kind);
    into[size + 1] = edit.file;
    into[size + 2] = static_cast<std::uint8_t>(edit.at & 0xFF);
    into[size + 3] = static_cast<std::uint8_t>(edit.at >> 8);
    into[size + 4] = static_cast<std::uint8_t>(payload);
    std::copy_n(edit.payload.begin(), payload,
                into.begin() + static_cast<std::ptrdiff_t>(size) + 5);
    size += kEditHeadBytes + payload;
  }
  return size;
}

LogFiles EditScript::Files(std::uint32_t wanted) const {
  const LogFiles& made = FilesOf(static_cast<MadeLog>(log));
  LogFiles files;
  for (std::size_t file = 0; file < kFiles; ++file) {
    if ((wanted >> file & 1) != 0) files[file] = made[file];
  }
  for (const Edit& edit : edits) Apply(edit, files);
  return files;
}

}  // namespace pawl::inline v0
