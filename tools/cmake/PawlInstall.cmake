# Install rules, the CMake package and the pkg-config file.
include_guard(GLOBAL)
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_property(rooms GLOBAL PROPERTY PAWL_ROOM_TARGETS)
set(package_folder "${CMAKE_INSTALL_LIBDIR}/cmake/pawl")

install(TARGETS ${rooms} pawl_pawl EXPORT pawlTargets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT pawlTargets NAMESPACE pawl:: DESTINATION "${package_folder}")

# The test kit apart: whoever does not ask for the component `testing` needs no GoogleTest.
get_property(kits GLOBAL PROPERTY PAWL_TEST_KIT_TARGETS)
install(TARGETS ${kits} EXPORT pawlTestingTargets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT pawlTestingTargets NAMESPACE pawl:: DESTINATION "${package_folder}")

configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/pawlConfig.cmake.in" "${PROJECT_BINARY_DIR}/pawlConfig.cmake"
  INSTALL_DESTINATION "${package_folder}" NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/pawlConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/pawlConfig.cmake" "${PROJECT_BINARY_DIR}/pawlConfigVersion.cmake"
  DESTINATION "${package_folder}")

# Users of a room come before it on the link line; a room without sources has no library.
set(PAWL_PC_LIBRARIES "")
foreach(room IN LISTS rooms)
  get_target_property(type ${room} TYPE)
  if(NOT type STREQUAL "INTERFACE_LIBRARY")
    string(PREPEND PAWL_PC_LIBRARIES " -l${room}")
  endif()
endforeach()
cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_LIBDIR BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}"
  OUTPUT_VARIABLE PAWL_PC_LIBDIR)
# From lib/<arch>/pkgconfig back to the prefix: one ".." per folder. Relative, so the tree can be moved.
string(REGEX REPLACE "[^/]+" ".." PAWL_PC_UP "${PAWL_PC_LIBDIR}/pkgconfig")
configure_file("${CMAKE_CURRENT_LIST_DIR}/pawl.pc.in" "${PROJECT_BINARY_DIR}/pawl.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/pawl.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
