// SPDX-License-Identifier: MIT
//
// The one object that knows the commit: a new one recompiles this and relinks, nothing else.
#include <funcptr/version.h>

#include "build_version.h"

namespace funcptr {

const char* version() noexcept
{
    return FUNCPTR_BUILD_VERSION;
}

const char* version_time() noexcept
{
    return FUNCPTR_BUILD_TIME;
}

} // namespace funcptr
