# Everything comes from the distribution. A release links it statically, so that `ldd flatend` shows
# the C library only; FLATEND_STATIC_DEPS=OFF takes the shared ones (sanitizer builds).
option(FLATEND_STATIC_DEPS "Link dependencies statically" ON)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

function(flatend_dependency name module)
  pkg_check_modules(${name} REQUIRED ${module})
  add_library(dep_${name} INTERFACE)
  target_include_directories(dep_${name} SYSTEM INTERFACE ${${name}_INCLUDE_DIRS})
  set(found "")
  if(FLATEND_STATIC_DEPS)
    foreach(library IN LISTS ARGN)
      find_library(static_${library} NAMES lib${library}.a HINTS ${${name}_LIBRARY_DIRS})
      if(NOT static_${library})
        message(FATAL_ERROR "lib${library}.a was not found: run scripts/setup")
      endif()
      list(APPEND found ${static_${library}})
    endforeach()
  else()
    set(found ${${name}_LINK_LIBRARIES})
  endif()
  target_link_libraries(dep_${name} INTERFACE ${found} Threads::Threads ${CMAKE_DL_LIBS})
endfunction()

flatend_dependency(uv libuv uv_a)
flatend_dependency(sodium libsodium sodium)
flatend_dependency(crypto libcrypto crypto)

# toml++ is used header-only, in one file (src/gateway/toml.cpp).
pkg_check_modules(toml REQUIRED tomlplusplus)
add_library(dep_toml INTERFACE)
target_include_directories(dep_toml SYSTEM INTERFACE ${toml_INCLUDE_DIRS})
