// What an engine does about inputs that end the process.

#include "engine_parts.h"
#include "pawl/engine.h"

namespace pawl::inline v0 {

absl::Status EngineParts::MakeGuard() {
  guard = std::make_unique<InputGuard>(
      InputGuard::Setup{.storage = options.storage != nullptr ? options.storage : &PosixStorage(),
                        .directory = options.directory,
                        .is_on = options.guard,
                        .forgets = options.forget_deaths,
                        .on_notice = options.on_notice,
                        .aggregates = aggregates,
                        .log = log.get(),
                        .parts = {.lanes = options.producers_max,
                                  .window = options.session_window,
                                  .parcel_bytes = options.parcel_bytes}});
  return guard->FindDeaths();
}

const std::vector<QuarantinedInput>& Engine::Quarantined() const noexcept {
  return parts_->guard->quarantined();
}

}  // namespace pawl::inline v0
