#include <pawl/check.h>
#include <pawl/parking.h>

#include <cstdio>

int main() {
  const auto before = pawl::KernelParking::NowNs();
  PAWL_CHECK(pawl::KernelParking::NowNs() >= before);
  std::puts("linked against an installed Pawl");
  return 0;
}
