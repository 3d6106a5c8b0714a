#include <cstdio>

#include <pawl/check.h>
#include <pawl/parking.h>

int main() {
  const auto before = pawl::KernelParking::NowNs();
  PAWL_CHECK(pawl::KernelParking::NowNs() >= before);
  std::puts("linked against an installed Pawl");
  return 0;
}
