//! The user's own code where it is not the key: how workloads and outputs are encoded, decoded and dropped.

use super::*;

/// The caller's own code can panic in the parent too. It is that key's failure, like any other.
pub fn p14_a_panic_where_an_output_is_received_is_its_keys_alone<S: Subject>(binary: &Binary) {
    clean_after(&binary.context(WORKERS), |strategy: &mut S| {
        let faulty = of(30, 10_000, vec![fault(0, FaultKind::PanicReceiving), fault(7, FaultKind::PanicReceiving)]);
        let outcomes = strategy.run(&faulty);
        for key in [0, 7] {
            let told = outcomes[key].as_ref().expect_err("the parent panicked").to_string();
            assert!(told.contains(&format!("a fault in the parent of key {key}")), "{told}");
        }
        right_but(&faulty, outcomes, &[0, 7]);
    });
}
