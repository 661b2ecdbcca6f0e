// SPDX-License-Identifier: MIT
//
// export.h: which symbols the shared library shows.
//
// The library is built with hidden visibility; FUNCPTR_API marks what users may see. It is the same
// when building and when using (ELF and Mach-O need no import side). Types that are thrown or
// compared across the library's border carry it too, so that there is one of each in a process.
#pragma once

#define FUNCPTR_API __attribute__((visibility("default")))
