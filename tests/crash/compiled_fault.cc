#include "compiled_fault.h"

namespace pawl::inline v0 {

const char* const kCompiledFault = PAWL_PLANTED;

}  // namespace pawl::inline v0
