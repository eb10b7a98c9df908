# Warnings are errors, in tests too.
add_library(flatend_warnings INTERFACE)
target_compile_options(flatend_warnings INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wundef -Wvla -Wpointer-arith -Wcast-align -Wwrite-strings
  -Wimplicit-fallthrough -Wformat=2
  -Wconversion -Wsign-conversion -Wdouble-promotion -Wfloat-equal -Wredundant-decls -Walloca
  -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wnested-externs
  $<$<C_COMPILER_ID:GNU>:-Wformat-signedness -Wduplicated-cond -Wduplicated-branches>)

if(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  add_compile_options(-fstack-protector-strong -D_FORTIFY_SOURCE=2)
  add_link_options(-Wl,-z,relro,-z,now -Wl,--as-needed)
  # What a release never calls, such as the checks of whole state machines, is not shipped.
  add_compile_options(-ffunction-sections -fdata-sections)
  add_link_options(-Wl,--gc-sections)
endif()

if(FLATEND_SANITIZE)
  add_compile_options(-fsanitize=${FLATEND_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer -g)
  add_link_options(-fsanitize=${FLATEND_SANITIZE})
endif()

# Messages of FE_ASSERT name files as the repository does, and a build is the same in any folder.
# (ccache can be told to make paths relative to the build directory.)
file(RELATIVE_PATH sources_from_build ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR})
add_compile_options(-fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=
  -fmacro-prefix-map=${sources_from_build}=)

# Invariants stay on in what is shipped (src/ground/base/assert.h). Where tests, simulations and
# fuzzers run, each state machine is checked as a whole after each event, too.
foreach(type RELWITHDEBINFO RELEASE)
  string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_${type} "${CMAKE_C_FLAGS_${type}}")
endforeach()
if(FLATEND_TESTS OR FLATEND_FUZZ)
  add_compile_definitions(FLATEND_INVARIANTS)
endif()
