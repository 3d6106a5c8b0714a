# pawl_room(): one library per top-level room, and the layers between them.
include_guard(GLOBAL)

# Who may use whom (the table of the design). memlog knows no other room; projectors and sagas do not know each other.
set(PAWL_ROOMS memlog core projectors sagas)
set(PAWL_ROOM_memlog_MAY_USE)
set(PAWL_ROOM_core_MAY_USE memlog)
set(PAWL_ROOM_projectors_MAY_USE core memlog)
set(PAWL_ROOM_sagas_MAY_USE core memlog)

# pawl_room(NAME core
#           SOURCES engine.cc                    cold files; exceptions on, turned into Status at the API border
#           HOT_SOURCES event_loop.cc            compiled with -fno-exceptions
#           PUBLIC_HEADERS include/pawl/engine.h every one; each is compiled alone by the target
#                                                all_verify_interface_header_sets
#           LIBRARIES pawl::memlog absl::status  what users of the room's headers need too
#           PRIVATE_LIBRARIES pawl_moodycamel    what only its sources need
#           DEFINITIONS X=1)                     private compile definitions
#
# Creates pawl_<room> and pawl::<room>. Without sources it is an INTERFACE library. The only include paths are the
# room's own include/ and those of the rooms in LIBRARIES, and a room outside the table above is refused here: a
# forbidden include does not compile. Paths are relative to the room's folder, one file per line.
function(pawl_room)
  cmake_parse_arguments(PARSE_ARGV 0 room "" "NAME"
    "SOURCES;HOT_SOURCES;PUBLIC_HEADERS;LIBRARIES;PRIVATE_LIBRARIES;DEFINITIONS")
  if(room_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "pawl_room(${room_NAME}): unknown arguments ${room_UNPARSED_ARGUMENTS}")
  endif()
  _pawl_check_layers("${room_NAME}" ${room_LIBRARIES} ${room_PRIVATE_LIBRARIES})

  set(target pawl_${room_NAME})
  if(room_SOURCES OR room_HOT_SOURCES)
    set(scope PUBLIC)
    add_library(${target} ${room_SOURCES} ${room_HOT_SOURCES})
    pawl_compile_settings(${target})
    target_compile_definitions(${target} PRIVATE ${room_DEFINITIONS})
    # Ours are headers only and end with the build; a foreign library must be linked by users of the archive too.
    foreach(library IN LISTS room_PRIVATE_LIBRARIES)
      if(library MATCHES "^pawl_")
        set(library "$<BUILD_INTERFACE:${library}>")
      endif()
      target_link_libraries(${target} PRIVATE ${library})
    endforeach()
    set_source_files_properties(${room_HOT_SOURCES} PROPERTIES COMPILE_OPTIONS -fno-exceptions)
    set_target_properties(${target} PROPERTIES VERSION ${PROJECT_VERSION}
      SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  else()
    set(scope INTERFACE)
    add_library(${target} INTERFACE)
  endif()
  add_library(pawl::${room_NAME} ALIAS ${target})

  set_target_properties(${target} PROPERTIES EXPORT_NAME ${room_NAME} VERIFY_INTERFACE_HEADER_SETS ON)
  target_compile_features(${target} ${scope} cxx_std_20)
  target_link_libraries(${target} ${scope} ${room_LIBRARIES})
  target_sources(${target} ${scope} FILE_SET HEADERS BASE_DIRS include FILES ${room_PUBLIC_HEADERS})
  # Named too although the file set carries it: a file set without files adds no include path.
  target_include_directories(${target} ${scope} $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>)
  if(PAWL_TSAN_STORAGE)
    target_compile_definitions(${target} ${scope} PAWL_TSAN_STORAGE=1)
  endif()
  set_property(GLOBAL APPEND PROPERTY PAWL_ROOM_TARGETS ${target})
endfunction()

# pawl_test_kit(NAME testing SOURCES … PUBLIC_HEADERS … LIBRARIES pawl::core)
#
# Creates pawl_<name> and pawl::<name>: what users' tests link. No room may use it, and it is not part of pawl::pawl.
# Who links it needs GTest::gtest: find_package(pawl COMPONENTS <name>) finds it; here the tests do, and who takes Pawl in
# as a subproject finds it before.
function(pawl_test_kit)
  cmake_parse_arguments(PARSE_ARGV 0 kit "" "NAME" "SOURCES;PUBLIC_HEADERS;LIBRARIES")
  if(kit_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "pawl_test_kit(${kit_NAME}): unknown arguments ${kit_UNPARSED_ARGUMENTS}")
  endif()
  set(target pawl_${kit_NAME})
  add_library(${target} ${kit_SOURCES})
  add_library(pawl::${kit_NAME} ALIAS ${target})
  pawl_compile_settings(${target})
  # Without GoogleTest its header cannot be compiled alone.
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${kit_NAME}
    VERIFY_INTERFACE_HEADER_SETS ${PAWL_BUILD_TESTS}
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_link_libraries(${target} PUBLIC ${kit_LIBRARIES}
    INTERFACE $<BUILD_INTERFACE:$<TARGET_NAME_IF_EXISTS:GTest::gtest>> $<INSTALL_INTERFACE:GTest::gtest>)
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS include FILES ${kit_PUBLIC_HEADERS})
  set_property(GLOBAL APPEND PROPERTY PAWL_TEST_KIT_TARGETS ${target})
endfunction()

function(_pawl_check_layers room)
  if(NOT room IN_LIST PAWL_ROOMS)
    message(FATAL_ERROR "pawl_room: '${room}' is none of the rooms (${PAWL_ROOMS})")
  endif()
  foreach(library IN LISTS ARGN)
    if(library MATCHES "^pawl(::|_)(.+)$" AND CMAKE_MATCH_2 IN_LIST PAWL_ROOMS
       AND NOT CMAKE_MATCH_2 IN_LIST PAWL_ROOM_${room}_MAY_USE)
      message(FATAL_ERROR "pawl_room(${room}): may not use room '${CMAKE_MATCH_2}'")
    endif()
    if(library STREQUAL "pawl_moodycamel" AND NOT room STREQUAL "core")
      message(FATAL_ERROR "pawl_room(${room}): only core may see the command queue's library")
    endif()
  endforeach()
endfunction()

# pawl::pawl: all rooms.
function(pawl_umbrella)
  get_property(rooms GLOBAL PROPERTY PAWL_ROOM_TARGETS)
  add_library(pawl_pawl INTERFACE)
  add_library(pawl::pawl ALIAS pawl_pawl)
  set_target_properties(pawl_pawl PROPERTIES EXPORT_NAME pawl)
  target_link_libraries(pawl_pawl INTERFACE ${rooms})
endfunction()
