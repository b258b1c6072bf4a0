//! `spawn-per-key` keeps the laws of every strategy.

harness::laws!(spawn_per_key::SpawnPerKey);

harness::plain_laws!(at_once: Keys);
