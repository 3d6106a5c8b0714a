# The compiler: which are good enough, which warnings our own targets get, and ccache where it is found.
include_guard(GLOBAL)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 12)
  message(FATAL_ERROR "Pawl needs g++ 12 or newer; found ${CMAKE_CXX_COMPILER} ${CMAKE_CXX_COMPILER_VERSION}.")
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 16)
  message(FATAL_ERROR "Pawl needs clang 16 or newer; found ${CMAKE_CXX_COMPILER} ${CMAKE_CXX_COMPILER_VERSION}.")
endif()

if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(PAWL_CCACHE ccache)
  mark_as_advanced(PAWL_CCACHE)
  if(PAWL_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${PAWL_CCACHE}")
  endif()
endif()

# Warnings are PRIVATE to our targets. That they are errors is a decision of the presets
# (CMAKE_COMPILE_WARNING_AS_ERROR): a newer compiler must not break somebody else's build.
add_library(pawl_warnings INTERFACE)
target_compile_options(pawl_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast -Wcast-align
  -Wdouble-promotion -Wformat=2 -Wimplicit-fallthrough
  # g++ 12 reports its own streambuf at -O3.
  $<$<CXX_COMPILER_ID:Clang>:-Wnull-dereference>
  # clang reports the inside of libstdc++'s own std::stable_sort; what is deprecated for us, g++ says.
  $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC bug 105651: `"text" + std::string` is taken for overlapping memory at -O3.
  target_compile_options(pawl_warnings INTERFACE -Wno-restrict)
endif()

# What every target of this tree is compiled with.
function(pawl_compile_settings target)
  set_target_properties(${target} PROPERTIES
    CXX_STANDARD 20
    CXX_STANDARD_REQUIRED ON
    CXX_EXTENSIONS OFF
    POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:pawl_warnings>)
endfunction()
