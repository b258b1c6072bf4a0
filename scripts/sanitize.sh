#!/usr/bin/env bash
# Tools that find what tests miss: scripts/sanitize.sh [miri] [asan] [tsan] [valgrind], or all of these. A stage whose
# tool is missing is left out. Status 1 if one found something. What they said is kept in target/sanitize/.
set -euo pipefail
cd "$(dirname "$0")/.."
if [[ ${1-} == -* ]]; then sed -n '2,3s/^# //p' "$0" && exit; elif [ $# = 0 ]; then set -- miri asan tsan valgrind; fi
out=$PWD/target/sanitize host=$(rustc -vV | sed -n 's/^host: //p') status=0
declare -A needs=([miri]="cargo +nightly miri --version" [asan]="cargo +nightly --version" [valgrind]="which valgrind"
    [tsan]="ls $(rustc +nightly --print sysroot 2>/dev/null || true)/lib/rustlib/src/rust/library")
readarray -t threads < <(grep -L 'PROCESSES: bool = true' impls/*/src/lib.rs | sed 's,impls/\(.*\)/src/.*,-p=\1,')
run() { echo "+ $*" && env CARGO_TARGET_DIR="$out/$stage" "$@"; }
# SIGSEGV stays what a fault makes of it: the end of its process.
sanitized() { run "${stage^^}_OPTIONS=handle_segv=0:allocator_may_return_null=1:log_path=$out/$stage.report:$2" \
    "RUSTFLAGS=-Zsanitizer=$1" cargo +nightly test --locked --no-fail-fast --target="$host" "${@:3}"; }
perform() { case $stage in
    # Miri has no madvise, end of memory, sockets or texts of errors; a case takes it seconds. One test leaks on purpose.
    miri) run PROPTEST_CASES=4 MIRIFLAGS=-Zmiri-disable-isolation "RUSTFLAGS=$([[ $host != x86_64* ]] ||
        echo -Ctarget-feature=+avx2,+avx512f,+avx512dq,+avx512vl)" cargo +nightly miri test --locked -p={kernel,workloads,worker} \
        --lib -- --skip={{channel,conversation,port,worker}::tests,blocks_of_every,no_memory_is,payload_that_panics} ;;
    # A process looks for leaks when a worker ends, and stays if that is killed meanwhile: not where workers are killed.
    # p11 bounds an address space; the tool's shadow is larger. agrees starts 16,000 processes.
    asan) sanitized address detect_leaks=1 -p={kernel,workloads,worker,process-pool} --lib --test=laws -- \
        --skip=payload_that_panics_in_drop && sanitized address detect_leaks=0 -p=process-{pool,per-key} \
        --test={laws,failures} -- --skip=p11_too_little_memory --skip=agrees_with_a_plain_loop ;;
    # A key that calls exit leaves threads that nobody has joined.
    tsan) sanitized thread report_thread_leaks=0 -Zbuild-std "${threads[@]}" --test=laws ;;
    # The laws know a worker's program by its path. Elsewhere it is /proc/self/exe, which is valgrind itself here.
    valgrind) run "CARGO_TARGET_$(tr a-z- A-Z_ <<<"$host")_RUNNER=valgrind --trace-children=yes
        --trace-children-skip=*/mount --leak-check=full --errors-for-leak-kinds=definite
        --log-file=$out/valgrind.report.%p" cargo test --locked -p process-pool --test=laws -- e1_ runs_batch t1_ ;;
esac; }
for stage; do
    if ! ${needs[$stage]:?no such stage} >/dev/null; then echo "$stage: left out: ${needs[$stage]}" && continue; fi
    mkdir -p "$out" && rm -f "$out/$stage".* && verdict="found nothing"
    perform 2>&1 | tee "$out/$stage.log" || verdict=failed status=1
    if grep -lsE 'ERROR: (Addr|Leak)|WARNING: Thr|SUMMARY: [1-9]' "$out/$stage".report*; then verdict=reported status=1; fi
    echo "$stage: $verdict; $(awk '/^test result/ {n += $4} END {print n + 0}' "$out/$stage.log") tests passed"
done
exit $status
