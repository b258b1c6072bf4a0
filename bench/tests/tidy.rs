//! This repository keeps its rules.

use std::path::Path;

mod rules;

#[path = "rules/documents.rs"]
mod documents;

macro_rules! tests {
    ($module:ident: $($rule:ident,)*) => {
        $(
            #[test]
            fn $rule() {
                $module::$rule(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap());
            }
        )*
    };
}

tests! {
    rules:
    dependencies_are_licensed_from_the_list,
    dependencies_come_from_the_registry,
    dependencies_run_one_way,
    every_crate_takes_the_workspaces_versions_and_lints,
    what_one_strategy_alone_depends_on_stands_in_its_manifest,
    strategies_that_share_a_dependency_ask_for_one_version,
    every_strategy_is_its_folder,
    every_strategy_explains_itself,
    every_strategy_is_short,
    every_strategy_can_be_taken_home,
    scripts_are_thin_doors,
    the_rooms_of_bench_look_one_way,
    the_files_of_the_pool_look_one_way,
    the_pool_is_ready_to_be_published,
    no_test_is_skipped_and_every_exception_says_why,
}

tests! {
    documents:
    every_spliced_part_is_as_it_is_made,
    the_page_about_allocators_has_the_lines_of_the_harness,
    the_readme_shows_the_strategies_and_the_notebook,
    the_newest_full_run_contradicts_no_line_of_the_guide,
}
