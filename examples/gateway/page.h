// SPDX-License-Identifier: MIT
//
// page.h: what the browser is shown. Three texts, so that the content security policy can forbid
// everything that stands inside the HTML.
#pragma once

namespace gateway {

extern const char* const page_html;
extern const char* const page_css;
extern const char* const page_js;

} // namespace gateway
