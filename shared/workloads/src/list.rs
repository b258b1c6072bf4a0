//! The list of the workloads, and what is made of it.

/// Everything that goes through all workloads, and their modules: `workloads! { a_file::AType }`.
macro_rules! workloads {
    ($($file:ident::$workload:ident),* $(,)?) => {
        $(
            mod $file;
            pub use $file::$workload;
        )*

        /// All of them, the default first.
        pub const BUILT_IN: &[Facts] = &[$(Facts::of::<$workload>()),*];

        /// What a process serves that is a worker of a strategy's program.
        pub fn served() -> Vec<fanout::Served> {
            vec![$(fanout::job::<$workload>()),*]
        }

        /// A strategy that runs all of them.
        pub trait RunsAll: $(fanout::Runs<$workload> +)* {}

        impl<S: $(fanout::Runs<$workload> +)*> RunsAll for S {}

        /// Makes the workload called `name`, and uses it.
        ///
        /// # Errors
        ///
        /// That there is none of this name, or which flags are wrong for it, in one line.
        pub fn dispatch<S: RunsAll, U: Use<S>>(name: &str, asked: &Asked, user: U) -> Result<U::Result, String> {
            $(
                if name == <$workload as fanout::Portable>::NAME {
                    asked.check(&Facts::of::<$workload>())?;
                    return Ok(user.with(<$workload as BuiltIn>::asked(asked)?));
                }
            )*
            let names: Vec<&str> = BUILT_IN.iter().map(|facts| facts.name).collect();
            Err(format!("there is no workload {name}; there is {}", names.join(", ")))
        }
    };
}

pub(crate) use workloads;
