# pawl_program(): an executable of examples/, tools/ or bench/.
include_guard(GLOBAL)

# pawl_program(bank SOURCES main.cc report.cc LIBRARIES pawl::pawl absl::flat_hash_map
#              [PRIVATE_OF core]   rooms whose private headers it may include (benchmarks only)
#              [DEFINITIONS X=1])
#
# The program lands in <build>/<top-level folder>/<name>, e.g. build/release/examples/bank, however deep its sources
# lie. A folder that has the program's name needs another name in the build tree, or the two collide:
#     add_subdirectory(bank bank.dir)
function(pawl_program name)
  cmake_parse_arguments(PARSE_ARGV 1 program "" "" "SOURCES;LIBRARIES;PRIVATE_OF;DEFINITIONS")
  if(program_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "pawl_program(${name}): unknown arguments ${program_UNPARSED_ARGUMENTS}")
  endif()
  add_executable(${name} ${program_SOURCES})
  pawl_compile_settings(${name})
  target_link_libraries(${name} PRIVATE ${program_LIBRARIES})
  target_compile_definitions(${name} PRIVATE ${program_DEFINITIONS})
  pawl_private_headers(${name} ${program_PRIVATE_OF})
  cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR BASE_DIRECTORY "${PROJECT_SOURCE_DIR}" OUTPUT_VARIABLE folder)
  string(REGEX REPLACE "/.*" "" folder "${folder}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/${folder}")
endfunction()

# As users may: without exceptions and run-time type information. With the latter where the undefined behaviour
# sanitizer looks classes up by it; PAWL_SANITIZER_WANTS_RTTI is defined then.
function(pawl_without_exceptions target)
  target_compile_options(${target} PRIVATE -fno-exceptions)
  if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=[a-z,]*undefined")
    target_compile_definitions(${target} PRIVATE PAWL_SANITIZER_WANTS_RTTI)
  else()
    target_compile_options(${target} PRIVATE -fno-rtti)
  endif()
endfunction()

# Lets `target` include the private headers of the rooms named. Core's reach moodycamel, so that comes along.
function(pawl_private_headers target)
  foreach(room IN LISTS ARGN)
    if(NOT room IN_LIST PAWL_ROOMS)
      message(FATAL_ERROR "${target}: '${room}' is none of the rooms (${PAWL_ROOMS})")
    endif()
    target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/${room}")
    if(room STREQUAL "core")
      target_link_libraries(${target} PRIVATE pawl_moodycamel)
    endif()
  endforeach()
endfunction()
