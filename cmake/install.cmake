# Both libraries, the header, the gateway, and what pkg-config and CMake need to find them. Nothing
# installed knows its own path, so that --prefix and DESTDIR work at install time.
include(CMakePackageConfigHelpers)

install(TARGETS flatend_static flatend_shared
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/flatend.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(TARGET flatend_command)
  install(TARGETS flatend_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(FILES packaging/flatend.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()

# Static linking (pkg-config --static) takes libuv's archive, which may have another name than -luv:
# libuv_a.a. Systems that have such an archive have a module of its own for it.
pkg_check_modules(libuv_static QUIET libuv-static)
set(libuv_static_module libuv)
if(libuv_static_FOUND)
  set(libuv_static_module libuv-static)
endif()
set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH prefix_from_pkgconfig /prefix/${pkgconfig_dir} /prefix)
configure_file(packaging/flatend.pc.in flatend.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/flatend.pc DESTINATION ${pkgconfig_dir})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/flatend)
configure_package_config_file(packaging/flatend-config.cmake.in flatend-config.cmake
  INSTALL_DESTINATION ${package_dir}
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/flatend-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/flatend-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/flatend-config-version.cmake DESTINATION ${package_dir})
