//! Names that the programs that make crates refuse.

use bench::entrants::name::LONGEST;

/// Names under which neither a strategy nor a job can be made, each with the reason.
pub(crate) fn badly_named() -> Vec<(String, String)> {
    const KEBAB: &str = "is not kebab-case: a name is lowercase letters, digits and single hyphens between them, and \
                         starts with a letter";
    let too_long = "m".repeat(LONGEST + 1);
    [
        ("kernel", "`kernel` is a crate of fanout's own"),
        ("workloads", "`workloads` is a crate of fanout's own"),
        ("harness", "`harness` is a crate of fanout's own"),
        ("bench", "`bench` is a crate of fanout's own"),
        ("", "`` KEBAB"),
        (" ", "` ` KEBAB"),
        ("-", "`-` KEBAB"),
        ("-a", "`-a` KEBAB"),
        ("--a", "`--a` KEBAB"),
        ("a-", "`a-` KEBAB"),
        ("a--b", "`a--b` KEBAB"),
        ("a_b", "`a_b` KEBAB"),
        ("A", "`A` KEBAB"),
        ("RayonIter", "`RayonIter` KEBAB"),
        ("4a", "`4a` KEBAB"),
        ("a b", "`a b` KEBAB"),
        ("a/b", "`a/b` KEBAB"),
        ("..", "`..` KEBAB"),
        ("a\nb", "`a\\nb` KEBAB"),
        ("straße", "`straße` KEBAB"),
        ("fn", "`fn` is a Rust keyword, and would be what `fn` is called in Rust"),
        ("crate", "`crate` is a Rust keyword, and would be what `crate` is called in Rust"),
        ("self", "`self` is a Rust keyword, and would be what `self` is called in Rust"),
        ("async", "`async` is a Rust keyword, and would be what `async` is called in Rust"),
        ("try", "`try` is a Rust keyword, and would be what `try` is called in Rust"),
        ("yield", "`yield` is a Rust keyword, and would be what `yield` is called in Rust"),
        ("gen", "`gen` is a Rust keyword, and would be what `gen` is called in Rust"),
        ("rayon", "`rayon` is taken by the crate `rayon`, which fanout depends on"),
        ("rand-xoshiro", "`rand-xoshiro` is taken by the crate `rand_xoshiro`, which fanout depends on"),
        ("xxhash-rust", "`xxhash-rust` is taken by the crate `xxhash-rust`, which fanout depends on"),
        ("std", "`std` is a crate of Rust's own"),
        ("core", "`core` is a crate of Rust's own"),
        ("alloc", "`alloc` is a crate of Rust's own"),
        ("test", "`test` is a crate of Rust's own"),
        ("proc-macro", "`proc-macro` is a crate of Rust's own"),
        ("deps", "`deps` is a folder of cargo's, which it keeps beside the programs that it builds"),
        ("vec", "the type of `vec` would be `Vec`, which means something else in its file already"),
        ("drop", "the type of `drop` would be `Drop`, which means something else in its file already"),
        (&too_long, "the name has 33 characters, and 32 are the most, so that tables fit on a screen"),
    ]
    .map(|(name, reason)| (name.to_owned(), reason.replace("KEBAB", KEBAB)))
    .into()
}
