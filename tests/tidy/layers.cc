// The layers as the compiler sees them: a room's include paths hold no header of a room above it.

#include "pawl/check.h"

#ifdef PAWL_CASE_INCLUDES_A_ROOM_ABOVE
#include "pawl/histogram.h"
#endif

#ifdef PAWL_CASE_INCLUDES_A_PRIVATE_HEADER
#include "crc32c_kernels.h"
#endif
