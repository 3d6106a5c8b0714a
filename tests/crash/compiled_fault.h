#pragma once

namespace pawl::inline v0 {

// Name of the fault that is linked into this program, or "".
extern const char* const kCompiledFault;

}  // namespace pawl::inline v0
