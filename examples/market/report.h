#pragma once

#include <string>

#include "replay.h"

namespace market {

// The day for people, and for programs.
std::string ReportTable(const ReplayResult& result);
std::string ReportJson(const ReplayResult& result);

}  // namespace market
