#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace pawl::inline v0 {

// What a SIGKILL leaves at this instant: names, sizes and bytes below `root`, which lies on a
// memory file system. The victim stands still whenever this looks. Every file is mapped here too,
// so what the victim stores is seen without a system call.
class LiveImage {
 public:
  explicit LiveImage(std::string root) : root_(std::move(root)) {}

  // All names, sizes and bytes anew, and which files `victim` has mapped writable and shared.
  //   returns   whether anything changed since the last look
  bool LookAtAll(pid_t victim);
  // The bytes that an instruction which is no system call can change: those mapped writable.
  bool LookAtMapped();
  // True if bytes changed in a file that is not mapped writable. Proves LookAtMapped() right.
  bool HasOtherChange() const;

  // The bytes of `name` as seen last, e.g. "hot/marks"; empty if there is no such file.
  std::span<const std::byte> Bytes(const std::string& name) const;
  // Identity of `name`, which its copy does not have.
  std::uint64_t Inode(const std::string& name) const;
  std::uint64_t Device(const std::string& name) const;
  // Writes all that was seen below `to`, which must be empty.
  void CopyTo(const std::string& to) const;

 private:
  class View;

  void Walk(const std::string& folder, std::map<std::string, std::shared_ptr<View>>& found);
  std::set<std::uint64_t> InodesMappedBy(pid_t victim) const;

  const std::string root_;
  std::set<std::string> folders_;
  std::map<std::string, std::shared_ptr<View>> files_;  // by name below root
  std::vector<View*> mapped_;                           // writable by the victim
};

}  // namespace pawl::inline v0
