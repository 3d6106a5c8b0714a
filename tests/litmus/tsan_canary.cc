// A deliberate mistake that ThreadSanitizer must report, or its preset proves nothing.
//
//   tsan_canary            publishes with relaxed order: FORBIDDEN to stay unreported
//   tsan_canary --release  publishes with release: must not be reported
//
// Exit status 77 where it is built without ThreadSanitizer.

#include <atomic>
#include <cstdio>
#include <cstring>
#include <thread>

namespace {

#if defined(__SANITIZE_THREAD__)
constexpr bool kIsUnderTsan = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
constexpr bool kIsUnderTsan = true;
#else
constexpr bool kIsUnderTsan = false;
#endif
#else
constexpr bool kIsUnderTsan = false;
#endif

constexpr int kSkipped = 77;

struct Mailbox {
  int letter = 0;
  std::atomic<bool> is_full{false};
};

void Publish(Mailbox& box, std::memory_order order) {
  std::thread writer([&box, order] {
    box.letter = 42;
    if (order == std::memory_order_release) {
      box.is_full.store(true, std::memory_order_release);
    } else {
      box.is_full.store(true, std::memory_order_relaxed);
    }
  });
  while (!box.is_full.load(std::memory_order_acquire)) std::this_thread::yield();
  std::printf("letter %d\n", box.letter);
  writer.join();
}

}  // namespace

int main(int argc, char** argv) {
  if (!kIsUnderTsan) {
    std::printf("SKIPPED: built without ThreadSanitizer\n");
    return kSkipped;
  }
  const bool is_correct = argc > 1 && std::strcmp(argv[1], "--release") == 0;
  Mailbox box;
  Publish(box, is_correct ? std::memory_order_release : std::memory_order_relaxed);
  return 0;
}
