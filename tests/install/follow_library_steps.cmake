# What examples/library/README.md says, done to the copy in ${WORK}/library, which is built and has a log: the five
# steps to an aggregate of one's own, and that a changed event is found first. Included by try_package.cmake.
set(library "${WORK}/library")
set(run_library "${library}/build/library" "${WORK}/library/log")
set(test_library "${CMAKE_CTEST_COMMAND}" --test-dir "${library}/build" --output-on-failure --no-tests=error)
set(update_layouts "${CMAKE_COMMAND}" -E env PAWL_UPDATE_LAYOUTS=1 ${test_library} -R LayoutsTest)
set(build_library "${CMAKE_COMMAND}" --build "${library}/build")

function(change file from to)
  file(READ "${library}/${file}" text)
  string(REPLACE "${from}" "${to}" changed "${text}")
  if(changed STREQUAL text)
    message(FATAL_ERROR "${file} of examples/library has no '${from}' any more: say here what is to change")
  endif()
  file(WRITE "${library}/${file}" "${changed}")
endfunction()

function(fails_saying pattern)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said)
  list(JOIN ARGN " " command)
  if(result EQUAL 0)
    message(FATAL_ERROR "did not fail: ${command}")
  elseif(NOT said MATCHES "${pattern}")
    message(FATAL_ERROR "failed without '${pattern}': ${command}\n${said}")
  endif()
endfunction()

# A changed field: the tests name it, no update of the layouts gets around that, and the log is refused.
change(copy.h "std::int64_t fee_cents;" "std::int64_t fee_pence;")
change(copy_test.cc "TakenBack{2 * kFeePerDayCents}" "TakenBack{kFeePerDayCents}")
run(${build_library})
fails_saying("event 1 of 1: library.taken-back: fee_pence: expected 20, was 40" ${test_library} -R CopyTest)
fails_saying("library.taken-back" ${test_library} -R LayoutsTest)
fails_saying("library.taken-back" ${update_layouts})
fails_saying("library.taken-back" ${run_library})
change(copy.h "std::int64_t fee_pence;" "std::int64_t fee_cents;")
change(copy_test.cc "TakenBack{kFeePerDayCents}" "TakenBack{2 * kFeePerDayCents}")

# 1 and 2: a command and an event; what is missing does not compile.
change(copy.h "struct Reserve {" "struct Lose {};\nstruct Reserve {")
change(copy.h "struct Released {" "struct Lost {
  static constexpr pawl::EventType kType{\"library.lost\", 1};
};
struct Released {")
change(copy.h "TakeBack, Reserve>" "TakeBack, Reserve, Lose>")
change(copy.h "Reserved, Released>" "Reserved, Released, Lost>")
fails_saying("pawl: " ${build_library} --target library)
change(copy.h "  static void Evolve(State& s, const Acquired& e)"
  "  static pawl::Verdict Decide(const State& s, const Lose&, pawl::Emit<Copy>& emit) noexcept {
    if (!s.is_there) return pawl::Refuse(kIsNotThere);
    emit(Lost{});
    return pawl::Accept();
  }
  static void Evolve(State& s, const Lost&) noexcept { s.is_there = false; }
  static void Evolve(State& s, const Acquired& e)")

# 3: a case for what is accepted and one for the refusal.
change(copy_test.cc "// Fails if an event of the program differs" "TEST(CopyTest, IsLostOnce) {
  Given<Copy>(kAcquired).When(Lose{}).Then(Lost{}).When(Lose{}).ThenRefused(Copy::kIsNotThere);
}

// Fails if an event of the program differs")
run(${build_library})
run(${test_library} -R CopyTest)

# 4: the new event's line.
fails_saying("library.lost" ${test_library} -R LayoutsTest)
run(${update_layouts})
run(${test_library})
run(${run_library})

# 5: an event that must change gets a new version; the old one stays readable, in the log too.
change(copy.h "struct TakenBack {
  static constexpr pawl::EventType kType{\"library.taken-back\", 1};
  std::int64_t fee_cents;
};" "struct TakenBackV1 {
  static constexpr pawl::EventType kType{\"library.taken-back\", 1};
  std::int64_t fee_cents;
};
struct TakenBack {
  static constexpr pawl::EventType kType{\"library.taken-back\", 2};
  using Older = TakenBackV1;
  std::int64_t fee_cents;
  std::int64_t paid_cents;
};
inline TakenBack Upcast(const TakenBackV1& e) noexcept { return {e.fee_cents, 0}; }")
change(copy_test.cc "// Fails if an event of the program differs" "TEST(CopyTest, StandsOnItsShelfAfterAnOlderTakenBack) {
  Given<Copy>(kAcquired, Lent{kAda, 0}, TakenBackV1{20}).ThenState([](const Copy::State& s) {
    EXPECT_TRUE(s.member.is_zero());
  });
}

// Fails if an event of the program differs")
run(${build_library})
fails_saying("library.taken-back" ${test_library} -R LayoutsTest)
run(${update_layouts})
run(${test_library})
run(${run_library})
