# Foreign libraries that the rooms need. Those that only tests, bench or tools need are looked for there.
include_guard(GLOBAL)

# No version: Abseil's version file asks for an exact match. A host that has Abseil as targets already keeps it.
if(NOT TARGET absl::status)
  find_package(absl CONFIG REQUIRED)
endif()
find_package(Threads REQUIRED)

# Headers only, compiled in: Debian's shared library is slower than what the compiler makes of them.
find_path(PAWL_XXHASH_INCLUDE_DIR xxhash.h
  DOC "Folder that holds xxhash.h, version 0.8 or later"
  REQUIRED)
mark_as_advanced(PAWL_XXHASH_INCLUDE_DIR)
add_library(pawl_xxhash INTERFACE)
target_include_directories(pawl_xxhash SYSTEM INTERFACE "${PAWL_XXHASH_INCLUDE_DIR}")

# moodycamel ships no CMake package on Debian; upstream and a plain checkout put the header elsewhere. The
# target is linked PRIVATE and only while building: nobody who links Pawl sees the queue.
find_path(PAWL_MOODYCAMEL_INCLUDE_DIR concurrentqueue.h
  PATH_SUFFIXES concurrentqueue concurrentqueue/moodycamel moodycamel
  DOC "Folder that holds moodycamel's concurrentqueue.h"
  REQUIRED)
mark_as_advanced(PAWL_MOODYCAMEL_INCLUDE_DIR)
add_library(pawl_moodycamel INTERFACE)
target_include_directories(pawl_moodycamel SYSTEM INTERFACE "${PAWL_MOODYCAMEL_INCLUDE_DIR}")
