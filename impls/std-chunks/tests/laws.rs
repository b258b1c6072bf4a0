//! `std-chunks` keeps the laws of every strategy.

harness::laws!(std_chunks::StdChunks, does_not_balance);

harness::plain_laws!(at_once: Workers, does_not_balance);
