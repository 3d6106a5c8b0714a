# Run by ctest: installs Pawl, moves the installation, and builds and runs the stranger's project against it.
cmake_policy(VERSION 3.24)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "failed (${result}): ${command}")
  endif()
endfunction()

# What is built here for the trial alone is not optimised: it is linked and tried, not measured.
set(options -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${CXX}" "-DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}"
  "-DCMAKE_CXX_FLAGS=${FLAGS}" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0)
file(REMOVE_RECURSE "${WORK}")

if(WAY STREQUAL "subproject")
  run("${CMAKE_COMMAND}" -S "${STRANGER}" -B "${WORK}/stranger" ${options} "-DPAWL_SOURCE=${SOURCE}")
  run("${CMAKE_COMMAND}" --build "${WORK}/stranger")
  run("${WORK}/stranger/stranger")
  run("${WORK}/stranger/stranger_test")
  if(EXISTS "${WORK}/stranger/pawl/examples" OR EXISTS "${WORK}/stranger/pawl/tests")
    message(FATAL_ERROR "as a subproject Pawl builds its examples or tests")
  endif()
  return()
endif()

# The tree under test as it is, or one built apart for the other kind of library.
if(WAY STREQUAL "built_apart")
  set(TREE "${WORK}/pawl")
  set(parts TOOLS TESTS BENCH EXAMPLES)
  list(TRANSFORM parts REPLACE "(.+)" "-DPAWL_BUILD_\\1=OFF")
  run("${CMAKE_COMMAND}" -S "${SOURCE}" -B "${TREE}" ${options} "-DBUILD_SHARED_LIBS=${SHARED}" ${parts})
  run("${CMAKE_COMMAND}" --build "${TREE}")
endif()
run("${CMAKE_COMMAND}" --install "${TREE}" --prefix "${WORK}/built-for")
file(RENAME "${WORK}/built-for" "${WORK}/moved-to")
file(GLOB_RECURSE libraries RELATIVE "${WORK}/moved-to" "${WORK}/moved-to/*.so" "${WORK}/moved-to/*.a")
if((SHARED AND NOT libraries MATCHES "libpawl_core\\.so") OR (NOT SHARED AND NOT libraries MATCHES "libpawl_core\\.a"))
  message(FATAL_ERROR "BUILD_SHARED_LIBS=${SHARED} installed ${libraries}")
endif()
file(GLOB_RECURSE package "${WORK}/moved-to/*.cmake" "${WORK}/moved-to/*.pc")
foreach(file IN LISTS package)
  file(READ "${file}" text)
  if(text MATCHES "moodycamel|pawl_warnings" OR text MATCHES "built-for")
    message(FATAL_ERROR "${file} names '${CMAKE_MATCH_0}', which is ours alone")
  endif()
endforeach()

run("${CMAKE_COMMAND}" -S "${STRANGER}" -B "${WORK}/stranger" ${options} "-DCMAKE_PREFIX_PATH=${WORK}/moved-to")
run("${CMAKE_COMMAND}" --build "${WORK}/stranger")
run("${WORK}/stranger/stranger")

# README's example, then applications with their tests, by the test kit's component; the last one where FlatBuffers is.
find_program(flatc flatc)
foreach(application IN ITEMS first library orders)
  if(application STREQUAL "orders" AND NOT flatc)
    message(STATUS "orders is left out: no FlatBuffers")
    continue()
  endif()
  file(COPY "${SOURCE}/examples/${application}" DESTINATION "${WORK}")
  run("${CMAKE_COMMAND}" -S "${WORK}/${application}" -B "${WORK}/${application}/build" ${options}
    "-DCMAKE_PREFIX_PATH=${WORK}/moved-to")
  run("${CMAKE_COMMAND}" --build "${WORK}/${application}/build")
  if(NOT application STREQUAL "first")
    run("${CMAKE_CTEST_COMMAND}" --test-dir "${WORK}/${application}/build" --output-on-failure --no-tests=error)
  endif()
  foreach(time IN ITEMS first second)
    run("${WORK}/${application}/build/${application}" "${WORK}/${application}/log")
  endforeach()
endforeach()

if(WAY STREQUAL "installed_tree")  # how the library was built makes no difference to them
  include("${CMAKE_CURRENT_LIST_DIR}/follow_library_steps.cmake")
endif()

# The same program by pkg-config, as a Makefile would.
find_program(PKG_CONFIG pkg-config REQUIRED)
file(GLOB_RECURSE pc "${WORK}/moved-to/*/pawl.pc")
cmake_path(GET pc PARENT_PATH pc_folder)
set(ENV{PKG_CONFIG_PATH} "${pc_folder}")
execute_process(COMMAND "${PKG_CONFIG}" --cflags --libs pawl OUTPUT_VARIABLE pc_flags COMMAND_ERROR_IS_FATAL ANY)
separate_arguments(pc_flags UNIX_COMMAND "${pc_flags}")
separate_arguments(FLAGS UNIX_COMMAND "${FLAGS}")
run("${CXX}" -std=c++20 ${FLAGS} "${STRANGER}/main.cc" -o "${WORK}/by-pkg-config" ${pc_flags}
  "-Wl,-rpath,${WORK}/moved-to/lib")
run("${WORK}/by-pkg-config")
