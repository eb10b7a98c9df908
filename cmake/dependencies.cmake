# Everything comes from the distribution. A release links it statically into programs, so that
# `ldd flatend` shows the C library only; FLATEND_STATIC_DEPS=OFF takes the shared ones (sanitizer
# builds). libflatend.so always takes the shared ones (dep_NAME_shared): an application that hands in
# its own uv_loop_t must share one libuv with it.
option(FLATEND_STATIC_DEPS "Link dependencies statically" ON)
find_package(PkgConfig QUIET)
find_package(Threads REQUIRED)

# flatend_missing(NAME) notes it; flatend_stop_if_missing() names all of them, also in missing.txt,
# from which scripts/build says it again after everything that CMake says.
function(flatend_missing name)
  set_property(GLOBAL APPEND PROPERTY flatend_missing ${name})
endfunction()
function(flatend_stop_if_missing)
  get_property(names GLOBAL PROPERTY flatend_missing)
  list(REMOVE_DUPLICATES names)
  list(JOIN names ", " names)
  file(WRITE ${CMAKE_BINARY_DIR}/missing.txt "${names}")
  if(names)
    message(FATAL_ERROR "missing: ${names}: run scripts/setup")
  endif()
endfunction()
if(NOT PKG_CONFIG_FOUND)
  flatend_missing(pkg-config)
  flatend_stop_if_missing()
endif()

# flatend_dependency(NAME MODULE ARCHIVES...) makes dep_NAME and dep_NAME_shared.
function(flatend_dependency name module)
  pkg_check_modules(${name} QUIET ${module})
  if(NOT ${name}_FOUND)
    flatend_missing(${module})
    return()
  endif()
  set(archives "")
  if(FLATEND_STATIC_DEPS)
    foreach(library IN LISTS ARGN)
      find_library(static_${library} NAMES lib${library}.a HINTS ${${name}_LIBRARY_DIRS})
      if(NOT static_${library})
        flatend_missing(lib${library}.a)
      endif()
      list(APPEND archives ${static_${library}})
    endforeach()
  else()
    set(archives ${${name}_LINK_LIBRARIES})
  endif()
  foreach(kind "" _shared)
    add_library(dep_${name}${kind} INTERFACE)
    target_include_directories(dep_${name}${kind} SYSTEM INTERFACE ${${name}_INCLUDE_DIRS})
    target_link_libraries(dep_${name}${kind} INTERFACE Threads::Threads ${CMAKE_DL_LIBS})
  endforeach()
  target_link_libraries(dep_${name} INTERFACE ${archives})
  target_link_libraries(dep_${name}_shared INTERFACE ${${name}_LINK_LIBRARIES})
endfunction()

flatend_dependency(uv libuv uv_a)
flatend_dependency(sodium libsodium sodium)
flatend_dependency(crypto libcrypto crypto)
flatend_dependency(ssl libssl ssl)
flatend_dependency(nghttp2 libnghttp2 nghttp2)

# The todo example.
flatend_dependency(sqlite sqlite3 sqlite3)
flatend_dependency(jansson jansson jansson)

if(FLATEND_TESTS)
  pkg_check_modules(cmocka QUIET cmocka)
  if(NOT cmocka_FOUND)
    flatend_missing("cmocka (scripts/setup test)")
  endif()
endif()
flatend_stop_if_missing()

target_link_libraries(dep_ssl INTERFACE dep_crypto) # stands before it
target_link_libraries(dep_sqlite INTERFACE m)
