#include "pawl/layout_lock.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <compare>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string_view>
#include <vector>

#include "pawl/event.h"

namespace pawl::inline v0::testing {
namespace {

constexpr const char* kUpdateVariable = "PAWL_UPDATE_LAYOUTS";

constexpr std::string_view kHeading =
    "# The layouts of all events, compared by a test: what a log holds must stay readable.\n"
    "# One line for each: name, version, layout hash, layout. New events are added by running the\n"
    "# test with PAWL_UPDATE_LAYOUTS=1; an event that changes gets a new version instead.\n";

struct EventId {
  std::string name;
  std::uint32_t version;

  friend auto operator<=>(const EventId&, const EventId&) = default;
};

std::string IdText(const EventId& id) { return id.name + " version " + std::to_string(id.version); }

struct Layout {
  std::uint64_t hash;
  std::string text;  // without braces

  friend bool operator==(const Layout&, const Layout&) = default;
};

std::string HashText(std::uint64_t hash) {
  std::array<char, 17> digits;
  std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(hash));
  return digits.data();
}

std::string LineText(const EventId& id, const Layout& layout) {
  return id.name + " " + std::to_string(id.version) + " " + HashText(layout.hash) + " {" +
         layout.text + "}";
}

template <class T>
bool TakeNumber(std::string_view text, int base, T& number) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

struct Line {
  std::string text;
  bool is_event = false;
  EventId id{};
};

// The file as it is, and what it says.
class LockFile {
 public:
  explicit LockFile(const std::string& path) : path_(path) {
    std::ifstream file(path);
    exists_ = file.is_open();
    for (std::string text; std::getline(file, text);) {
      if (!text.empty() && text.back() == '\r') text.pop_back();
      TakeLine(text);
    }
  }

  bool exists() const { return exists_; }
  const std::string& faults() const { return faults_; }
  const std::map<EventId, Layout>& layouts() const { return layouts_; }

  // Puts a line before the first one that sorts behind it.
  void Insert(const EventId& id, const Layout& layout) {
    const auto behind = std::find_if(lines_.begin(), lines_.end(), [&id](const Line& line) {
      return line.is_event && line.id > id;
    });
    lines_.insert(behind, {LineText(id, layout), true, id});
    layouts_.emplace(id, layout);
  }
  // False: it could not be written.
  bool Write() const {
    std::ofstream file(path_, std::ios::trunc);
    if (!exists_) file << kHeading;
    for (const Line& line : lines_) file << line.text << '\n';
    file.close();
    return !file.fail();
  }

 private:
  void TakeLine(const std::string& text) {
    lines_.push_back({text});
    if (text.find_first_not_of(" \t") == std::string::npos || text.front() == '#') return;
    EventId id{};
    Layout layout{};
    if (!Parse(text, id, layout)) {
      return AddFault("is no `name version hash {layout}`: " + text);
    }
    if (layout_detail::HashText(layout.text) != layout.hash) {
      return AddFault("was edited: the layout {" + layout.text + "} has the hash " +
                      HashText(layout_detail::HashText(layout.text)));
    }
    if (!layouts_.empty() && id < layouts_.rbegin()->first) {
      AddFault("is not in order: " + IdText(id) + " comes before " +
               IdText(layouts_.rbegin()->first));
    }
    if (!layouts_.emplace(id, layout).second) AddFault("names " + IdText(id) + " again");
    lines_.back().is_event = true;
    lines_.back().id = id;
  }

  static bool Parse(std::string_view text, EventId& id, Layout& layout) {
    std::array<std::string_view, 3> words;
    for (std::string_view& word : words) {
      const std::size_t end = text.find(' ');
      if (end == std::string_view::npos) return false;
      word = text.substr(0, end);
      text.remove_prefix(end + 1);
    }
    id.name = words[0];
    if (text.size() < 2 || text.front() != '{' || text.back() != '}') return false;
    layout.text = text.substr(1, text.size() - 2);
    return !id.name.empty() && TakeNumber(words[1], 10, id.version) && words[2].size() == 16 &&
           TakeNumber(words[2], 16, layout.hash);
  }

  void AddFault(const std::string& what) {
    faults_ += "\n  line " + std::to_string(lines_.size()) + " " + what;
  }

  const std::string path_;
  bool exists_ = false;
  std::vector<Line> lines_;
  std::map<EventId, Layout> layouts_;
  std::string faults_;
};

// The program's layouts, those of older versions among them; two of one name and version are a
// fault.
std::map<EventId, Layout> LayoutsOf(std::span<const AggregateTraits* const> aggregates,
                                    std::string& faults) {
  std::map<EventId, Layout> layouts;
  const auto add = [&](const auto& types) {
    for (const auto& each : types) {
      const EventDescriptor& type = *each.descriptor;
      const EventId id{std::string(type.name), type.version};
      const Layout layout{type.layout_hash, std::string(type.layout_text)};
      const auto [known, is_new] = layouts.emplace(id, layout);
      if (is_new || known->second == layout) continue;
      faults += "\n  " + IdText(id) + " has two layouts in the program: {" + known->second.text +
                "} and {" + layout.text + "}";
    }
  };
  for (const AggregateTraits* aggregate : aggregates) {
    add(aggregate->events);
    add(aggregate->older);
    add(aggregate->timers);
  }
  return layouts;
}

std::string ChangedText(const EventId& id, const Layout& file, const Layout& program) {
  return "\n  " + IdText(id) + " changed: file {" + file.text + "}, program {" + program.text +
         "}; give the changed event a new version and keep the old one for the logs that hold it "
         "(if no log does yet: delete its line and add it again)";
}

std::string VanishedText(const EventId& id) {
  return "\n  " + IdText(id) +
         " is listed by no aggregate any more, but a log that holds it needs it to be opened; list "
         "it again (if no log holds it: delete its line)";
}

// Lines for what the file lacks.
std::string AddNew(LockFile& file, const std::map<EventId, Layout>& program, LayoutUpdate update,
                   const std::string& path) {
  std::string lines;
  for (const auto& [id, layout] : program) {
    if (file.layouts().contains(id)) continue;
    lines += "\n    " + LineText(id, layout);
    if (update == LayoutUpdate::kAddNew) file.Insert(id, layout);
  }
  if (lines.empty()) return lines;
  if (update == LayoutUpdate::kNo) {
    return std::string("\n  ") + (file.exists() ? "it lacks" : "there is no such file; it lacks") +
           " these lines; add them, or run this test with " + kUpdateVariable + "=1:" + lines;
  }
  if (!file.Write()) return "\n  it cannot be written; it lacks:" + lines;
  std::printf("added to %s:%s\n", path.c_str(), lines.c_str());
  return {};
}

}  // namespace

LayoutUpdate LayoutUpdateFromEnvironment() {
  const char* const value = std::getenv(kUpdateVariable);
  const bool is_set = value != nullptr && *value != '\0' && std::string_view(value) != "0";
  return is_set ? LayoutUpdate::kAddNew : LayoutUpdate::kNo;
}

std::string CheckLayouts(std::span<const AggregateTraits* const> aggregates,
                         const std::string& path, LayoutUpdate update) {
  LockFile file(path);
  std::string faults = file.faults();
  const std::map<EventId, Layout> program = LayoutsOf(aggregates, faults);
  for (const auto& [id, layout] : file.layouts()) {
    const auto found = program.find(id);
    if (found == program.end()) {
      faults += VanishedText(id);
    } else if (found->second != layout) {
      faults += ChangedText(id, layout, found->second);
    }
  }
  // A file that cannot be read is not written either.
  const bool may_write = file.faults().empty();
  faults += AddNew(file, program, may_write ? update : LayoutUpdate::kNo, path);
  return faults.empty() ? faults : "layouts in " + path + ":" + faults;
}

}  // namespace pawl::inline v0::testing
