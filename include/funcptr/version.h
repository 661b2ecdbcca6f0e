// SPDX-License-Identifier: MIT
//
// version.h: which build this is.
//
// The release number is known to the compiler; which commit it was built from only to the library,
// so that a new commit recompiles one small object and not your program.
//
// Threads: any. Lifetime: the text is static.
//
//     if (argc == 2 && std::string_view(argv[1]) == "--version")
//         std::cout << "mine (funcptr " << funcptr::version() << ")\n";
#pragma once

#include "export.h"

/// The release that these headers belong to, by Semantic Versioning. It stands here and nowhere
/// else: the build, the packages and the CMake configuration read it from here.
#define FUNCPTR_VERSION_MAJOR 0
#define FUNCPTR_VERSION_MINOR 1
#define FUNCPTR_VERSION_PATCH 0

namespace funcptr {

/// The stamp of the library that is linked or loaded, e.g. "0.1.0-12-g3f2a9c1d2b4e-dirty": the
/// release, the commits since its tag, the commit, and whether the sources were altered. Only of
/// [0-9A-Za-z.+~_-]. Sources without a history say "0.1.0-unknown".
FUNCPTR_API const char* version() noexcept;

/// The time of that commit, ISO 8601 in UTC ("2026-11-01T12:00:00Z"), or "unknown". Never the time
/// of the build: the same sources give the same library.
FUNCPTR_API const char* version_time() noexcept;

} // namespace funcptr
