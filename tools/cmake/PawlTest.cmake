# pawl_test() and its relatives. Test folders mirror the rooms.
#
# How to add tests:
#   a file to a folder that exists     name it in SOURCES of that folder's CMakeLists.txt
#   a folder                           give it a CMakeLists.txt and add one add_subdirectory() line to
#                                      tests/CMakeLists.txt; no globbing anywhere
#   an example                         the same in examples/CMakeLists.txt, as add_subdirectory(bank bank.dir)
#   a benchmark or a program           the same in bench/CMakeLists.txt or tools/CMakeLists.txt
# A .cc that no CMakeLists.txt names is reported by the house rules (ctest -L tidy).
include_guard(GLOBAL)
find_package(GTest REQUIRED)
include(GoogleTest)

# pawl_test(core_tests SOURCES a_test.cc b_test.cc LIBRARIES pawl::core
#           [LABELS crash slow]      ctest -L
#           [PRIVATE_OF memlog]      rooms whose private headers are included; tests/<room> has its own room's anyway
#           [DEFINITIONS X=1]
#           [ENVIRONMENT A=1 B=2]
#           [TIMEOUT seconds]        per test, against one that hangs; 300 when not said: a disk may be slow
#           [RUN_SERIAL]             nothing else runs beside these tests
#           [NO_MAIN])               the sources bring their own main()
function(pawl_test name)
  cmake_parse_arguments(PARSE_ARGV 1 test "RUN_SERIAL;NO_MAIN" "TIMEOUT"
    "SOURCES;LIBRARIES;LABELS;PRIVATE_OF;DEFINITIONS;ENVIRONMENT")
  if(test_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "pawl_test(${name}): unknown arguments ${test_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT test_TIMEOUT)
    set(test_TIMEOUT 300)
  endif()
  cmake_path(GET CMAKE_CURRENT_SOURCE_DIR FILENAME folder)
  if(folder IN_LIST PAWL_ROOMS)
    list(APPEND test_PRIVATE_OF ${folder})
    list(APPEND test_LABELS ${folder})
    list(REMOVE_DUPLICATES test_PRIVATE_OF)
  endif()

  add_executable(${name} ${test_SOURCES})
  pawl_compile_settings(${name})
  target_compile_definitions(${name} PRIVATE ${test_DEFINITIONS})
  target_link_libraries(${name} PRIVATE ${test_LIBRARIES} GTest::gmock)
  if(NOT test_NO_MAIN)
    target_link_libraries(${name} PRIVATE GTest::gtest_main)
  endif()
  pawl_private_headers(${name} ${test_PRIVATE_OF})

  set(properties TIMEOUT ${test_TIMEOUT})
  if(test_RUN_SERIAL)
    list(APPEND properties RUN_SERIAL ON)
  endif()
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 TEST_LIST ${name}_DISCOVERED PROPERTIES ${properties})

  # gtest_discover_tests() flattens properties that are lists; ctest sets those after it has read the discovered tests.
  set(script "${CMAKE_CURRENT_BINARY_DIR}/${name}_properties.cmake")
  file(CONFIGURE OUTPUT "${script}" @ONLY CONTENT [[
foreach(test IN LISTS @name@_DISCOVERED)
  set_tests_properties("${test}" PROPERTIES LABELS "@test_LABELS@" ENVIRONMENT "@test_ENVIRONMENT@")
endforeach()
]])
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${script}")
endfunction()

# pawl_compile_test(events SOURCE events.cc LIBRARIES pawl::core
#                   ACCEPTS GOOD_EVENT
#                   REFUSES "PADDING=has padding" "POINTER=holds a pointer")
#
# Compiles SOURCE once per case with -DPAWL_CASE_<case>. An ACCEPTS case must compile: it is the control that shows
# that a refusal is the case's own. A REFUSES case must fail with an error line matching the text after '='.
function(pawl_compile_test name)
  cmake_parse_arguments(PARSE_ARGV 1 test "" "SOURCE" "LIBRARIES;ACCEPTS;REFUSES")
  if(NOT test_ACCEPTS OR NOT test_REFUSES)
    message(FATAL_ERROR "pawl_compile_test(${name}): needs a case that compiles and one that does not")
  endif()
  set(includes)
  foreach(library IN LISTS test_LIBRARIES)
    list(APPEND includes "$<TARGET_PROPERTY:${library},INTERFACE_INCLUDE_DIRECTORIES>")
  endforeach()
  set(includes "$<REMOVE_DUPLICATES:$<FILTER:${includes},INCLUDE,.+>>")
  set(include_options "-I$<JOIN:${includes},;-I>")
  set(compile "${CMAKE_CXX_COMPILER}" -std=c++20 -fsyntax-only)
  set(source "${CMAKE_CURRENT_SOURCE_DIR}/${test_SOURCE}")

  foreach(case IN LISTS test_ACCEPTS)
    add_test(NAME compile_fail.${name}.${case}.compiles
      COMMAND ${compile} "${include_options}" -DPAWL_CASE_${case} "${source}" COMMAND_EXPAND_LISTS)
    set_tests_properties(compile_fail.${name}.${case}.compiles PROPERTIES LABELS compile_fail TIMEOUT 300)
  endforeach()
  foreach(entry IN LISTS test_REFUSES)
    string(REGEX MATCH "^([^=]+)=(.+)$" matched "${entry}")
    if(NOT matched)
      message(FATAL_ERROR "pawl_compile_test(${name}): '${entry}' is not CASE=expected error text")
    endif()
    add_test(NAME compile_fail.${name}.${CMAKE_MATCH_1}
      COMMAND ${compile} "${include_options}" -DPAWL_CASE_${CMAKE_MATCH_1} "${source}" COMMAND_EXPAND_LISTS)
    set_tests_properties(compile_fail.${name}.${CMAKE_MATCH_1} PROPERTIES LABELS compile_fail TIMEOUT 300
      PASS_REGULAR_EXPRESSION "error: [^\n]*${CMAKE_MATCH_2}")
  endforeach()
endfunction()
