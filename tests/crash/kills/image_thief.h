#pragma once

#include "../../memlog/forwarding_storage.h"

namespace pawl::inline v0 {

// A planted fault: images are used again though readers keep them, because RenameUnkept() is a
// plain Rename() unless a storage says otherwise.
class ImageThief final : public ForwardingStorage {};

}  // namespace pawl::inline v0
