# Everything comes from the distribution. A release links it statically into programs, so that
# `ldd flatend` shows the C library only; FLATEND_STATIC_DEPS=OFF takes the shared ones (sanitizer
# builds). libflatend.so always takes the shared ones (dep_NAME_shared): an application that hands in
# its own uv_loop_t must share one libuv with it.
option(FLATEND_STATIC_DEPS "Link dependencies statically" ON)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# flatend_dependency(NAME MODULE ARCHIVES...) makes dep_NAME and dep_NAME_shared.
function(flatend_dependency name module)
  pkg_check_modules(${name} QUIET ${module})
  if(NOT ${name}_FOUND)
    message(FATAL_ERROR "${module} was not found: run scripts/setup")
  endif()
  set(archives "")
  if(FLATEND_STATIC_DEPS)
    foreach(library IN LISTS ARGN)
      find_library(static_${library} NAMES lib${library}.a HINTS ${${name}_LIBRARY_DIRS})
      if(NOT static_${library})
        message(FATAL_ERROR "lib${library}.a was not found: run scripts/setup")
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
target_link_libraries(dep_ssl INTERFACE dep_crypto) # stands before it
flatend_dependency(nghttp2 libnghttp2 nghttp2)

# The todo example.
flatend_dependency(sqlite sqlite3 sqlite3)
target_link_libraries(dep_sqlite INTERFACE m)
flatend_dependency(jansson jansson jansson)

# toml++ is used header-only, in one file (src/gateway/config/toml.cpp).
pkg_check_modules(toml QUIET tomlplusplus)
if(NOT toml_FOUND)
  message(FATAL_ERROR "tomlplusplus was not found: run scripts/setup")
endif()
add_library(dep_toml INTERFACE)
target_include_directories(dep_toml SYSTEM INTERFACE ${toml_INCLUDE_DIRS})
