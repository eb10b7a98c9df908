# FLATEND_LINT (the preset lint, scripts/lint): clang-tidy beside the compilation of each C file, and
# nothing is linked. What has been looked at is looked at again only when the file, a header that it
# includes, its flags or .clang-tidy have changed.
option(FLATEND_LINT "Run clang-tidy on each C file" OFF)
if(FLATEND_LINT)
  find_program(clang_tidy clang-tidy REQUIRED)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/.clang-tidy)
  file(SHA256 ${CMAKE_SOURCE_DIR}/.clang-tidy rules) # a new command line makes Ninja run it again
  string(SUBSTRING ${rules} 0 12 rules)
  set(CMAKE_C_CLANG_TIDY ${clang_tidy} --quiet --extra-arg=-DFLATEND_LINT_RULES=${rules})

  foreach(output LINK_EXECUTABLE CREATE_SHARED_LIBRARY CREATE_SHARED_MODULE)
    set(CMAKE_C_${output} "<CMAKE_COMMAND> -E touch <TARGET>")
  endforeach()
  set(CMAKE_C_ARCHIVE_CREATE "<CMAKE_COMMAND> -E touch <TARGET>")
  set(CMAKE_C_ARCHIVE_APPEND "")
  set(CMAKE_C_ARCHIVE_FINISH "")
endif()
