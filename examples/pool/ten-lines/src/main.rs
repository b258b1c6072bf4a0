//! The shortest program: one task, one call.

/// What may crash.
fn parse(text: String) -> usize {
    text.split_whitespace().count()
}
fanout_pool::register!(parse);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = fanout_pool::Pool::builder().start()?;
    println!("{}", pool.submit(parse, "to be or not".into()).wait()?);
    Ok(())
}

/// A test needs nothing more than the program does.
#[test]
fn words_are_counted() -> Result<(), Box<dyn std::error::Error>> {
    let pool = fanout_pool::Pool::builder().start()?;
    assert_eq!(pool.submit(parse, "to be or not".into()).wait()?, 4);
    Ok(())
}
