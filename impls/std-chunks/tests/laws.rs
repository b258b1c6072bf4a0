//! `std-chunks` keeps the laws of every strategy.

harness::laws!(std_chunks::StdChunks, does_not_balance);
