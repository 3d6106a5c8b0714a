#pragma once

#include <string>

#include "options.h"
#include "run.h"

namespace bank {

// The result of a run for people, and for programs.
std::string ReportTable(const Options& options, const RunResult& result);
std::string ReportJson(const Options& options, const RunResult& result);

}  // namespace bank
